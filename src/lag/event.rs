//! What happened to a group between two reports, for people who watch.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Name;
use super::judge::seconds;
use super::observation::GroupState;
use super::report::{Alert, AlertKind, Group, GroupTopic, Member, Report, State};

/// A lag that at least doubles is a spike if it grows by more than so many records, or by so many seconds more than
/// have gone by.
const SPIKE_RECORDS: i64 = 1_000;
const SPIKE_SECONDS: f64 = 60.0;

/// Something that happened to a group.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Its members, or what is assigned to them, have changed.
    #[serde(rename = "consumer.rebalanced")]
    Rebalanced {
        /// So many members it has now.
        members: usize,
        /// So many are new.
        joined: usize,
        /// So many are gone.
        left: usize,
    },
    /// A member is new.
    #[serde(rename = "consumer.member_joined")]
    MemberJoined(Who),
    /// A member is gone.
    #[serde(rename = "consumer.member_left")]
    MemberLeft(Who),
    /// The group is in another state, on one topic or, where `topic` is `null`, on the worst of them.
    #[serde(rename = "consumer.state_changed")]
    StateChanged {
        /// The topic.
        topic: Option<Name>,
        /// The state before.
        from: Option<State>,
        /// The state now.
        to: Option<State>,
    },
    /// Kafka says that the group is in another state.
    #[serde(rename = "consumer.group_state_changed")]
    GroupStateChanged {
        /// The state before.
        from: Option<GroupState>,
        /// The state now.
        to: Option<GroupState>,
    },
    /// The lag on a topic has at least doubled, by more than 1,000 records or by a minute more than has gone by.
    #[serde(rename = "consumer.lag_spike")]
    LagSpike {
        /// The topic.
        topic: Name,
        /// The age before.
        from_seconds: Option<f64>,
        /// The age now.
        to_seconds: Option<f64>,
        /// Records not read before.
        from_records: Option<i64>,
        /// Records not read now.
        to_records: Option<i64>,
    },
    /// The objective is not met any more.
    #[serde(rename = "consumer.slo_violated")]
    SloViolated(Told),
    /// The objective is met again.
    #[serde(rename = "consumer.slo_restored")]
    SloRestored(Told),
    /// Something else is not all right any more.
    #[serde(rename = "consumer.alert_started")]
    AlertStarted(Told),
    /// Something else is all right again.
    #[serde(rename = "consumer.alert_ended")]
    AlertEnded(Told),
    /// The group is not in the report any more.
    #[serde(rename = "consumer.gone")]
    Gone {},
    /// The group is in the report, and was not before.
    #[serde(rename = "consumer.back")]
    Back {},
}

/// One member, by what it says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Who {
    /// The id that the group coordinator gave it.
    pub member_id: Name,
    /// The `client.id` of the consumer.
    pub client_id: Name,
    /// The address it connects from.
    pub host: Name,
}

/// The alert that began or ended, as it was said last.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Told {
    /// The alert.
    pub alert: Alert,
}

impl Event {
    /// Its `type` in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rebalanced { .. } => "consumer.rebalanced",
            Self::MemberJoined(_) => "consumer.member_joined",
            Self::MemberLeft(_) => "consumer.member_left",
            Self::StateChanged { .. } => "consumer.state_changed",
            Self::GroupStateChanged { .. } => "consumer.group_state_changed",
            Self::LagSpike { .. } => "consumer.lag_spike",
            Self::SloViolated(_) => "consumer.slo_violated",
            Self::SloRestored(_) => "consumer.slo_restored",
            Self::AlertStarted(_) => "consumer.alert_started",
            Self::AlertEnded(_) => "consumer.alert_ended",
            Self::Gone {} => "consumer.gone",
            Self::Back {} => "consumer.back",
        }
    }
}

/// What happened to one group, if to one only, or to all groups, from one report to a later one of the same monitor.
pub fn events(before: &Report, after: &Report, only: Option<&str>) -> Vec<(Name, Event)> {
    let elapsed = seconds(after.generated_at.0.saturating_sub(before.generated_at.0));
    let mut found = Vec::new();
    let mut compare = |then: Option<&Group>, now: Option<&Group>| {
        let Some(id) = now.or(then).map(|group| group.group_id.clone()) else { return };
        match (then, now) {
            (Some(then), Some(now)) => {
                found.extend(changes(then, now, elapsed).into_iter().map(|event| (id.clone(), event)));
            }
            (None, _) => found.push((id, Event::Back {})),
            (_, None) => found.push((id, Event::Gone {})),
        }
    };
    match only {
        Some(only) => compare(before.group(only), after.group(only)),
        None => {
            after.groups.iter().for_each(|now| compare(before.group(&now.group_id), Some(now)));
            let gone = before.groups.iter().filter(|then| after.group(&then.group_id).is_none());
            gone.for_each(|then| compare(Some(then), None));
        }
    }
    found
}

/// What happened to a group from one report to another, `elapsed` seconds later.
fn changes(before: &Group, after: &Group, elapsed: f64) -> Vec<Event> {
    let mut events = Vec::new();
    if let (Some(before), Some(after)) = (&before.members, &after.members) {
        membership(before, after, &mut events);
    }
    if before.group_state != after.group_state {
        events.push(Event::GroupStateChanged { from: before.group_state, to: after.group_state });
    }
    if before.state != after.state {
        events.push(Event::StateChanged { topic: None, from: before.state, to: after.state });
    }
    let known = |name: &Name| before.topics.iter().flatten().find(|topic| topic.topic == *name);
    for (before, after) in after.topics.iter().flatten().filter_map(|after| Some((known(&after.topic)?, after))) {
        if before.state != after.state {
            let topic = Some(after.topic.clone());
            events.push(Event::StateChanged { topic, from: before.state, to: after.state });
        }
        events.extend(spike(before, after, elapsed));
    }
    alerts(&before.health.alerts, &after.health.alerts, &mut events);
    events
}

fn membership(before: &[Member], after: &[Member], events: &mut Vec<Event>) {
    let by_id = |members: &'_ [Member]| -> BTreeMap<Name, usize> {
        members.iter().enumerate().map(|(place, member)| (member.member_id.clone(), place)).collect()
    };
    let (was, is) = (by_id(before), by_id(after));
    let who = |member: &Member| Who {
        member_id: member.member_id.clone(),
        client_id: member.client_id.clone(),
        host: member.host.clone(),
    };
    let joined: Vec<Who> = after.iter().filter(|member| !was.contains_key(&member.member_id)).map(who).collect();
    let left: Vec<Who> = before.iter().filter(|member| !is.contains_key(&member.member_id)).map(who).collect();
    let stayed = after.iter().filter_map(|now| Some((before.get(*was.get(&now.member_id)?)?, now)));
    let moved = stayed.into_iter().any(|(then, now)| assigned(then) != assigned(now));
    if moved || !joined.is_empty() || !left.is_empty() {
        events.push(Event::Rebalanced { members: after.len(), joined: joined.len(), left: left.len() });
    }
    events.extend(joined.into_iter().map(Event::MemberJoined));
    events.extend(left.into_iter().map(Event::MemberLeft));
}

/// What is assigned to a member, in an order that does not depend on the broker's.
fn assigned(member: &Member) -> BTreeMap<&Name, &[super::Partition]> {
    member.assigned.iter().map(|assigned| (&assigned.topic, assigned.partitions.as_slice())).collect()
}

fn spike(before: &GroupTopic, after: &GroupTopic, elapsed: f64) -> Option<Event> {
    let records = before.total_lag_records.zip(after.total_lag_records);
    let records = records.is_some_and(|(from, to)| to / 2 >= from && to - from > SPIKE_RECORDS);
    let ages = before.max_lag_seconds.zip(after.max_lag_seconds);
    let ages = ages.is_some_and(|(from, to)| to >= 2.0 * from && to - from > elapsed + SPIKE_SECONDS);
    (records || ages).then(|| Event::LagSpike {
        topic: after.topic.clone(),
        from_seconds: before.max_lag_seconds,
        to_seconds: after.max_lag_seconds,
        from_records: before.total_lag_records,
        to_records: after.total_lag_records,
    })
}

fn alerts(before: &[Alert], after: &[Alert], events: &mut Vec<Event>) {
    let has = |alerts: &[Alert], kind: AlertKind| alerts.iter().any(|alert| alert.kind == kind);
    for alert in after.iter().filter(|alert| !has(before, alert.kind)) {
        let told = Told { alert: alert.clone() };
        events.push(match alert.kind {
            AlertKind::SloViolated => Event::SloViolated(told),
            _ => Event::AlertStarted(told),
        });
    }
    for alert in before.iter().filter(|alert| !has(after, alert.kind)) {
        let told = Told { alert: alert.clone() };
        events.push(match alert.kind {
            AlertKind::SloViolated => Event::SloRestored(told),
            _ => Event::AlertEnded(told),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// What is said of `orders-shipper` on `payments` when its lag goes from one to another in a minute.
    fn spikes(from: (f64, i64), to: (f64, i64)) -> bool {
        let report = |(age, records): (f64, i64), time: i64| {
            let mut report = sample::report();
            report.generated_at.0 += time;
            let topic = &mut report.groups[1].topics.as_mut().unwrap()[1];
            (topic.max_lag_seconds, topic.total_lag_records) = (Some(age), Some(records));
            report
        };
        let found = events(&report(from, 0), &report(to, 60_000), Some("orders-shipper"));
        assert!(found.iter().all(|(_, event)| matches!(event, Event::LagSpike { .. })), "{found:?}");
        !found.is_empty()
    }

    #[test]
    fn a_spike_at_least_doubles_and_is_more_than_time_or_chance() {
        assert!(!spikes((10.0, 500), (10.0, 1_500)), "1,000 records more are no spike");
        assert!(spikes((10.0, 500), (10.0, 1_501)));
        assert!(!spikes((10.0, 2_000), (10.0, 3_900)), "nor is what does not double");
        assert!(!spikes((60.0, 0), (120.0, 0)), "a group that stands still ages with the clock");
        assert!(!spikes((1.0, 0), (121.0, 0)));
        assert!(spikes((1.0, 0), (121.1, 0)));
        assert!(!spikes((1_000.0, 0), (1_900.0, 0)));
    }

    #[test]
    fn what_is_not_known_is_no_event() {
        let (known, mut unknown) = (sample::report(), sample::report());
        unknown.groups[1].members = None;
        assert_eq!(events(&known, &unknown, None), []);
        assert_eq!(events(&unknown, &known, None), []);
        unknown.groups.remove(0);
        let gone: Vec<_> = events(&known, &unknown, None).into_iter().map(|(_, event)| event.word()).collect();
        assert_eq!(gone, ["consumer.gone"]);
        assert_eq!(events(&known, &unknown, Some("orders-shipper")), []);
    }
}
