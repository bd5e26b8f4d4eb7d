//! Sentences: what is the matter with a group, and what to do next.

use super::alert::Raised;
use super::conduct::Conduct;
use super::observation::GroupState;
use super::report::{Alert, AlertKind, Group, GroupTopic, ReplicaReason, State, Timestamp, Trend};

/// Partitions that a sentence writes out.
const WRITTEN_OUT: usize = 3;

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
pub fn recommendation(group: &Group) -> Option<String> {
    let deserted = group.members.as_ref().is_some_and(Vec::is_empty);
    let replicas = group.health.replicas.as_ref();
    match (group.state, group.health.alerts.first()) {
        (Some(State::Offline), _) if deserted => Some(start(group)),
        (_, Some(alert)) => Some(alert.advice.clone()),
        (Some(State::Offline), None) => Some(format!(
            "It stands still before readable records: look into the logs of its members{}.",
            oldest(group).map_or(String::new(), |topic| format!(" for topic {topic}"))
        )),
        (Some(State::Recovering), None) => Some(catching_up(group)),
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
        AlertKind::SloViolated => behind(group),
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
