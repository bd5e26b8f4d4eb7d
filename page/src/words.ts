// How figures are said: ages, bounds, counts, rates, times. A number keeps its unit beside it, and unknown is a dash.

export const DASH = "–";

/** A duration as number and unit, the two largest units that matter: [["21", "m"], ["27", "s"]]. */
export function units(seconds: number): [string, string][] {
  const abs = Math.abs(seconds);
  if (abs === 0) return [["0", "s"]];
  if (abs < 0.9995) return [[`${Math.max(1, Math.round(abs * 1000))}`, "ms"]];
  if (abs < 9.95) return [[abs.toFixed(1), "s"]];
  const whole = Math.round(abs);
  const scale: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
    [1, "s"],
  ];
  const first = scale.findIndex(([size]) => whole >= size);
  const [size, unit] = scale[first] as [number, string];
  const next = scale[first + 1];
  const head: [string, string] = [`${Math.floor(whole / size)}`, unit];
  if (!next) return [head];
  return [head, [`${Math.floor((whole % size) / next[0])}`, next[1]]];
}

export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return DASH;
  return units(seconds)
    .map(([number, unit]) => `${number} ${unit}`)
    .join(" ");
}

/** A duration that somebody chose, such as an interval: "1 m", "1 h 30 m", "2 s". */
export function span(seconds: number): string {
  const parts = units(seconds).map(([number, unit]): [string, string] => [number.replace(/\.0$/, ""), unit]);
  return parts
    .filter(([number], n) => n === 0 || number !== "0")
    .map(([number, unit]) => `${number} ${unit}`)
    .join(" ");
}

const LONG: Record<string, string> = { ms: "millisecond", s: "second", m: "minute", h: "hour", d: "day" };

/** For those who listen: "21 minutes 27 seconds". */
export function spoken(seconds: number): string {
  return units(seconds)
    .map(([number, unit]) => `${number} ${LONG[unit]}${number === "1" ? "" : "s"}`)
    .join(" ");
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function count(number: number | null | undefined): string {
  return number == null ? DASH : whole.format(number);
}

export function compact(number: number | null | undefined): string {
  return number == null ? DASH : number < 10_000 ? whole.format(number) : short.format(number);
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null) return DASH;
  const abs = Math.abs(perSecond);
  const text = abs !== 0 && abs < 10 ? abs.toFixed(1) : short.format(abs);
  return `${perSecond < 0 && Number(text) !== 0 ? "−" : ""}${text}/s`;
}

/** A share as percent that never rounds up to 100 or down to 0. */
export function percent(share: number | null | undefined): string {
  if (share == null) return DASH;
  const value = share * 100;
  if (value > 99 && value < 100) return `${(Math.floor(value * 100) / 100).toFixed(2)} %`;
  if (value > 0 && value < 1) return "< 1 %";
  return `${Math.round(value)} %`;
}

export function decimal(number: number | null | undefined, digits = 2): string {
  return number == null ? DASH : number.toFixed(digits);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** A time of the day; with the day when it is not within the last 20 hours. */
export function moment(time: string | number, now: number): string {
  const at = typeof time === "number" ? time : Date.parse(time);
  return Math.abs(now - at) < 20 * 3_600_000 ? clock.format(at) : dated.format(at);
}

export function ago(time: string, now: number): string {
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 1.5 ? "just now" : `${span(Math.round(seconds))} ago`;
}

export function bytes(number: number | null): string {
  if (number == null) return DASH;
  if (number < 0) return "no limit";
  const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = number < 1 ? 0 : Math.min(4, Math.floor(Math.log2(number) / 10));
  return `${Math.round((number / 2 ** (10 * step)) * 10) / 10} ${steps[step]}`;
}

export const METHODS: Record<string, string> = {
  caught_up: "Nothing is waiting.",
  record: "The broker told the timestamp of the very record.",
  interpolated: "Between two known points of the log.",
  at_least: "Only a lower bound is known.",
  no_commit: "The group has no committed offset here.",
};

export const CLOCKS: Record<string, string> = {
  append: "On Highwater’s own clock: the bound holds without conditions.",
  producer: "On the records’ timestamps: the bound holds for producers whose timestamps are in order.",
};

export const ANOMALIES: Record<string, string> = {
  commit_from_former_topic: "commit of a former topic of this name",
  offset_beyond_end: "commit beyond the log end",
  ahead_of_stable: "ahead of the last stable offset",
  blocked_by_transaction: "an open transaction hides the records",
  tail_unreadable: "most likely only transaction markers are left",
  timestamps_ahead: "timestamps from the future",
  timestamps_late: "records arrive later than their timestamps say",
  record_hidden: "no time leads to the record",
  log_truncated: "the log was truncated",
  abandoned: "stands still and no member has it, while the group goes on elsewhere",
};

/** The states of a group that Kafka's client library tells. */
export const KAFKA_STATES = ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Reconciling", "Dead"];

export const ALERTS: Record<string, string> = {
  slo_violated: "Objective missed",
  stuck_partitions: "Stuck partitions",
  rebalance_instability: "Rebalances too often",
  unfair_distribution: "Uneven assignment",
};
