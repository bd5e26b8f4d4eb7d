// An age with how far it may be off: the figure that everything here is about.
import { DASH, duration, spoken, units } from "../words";

interface Props {
  seconds: number | null;
  /** Null where only a lower bound is known. */
  bound: number | null | undefined;
  class?: string;
}

/** "21 m 27 s ± 1 ms"; "≥ 3 h 0 m" where only a lower bound is known. */
export function Age({ seconds, bound, class: more = "" }: Props) {
  if (seconds === null) return <span class={`age ${more} faint`}>{DASH}</span>;
  const least = bound === null;
  return (
    <span class={`age ${more}`}>
      <span aria-hidden="true">
        {least && <span class="least">≥ </span>}
        <Figure seconds={seconds} />
        {bound != null && bound > 0 && <span class="bound"> ± {duration(bound)}</span>}
      </span>
      <span class="unseen">
        {least && "at least "}
        {spoken(seconds)}
        {bound != null && bound > 0 && `, plus or minus ${spoken(bound)}`}
      </span>
    </span>
  );
}

function Figure({ seconds }: { seconds: number }) {
  return (
    <>
      {units(seconds).map(([number, unit], n) => (
        <>
          {n > 0 && " "}
          <span class="number">{number}</span>
          <span class="unit">{unit}</span>
        </>
      ))}
    </>
  );
}
