// The LagMonitors: what each says of itself in its conditions, how well its samples go, and what could not be read.
import { useState } from "preact/hooks";
import type { Cluster, Condition, List } from "../answers";
import type { Answer } from "../ask";
import { Heading } from "../parts/heading";
import { Bar, Figures, Nothing, Pending, sentence } from "../parts/frame";
import { More, STEP, more } from "../parts/more";
import { Shape } from "../parts/state";
import { to } from "../route";
import { ago, count, duration, percent, plural, span } from "../words";

const ERRORS = 20;

export function Monitors({ of, now }: { of: Answer<List<Cluster>>; now: number }) {
  const [shown, show] = useState(STEP);
  return (
    <>
      <Heading>Monitors</Heading>
      <Pending of={of} what="list of monitors" />
      {of.value?.total === 0 && <Nothing title="No LagMonitor yet">Apply one with kubectl, or start Highwater with a file of them.</Nothing>}
      {of.value?.items.slice(0, shown).map((cluster) => (
        <Monitor key={`${cluster.namespace}/${cluster.monitor}`} of={cluster} now={now} />
      ))}
      {of.value && <More shown={Math.min(shown, of.value.items.length)} total={of.value.items.length} onMore={() => show(more(shown))} />}
    </>
  );
}

const ready = (cluster: Cluster) => cluster.conditions.find((condition) => condition.type === "Ready");

/** Whether somebody wants no samples of it. */
export const suspended = (cluster: Cluster) => ready(cluster)?.reason === "Suspended";

/** Why it is not sampled as it is written; null while it is, and while somebody wants it so. */
export function refused(cluster: Cluster): string | null {
  const found = ready(cluster);
  return found?.status === "False" && !suspended(cluster) && !cluster.trouble ? found.message : null;
}

/** Whether samples stopped coming: none for three intervals. */
export function silent(cluster: Cluster, now: number): boolean {
  if (!cluster.last_sample) return false;
  const allowed = Math.max(3 * (cluster.interval_seconds ?? 60), 15);
  return (now - Date.parse(cluster.last_sample)) / 1000 > allowed;
}

function Monitor({ of, now }: { of: Cluster; now: number }) {
  const id = `monitor-${of.namespace}-${of.monitor}`;
  return (
    <section class="card" aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{of.cluster_name}</h2>
        <div class="aside faint">
          LagMonitor {of.namespace}/{of.monitor}
          {of.team && ` of team ${of.team}`}
        </div>
      </div>
      {of.conditions.length === 0 && <p class="faint">It has not said anything of itself yet.</p>}
      <ul class="conditions">
        {of.conditions.map((condition) => (
          <Said key={condition.type} of={condition} now={now} />
        ))}
      </ul>
      <Sampling of={of} now={now} />
      {of.totals && of.last_sample && (
        <Figures
          of={[
            ["Groups", <a href={to("groups", [], { cluster: of.cluster_name })}>{count(of.totals.groups)}</a>],
            ["Topics", count(of.topics)],
            ["Oldest data", duration(of.totals.max_lag_seconds)],
            ["Kafka’s cluster id", of.cluster_id ?? "–"],
            ["Brokers", plural(of.brokers.length, "broker"), `${of.brokers.slice(0, 3).join(", ")}${of.brokers.length > 3 ? " …" : ""}`],
          ]}
        />
      )}
      <Unread of={of} />
    </section>
  );
}

/** One condition. What is neither true nor false, and what somebody wants so, is no trouble. */
function Said({ of, now }: { of: Condition; now: number }) {
  const kind = of.status === "True" ? "online" : of.status === "False" && of.reason !== "Suspended" ? "offline" : "unknown";
  const shapes = { online: "good", offline: "bad", unknown: "unknown" };
  return (
    <li>
      <span class={`state ${kind}`}>
        <Shape of={shapes[kind]} />
        {of.type}
        <span class="unseen">: {of.status}</span>
      </span>
      <span>
        <strong>{of.reason}</strong>
        <span class="condition-why">{sentence(of.message)}</span>
      </span>
      <span class="faint since" title={of.since}>
        since {ago(of.since, now).replace(" ago", "")}
      </span>
    </li>
  );
}

/** How samples go, where any are taken. */
function Sampling({ of, now }: { of: Cluster; now: number }) {
  if (!of.last_sample) return null;
  const partial = of.coverage !== null && of.coverage < 1;
  const late = silent(of, now);
  return (
    <>
      <p class="sampling">
        <span class={late ? "late" : ""}>
          The last sample was {ago(of.last_sample, now)}
          {of.interval_seconds ? `; one is due every ${span(of.interval_seconds)}` : ""}.
        </span>
        {partial && ` ${percent(of.coverage)} of what was asked for came.`}
        {of.unstored !== null && <span class="late"> History is kept in memory only ({of.unstored}).</span>}
      </p>
      {partial && <Bar share={of.coverage ?? 0} kind="recovering" />}
    </>
  );
}

function Unread({ of }: { of: Cluster }) {
  if (of.errors.length === 0) return null;
  return (
    <details>
      <summary>{plural(of.errors.length, "thing")} could not be read</summary>
      <ul class="errors">
        {of.errors.slice(0, ERRORS).map((error) => (
          <li key={`${error.scope}${error.name}${error.reason}`}>
            <strong>{error.reason}</strong> {error.scope} {error.name}
            <span class="sub">{sentence(error.message)}</span>
          </li>
        ))}
      </ul>
      {of.errors.length > ERRORS && <p class="faint">and {count(of.errors.length - ERRORS)} more, in the report</p>}
    </details>
  );
}
