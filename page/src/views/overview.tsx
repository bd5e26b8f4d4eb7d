// The first look: is it all right, and if not, where? Then groups by state, the oldest data, alerts, teams, and what just
// happened.
import type { AlertRow, Cluster, GroupRow, Team, Together } from "../answers";
import { address, useAnswer, useList } from "../ask";
import { useLive } from "../live";
import { Heading } from "../parts/heading";
import { Age } from "../parts/age";
import { Alerts } from "../parts/alerts";
import { Events } from "../parts/events";
import { Nothing, Pending, Section } from "../parts/frame";
import { Compliance } from "../parts/objective";
import { StateWord } from "../parts/state";
import { Teams } from "../parts/teams";
import { States } from "../parts/totals";
import { Worst } from "../parts/worst";
import { group, to } from "../route";
import { count, plural } from "../words";
import { suspended } from "./monitors";

export function Overview({ now, clusters }: { now: number; clusters: Cluster[] }) {
  const totals = useAnswer<Together>(address("api/v1/totals"));
  const worst = useList<GroupRow>("api/v1/consumers/groups", { sort: "-max_lag_seconds" }, 6);
  const alerts = useList<AlertRow>("api/v1/alerts", {}, 5);
  const teams = useList<Team>("api/v1/teams", { sort: "-max_lag_seconds" }, 8);
  const { events } = useLive();
  const first = worst.value?.items[0];
  const unread = clusters.filter((cluster) => cluster.trouble).length;
  // Zeros of a cluster that was never read would be a lie.
  const known = totals.value && (totals.value.groups > 0 || (unread === 0 && totals.value.monitors > 0)) ? totals.value : null;
  const anyTeam = teams.value?.items.some((one) => one.team !== null);
  return (
    <>
      <Hero headline={headline(known, unread, clusters)} worst={first ?? null} />
      <div class="columns">
        <div>
          <Section title="Oldest data" id="worst" aside={worst.value && worst.value.total > 0 && <a href={to("groups", [], { sort: "-max_lag_seconds" })}>All {plural(worst.value.total, "group")}</a>}>
            <Pending of={worst} what="list of groups" />
            {worst.value && worst.value.total === 0 && <NoGroups clusters={clusters} />}
            {worst.value && worst.value.total > 0 && <Worst groups={worst.value.items} />}
          </Section>
          <Section title="Alerts" id="alerts" aside={alerts.value && alerts.value.total > 5 && <a href={to("alerts")}>All {count(alerts.value.total)}</a>}>
            <Pending of={alerts} what="list of alerts" />
            {alerts.value?.total === 0 && <NoAlerts clusters={clusters} />}
            {alerts.value && alerts.value.total > 0 && <Alerts alerts={alerts.value.items} />}
          </Section>
          {anyTeam && teams.value && (
            <Section title="Teams" id="teams" aside={<span class="faint">by the label of their LagMonitors</span>}>
              <Teams teams={teams.value.items} total={teams.value.total} />
            </Section>
          )}
        </div>
        <div>
          <Section title="Groups by state" id="states">
            {known ? <States totals={known} /> : <p class="faint">Not known before the first sample.</p>}
          </Section>
          <Section title="Objective" id="objective">
            {known ? <Compliance slo={known.slo} of=" of each group" /> : <p class="faint">Not known before the first sample.</p>}
          </Section>
          <Section title="Since you opened this page" id="events">
            {events.length === 0 ? (
              <p class="faint">Nothing changed its state, gained or lost a member yet.</p>
            ) : (
              <Events events={events.slice(0, 8)} now={now} />
            )}
          </Section>
        </div>
      </div>
    </>
  );
}

/** The answer in a few words: the gravest thing first. */
function headline(totals: Together | null, unread: number, clusters: Cluster[]): string {
  const silence = `${plural(unread, "cluster does", "clusters do")} not answer`;
  if (!totals) return unread > 0 ? silence : nothing(clusters);
  if (totals.offline > 0) return `${plural(totals.offline, "group stands", "groups stand")} still`;
  if (unread > 0) return silence;
  if (totals.recovering > 0) return `${plural(totals.recovering, "group catches", "groups catch")} up`;
  if (totals.warnings + totals.criticals > 0) return plural(totals.warnings + totals.criticals, "alert");
  return totals.groups === 0 ? "No consumer groups yet" : "All groups keep up";
}

/** Why nothing is known. */
function nothing(clusters: Cluster[]): string {
  if (clusters.length === 0) return "No LagMonitor yet";
  return clusters.every(suspended) ? "Every LagMonitor is suspended" : "Nothing is known yet";
}

function Hero({ headline, worst }: { headline: string; worst: GroupRow | null }) {
  return (
    <header class="hero">
      <Heading>{headline}</Heading>
      {worst && worst.max_lag_seconds !== null && (
        <p class="hero-line">
          <Age seconds={worst.max_lag_seconds} bound={worst.lag.bound_seconds} class="big" />
          <span class="hero-where">
            is the age of the oldest unread record, of{" "}
            <a href={group(worst.cluster_name, worst.group_id)}>{worst.group_id}</a> on {worst.topics.slice(0, 3).join(", ")}
            <StateWord state={worst.state} />
          </span>
        </p>
      )}
    </header>
  );
}

export function NoGroups({ clusters }: { clusters: Cluster[] }) {
  if (clusters.length === 0) return <Nothing title="No LagMonitor yet">Apply one with kubectl, or start Highwater with a file of them.</Nothing>;
  if (clusters.some((cluster) => cluster.trouble)) return <Nothing title="Nothing to show">No cluster could be read yet: see the <a href={to("monitors")}>monitors</a> for the reason.</Nothing>;
  if (clusters.every((cluster) => !cluster.totals)) return <Nothing title="Nothing to show">Nothing is sampled: see the <a href={to("monitors")}>monitors</a> for the reason.</Nothing>;
  return <Nothing title="No consumer groups">Nothing has committed an offset that the patterns of your LagMonitors select.</Nothing>;
}

/** No alert is good news only where something is judged. */
export function NoAlerts({ clusters, severity = "" }: { clusters: Cluster[]; severity?: string }) {
  const judged = clusters.filter((cluster) => cluster.totals && !cluster.trouble);
  const text = judged.length === 0 ? "But nothing is judged: no cluster is sampled." : judged.length < clusters.length ? "But what is not sampled is not judged." : "Every objective that is measured is met.";
  return <Nothing title={severity ? `No ${severity} alerts` : "No alerts"}>{text}</Nothing>;
}
