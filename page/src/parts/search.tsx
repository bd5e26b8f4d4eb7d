// The search field of a list: what is typed narrows the list a moment later. Ctrl K goes to it.
import { useEffect, useRef, useState } from "preact/hooks";
import { refine, route } from "../route";

const PAUSE = 200;

export function Search({ what, query }: { what: string; query: URLSearchParams }) {
  const asked = query.get("q") ?? "";
  const [text, set] = useState(asked);
  const [field, timer] = [useRef<HTMLInputElement>(null), useRef(0)];
  const { view } = route(location.hash);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => {
      removeEventListener("keydown", focus);
      clearTimeout(timer.current);
    };
  }, []);
  // The address may change without this field, by a link that shows all.
  useEffect(() => {
    if (!timer.current) set(asked);
  }, [asked]);
  const typed = (text: string) => {
    set(text);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      if (route(location.hash).view === view) refine({ q: text || null });
    }, PAUSE);
  };
  return (
    <label class="search">
      <span class="unseen">Search {what}</span>
      <input ref={field} type="search" placeholder={`Search ${what}`} autocomplete="off" spellcheck={false} value={text} onInput={(event) => typed(event.currentTarget.value)} />
      <kbd aria-hidden="true">Ctrl K</kbd>
    </label>
  );
}
