//! Sentences: what is the matter with a group, and what to do next.

use super::Partition;
use super::alert::Raised;
use super::conduct::Conduct;
use super::observation::GroupState;
use super::report::{
    Alert, AlertKind, Group, GroupPartition, GroupTopic, Partitions, ReplicaReason, State, Timestamp, TopicSlo, Trend,
};

/// Partitions that a sentence writes out.
const WRITTEN_OUT: usize = 3;

/// How long, in seconds, brokers let a transaction be open unless they are told otherwise: the default of their
/// `transaction.max.timeout.ms`. For what is open longer looks `kafka-transactions.sh find-hanging`.
const LONGEST_TRANSACTION: f64 = 900.0;

/// The alerts of a group whose figures are filled in, the gravest first, then in the order of their kinds.
pub fn alerts(conduct: &Conduct, group: &Group, cluster_name: &str) -> Vec<Alert> {
    let told = conduct.alerts.iter().map(|(kind, raised)| Alert {
        id: format!("{cluster_name}/{}/{}", group.group_id, kind.word()),
        kind,
        severity: raised.severity,
        group_id: group.group_id.clone(),
        since: Timestamp(raised.since),
        value: raised.value,
        bound: raised.bound,
        held: raised.held,
        summary: summary(kind, raised, conduct, group),
        advice: advice(kind, conduct, group),
    });
    let mut told: Vec<Alert> = told.collect();
    told.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.kind.cmp(&b.kind)));
    told
}

/// What to do next about a group: what its gravest alert says, or else what its state and members ask for.
///
/// Beside that, a transaction that has hidden records from it for longer than brokers let one be open: no state tells of
/// that, and no alert without `maxLag`.
pub fn recommendation(group: &Group) -> Option<String> {
    let next = next(group);
    let hidden = transaction(group).filter(Transaction::is_long).map(|found| found.told());
    match (next, hidden) {
        (Some(next), Some(hidden)) if next != hidden => Some(format!("{next} {hidden}")),
        (next, hidden) => next.or(hidden),
    }
}

fn next(group: &Group) -> Option<String> {
    let deserted = group.members.as_ref().is_some_and(Vec::is_empty);
    let replicas = group.health.replicas.as_ref();
    match (group.state, group.health.alerts.first()) {
        (Some(State::Offline), _) if deserted => Some(start(group)),
        (_, Some(alert)) => Some(alert.advice.clone()),
        (Some(State::Offline), None) => Some(format!(
            "It stands still before readable records: look into the logs of its members{}.",
            oldest(group).map_or(String::new(), |topic| format!(" for topic {topic}"))
        )),
        (Some(State::Recovering), None) => {
            // More members read no more of what a transaction hides.
            let hidden = transaction(group).filter(|found| group.max_lag_seconds.is_some_and(|age| found.open >= age));
            Some(hidden.map_or_else(|| catching_up(group), |found| found.told()))
        }
        _ => replicas
            .filter(|replicas| replicas.reason == ReplicaReason::IdleMembers)
            .map(|replicas| {
                format!("Run {} members: no more can have a partition, and the others are idle.", replicas.advised)
            })
            .or_else(|| left(group)),
    }
}

fn summary(kind: AlertKind, raised: &Raised, conduct: &Conduct, group: &Group) -> String {
    let Raised { value, bound, .. } = *raised;
    match kind {
        AlertKind::SloViolated => {
            format!("{} of its partitions are within their limits, {} are wanted", percent(value), percent(bound))
        }
        AlertKind::StuckPartitions => match value as u64 {
            0 => "its partitions are no longer stuck".to_owned(),
            1 => format!("1 partition is stuck: {}", stuck(conduct)),
            count => format!("{count} partitions are stuck: {}", stuck(conduct)),
        },
        AlertKind::RebalanceInstability => {
            let (count, window) = group.health.rebalances.map_or((0, 0.0), |found| (found.count, found.window_seconds));
            format!("{count} rebalances in {}: the score is {value:.0}, {bound:.0} is wanted", span(window))
        }
        AlertKind::UnfairDistribution => {
            let members = group.members.as_ref().map_or(0, Vec::len);
            format!(
                "partitions are spread over {members} members by {value:.2} less evenly (Gini) than they could be, \
                 {bound:.2} is allowed"
            )
        }
    }
}

/// The share in percent, to a tenth, rounded down: 100 % is everything.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0 + 1e-9).floor() / 10.0;
    format!("{tenths} %")
}

fn stuck(conduct: &Conduct) -> String {
    let shown = conduct.stuck.iter().take(WRITTEN_OUT).map(|stuck| format!("{}/{}", stuck.topic, stuck.partition));
    let shown: Vec<String> = shown.collect();
    match conduct.stuck.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn advice(kind: AlertKind, conduct: &Conduct, group: &Group) -> String {
    match kind {
        AlertKind::SloViolated => {
            let hidden = transaction(group).filter(|found| found.breaches() && !breaches_otherwise(group));
            hidden.map_or_else(|| behind(group), |found| found.told())
        }
        AlertKind::StuckPartitions => unstick(conduct, group),
        AlertKind::RebalanceInstability => "Find out which members come and go (restarts, max.poll.interval.ms, \
                                            autoscaling), and give them a group.instance.id or the cooperative-sticky \
                                            assignor."
            .to_owned(),
        AlertKind::UnfairDistribution => "Have every member subscribe to the same topics, and use an assignor that \
                                          spreads all of them together, such as cooperative-sticky."
            .to_owned(),
    }
}

/// What to do about the first stuck partition: it is its member's matter, or that of all, or of who assigns it.
fn unstick(conduct: &Conduct, group: &Group) -> String {
    let first = conduct.stuck.first();
    let topic = first.and_then(|stuck| group.topics.iter().flatten().find(|topic| topic.topic == stuck.topic));
    let held =
        || topic.into_iter().flat_map(|topic| topic.partitions.iter().flatten()).filter(|p| p.member_id.is_some());
    let holder = held().find(|line| first.is_some_and(|stuck| line.partition == stuck.partition));
    if let Some(member) = holder.and_then(|line| line.member_id) {
        format!(
            "Look into the log of member {member}: it hangs, or meets a record that it can't process; restart it, or skip \
             the record."
        )
    } else if group.members.as_ref().is_some_and(Vec::is_empty) {
        start(group)
    } else if held().next().is_some() {
        "No member has them, though others of the topic are read: see that each partition is assigned.".to_owned()
    } else {
        "Look into the logs of its members: they hang, or meet a record that they can't process.".to_owned()
    }
}

fn behind(group: &Group) -> String {
    let deserted = group.members.as_ref().is_some_and(Vec::is_empty) && group.group_state == Some(GroupState::Empty);
    match group.health.replicas.as_ref() {
        _ if deserted && group.state == Some(State::Offline) => start(group),
        _ if group.trend == Some(Trend::Shrinking) && deserted => catching_up(group),
        _ if deserted => {
            "It commits without being a member of the group, and reads more slowly than is written: look at \
                          the job that commits for it."
                .to_owned()
        }
        Some(replicas) if replicas.reason == ReplicaReason::Measured && replicas.advised > replicas.current => {
            format!("Run {} members: {}.", replicas.advised, replicas.reasoning)
        }
        Some(replicas) if replicas.reason == ReplicaReason::PartitionLimit => {
            format!("Run {} members and make them faster: {}.", replicas.advised, replicas.reasoning)
        }
        _ if group.trend == Some(Trend::Shrinking) => catching_up(group),
        _ => {
            "Find out why its members read more slowly than is written: their logs, and what they wait for.".to_owned()
        }
    }
}

/// An open transaction that hides records from a group, which has read everything before it.
struct Transaction<'a> {
    topic: &'a GroupTopic,
    partition: Partition,
    /// For how many seconds it has been open: the age of its first record, the first that the group has not read.
    open: f64,
    /// How far that may be off, in seconds.
    bound: f64,
    /// How many records come from there on.
    hidden: i64,
}

impl<'a> Transaction<'a> {
    fn of(topic: &'a GroupTopic, line: &GroupPartition<'_>) -> Option<Self> {
        let (open, bound) = (line.lag_seconds?, line.bound_seconds.unwrap_or(0.0));
        let hidden = line.blocked_records;
        (hidden > 0).then_some(Self { topic, partition: line.partition, open, bound, hidden })
    }

    fn is_long(&self) -> bool {
        self.open - self.bound > LONGEST_TRANSACTION
    }

    /// Whether the age of what it hides is over the limit.
    fn breaches(&self) -> bool {
        self.topic.slo.and_then(|slo| slo.max_lag_seconds).is_some_and(|most| self.open > most)
    }

    fn told(&self) -> String {
        let topic = &self.topic.topic;
        let records = if self.hidden == 1 { "record" } else { "records" };
        let next = if self.is_long() {
            format!("look for it with kafka-transactions.sh find-hanging --topic {topic}")
        } else {
            "its producer is to end it, and the brokers do after its transaction.timeout.ms".to_owned()
        };
        format!(
            "A producer's transaction on {topic}/{partition} has been open for about {open}: nobody who reads with \
             read_committed sees the {hidden} {records} since; {next}.",
            partition = self.partition,
            open = span(self.open),
            hidden = count(self.hidden),
        )
    }
}

/// Of the open transactions that hide records from the group, the one that has been open for the longest.
fn transaction(group: &Group) -> Option<Transaction<'_>> {
    let hides = |all: &&Partitions| all.blocked_records().is_some_and(|records| records > 0);
    let topics = group.topics_read().filter_map(|topic| Some((topic, topic.partitions.as_ref().filter(hides)?)));
    let found = topics.flat_map(|(topic, all)| all.iter().filter_map(move |line| Transaction::of(topic, &line)));
    found.max_by(|a, b| a.open.total_cmp(&b.open))
}

/// Whether a partition is over its limits by what can be read.
fn breaches_otherwise(group: &Group) -> bool {
    let over = |line: &GroupPartition<'_>, slo: TopicSlo| {
        let records = line.lag_records.is_some_and(|records| records > slo.max_lag_records);
        records || slo.max_lag_seconds.zip(line.lag_seconds).is_some_and(|(most, age)| age > most)
    };
    let counts = |line: &GroupPartition<'_>| line.blocked_records == 0 && !line.anomalies.leave_out();
    group.topics.iter().flatten().any(|topic| {
        let mut lines = topic.partitions.iter().flatten().filter(counts);
        topic.slo.is_some_and(|slo| lines.any(|line| over(&line, slo)))
    })
}

fn catching_up(group: &Group) -> String {
    match group.health.drain_seconds {
        Some(seconds) => format!("It catches up, and will be there in about {} at this rate: wait.", span(seconds)),
        None => "It reads, but no faster than is written: add members.".to_owned(),
    }
}

/// What to do about a topic that the group has left.
fn left(group: &Group) -> Option<String> {
    let topic = group.topics.iter().flatten().find(|topic| topic.abandoned)?;
    Some(format!(
        "Its members do not read topic {name} any more, where {waiting} records wait: have them subscribe to it again, or \
         delete the group's committed offsets on it.",
        name = topic.topic,
        waiting = count(topic.total_lag_records.unwrap_or(0)),
    ))
}

fn start(group: &Group) -> String {
    let members = group.health.replicas.as_ref().map_or(1, |replicas| replicas.advised);
    match members {
        1 => "Start its members: nobody reads what waits.".to_owned(),
        members => format!("Start its members, {members} of them: nobody reads what waits."),
    }
}

fn oldest(group: &Group) -> Option<&str> {
    let age = |topic: &GroupTopic| topic.max_lag_seconds.unwrap_or(-1.0);
    let oldest = group.topics.iter().flatten().max_by(|a, b| age(a).total_cmp(&age(b)));
    oldest.map(|topic| &*topic.topic)
}

/// `9,215`: a count, with its thousands apart.
pub(super) fn count(of: i64) -> String {
    let digits = of.unsigned_abs().to_string();
    let apart = |(at, digit): (usize, char)| {
        (at > 0 && (digits.len() - at).is_multiple_of(3)).then_some(',').into_iter().chain([digit])
    };
    let sign = if of < 0 { "-" } else { "" };
    sign.chars().chain(digits.chars().enumerate().flat_map(apart)).collect()
}

/// `45 s`, `12 min`, `3.5 h`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}
