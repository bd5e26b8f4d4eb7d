// Groups by their age, each with a bar on a logarithmic scale: a second and a week fit beside each other.
import type { GroupRow } from "../answers";
import { group } from "../route";
import { Age } from "./age";
import { lineOf, useLines } from "./lines";
import { Spark } from "./spark";
import { Shape } from "./state";

const [LEAST, MOST] = [0.1, 7 * 86_400];

/** Where an age lies between a tenth of a second and a week, 0 to 1. */
export function place(seconds: number): number {
  const at = Math.log(Math.max(seconds, LEAST) / LEAST) / Math.log(MOST / LEAST);
  return Math.min(1, at);
}

export function Worst({ groups }: { groups: GroupRow[] }) {
  const lines = useLines(groups);
  return (
    <ol class="worst">
      {groups.map((row) => (
        <li key={lineOf(row)}>
          <span class={`worst-name state ${row.state?.toLowerCase() ?? "unknown"}`}>
            <Shape of={row.state ?? "unknown"} />
            <a href={group(row.cluster_name, row.group_id)}>{row.group_id}</a>
            <span class="unseen">{row.state ?? "no commit"}</span>
            <span class="worst-topic">{row.topics.length > 1 ? `${row.topics.length} topics` : row.topics[0]}</span>
          </span>
          <Spark points={lines.of.get(lineOf(row)) ?? []} from={lines.from} to={lines.to} />
          <Age seconds={row.max_lag_seconds} bound={row.lag.bound_seconds} />
          <span class={`depth-bar ${row.state?.toLowerCase() ?? ""}`} aria-hidden="true">
            <span style={{ width: `${place(row.max_lag_seconds ?? 0) * 100}%` }} />
          </span>
        </li>
      ))}
      <li class="depth-scale" aria-hidden="true">
        {[1, 60, 3600, 86_400].map((seconds, n) => (
          <span key={seconds} style={{ left: `${place(seconds) * 100}%` }}>
            {["1 s", "1 m", "1 h", "1 d"][n]}
          </span>
        ))}
      </li>
    </ol>
  );
}
