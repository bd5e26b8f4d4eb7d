// One group: how old its data is, where that is heading, what to do next, and every figure behind it.
import { useMemo, useState } from "preact/hooks";
import type { Group, GroupTopic } from "../answers";
import { address, useAnswer } from "../ask";
import { useGroup, useLive } from "../live";
import { Heading } from "../parts/heading";
import { Age } from "../parts/age";
import { Alerts } from "../parts/alerts";
import { Events } from "../parts/events";
import { Figures, Pending, Section, sentence } from "../parts/frame";
import { Heat } from "../parts/heat";
import { History } from "../parts/history";
import { Members } from "../parts/members";
import { Objective, Stability } from "../parts/objective";
import { Shape, StateWord, TrendWord, Verdict } from "../parts/state";
import { topic as topicAddress } from "../route";
import { CLOCKS, METHODS, ago, compact, count, duration, percent, plural, rate } from "../words";

export function GroupView({ cluster, id, now }: { cluster: string; id: string; now: number }) {
  const live = useGroup(cluster, id);
  const answer = useAnswer<Group>(address(`api/v1/consumers/groups/${encodeURIComponent(id)}`, { cluster_id: cluster }), { every: live.group ? 30_000 : 2000, most: 30_000 });
  const { events } = useLive();
  const group = answer.value && live.group ? { ...answer.value, ...live.group } : answer.value;
  const own = events.filter((event) => event.group_id === id && event.cluster_name === cluster);
  const gone = live.gone || answer.trouble?.status === 404;
  return (
    <>
      <Path cluster={cluster} />
      {group ? <Head group={group} now={now} /> : <Heading>{id}</Heading>}
      <Pending of={answer} what="group" />
      {group && gone && (
        <p class="notice" role="alert">
          This group is no longer in the report: its offsets or topics are gone, or no LagMonitor selects it any more. These are its last figures.
        </p>
      )}
      {group && <Next group={group} />}
      {group && <Main group={group} />}
      {(group || !gone) && <History key="history" cluster={cluster} id={id} group={group} />}
      {group && (
        <div class="columns">
          <div>
            <Topics group={group} />
            <Section title="Members" id="members" aside={group.members && <span class="faint">{count(group.members.length)}</span>}>
              <Members group={group} />
            </Section>
            <Section title="Rebalances" id="rebalances">
              <Stability group={group} now={now} />
            </Section>
          </div>
          <div>
            <Section title="Objective" id="objective">
              <Objective group={group} />
            </Section>
            <Section title="Since you opened this page" id="events">
              {own.length === 0 ? <p class="faint">No change of state or members yet.</p> : <Events events={own.slice(0, 12)} now={now} named={false} />}
            </Section>
          </div>
        </div>
      )}
    </>
  );
}

function Path({ cluster }: { cluster: string }) {
  return (
    <nav class="path" aria-label="Where you are">
      <a href="#/groups">Groups</a>
      <span aria-hidden="true">/</span>
      <span>{cluster}</span>
    </nav>
  );
}

/** The topic that holds the group's oldest data; one that the group has left only where there is no other. */
function worstTopic(topics: GroupTopic[]): GroupTopic | undefined {
  const age = (one: GroupTopic) => (one.abandoned ? -2 : (one.max_lag_seconds ?? -1));
  return topics.reduce<GroupTopic | undefined>((worst, one) => (worst && age(worst) >= age(one) ? worst : one), undefined);
}

function Head({ group, now }: { group: Group; now: number }) {
  const worst = worstTopic(group.topics);
  return (
    <header class="hero">
      <p class="eyebrow">
        <StateWord state={group.state} />
        {worst?.since && <span class="faint">since {ago(worst.since, now).replace(" ago", "")}</span>}
        {group.team && <span class="faint">team {group.team}</span>}
      </p>
      <Heading>{group.group_id}</Heading>
      <p class="hero-line">
        <Age seconds={group.max_lag_seconds} bound={group.lag.bound_seconds} class="big" />
        <span class="hero-where">
          {group.max_lag_seconds === null ? (
            "No age is known."
          ) : (
            <>
              is the age of the oldest unread record
              {worst && (
                <>
                  , on <a href={topicAddress(group.cluster_name, worst.topic)}>{worst.topic}</a>
                </>
              )}
              . <TrendWord trend={group.trend} />
            </>
          )}
        </span>
      </p>
      {worst?.method && (
        <p class="faint method">
          {METHODS[worst.method]} {worst.method !== "caught_up" && worst.clock && CLOCKS[worst.clock]}
        </p>
      )}
    </header>
  );
}

function Main({ group }: { group: Group }) {
  const drains = group.drain_seconds;
  return (
    <Figures
        of={[
          ["Records not read", <span title={count(group.total_lag_records)}>{compact(group.total_lag_records)}</span>],
          ["Caught up in", drains === null ? "–" : duration(drains)],
          ["Reads", rate(sum(group.topics, (one) => one.consume_rate))],
          ["Written", rate(sum(group.topics, (one) => one.produce_rate))],
          ["Median partition", duration(group.lag.p50_seconds)],
          ["95th percentile", duration(group.lag.p95_seconds)],
          ["Kafka’s state", group.group_state ?? "–"],
          ["Assignor", group.assignor ?? "–"],
        ]}
      />
  );
}

function sum(topics: GroupTopic[], pick: (topic: GroupTopic) => number | null): number | null {
  const known = topics.map(pick).filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((total, one) => total + one, 0);
}

function Next({ group }: { group: Group }) {
  const { recommendation, replicas } = group;
  // What is said once is not said again.
  const alerts = group.alerts.map((alert) => (recommendation?.includes(alert.advice) ? { ...alert, advice: "" } : alert));
  const told = replicas && recommendation?.includes(replicas.reasoning);
  const calm = group.trend !== "growing" && !group.slo?.breaching;
  const nothing = calm ? "Nothing: it keeps up." : "Nothing yet: no alert lasts.";
  return (
    <Section title="What to do next" id="next" class={alerts.length > 0 || group.state === "OFFLINE" ? "urgent" : ""}>
      <p class="next">{recommendation ? sentence(recommendation) : group.state === "ONLINE" ? nothing : "No advice: there is not enough to go by yet."}</p>
      {replicas && (
        <p class="replicas">
          <span class="faint">Members: </span>
          <strong>{replicas.current}</strong> now, <strong>{replicas.advised}</strong> advised, at most {replicas.useful} useful. {!told && <span class="faint">{sentence(replicas.reasoning)}</span>}
        </p>
      )}
      {alerts.length > 0 && <Alerts alerts={alerts} cluster={group.cluster_name} named={false} />}
    </Section>
  );
}

function Topics({ group }: { group: Group }) {
  const [chosen, choose] = useState<string | null>(null);
  const members = group.members;
  const shown = group.topics.find((one) => one.topic === chosen) ?? worstTopic(group.topics);
  // Drawn when its figures change, not with every tick of the clock: there may be thousands of partitions.
  const heat = useMemo(() => <Heat partitions={shown?.partitions ?? []} members={members ?? []} />, [shown?.partitions, members]);
  if (!shown) return null;
  return (
    <>
      {group.topics.length > 1 && (
        <Section title="Topics" id="topics" aside={<span class="faint">{count(group.topics.length)}</span>}>
          <div class="scroll" tabIndex={0} role="region" aria-label="Table of topics">
            <table class="dense">
              <thead>
                <tr>
                  <th scope="col">Topic</th>
                  <th scope="col">State</th>
                  <th scope="col" class="right">Age</th>
                  <th scope="col">Trend</th>
                  <th scope="col" class="right">Lag</th>
                  <th scope="col" class="right">Drain</th>
                  <th scope="col" class="right">Objective</th>
                  <th scope="col" class="right">No commit</th>
                  <th scope="col" class="right">Stuck</th>
                </tr>
              </thead>
              <tbody>
                {group.topics.map((one) => (
                  <tr key={one.topic}>
                    <th scope="row">
                      <button type="button" class="link" aria-pressed={one === shown} onClick={() => choose(one.topic)}>
                        {one.topic}
                      </button>
                      {one.abandoned && <span class="faint"> not read any more</span>}
                    </th>
                    <td><StateWord state={one.state} /></td>
                    <td class="right"><Age seconds={one.max_lag_seconds} bound={one.bound_seconds} /></td>
                    <td><TrendWord trend={one.trend} /></td>
                    <td class="right">{compact(one.total_lag_records)}</td>
                    <td class="right">{duration(one.drain_seconds)}</td>
                    <td class="right">{one.slo && one.slo.compliance !== null ? <Verdict good={one.slo.met} figure={percent(one.slo.compliance)} /> : "–"}</td>
                    <td class="right">{one.slo ? count(one.slo.without_commit) : "–"}</td>
                    <td class="right">{count(one.stuck_partitions)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Section>
      )}
      <Section title="Partitions" id="partitions" aside={<a href={topicAddress(group.cluster_name, shown.topic)}>{shown.topic}</a>}>
        <Remarks topic={shown} />
        {heat}
      </Section>
    </>
  );
}

function Remarks({ topic }: { topic: GroupTopic }) {
  const remarks = [
    topic.stuck_partitions ? `${plural(topic.stuck_partitions, "partition is", "partitions are")} stuck.` : "",
    topic.abandoned ? "Its members do not read this topic any more: it is in neither the group’s state nor its age." : standing(topic.abandoned_partitions),
    topic.partitions_without_commit ? `${plural(topic.partitions_without_commit, "partition has", "partitions have")} no committed offset.` : "",
  ].filter(Boolean);
  if (remarks.length === 0) return null;
  return (
    <p class="remarks">
      <Shape of="warning" /> {remarks.join(" ")}
    </p>
  );
}

function standing(abandoned: number): string {
  return abandoned ? `${plural(abandoned, "partition stands", "partitions stand")} still while others advance, and ${abandoned === 1 ? "is" : "are"} not in the maximum.` : "";
}
