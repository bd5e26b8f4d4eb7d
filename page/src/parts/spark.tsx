// The age over the last hours in the height of a line of text.
import type { Point } from "../answers";
import { duration } from "../words";

const [WIDTH, HEIGHT] = [120, 28];

export function Spark({ points, from, to }: { points: Point[]; from: number; to: number }) {
  const known = points.filter((point) => point.lag_seconds !== null);
  if (known.length < 2) return <span class="spark faint">–</span>;
  const ages = known.map((point) => point.lag_seconds as number);
  const [least, most] = [Math.min(...ages), Math.max(...ages)];
  // From zero, so that a steady age is a steady height; a tenth of a second is no mountain.
  const top = Math.max(most, 1);
  const x = (time: string) => (((Date.parse(time) - from) / Math.max(1, to - from)) * WIDTH).toFixed(1);
  const y = (age: number) => (HEIGHT - 2 - (age / top) * (HEIGHT - 5)).toFixed(1);
  const line = known.map((point, n) => `${n ? "L" : "M"}${x(point.time)} ${y(ages[n] as number)}`).join("");
  const [first, last] = [known[0] as Point, known[known.length - 1] as Point];
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" preserveAspectRatio="none">
      <title>{`Age over time: from ${duration(least)} to ${duration(most)}, now ${duration(ages.at(-1))}`}</title>
      <path class="under" d={`${line}L${x(last.time)} ${HEIGHT}L${x(first.time)} ${HEIGHT}Z`} />
      <path class="line" d={line} />
    </svg>
  );
}
