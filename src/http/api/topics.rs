//! `/api/v1/consumers/topics`: the topics, the groups of one, and one with the health of its groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::health::Summary;
use super::rows::{Origin, TopicLag};
use super::{Of, TopicPath};
use crate::http::answer::Answer;
use crate::http::listing::{Key, Page, page};
use crate::http::query::{Asked, Cursor, Field, Limit, Path, Search, Sort};
use crate::http::refusal::Refusal;
use crate::http::view::Told;
use crate::http::viewer::Shown;
use crate::lag::observation::{GroupKind, GroupState, TopicConfig};
use crate::lag::reason::Reason;
use crate::lag::report::{Alert, Group, GroupTopic, State, Topic};
use crate::lag::{Name, Offset, Partition};

/// Which topics, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Topics {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only topics with this in their name, in whatever case.
    #[serde(default)]
    q: Search,
    /// Only topics of LagMonitors with this label `highwater.dev/team`.
    team: Option<String>,
    /// Only topics that some group reads, or none.
    read: Option<bool>,
    /// Only topics whose groups have an alert, or have none.
    alerting: Option<bool>,
    /// How many items a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// What to sort by.
    #[serde(default)]
    sort: Sort<By>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) enum By {
    #[default]
    Topic,
    Partitions,
    Groups,
    Age,
    Records,
    Coverage,
    Alerts,
}

impl Field for By {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("topic", Self::Topic),
        ("partitions", Self::Partitions),
        ("groups", Self::Groups),
        ("max_lag_seconds", Self::Age),
        ("total_lag_records", Self::Records),
        ("coverage", Self::Coverage),
        ("alerts", Self::Alerts),
    ];
}

/// One topic in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicRow")]
pub(in crate::http) struct Row<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    #[serde(flatten)]
    topic: &'a Topic,
}

/// The topics.
pub(in crate::http) async fn list(
    Shown(view): Shown,
    Asked(asked): Asked<Topics>,
) -> Result<Answer<Page<Row<'static>>>, Refusal> {
    let wanted = |topic: &&Topic| {
        asked.q.is_in(&topic.topic)
            && asked.read.is_none_or(|read| (topic.health.groups > 0) == read)
            && asked.alerting.is_none_or(|alerting| (topic.health.alerts > 0) == alerting)
    };
    let mut rows = Vec::new();
    let reports = view.reports(asked.cluster_id.as_deref())?;
    for told in reports.into_iter().filter(|told| told.is_of(asked.team.as_deref())) {
        rows.extend(told.report.topics.iter().filter(wanted).map(|topic| (told, topic)));
    }
    let key = |(_, topic): &(Told<'_>, &Topic), by| {
        Key::Number(match by {
            By::Topic => return Key::Name,
            By::Partitions => Some(f64::from(topic.partitions)),
            By::Groups => Some(f64::from(topic.health.groups)),
            By::Age => topic.health.max_lag_seconds,
            By::Records => topic.health.total_lag_records.map(|records| records as f64),
            By::Coverage => topic.health.coverage,
            By::Alerts => Some(f64::from(topic.health.alerts)),
        })
    };
    let name = |(told, topic): &(Told<'_>, &Topic), _| format!("{}\0{}", topic.topic, told.report.cluster.name).into();
    let range = (asked.limit, asked.cursor.as_ref());
    let row = |(told, topic)| Row { origin: Origin::of(told), topic };
    Answer::of(&page(rows, asked.sort, range, key, name, row))
}

/// Which groups of a topic, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Consumers {
    /// The cluster: the name given to it, or Kafka's own id.
    cluster_id: Option<String>,
    /// Only groups with this in their id, in whatever case.
    #[serde(default)]
    q: Search,
    /// Only groups that are in this state on the topic.
    state: Option<State>,
    /// Only groups that Kafka says are in this state.
    group_state: Option<GroupState>,
    /// Only groups that speak this protocol.
    #[serde(rename = "type")]
    kind: Option<GroupKind>,
    /// Only groups with an alert, or without.
    alerting: Option<bool>,
    /// Only groups that meet their objective on the topic, or do not.
    slo_met: Option<bool>,
    /// How many items a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// What to sort by.
    #[serde(default)]
    sort: Sort<ByConsumer>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) enum ByConsumer {
    #[default]
    Group,
    State,
    Age,
    Records,
}

impl Field for ByConsumer {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("group_id", Self::Group),
        ("state", Self::State),
        ("max_lag_seconds", Self::Age),
        ("total_lag_records", Self::Records),
    ];
}

impl Consumers {
    fn want(&self, group: &Group, on: &GroupTopic) -> bool {
        self.q.is_in(&group.group_id)
            && self.state.is_none_or(|state| on.state == Some(state))
            && self.group_state.is_none_or(|state| group.group_state == Some(state))
            && self.kind.is_none_or(|kind| group.kind == kind)
            && self.alerting.is_none_or(|alerting| group.health.alerts.is_empty() != alerting)
            && self.slo_met.is_none_or(|met| on.slo.and_then(|slo| slo.met) == Some(met))
    }
}

/// One consumer group of a topic.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConsumerRow")]
pub(in crate::http) struct ConsumerRow<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    /// The group's id.
    group_id: &'a str,
    /// Which protocol it speaks.
    #[serde(rename = "type")]
    kind: GroupKind,
    /// Kafka's own state of the group.
    group_state: Option<GroupState>,
    /// How many members it has; `null` where they could not be asked.
    members: Option<usize>,
    #[serde(flatten)]
    lag: TopicLag<'a>,
}

fn on<'a>(told: Told<'a>, topic: &str) -> Vec<(&'a Group, &'a GroupTopic)> {
    let of = |group: &'a Group| group.topics.iter().flatten().find(|on| &*on.topic == topic).map(|on| (group, on));
    told.report.groups.iter().filter_map(of).collect()
}

/// What is not all right about a group, on a topic or as a whole.
fn about<'a>(group: &'a Group, on: &'a GroupTopic) -> impl Iterator<Item = &'a Alert> {
    group.health.alerts.iter().filter(|alert| alert.is_about(on))
}

/// The groups of one topic.
pub(in crate::http) async fn consumers(
    Shown(view): Shown,
    Path(TopicPath { topic_name }): Path<TopicPath>,
    Asked(asked): Asked<Consumers>,
) -> Result<Answer<Page<ConsumerRow<'static>>>, Refusal> {
    let (told, _) = view.topic(asked.cluster_id.as_deref(), &topic_name)?;
    let key = |(_, on): &(&Group, &GroupTopic), by| {
        Key::Number(match by {
            ByConsumer::Group => return Key::Name,
            ByConsumer::State => on.state.map(|state| f64::from(state as u8)),
            ByConsumer::Age => on.max_lag_seconds,
            ByConsumer::Records => on.total_lag_records.map(|records| records as f64),
        })
    };
    let name = |(group, _): &(&Group, &GroupTopic), _| group.group_id.as_bytes().to_vec();
    let row = |(group, on)| consumer(told, group, on);
    let range = (asked.limit, asked.cursor.as_ref());
    let mut wanted = on(told, &topic_name);
    wanted.retain(|(group, on)| asked.want(group, on));
    Answer::of(&page(wanted, asked.sort, range, key, name, row))
}

fn consumer<'a>(told: Told<'a>, group: &'a Group, on: &'a GroupTopic) -> ConsumerRow<'a> {
    ConsumerRow {
        origin: Origin::of(told),
        group_id: &group.group_id,
        kind: group.kind,
        group_state: group.group_state,
        members: group.members.as_ref().map(Vec::len),
        lag: TopicLag::of(on),
    }
}

/// One topic, with the health of its groups.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicDetail")]
pub(in crate::http) struct Detail<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    /// The topic, and how its groups are doing together.
    topic: &'a Topic,
    /// How long it keeps records.
    config: Config,
    /// Its partitions, by number.
    partitions: Vec<TopicPartition>,
    /// The groups that committed on it or have it assigned.
    consumers: Vec<Consumer<'a>>,
    /// What is not all right with them on this topic or as a whole, the gravest first.
    alerts: Vec<&'a Alert>,
    /// How they are doing, in a sentence.
    summary: &'a str,
}

/// How long a topic keeps records.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicConfig")]
struct Config {
    /// `retention.ms`; `null` where it is not known.
    retention_ms: Option<i64>,
    /// `retention.bytes`; `null` where it is not known.
    retention_bytes: Option<i64>,
    /// `cleanup.policy`; `null` where it is not known.
    cleanup_policy: Option<Name>,
    /// Why that is not known.
    reason: Option<&'static str>,
}

impl Config {
    fn of(told: Option<&Result<TopicConfig, Reason>>) -> Self {
        let reason = match told {
            Some(Ok(_)) => None,
            None => Some("Kafka has not been asked yet: a sample after the first asks"),
            Some(Err(Reason::TopicNotAuthorized | Reason::ClusterNotAuthorized)) => {
                Some("the user on Kafka lacks DescribeConfigs on the topic; it is asked again once an hour")
            }
            Some(Err(Reason::UnsupportedByBroker)) => Some("the brokers do not tell"),
            Some(Err(_)) => Some("Kafka did not answer that; it is asked again after five minutes"),
        };
        let known = told.and_then(|told| told.as_ref().ok()).cloned().unwrap_or_default();
        Self {
            retention_ms: known.retention_ms,
            retention_bytes: known.retention_bytes,
            cleanup_policy: known.cleanup_policy,
            reason,
        }
    }
}

/// One partition of a topic.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicPartition")]
struct TopicPartition {
    /// Its number.
    partition: Partition,
    /// The first readable offset.
    log_start_offset: Option<Offset>,
    /// The end to which lag is counted.
    log_end_offset: Option<Offset>,
    /// How many groups have a committed offset on it.
    groups: u32,
}

/// One group of a topic.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopicConsumer")]
struct Consumer<'a> {
    #[serde(flatten)]
    health: Summary<'a>,
    /// How far behind it is on this topic.
    topic_lag: TopicLag<'a>,
}

/// One topic.
pub(in crate::http) async fn detail(
    Shown(view): Shown,
    Path(TopicPath { topic_name }): Path<TopicPath>,
    Asked(of): Asked<Of>,
) -> Result<Answer<Detail<'static>>, Refusal> {
    let (told, topic) = view.topic(of.cluster_id.as_deref(), &topic_name)?;
    let groups = on(told, &topic_name);
    let mut alerts: Vec<&Alert> = groups.iter().flat_map(|(group, on)| about(group, on)).collect();
    alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.kind));
    let mut consumers = Vec::new();
    for (group, on) in &groups {
        consumers.push(Consumer { health: Summary::of(told, group), topic_lag: TopicLag::of(on) });
    }
    Answer::of(&Detail {
        origin: Origin::of(told),
        topic,
        config: Config::of(told.monitor.pulse.configs.get(&topic.topic)),
        partitions: partitions(topic, &groups),
        consumers,
        alerts,
        summary: &topic.health.summary,
    })
}

/// The partitions of a topic, each with how many of the groups read it.
fn partitions(topic: &Topic, groups: &[(&Group, &GroupTopic)]) -> Vec<TopicPartition> {
    let ends = topic.ends.iter().copied().chain(std::iter::repeat((None, None)));
    let numbers = 0..Partition::try_from(topic.partitions).unwrap_or(Partition::MAX);
    let partition = |(partition, (log_start_offset, log_end_offset))| TopicPartition {
        partition,
        log_start_offset,
        log_end_offset,
        groups: 0,
    };
    let mut all: Vec<TopicPartition> = numbers.zip(ends).map(partition).collect();
    for seen in groups.iter().flat_map(|(_, on)| on.partitions.iter().flatten()) {
        if seen.committed_offset.is_some()
            && let Some(partition) = usize::try_from(seen.partition).ok().and_then(|place| all.get_mut(place))
        {
            partition.groups += 1;
        }
    }
    all
}
