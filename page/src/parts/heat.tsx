// Every partition as one cell, deeper where its data is older. Number, age and mark are in the cell where there is room,
// and always in the table below.
import { useState } from "preact/hooks";
import type { Member, Partition } from "../answers";
import { ANOMALIES, METHODS, count, duration } from "../words";
import { Age } from "./age";

/** The depths, by age in seconds. */
const DEPTHS = [1, 10, 60, 600, 3600, 21_600, 86_400];
const LEGEND = ["< 1 s", "10 s", "1 m", "10 m", "1 h", "6 h", "1 d", "older"];
/** With more partitions there is no room for words in the cells. */
const ROOMY = 96;

export function depth(seconds: number | null): number | null {
  if (seconds === null) return null;
  const found = DEPTHS.findIndex((limit) => seconds < limit);
  return found < 0 ? DEPTHS.length : found;
}

const odd = (partition: Partition) =>
  partition.stuck_seconds !== null || partition.anomalies.length > 0 || partition.records_lost > 0;

function describe(partition: Partition): string {
  const parts = [`Partition ${partition.partition}`];
  if (partition.lag_seconds === null) parts.push(METHODS[partition.method ?? ""] ?? "not known");
  else parts.push(`${duration(partition.lag_seconds)}, ${count(partition.lag_records)} records`);
  if (partition.stuck_seconds !== null) parts.push(`stuck for ${duration(partition.stuck_seconds)}`);
  if (partition.stale_seconds !== null) parts.push(`figures are ${duration(partition.stale_seconds)} old`);
  return [...parts, ...partition.anomalies.map((name) => ANOMALIES[name] ?? name)].join("; ");
}

export function Heat({ partitions, members }: { partitions: Partition[]; members: Member[] }) {
  const roomy = partitions.length <= ROOMY;
  const [open, set] = useState(false);
  return (
    <>
      <ul class={roomy ? "heat roomy" : "heat"} aria-label="Age by partition">
        {partitions.map((partition) => (
          <li
            key={partition.partition}
            class={`depth-${depth(partition.lag_seconds) ?? "none"}${odd(partition) ? " odd" : ""}`}
            title={describe(partition)}
          >
            {roomy ? (
              <>
                <span class="cell-name">{partition.partition}</span>
                <span>{partition.lag_seconds === null ? "–" : duration(partition.lag_seconds)}</span>
              </>
            ) : (
              <span class="unseen">{describe(partition)}</span>
            )}
          </li>
        ))}
      </ul>
      <Legend odd={partitions.some(odd)} />
      <details open={open} onToggle={(event) => set(event.currentTarget.open)}>
        <summary>Offsets and bounds of {count(partitions.length)} partitions</summary>
        {open && <Table partitions={partitions} members={members} />}
      </details>
    </>
  );
}

function Legend({ odd }: { odd: boolean }) {
  return (
    <p class="legend" aria-hidden="true">
      {LEGEND.map((text, n) => (
        <span key={text}>
          <i class={`depth-${n}`} />
          {text}
        </span>
      ))}
      <span>
        <i class="depth-none" />
        no age
      </span>
      {odd && (
        <span>
          <i class="depth-none odd" />
          stuck or odd
        </span>
      )}
    </p>
  );
}

function Table({ partitions, members }: { partitions: Partition[]; members: Member[] }) {
  const names = new Map(members.map((member) => [member.member_id, member.client_id]));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of partitions">
      <table class="dense">
        <thead>
          <tr>
            <th scope="col" class="right">Partition</th>
            <th scope="col" class="right">Age</th>
            <th scope="col" class="right">Lag</th>
            <th scope="col" class="right">Committed</th>
            <th scope="col" class="right">Log start</th>
            <th scope="col" class="right">Log end</th>
            <th scope="col">Member</th>
            <th scope="col">Remarks</th>
          </tr>
        </thead>
        <tbody>
          {partitions.map((partition) => (
            <tr key={partition.partition}>
              <th scope="row" class="right">{partition.partition}</th>
              <td class="right">
                <Age seconds={partition.lag_seconds} bound={partition.bound_seconds} />
              </td>
              <td class="right">{count(partition.lag_records)}</td>
              <td class="right">{count(partition.committed_offset)}</td>
              <td class="right">{count(partition.log_start_offset)}</td>
              <td class="right">{count(partition.log_end_offset)}</td>
              <td class="clip">{partition.member_id ? (names.get(partition.member_id) ?? partition.member_id) : "–"}</td>
              <td>{remarks(partition)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function remarks(partition: Partition): string {
  const all = partition.anomalies.map((name) => ANOMALIES[name] ?? name);
  if (partition.stuck_seconds !== null) all.unshift(`stuck for ${duration(partition.stuck_seconds)}`);
  if (partition.records_lost > 0) all.push(`${count(partition.records_lost)} records were deleted unread`);
  if (partition.stale_seconds !== null) all.push(`figures are ${duration(partition.stale_seconds)} old`);
  if (partition.method === "interpolated" || partition.method === "at_least") all.push(partition.method.replace("_", " "));
  return all.join("; ") || "–";
}
