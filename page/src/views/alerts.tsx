// Every alert, the gravest first.
import { useState } from "preact/hooks";
import type { AlertRow, Cluster, Severity } from "../answers";
import { useList } from "../ask";
import { Heading } from "../parts/heading";
import { Alerts } from "../parts/alerts";
import { Choice, names } from "../parts/choice";
import { Nothing, Pending } from "../parts/frame";
import { More, STEP, more } from "../parts/more";
import { Search } from "../parts/search";
import { Segments } from "../parts/segments";
import { refine } from "../route";
import { ALERTS, plural } from "../words";
import { NoAlerts } from "./overview";

const SEVERITIES: [Severity | "", string][] = [["", "All"], ["critical", "Critical"], ["warning", "Warning"]];

export function AlertsView({ query, clusters }: { query: URLSearchParams; clusters: Cluster[] }) {
  const get = (key: string) => query.get(key) ?? "";
  const [severity, kind, team, q] = [get("severity"), get("kind"), get("team"), get("q")];
  const [shown, show] = useState(STEP);
  const list = useList<AlertRow>("api/v1/alerts", { severity, kind, team, q }, shown);
  const narrow = kind !== "" || team !== "" || q !== "";
  return (
    <>
      <Heading>Alerts</Heading>
      <div class="controls" role="search">
        <Search what="groups" query={query} />
        <Segments label="Severity" value={severity as Severity | ""} onChange={(severity) => refine({ severity: severity || null })} options={SEVERITIES} />
        <Choice label="Kind" all="Any kind" options={Object.entries(ALERTS)} value={kind} onChange={(kind) => refine({ kind })} />
        <Choice label="Team" all="All teams" options={names(clusters.map((cluster) => cluster.team))} value={team} onChange={(team) => refine({ team })} />
      </div>
      <p class="faint tally" role="status">
        {list.value && list.value.total > 0 && plural(list.value.total, "alert")}
      </p>
      <Pending of={list} what="list of alerts" />
      {list.value?.total === 0 && !narrow && <NoAlerts clusters={clusters} severity={severity} />}
      {list.value?.total === 0 && narrow && (
        <Nothing title="No alert fits">
          <a href="#/alerts">Show all alerts</a>
        </Nothing>
      )}
      {list.value && list.value.total > 0 && (
        <div class="card">
          <Alerts alerts={list.value.items} />
        </div>
      )}
      {list.value && <More shown={list.value.items.length} total={list.value.total} onMore={() => show(more(shown))} />}
    </>
  );
}
