// Every group: search, filter, sort, and the age over the last hours as a line.
import { useMemo, useState } from "preact/hooks";
import type { Cluster, GroupRow } from "../answers";
import { useList } from "../ask";
import { Heading } from "../parts/heading";
import { Age } from "../parts/age";
import { Choice, names } from "../parts/choice";
import { Nothing, Pending } from "../parts/frame";
import { type Lines, lineOf, useLines } from "../parts/lines";
import { More, STEP, more } from "../parts/more";
import { Search } from "../parts/search";
import { Segments } from "../parts/segments";
import { Spark } from "../parts/spark";
import { KafkaState, Shape, StateWord, TrendWord, Verdict } from "../parts/state";
import { group, refine } from "../route";
import { NoGroups } from "./overview";
import { KAFKA_STATES, compact, count, duration, percent, plural } from "../words";

const NONE: GroupRow[] = [];
const SORTS: [string, string][] = [
  ["-max_lag_seconds", "Oldest first"],
  ["-total_lag_records", "Most records first"],
  ["group_id", "Name"],
  ["state", "State"],
  ["slo_compliance", "Worst compliance first"],
  ["rebalance_score", "Least stable first"],
  ["-alerts", "Most alerts first"],
];

export function Groups({ query, clusters }: { query: URLSearchParams; clusters: Cluster[] }) {
  const get = (key: string) => query.get(key) ?? "";
  const sort = get("sort") || "-max_lag_seconds";
  const [shown, show] = useState(STEP);
  const asked = { q: get("q"), state: get("state"), group_state: get("kafka"), alerting: get("alerting"), cluster_id: get("cluster"), team: get("team"), sort };
  const list = useList<GroupRow>("api/v1/consumers/groups", asked, shown);
  const [rows, many] = [list.value?.items ?? NONE, clusters.length > 1];
  const lines = useLines(rows);
  // Drawn when its figures change, not with every tick of the clock.
  const table = useMemo(() => <Table rows={rows} sort={sort} lines={lines} many={many} />, [rows, sort, lines, many]);
  return (
    <>
      <Heading>Groups</Heading>
      <Controls query={query} clusters={clusters} sort={sort} />
      <p class="faint tally" role="status">
        {list.value && `${plural(list.value.total, "group")}${list.value.total > rows.length ? `, ${count(rows.length)} shown` : ""}`}
      </p>
      <Pending of={list} what="list of groups" />
      {list.value?.total === 0 && query.size === 0 && <NoGroups clusters={clusters} />}
      {list.value?.total === 0 && query.size > 0 && (
        <Nothing title="No group fits">
          <a href="#/groups">Show all groups</a>
        </Nothing>
      )}
      {rows.length > 0 && table}
      {list.value && <More shown={rows.length} total={list.value.total} onMore={() => show(more(shown))} />}
    </>
  );
}

function Controls({ query, clusters, sort }: { query: URLSearchParams; clusters: Cluster[]; sort: string }) {
  const value = (key: string) => query.get(key) ?? "";
  const clusterNames = names(clusters.map((cluster) => cluster.cluster_name));
  return (
    <div class="controls" role="search">
      <Search what="groups" query={query} />
      <Segments
        label="State"
        options={[
          ["", "All"],
          ["OFFLINE", "Offline"],
          ["RECOVERING", "Recovering"],
          ["ONLINE", "Online"],
        ]}
        value={value("state")}
        onChange={(state) => refine({ state: state || null })}
      />
      <label class="check">
        <input type="checkbox" checked={value("alerting") === "true"} onChange={(event) => refine({ alerting: event.currentTarget.checked ? "true" : null })} />
        With alerts
      </label>
      <Choice label="Kafka’s state" all="Any Kafka state" options={KAFKA_STATES.map((state) => [state, state])} value={value("kafka")} onChange={(kafka) => refine({ kafka })} />
      {clusterNames.length > 1 && <Choice label="Cluster" all="All clusters" options={clusterNames} value={value("cluster")} onChange={(cluster) => refine({ cluster })} />}
      <Choice label="Team" all="All teams" options={names(clusters.map((cluster) => cluster.team))} value={value("team")} onChange={(team) => refine({ team })} />
      <label>
        <span class="unseen">Sort</span>
        <select value={sort} onChange={(event) => refine({ sort: event.currentTarget.value })}>
          {!SORTS.some(([key]) => key === sort) && <option value={sort}>As chosen in the table</option>}
          {SORTS.map(([key, text]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

interface TableProps {
  rows: GroupRow[];
  sort: string;
  lines: Lines;
  many: boolean;
}

function Table({ rows, sort, lines, many }: TableProps) {
  return (
    <table class="groups">
      <thead>
        <tr>
          <Sortable by="group_id" sort={sort}>Group</Sortable>
          <Sortable by="state" sort={sort}>State</Sortable>
          <th scope="col" class="head-kafka">Kafka’s state</th>
          <Sortable by="max_lag_seconds" sort={sort} down right>Age</Sortable>
          <th scope="col">Over time</th>
          <th scope="col">Trend</th>
          <Sortable by="total_lag_records" sort={sort} down right>Lag</Sortable>
          <th scope="col" class="right head-spread">Lag max</th>
          <th scope="col" class="right head-spread">Lag P95</th>
          <th scope="col" class="right head-spread">Lag P50</th>
          <th scope="col" class="right head-drain">Drain</th>
          <Sortable by="members" sort={sort} down right>Members</Sortable>
          <Sortable by="slo_compliance" sort={sort} right>Objective</Sortable>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={lineOf(row)} row={row} lines={lines} many={many} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ row, lines, many }: { row: GroupRow; lines: Lines; many: boolean }) {
  const points = lines.of.get(lineOf(row));
  const critical = row.alerts.some((alert) => alert.severity === "critical");
  return (
    <tr>
      <th scope="row" class="cell-group">
        <a href={group(row.cluster_name, row.group_id)}>{row.group_id}</a>
        {row.alerts.length > 0 && (
          <span class={`state ${critical ? "offline" : "recovering"} count`} title={row.alerts.map((alert) => alert.summary).join("\n")}>
            <Shape of={critical ? "critical" : "warning"} />
            {row.alerts.length}
            <span class="unseen"> {row.alerts.length === 1 ? "alert" : "alerts"}</span>
          </span>
        )}
        <span class="sub">
          {many && `${row.cluster_name} · `}
          {row.topics.length > 2 ? `${row.topics.slice(0, 2).join(", ")} and ${row.topics.length - 2} more` : row.topics.join(", ") || "no topic"}
        </span>
      </th>
      <td class="cell-state">
        <StateWord state={row.state} />
      </td>
      <td class="cell-kafka">
        <KafkaState state={row.group_state} />
      </td>
      <td class="cell-age right">
        <Age seconds={row.max_lag_seconds} bound={row.lag.bound_seconds} />
      </td>
      <td class="cell-spark">{points ? <Spark points={points} from={lines.from} to={lines.to} /> : <span class="spark faint">–</span>}</td>
      <td class="cell-trend">
        <TrendWord trend={row.trend} />
      </td>
      <Records class="cell-lag" label="Lag" of={row.total_lag_records} />
      <Records class="cell-spread" label="Max" of={row.lag.max_records} />
      <Records class="cell-spread" label="P95" of={row.lag.p95_records} />
      <Records class="cell-spread" label="P50" of={row.lag.p50_records} />
      <td class="cell-drain right" data-label="Drain">{duration(row.drain_seconds)}</td>
      <td class="cell-members right" data-label="Members">{count(row.members)}</td>
      <td class="cell-slo right" data-label="Objective">
        {row.slo && row.slo.compliance !== null ? <Verdict good={row.slo.met} figure={percent(row.slo.compliance)} /> : <span class="faint">–</span>}
      </td>
    </tr>
  );
}

/** A number of records, which is written out where one asks for it. */
function Records({ of, label, class: kind }: { of: number | null; label: string; class: string }) {
  return (
    <td class={`${kind} right`} data-label={label} title={of === null ? undefined : `${count(of)} records`}>
      {compact(of)}
    </td>
  );
}

interface SortableProps {
  by: string;
  sort: string;
  /** Whether the first press sorts downwards. */
  down?: boolean;
  right?: boolean;
  children: string;
}

function Sortable({ by, sort, down = false, right = false, children }: SortableProps) {
  const direction = sort === by ? "ascending" : sort === `-${by}` ? "descending" : "none";
  const next = direction === "none" ? (down ? `-${by}` : by) : direction === "ascending" ? `-${by}` : by;
  return (
    <th scope="col" aria-sort={direction} class={`${right ? "right " : ""}head-${by}`}>
      <button type="button" class="sort" onClick={() => refine({ sort: next })}>
        {children}
        <span aria-hidden="true">{direction === "ascending" ? " ↑" : direction === "descending" ? " ↓" : ""}</span>
      </button>
    </th>
  );
}
