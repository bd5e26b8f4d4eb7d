// Asks the API, and asks again whenever a report is new. An answer stays on the screen while the next is on its way,
// and when it fails: old figures with a word of warning are better than none.
import { useEffect, useRef, useState } from "preact/hooks";
import type { List } from "./answers";
import { heard, news } from "./live";

/** Where Highwater is, whatever path prefix a proxy puts before it. */
const BASE = new URL(".", document.baseURI);

export type Query = Record<string, string | number | string[] | null | undefined>;

/** The address of an answer; empty values of the query are left out, several are written one after the other. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path, BASE);
  for (const [key, value] of Object.entries(query)) {
    const all = Array.isArray(value) ? value : value == null || value === "" ? [] : [`${value}`];
    for (const one of all) url.searchParams.append(key, one);
  }
  return url.href;
}

/** A failure in one sentence that a person can act on. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function ask<T>(url: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { ...(signal && { signal }), cache: "no-cache", headers: { accept: "application/json" } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "Highwater does not answer. It may be restarting, or the network between you and it is down.");
  }
  heard(response.headers.get("date"));
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body as T;
  const detail = (body as { detail?: unknown } | null)?.detail;
  throw new Refused(response.status, typeof detail === "string" ? detail : `The answer was ${response.status}.`);
}

/** The most items that a page of a list has. */
const PAGE = 1000;

/** The first items of a list, as many as `limit` in its address says, page by page. */
async function pages<T>(url: string, signal?: AbortSignal): Promise<List<T>> {
  const next = new URL(url);
  const wanted = Number(next.searchParams.get("limit"));
  const items: T[] = [];
  for (;;) {
    next.searchParams.set("limit", `${Math.min(PAGE, wanted - items.length)}`);
    const page = await ask<List<T>>(next.href, signal);
    items.push(...page.items);
    if (page.next_cursor === null || items.length >= wanted) return { ...page, items };
    next.searchParams.set("cursor", page.next_cursor);
  }
}

/** Sends something; says why it was refused, or null. */
export async function send(path: string, body: unknown): Promise<Refused | null> {
  try {
    const response = await fetch(address(path), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (response.ok) return null;
    const { detail } = (await response.json().catch(() => ({}))) as { detail?: string };
    return new Refused(response.status, detail ?? `The answer was ${response.status}.`);
  } catch {
    return new Refused(0, "Highwater does not answer.");
  }
}

export interface Answer<T> {
  value: T | null;
  /** Why the last request failed; null while the last one went well. */
  trouble: Refused | null;
  /** Whether the very first answer for this address is still to come. */
  waiting: boolean;
  again: () => void;
}

interface Pace {
  /** The least time between two requests, in milliseconds. */
  every?: number;
  /** The most, where something changes that no report tells of. */
  most?: number;
}

/** The first `count` items of a list, however many pages that are, kept fresh. */
export function useList<T>(path: string, query: Query, count: number, pace: Pace = {}): Answer<List<T>> {
  return useAnswer<List<T>>(address(path, { ...query, limit: count }), pace, pages);
}

/** The answer at an address, kept fresh. `null` asks for nothing. */
export function useAnswer<T>(url: string | null, { every = 1000, most = 0 }: Pace = {}, read: (url: string, signal: AbortSignal) => Promise<T> = ask): Answer<T> {
  const [state, set] = useState<{ url: string | null; value: T | null; trouble: Refused | null }>({
    url,
    value: null,
    trouble: null,
  });
  const again = useRef(() => {});
  useEffect(() => {
    if (url === null) return;
    const abort = new AbortController();
    let [asked, timer, busy, missed] = [0, 0, false, false];
    const go = async () => {
      clearTimeout(timer);
      timer = 0;
      if (busy) return void (missed = true);
      [busy, asked] = [true, Date.now()];
      try {
        const value = await read(url, abort.signal);
        set({ url, value, trouble: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        const trouble = error instanceof Refused ? error : new Refused(0, String(error));
        set((old) => ({ url, value: old.url === url ? old.value : null, trouble }));
      }
      busy = false;
      if (missed) {
        missed = false;
        soon();
      }
    };
    const soon = () => {
      if (document.hidden) return void (missed = true);
      if (!timer) timer = window.setTimeout(go, Math.max(0, asked + every - Date.now()));
    };
    const shown = () => !document.hidden && missed && ((missed = false), soon());
    again.current = () => void go();
    void go();
    document.addEventListener("visibilitychange", shown);
    const deaf = news(soon);
    const turns = most > 0 ? setInterval(soon, most) : 0;
    return () => {
      abort.abort();
      clearTimeout(timer);
      clearInterval(turns);
      deaf();
      document.removeEventListener("visibilitychange", shown);
    };
  }, [url, every, most]);
  const present = state.url === url;
  return {
    value: state.value,
    trouble: present ? state.trouble : null,
    waiting: url !== null && !(present && (state.value !== null || state.trouble !== null)),
    again: () => again.current(),
  };
}
