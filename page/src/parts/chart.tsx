// The age over time with its bound as a band, drawn by uPlot. The arrow keys walk along it, and the line below says the
// values of the moment in words.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Point } from "../answers";
import { DASH, count, duration, moment, span } from "../words";

const HEIGHT = 260;

interface Props {
  points: Point[];
  /** Seconds that a point stands for; where there are none for much longer, the line is open. */
  step: number;
  from: number;
  to: number;
  what: "age" | "records";
  /** The limit of the objective, in the unit of the chart. */
  limit?: number | null;
}

/** Columns for uPlot: time in seconds, value, lower and upper end of the band, value where it is a lower bound only. */
export function columns(points: Point[], step: number, what: Props["what"]): uPlot.AlignedData {
  const apart = Math.max(step, usual(points));
  const [times, values, low, high, least]: [number[], ...(number | null)[][]] = [[], [], [], [], []];
  const push = (time: number, row: (number | null)[]) => {
    times.push(time);
    [values, low, high, least].forEach((column, n) => column?.push(row[n] ?? null));
  };
  for (const point of points) {
    const time = Date.parse(point.time) / 1000;
    const last = times.at(-1);
    if (last !== undefined && time - last > apart * 3) push(last + apart, []);
    if (what === "records") push(time, [point.lag_records]);
    else if (point.lag_seconds === null) push(time, []);
    else if (point.bound_seconds === null) push(time, [null, null, null, point.lag_seconds]);
    else
      push(time, [
        point.lag_seconds,
        Math.max(0, point.lag_seconds - point.bound_seconds),
        point.lag_seconds + point.bound_seconds,
        null,
      ]);
  }
  return [times, values, low ?? [], high ?? [], least ?? []] as uPlot.AlignedData;
}

/** The median time between two points, in seconds: a young history has fewer samples than steps. */
function usual(points: Point[]): number {
  const times = points.map((point) => Date.parse(point.time) / 1000);
  const gaps = times.slice(1).map((time, n) => time - (times[n] as number));
  return gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? 0;
}

const NICE = [0.001, 0.01, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000];

function options(width: number, props: Props, colour: (name: string) => string, walk: (at: number | null) => void): uPlot.Options {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${colour("--text")}` };
  const line = { width: 2, points: { show: (chart: uPlot) => chart.data[0].length < 24, size: 5 } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [12, 22, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7, fill: colour("--accent") } },
    scales: { x: { time: true, range: (_, least, most) => [least, most] }, y: { range: (_, __, most) => [0, top(most, props.limit)] } },
    axes: [
      { ...axis, space: 72, values: [[86_400, "{D} {MMM}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1], [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
      props.what === "age"
        ? { ...axis, size: 68, incrs: NICE, values: (_, ticks) => ticks.map(span) }
        : { ...axis, size: 68, values: (_, ticks) => ticks.map(count) },
    ],
    series: [
      {},
      { ...line, stroke: colour("--accent"), fill: colour("--under") },
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { ...line, stroke: colour("--accent"), dash: [3, 4] },
    ],
    bands: [{ series: [3, 2], fill: colour("--band") }],
    hooks: {
      setCursor: [(chart) => walk(chart.cursor.idx ?? null)],
      draw: [(chart) => drawLimit(chart, props.limit ?? null, colour("--offline"))],
    },
  };
}

/** The limit is shown when the line comes near it: an hour above some seconds would leave nothing to see of them. */
function top(most: number, limit: number | null | undefined): number {
  const near = limit != null && most > limit / 4;
  return Math.max(most, near ? limit : 0, 1) * 1.08;
}

function drawLimit(chart: uPlot, limit: number | null, stroke: string): void {
  if (limit === null) return;
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(limit, "y", true));
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Changes whenever the theme does. */
function useTheme(): number {
  const [turn, set] = useState(0);
  useEffect(() => {
    const changed = () => set((n) => n + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(changed);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    system.addEventListener("change", changed);
    return () => {
      observer.disconnect();
      system.removeEventListener("change", changed);
    };
  }, []);
  return turn;
}

export function Chart(props: Props) {
  const { points, step, from, to, what, limit } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [at, walk] = useState<number | null>(null);
  const theme = useTheme();
  const data = useMemo(() => columns(points, step, what), [points, step, what]);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const probe = element.querySelector<HTMLElement>(".probe");
    const colour = (name: string) => {
      if (name === "--text") return getComputedStyle(element).fontFamily;
      if (!probe) return "gray";
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const drawn = new uPlot(options(element.clientWidth, props, colour, walk), data, element);
    chart.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      chart.current = null;
    };
  }, [what, limit, theme]);
  useEffect(() => {
    chart.current?.batch(() => {
      chart.current?.setData(data, false);
      chart.current?.setScale("x", { min: from / 1000, max: to / 1000 });
    });
  }, [data, from, to]);
  const known = data[0].length;
  const key = (event: KeyboardEvent) => {
    const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -known, End: known };
    const move = moves[event.key];
    if (move === undefined || !chart.current || known === 0) return;
    event.preventDefault();
    const next = Math.min(known - 1, Math.max(0, (at ?? known) + move));
    const left = chart.current.valToPos(data[0][next] as number, "x");
    chart.current.setCursor({ left, top: HEIGHT / 2 });
    walk(next);
  };
  const describe = `${what === "age" ? "Age" : "Records not read"} over time, ${summary(points, what)}. The arrow keys walk along it.`;
  return (
    <figure class="chart">
      <div ref={place} class="plot" tabIndex={0} role="application" aria-roledescription="chart" aria-label={describe} onKeyDown={key} onBlur={() => walk(null)}>
        <span class="probe" />
      </div>
      <figcaption>
        <output>{reading(data, at ?? known - 1, what, to)}</output>
      </figcaption>
    </figure>
  );
}

function summary(points: Point[], what: Props["what"]): string {
  const values = points.map((point) => (what === "age" ? point.lag_seconds : point.lag_records)).filter((value) => value !== null);
  const say = what === "age" ? duration : count;
  if (values.length === 0) return "without a value";
  return `from ${say(Math.min(...values))} to ${say(Math.max(...values))}, last ${say(values.at(-1))}`;
}

function reading(data: uPlot.AlignedData, at: number, what: Props["what"], now: number): string {
  const time = data[0][at];
  if (time === undefined) return DASH;
  const [value, , high, least] = [1, 2, 3, 4].map((n) => data[n]?.[at] ?? null);
  const when = moment(time * 1000, now);
  if (what === "records") return `${when}  ·  ${count(value)} records`;
  if (least != null) return `${when}  ·  at least ${duration(least)}`;
  if (value == null) return `${when}  ·  no sample`;
  return `${when}  ·  ${duration(value)} ± ${duration((high ?? value) - value)}`;
}
