// The way on in a list that is longer than what is shown of it.
import { count } from "../words";

interface Props {
  shown: number;
  total: number;
  onMore: () => void;
}

export function More({ shown, total, onMore }: Props) {
  if (shown >= total) return null;
  return (
    <button type="button" class="wide" onClick={onMore}>
      Show more <span class="faint">of {count(total)}</span>
    </button>
  );
}

/** How many are shown first, and how many after that: a few steps lead to the end of a list of thousands. */
export const STEP = 50;
export const more = (shown: number) => shown * 2 + STEP;
