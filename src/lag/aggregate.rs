//! Sums over groups: of a whole report, of each topic, of each team.

use std::collections::{BTreeMap, HashMap};

use super::Name;
use super::govern::slo;
use super::observation::GroupState;
use super::report::{Group, GroupStates, GroupTopic, Report, Severity, Slo, State, Team, Topic, Totals};
use super::slo::Compliance;

/// All groups together, against a target in percent where there is an objective.
pub fn totals(groups: &[Group], target: Option<u32>) -> Totals {
    let mut totals = Totals { slo: target.map(|target| slo(Compliance::default(), target)), ..Totals::default() };
    for group in groups {
        totals.groups += 1;
        count_state(group.state, [&mut totals.online, &mut totals.recovering, &mut totals.offline]);
        *kind_of(group.group_state, &mut totals.group_states) += 1;
        totals.members += group.members.as_ref().map_or(0, Vec::len).try_into().unwrap_or(u32::MAX);
        totals.max_lag_seconds = larger(totals.max_lag_seconds, group.max_lag_seconds);
        totals.total_lag_records = sum(totals.total_lag_records, group.total_lag_records, i64::saturating_add);
        totals.stuck_partitions = sum(totals.stuck_partitions, group.health.stuck_partitions, u32::saturating_add);
        for alert in &group.health.alerts {
            match alert.severity {
                Severity::Warning => totals.warnings += 1,
                Severity::Critical => totals.criticals += 1,
            }
        }
        totals.slo = both(totals.slo, group.health.slo);
    }
    totals
}

/// Fills in how the groups of each topic are doing. `topics` are sorted by name.
pub fn tell_topics(topics: &mut [Topic], groups: &[Group]) {
    let places: HashMap<Name, usize> =
        topics.iter().zip(0..).map(|(topic, place)| (topic.topic.clone(), place)).collect();
    let mut consumed: Vec<Vec<bool>> = topics.iter().map(|topic| vec![false; topic.partitions as usize]).collect();
    let mut compliances: Vec<(f64, u32)> = vec![(0.0, 0); topics.len()];
    for group in groups {
        for on in group.topics.iter().flatten() {
            let Some(place) = places.get(&on.topic).copied() else { continue };
            let (Some(topic), Some(consumed)) = (topics.get_mut(place), consumed.get_mut(place)) else { continue };
            add_group(topic, group, on);
            for (line, consumed) in on.partitions.iter().flatten().zip(consumed) {
                *consumed |= line.committed_offset.is_some();
            }
            if let (Some(share), Some(mean)) = (on.slo.and_then(|slo| slo.compliance), compliances.get_mut(place)) {
                *mean = (mean.0 + share, mean.1 + 1);
            }
        }
    }
    for ((topic, consumed), (shares, count)) in topics.iter_mut().zip(consumed).zip(compliances) {
        let health = &mut topic.health;
        health.consumed_partitions =
            consumed.iter().filter(|consumed| **consumed).count().try_into().unwrap_or(u32::MAX);
        health.coverage =
            (topic.partitions > 0).then(|| f64::from(health.consumed_partitions) / f64::from(topic.partitions));
        health.mean_compliance = (count > 0).then(|| shares / f64::from(count));
        topic.health.summary = summary(topic);
    }
}

/// The groups of several reports together.
pub fn together<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Totals {
    let mut all = Totals::default();
    reports.into_iter().for_each(|report| merge(&mut all, &report.totals));
    all
}

/// The reports of all monitors by their team, those without one last; sorted by name.
pub fn teams<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Vec<Team> {
    let mut teams: BTreeMap<Option<&Name>, Team> = BTreeMap::new();
    for report in reports {
        let team = teams.entry(report.team.as_ref()).or_insert_with(|| Team {
            team: report.team.clone(),
            monitors: 0,
            totals: Totals::default(),
        });
        team.monitors += 1;
        merge(&mut team.totals, &report.totals);
    }
    let nobodys = teams.remove(&None);
    teams.into_values().chain(nobodys).collect()
}

fn merge(all: &mut Totals, one: &Totals) {
    all.groups += one.groups;
    all.online += one.online;
    all.recovering += one.recovering;
    all.offline += one.offline;
    all.group_states.stable += one.group_states.stable;
    all.group_states.rebalancing += one.group_states.rebalancing;
    all.group_states.empty += one.group_states.empty;
    all.group_states.other += one.group_states.other;
    all.members += one.members;
    all.warnings += one.warnings;
    all.criticals += one.criticals;
    all.max_lag_seconds = larger(all.max_lag_seconds, one.max_lag_seconds);
    all.total_lag_records = sum(all.total_lag_records, one.total_lag_records, i64::saturating_add);
    all.stuck_partitions = sum(all.stuck_partitions, one.stuck_partitions, u32::saturating_add);
    all.slo = both(all.slo, one.slo);
}

fn both(a: Option<Slo>, b: Option<Slo>) -> Option<Slo> {
    match (a, b) {
        (Some(a), Some(b)) => Some(merged(a, b)),
        (a, b) => a.or(b),
    }
}

/// Both together: met where both are, against the higher target.
fn merged(a: Slo, b: Slo) -> Slo {
    let mut compliance = counts(a);
    compliance += counts(b);
    let met = match (a.met, b.met) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        // One without partitions says nothing; one whose ages are not known leaves the sum open.
        (met, None) if counts(b).partitions() == 0 => met,
        (None, met) if counts(a).partitions() == 0 => met,
        _ => None,
    };
    let share = compliance.percent().map(|percent| percent / 100.0);
    Slo { compliance: share, target: a.target.max(b.target), met, budget: None, ..slo(compliance, 0) }
}

fn counts(slo: Slo) -> Compliance {
    let Slo { within, breaching, unknown, without_commit, .. } = slo;
    Compliance { within, breaching, unknown, without_commit }
}

fn add_group(topic: &mut Topic, group: &Group, on: &GroupTopic) {
    let health = &mut topic.health;
    health.groups += 1;
    count_state(on.state, [&mut health.online, &mut health.recovering, &mut health.offline]);
    health.max_lag_seconds = larger(health.max_lag_seconds, on.max_lag_seconds);
    health.total_lag_records = sum(health.total_lag_records, on.total_lag_records, i64::saturating_add);
    health.stuck_partitions = sum(health.stuck_partitions, on.stuck_partitions, u32::saturating_add);
    let about = group.health.alerts.iter().filter(|alert| alert.is_about(on)).count();
    health.alerts = health.alerts.saturating_add(about.try_into().unwrap_or(u32::MAX));
}

fn count_state(state: Option<State>, [online, recovering, offline]: [&mut u32; 3]) {
    match state {
        Some(State::Online) => *online += 1,
        Some(State::Recovering) => *recovering += 1,
        Some(State::Offline) => *offline += 1,
        None => {}
    }
}

fn kind_of(state: Option<GroupState>, states: &mut GroupStates) -> &mut u32 {
    use GroupState::{Assigning, CompletingRebalance, Dead, Empty, PreparingRebalance, Reconciling, Stable};
    match state {
        Some(Stable) => &mut states.stable,
        Some(PreparingRebalance | CompletingRebalance | Assigning | Reconciling) => &mut states.rebalancing,
        Some(Empty) => &mut states.empty,
        Some(Dead) | None => &mut states.other,
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    sum(a, b, f64::max)
}

fn sum<T>(a: Option<T>, b: Option<T>, add: fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

/// One sentence: who reads it, and how they are doing.
fn summary(topic: &Topic) -> String {
    let health = &topic.health;
    let groups = match health.groups {
        0 => return "No group reads it.".to_owned(),
        1 => "1 group reads it".to_owned(),
        groups => format!("{groups} groups read it"),
    };
    let counted = [
        (health.offline, "OFFLINE"),
        (health.recovering, "RECOVERING"),
        (health.alerts, if health.alerts == 1 { "alert" } else { "alerts" }),
        (health.stuck_partitions.unwrap_or(0), "stuck"),
    ];
    let troubles: Vec<String> =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let unread = topic.partitions.saturating_sub(health.consumed_partitions);
    let unread = if unread > 0 {
        format!("; nobody reads {unread} of its {} partitions", topic.partitions)
    } else {
        String::new()
    };
    match troubles.is_empty() {
        true => format!("{groups}, all well{unread}."),
        false => format!("{groups}: {}{unread}.", troubles.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::lag::report::{AlertKind, TopicHealth, TopicSlo};
    use crate::output::sample;

    fn topic(name: &str, partitions: u32) -> Topic {
        let (ends, health) = (Default::default(), TopicHealth::default());
        Topic { topic: name.into(), topic_id: None, partitions, replication_factor: 1, ends, health }
    }

    proptest! {
        #[test]
        fn coverage_is_the_share_of_partitions_on_which_anybody_has_committed(
            partitions in 0..20_u32, groups in prop::collection::vec(prop::collection::btree_set(0..20_u32, 0..20), 0..5),
        ) {
            let group = |(n, committed): (usize, &BTreeSet<u32>)| {
                let line = |p: u32| sample::partition(p as i32, committed.contains(&p).then_some(1), 1, None);
                let on = sample::topic("t", None, (0..partitions).map(line).collect());
                sample::group(&n.to_string(), vec![on], None)
            };
            let groups_seen: Vec<Group> = groups.iter().enumerate().map(group).collect();
            let mut topics = [topic("s", 3), topic("t", partitions)];
            tell_topics(&mut topics, &groups_seen);
            let read = (0..partitions).filter(|p| groups.iter().any(|committed| committed.contains(p))).count() as u32;
            let [other, found] = topics.map(|topic| topic.health);
            prop_assert_eq!((found.groups, found.consumed_partitions), (groups.len() as u32, read));
            prop_assert_eq!(found.coverage, (partitions > 0).then(|| f64::from(read) / f64::from(partitions)));
            prop_assert_eq!((other.groups, other.coverage), (0, Some(0.0)));
        }

        #[test]
        fn all_groups_meet_the_objective_where_each_of_them_does(
            all in prop::collection::vec((0..9_u64, 0..9_u64, 0..3_u64), 0..6), target in 0..=100_u32,
        ) {
            let of = |(within, breaching, unknown): &(u64, u64, u64)| {
                let compliance = Compliance { within: *within, breaching: *breaching, unknown: *unknown, without_commit: 1 };
                let mut group = sample::group("g", vec![], None);
                group.health.slo = Some(slo(compliance, target));
                group
            };
            let groups: Vec<Group> = all.iter().map(of).collect();
            let found = totals(&groups, Some(target)).slo.unwrap();
            let each: Vec<_> = groups.iter().filter_map(|group| group.health.slo).filter(|slo| counts(*slo).partitions() > 0).collect();
            let expected = match each.iter().map(|slo| slo.met).collect::<Vec<_>>() {
                met if met.contains(&Some(false)) => Some(false),
                met if met.is_empty() || met.contains(&None) => None,
                _ => Some(true),
            };
            prop_assert_eq!(found.met, expected);
            prop_assert_eq!(counts(found).partitions(), all.iter().map(|(a, b, c)| a + b + c).sum::<u64>());
            prop_assert_eq!(found.without_commit, all.len() as u64);
        }
    }

    #[test]
    fn an_alert_is_counted_on_the_topics_that_it_is_about() {
        let on = |name: &str, breaching, stuck| {
            let mut on = sample::topic(name, None, vec![sample::partition(0, Some(1), 1, None)]);
            let (compliance, met, max_lag_records, max_lag_seconds) = (None, None, 0, None);
            let (within, unknown, without_commit) = (0, 0, 0);
            let slo = TopicSlo {
                compliance,
                met,
                within,
                breaching,
                unknown,
                without_commit,
                max_lag_records,
                max_lag_seconds,
            };
            (on.slo, on.stuck_partitions) = (Some(slo), Some(stuck));
            on
        };
        for (kind, expected) in [
            (AlertKind::SloViolated, [1, 0, 0]),
            (AlertKind::StuckPartitions, [0, 1, 0]),
            (AlertKind::RebalanceInstability, [1, 1, 1]),
            (AlertKind::UnfairDistribution, [1, 1, 1]),
        ] {
            let mut group = sample::group("g", vec![on("a", 1, 0), on("b", 0, 1), on("c", 0, 0)], None);
            group.health.alerts = vec![sample::alert("g", kind)];
            let mut topics = ["a", "b", "c"].map(|name| topic(name, 1));
            tell_topics(&mut topics, &[group]);
            assert_eq!(topics.map(|topic| topic.health.alerts), expected, "{kind:?}");
        }
    }
}
