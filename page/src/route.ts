// Where one is: the part of the address behind #, so that the page works under any path prefix.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  view: string;
  parts: string[];
  query: URLSearchParams;
}

export function route(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", ...parts] = path.split("/").map(decoded);
  return { view, parts, query: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function useRoute(): Route {
  const [hash, set] = useState(location.hash);
  useEffect(() => {
    const changed = () => set(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route(hash);
}

/** The address of a view; empty values of the query are left out. */
export function to(view: string, parts: string[] = [], query: Record<string, string | null | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value);
  const path = [view, ...parts.map(encodeURIComponent)].join("/");
  return `#/${path}${search.size ? `?${search}` : ""}`;
}

export const group = (cluster: string, id: string) => to("groups", [cluster, id]);
export const topic = (cluster: string, name: string) => to("topics", [cluster, name]);

/** Changes the query of the present view in place: the way back leads to the view before, not to each letter typed. */
export function refine(changes: Record<string, string | null>): void {
  const here = route(location.hash);
  const query = Object.fromEntries([...here.query, ...Object.entries(changes)]);
  history.replaceState(null, "", to(here.view, here.parts, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
