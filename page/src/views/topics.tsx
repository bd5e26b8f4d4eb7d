// Every topic, and one topic with all groups that read it.
import { useState } from "preact/hooks";
import type { Cluster, TopicDetail, TopicRow } from "../answers";
import { address, useAnswer, useList } from "../ask";
import { Heading } from "../parts/heading";
import { Age } from "../parts/age";
import { Alerts } from "../parts/alerts";
import { Choice, names } from "../parts/choice";
import { Figures, Nothing, Pending, Section, sentence } from "../parts/frame";
import { More, STEP, more } from "../parts/more";
import { Search } from "../parts/search";
import { Segments } from "../parts/segments";
import { StateWord, TrendWord, Verdict } from "../parts/state";
import { group, refine, topic as topicAddress } from "../route";
import { bytes, compact, count, decimal, duration, percent, plural, span } from "../words";

export function Topics({ query, clusters }: { query: URLSearchParams; clusters: Cluster[] }) {
  const get = (key: string) => query.get(key) ?? "";
  const [shown, show] = useState(STEP);
  const asked = { q: get("q"), team: get("team"), read: get("read"), sort: "-max_lag_seconds" };
  const list = useList<TopicRow>("api/v1/consumers/topics", asked, shown);
  return (
    <>
      <Heading>Topics</Heading>
      <div class="controls" role="search">
        <Search what="topics" query={query} />
        <Segments label="Read" value={get("read")} onChange={(read) => refine({ read: read || null })} options={[["", "All"], ["true", "Read"], ["false", "Read by nobody"]]} />
        <Choice label="Team" all="All teams" options={names(clusters.map((cluster) => cluster.team))} value={get("team")} onChange={(team) => refine({ team })} />
      </div>
      <p class="faint tally" role="status">
        {list.value && `${plural(list.value.total, "topic")}, those with the oldest data first`}
      </p>
      <Pending of={list} what="list of topics" />
      {list.value?.total === 0 && query.size === 0 && <Nothing title="No topics">No topic of a sampled cluster is selected.</Nothing>}
      {list.value?.total === 0 && query.size > 0 && (
        <Nothing title="No topic fits">
          <a href="#/topics">Show all topics</a>
        </Nothing>
      )}
      {list.value && list.value.total > 0 && (
        <table class="groups topics">
          <thead>
            <tr>
              <th scope="col">Topic</th>
              <th scope="col" class="right">Age</th>
              <th scope="col" class="right">Lag</th>
              <th scope="col" class="right">Groups</th>
              <th scope="col" class="right head-drain">Partitions</th>
              <th scope="col" class="right head-spread">Read</th>
              <th scope="col" class="right">Objective</th>
              <th scope="col" class="right head-spread">Stuck</th>
            </tr>
          </thead>
          <tbody>
            {list.value.items.map((row) => (
              <tr key={`${row.cluster_name}/${row.topic}`}>
                <th scope="row" class="cell-group">
                  <a href={topicAddress(row.cluster_name, row.topic)}>{row.topic}</a>
                  <span class="sub">
                    {clusters.length > 1 && `${row.cluster_name} · `}
                    {row.summary}
                  </span>
                </th>
                <td class="cell-age right"><Age seconds={row.max_lag_seconds} bound={undefined} /></td>
                <td class="cell-lag right" data-label="Lag" title={`${count(row.total_lag_records)} records`}>{compact(row.total_lag_records)}</td>
                <td class="cell-members right" data-label="Groups">{count(row.groups)}</td>
                <td class="cell-drain right" data-label="Partitions">{count(row.partitions)}</td>
                <td class="cell-spread right" title="Share of the partitions that some group reads">{percent(row.coverage)}</td>
                <td class="cell-slo right" data-label="Objective" title="Mean over its groups of the share of partitions within their limits">{percent(row.mean_compliance)}</td>
                <td class="cell-spread right">{count(row.stuck_partitions)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {list.value && <More shown={list.value.items.length} total={list.value.total} onMore={() => show(more(shown))} />}
    </>
  );
}

export function TopicView({ cluster, name }: { cluster: string; name: string }) {
  const answer = useAnswer<TopicDetail>(address(`api/v1/consumers/topics/${encodeURIComponent(name)}/detail`, { cluster_id: cluster }));
  const detail = answer.value;
  return (
    <>
      <nav class="path" aria-label="Where you are">
        <a href="#/topics">Topics</a>
        <span aria-hidden="true">/</span>
        <span>{cluster}</span>
      </nav>
      {!detail && <Heading>{name}</Heading>}
      <Pending of={answer} what="topic" />
      {detail && <Detail detail={detail} gone={answer.trouble?.status === 404} />}
    </>
  );
}

function Detail({ detail, gone }: { detail: TopicDetail; gone: boolean }) {
  const { topic, config } = detail;
  return (
    <>
      <header class="hero">
        <Heading>{topic.topic}</Heading>
        <p class="hero-line">
          {topic.max_lag_seconds !== null && <Age seconds={topic.max_lag_seconds} bound={undefined} class="big" />}
          <span class="hero-where">
            {topic.max_lag_seconds !== null && "is the age of the oldest unread record. "}
            {detail.summary && sentence(detail.summary)}
          </span>
        </p>
        <Figures
          of={[
            ["Partitions", count(topic.partitions)],
            ["Replicas of each", count(topic.replication_factor)],
            ["Read by a group", percent(topic.coverage)],
            ["Records not read", compact(topic.total_lag_records)],
            ["Mean compliance", percent(topic.mean_compliance)],
            ["Stuck partitions", count(topic.stuck_partitions)],
            ...kept(config),
          ]}
        />
        {config.reason && <p class="faint">{sentence(`retention and cleanup policy are not shown: ${config.reason}`)}</p>}
      </header>
      {gone && (
        <p class="notice" role="alert">
          This topic is no longer in the report: it was deleted, or no LagMonitor selects it any more. These are its last figures.
        </p>
      )}
      {detail.alerts.length > 0 && (
        <Section title="Alerts" id="alerts" class="urgent">
          <Alerts alerts={detail.alerts} cluster={detail.cluster_name} />
        </Section>
      )}
      <Section title="Groups" id="consumers" aside={<span class="faint">{count(detail.consumers.length)}</span>}>
        {detail.consumers.length === 0 ? <Nothing title="Nobody reads it">No group has committed an offset on this topic.</Nothing> : <Consumers detail={detail} />}
      </Section>
      <Section title="Partitions" id="partitions" aside={<span class="faint">by how many groups read them, and from which offset to which there are records</span>}>
        <ul class="logs">
          {detail.partitions.map((partition) => (
            <li key={partition.partition} class={partition.groups === 0 ? "depth-none" : "depth-1"}>
              <span class="cell-name">{partition.partition}</span>
              <strong>{partition.groups === 0 ? "nobody" : plural(partition.groups, "group")}</strong>
              <span class="log">{partition.log_end_offset === null ? "not known" : `${count(partition.log_start_offset)} … ${count(partition.log_end_offset)}`}</span>
            </li>
          ))}
        </ul>
      </Section>
    </>
  );
}

/** How long and how much of it Kafka keeps; nothing where that is not known, for the reason stands below. */
function kept(config: TopicDetail["config"]): [string, string][] {
  if (config.reason !== null) return [];
  const { retention_ms: time, retention_bytes: size, cleanup_policy: policy } = config;
  return [
    ["Kept for", time === null ? "–" : time < 0 ? "ever" : span(time / 1000)],
    ["Kept up to", bytes(size)],
    ["Cleanup", policy ?? "–"],
  ];
}

function Consumers({ detail }: { detail: TopicDetail }) {
  return (
    <table class="groups consumers">
      <thead>
        <tr>
          <th scope="col">Group</th>
          <th scope="col">State</th>
          <th scope="col" class="right">Age</th>
          <th scope="col">Trend</th>
          <th scope="col" class="right">Lag</th>
          <th scope="col" class="right head-drain">Drain</th>
          <th scope="col" class="right">Objective</th>
          <th scope="col" class="right head-members">Stability</th>
          <th scope="col" class="right">Gini</th>
        </tr>
      </thead>
      <tbody>
        {detail.consumers.map((row) => (
          <tr key={row.group_id}>
            <th scope="row" class="cell-group">
              <a href={group(detail.cluster_name, row.group_id)}>{row.group_id}</a>
              <span class="sub">{row.recommendation ?? row.group_state ?? ""}</span>
            </th>
            <td class="cell-state"><StateWord state={row.topic_lag.state} /></td>
            <td class="cell-age right"><Age seconds={row.topic_lag.max_lag_seconds} bound={row.topic_lag.bound_seconds} /></td>
            <td class="cell-trend"><TrendWord trend={row.topic_lag.trend} /></td>
            <td class="cell-lag right" data-label="Lag">{compact(row.topic_lag.total_lag_records)}</td>
            <td class="cell-drain right" data-label="Drain">{duration(row.topic_lag.drain_seconds)}</td>
            <td class="cell-slo right" data-label="Objective">
              {row.topic_lag.slo && row.topic_lag.slo.compliance !== null ? <Verdict good={row.topic_lag.slo.met} figure={percent(row.topic_lag.slo.compliance)} /> : "–"}
            </td>
            <td class="cell-members right" data-label="Stability">{row.rebalances?.score == null ? "–" : Math.round(row.rebalances.score)}</td>
            <td class="cell-gini right" data-label="Gini">{decimal(row.fairness?.gini)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
