// What surrounds figures: sections with a heading, pairs of name and figure, bars, and the words for nothing and trouble.
import type { ComponentChildren } from "preact";
import type { Answer, Refused } from "../ask";

interface SectionProps {
  title: string;
  id: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

export function Section({ title, id, aside, class: more = "", children }: SectionProps) {
  return (
    <section class={`card ${more}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        {aside && <div class="aside">{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** A list of name and figure. */
export function Figures({ of, class: more = "" }: { of: [string, ComponentChildren, string?][]; class?: string }) {
  return (
    <dl class={`figures ${more}`}>
      {of.map(([name, figure, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={typeof figure === "string" && figure.length > 14 ? "long" : ""}>{figure}</dd>
          {note && <dd class="note">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}

/** A share of a whole as a bar; the words beside it say the same. A mark stands where the share should be. */
export function Bar({ share, mark, kind = "" }: { share: number; mark?: number; kind?: string }) {
  const width = `${Math.min(1, Math.max(0, share)) * 100}%`;
  return (
    <span class={`bar ${kind}`} aria-hidden="true">
      <span style={{ width }} />
      {mark !== undefined && <i style={{ left: `${mark * 100}%` }} />}
    </span>
  );
}

export function Nothing({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="nothing">
      <p class="nothing-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Stands where an answer is still to come, or will not come; nothing once it is there. */
export function Pending({ of, what }: { of: Answer<unknown>; what: string }) {
  if (of.value !== null && !of.waiting) return <Stale trouble={of.trouble} />;
  if (of.trouble)
    return (
      <div class="nothing" role="alert">
        <p class="nothing-title">{of.trouble.status === 404 ? `No such ${what}` : `The ${what} can’t be shown now`}</p>
        <p>{sentence(of.trouble.message)}</p>
        <button type="button" onClick={of.again}>
          Try again
        </button>
      </div>
    );
  return of.waiting && of.value === null ? <p class="pending">Loading the {what} …</p> : null;
}

/** Why what is on the screen is not the latest, where nobody else says so: silence and strangers are the whole page's matter. */
function Stale({ trouble }: { trouble: Refused | null }) {
  if (!trouble || [0, 401, 404].includes(trouble.status)) return null;
  return (
    <p class="notice" role="alert">
      {sentence(trouble.message)} What is shown here is from before.
    </p>
  );
}

/** With a capital, and a full stop; the name of a field keeps its letters. */
export function sentence(text: string): string {
  const capital = /^\w+\.\w/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
