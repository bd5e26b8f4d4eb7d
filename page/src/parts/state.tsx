// States, trends and verdicts: always a shape and a word; colour only repeats them.
import type { Severity, State, Trend } from "../answers";

const SHAPES: Record<string, string> = {
  ONLINE: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z",
  RECOVERING: "M8 1.800 15 14H1Z",
  OFFLINE: "M2.500 2.500h11v11h-11Z",
  unknown: "M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11Zm0 1.800a3.700 3.700 0 1 0 0 7.400 3.700 3.700 0 0 0 0-7.400Z",
  critical: "M5.300 1.500h5.400l3.800 3.800v5.400l-3.800 3.800H5.300l-3.800-3.800V5.300Z",
  warning: "M8 1.800 15 14H1Z",
  good: "m2 8.500 1.500-1.600L6.600 10l6-6.400L14.100 5l-7.500 8Z",
  bad: "m3.200 1.800 4.800 4.800 4.800-4.800 1.400 1.400L9.400 8l4.800 4.800-1.400 1.400L8 9.400l-4.800 4.800-1.400-1.400L6.600 8 1.800 3.200Z",
};

export function Shape({ of }: { of: string }) {
  return (
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[of] ?? SHAPES["unknown"]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function StateWord({ state }: { state: State | null }) {
  return (
    <span class={`state ${state?.toLowerCase() ?? "unknown"}`}>
      <Shape of={state ?? "unknown"} />
      {state ?? "NO COMMIT"}
    </span>
  );
}

/** Kafka's own state of a group, which may be a long word. */
export function KafkaState({ state }: { state: string | null }) {
  if (state === null) return <span class="faint">–</span>;
  const parts = state.split(/(?<=[a-z])(?=[A-Z])/);
  return (
    <span class="kafka-state">
      {parts.map((part, n) => (
        <>
          {n > 0 && <wbr />}
          {part}
        </>
      ))}
    </span>
  );
}

export function SeverityWord({ severity }: { severity: Severity }) {
  return (
    <span class={`state ${severity === "critical" ? "offline" : "recovering"}`}>
      <Shape of={severity} />
      {severity}
    </span>
  );
}

/** Whether something is all right: true, false, or not known. */
export function Verdict({ good, figure }: { good: boolean | null; figure?: string }) {
  const [kind, shape, word] =
    good === null ? ["unknown", "unknown", "not known"] : good ? ["online", "good", "met"] : ["offline", "bad", "missed"];
  return (
    <span class={`state ${kind}`}>
      <Shape of={shape} />
      {figure ?? word}
      {figure && <span class="unseen">, {word}</span>}
    </span>
  );
}

const ARROWS: Record<Trend, string> = { growing: "↗", steady: "→", shrinking: "↘" };

export function TrendWord({ trend }: { trend: Trend | null }) {
  if (!trend) return <span class="faint">–</span>;
  return (
    <span class={`trend ${trend}`}>
      <span aria-hidden="true">{ARROWS[trend]}</span> {trend}
    </span>
  );
}
