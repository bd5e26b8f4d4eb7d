//! The status of a LagMonitor, and when it is time to write it: counts and conditions soon, figures at leisure. Pure.
//!
//! Figures are those of the last sample that brought any; a cluster that no longer answers keeps them, with their time.

use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{Facts, time};
use super::wording::{short, whole_percent};
use crate::crd::status::{GroupCounts, LagMonitorStatus, Worst};
use crate::lag::report::{GroupTopic, Report, State};
use crate::output::table::age;

/// The most bytes of the summary of the worst group: it is a column of `kubectl get`.
const LONGEST_SUMMARY: usize = 128;

/// The most bytes of the cluster's id: Kafka makes some of 22, and takes others.
const LONGEST_ID: usize = 255;

/// The least time between two writes, and after one that failed.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// The least time between two writes of figures alone.
const FIGURES_PAUSE: Duration = Duration::from_secs(60);

/// Where a LagMonitor is sampled, and where its report is.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The pod that runs this process.
    pub pod: Option<&'a str>,
    /// The ConfigMap that holds the report.
    pub config_map: Option<&'a str>,
}

/// The status with these conditions. `previous` is the one computed before, or the one that a former process left.
#[must_use]
pub fn status(
    conditions: Vec<Condition>,
    facts: Facts<'_>,
    places: Places<'_>,
    previous: &LagMonitorStatus,
) -> LagMonitorStatus {
    let mut status = LagMonitorStatus {
        conditions,
        config_map: places.config_map.map(str::to_owned),
        sampled_by: places.pod.filter(|_| facts.standing.samples()).map(str::to_owned),
        ..previous.clone()
    };
    if let Some(coverage) = facts.posted.and_then(|posted| posted.pulse.coverage) {
        status.coverage_percent = Some(whole_percent(coverage));
    }
    if let Some((report, pulse)) = facts.figures() {
        let worst = worst(report);
        status.groups = Some(group_counts(report));
        status.max_lag = worst.map(|(_, topic)| age(topic.max_lag_seconds, topic.method));
        status.worst = worst.and_then(|(group, topic)| described(group, topic));
        status.lag_records =
            report.groups.iter().filter_map(|group| group.total_lag_records).reduce(i64::saturating_add);
        status.last_sample_time = Some(time(pulse.last_sample.unwrap_or(report.generated_at.0)));
        status.cluster_id = report.cluster.id.as_deref().map(|id| short(id, LONGEST_ID)).or(status.cluster_id);
    }
    status
}

fn group_counts(report: &Report) -> GroupCounts {
    let count = |wanted: Option<State>| {
        let groups = report.groups.iter().filter(|group| wanted.is_none() || group.state == wanted);
        u32::try_from(groups.count()).unwrap_or(u32::MAX)
    };
    GroupCounts {
        total: count(None),
        online: count(Some(State::Online)),
        offline: count(Some(State::Offline)),
        recovering: count(Some(State::Recovering)),
    }
}

/// The group and topic with the oldest data; the first of several.
fn worst(report: &Report) -> Option<(&str, &GroupTopic)> {
    let all =
        report.groups.iter().flat_map(|group| group.topics.iter().flatten().map(|topic| (&*group.group_id, topic)));
    all.filter(|(_, topic)| topic.max_lag_seconds.is_some())
        .reduce(|worst, other| if other.1.max_lag_seconds > worst.1.max_lag_seconds { other } else { worst })
}

/// The worst group for people, unless even that has nothing to read.
fn described(group: &str, topic: &GroupTopic) -> Option<Worst> {
    let seconds = topic.max_lag_seconds.filter(|seconds| *seconds > 0.0)?;
    Some(Worst {
        group: group.to_owned(),
        topic: topic.topic.to_string(),
        lag_seconds: seconds as i64,
        summary: short(&format!("{group} on {}", topic.topic), LONGEST_SUMMARY),
    })
}

/// A status that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The status.
    pub status: LagMonitorStatus,
    /// The same as the API server has stored it: one with an older schema leaves out what it does not know.
    pub stored: LagMonitorStatus,
    /// When.
    pub at: Instant,
}

/// When it is time to write a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// After this time, unless it changes again before.
    In(Duration),
    /// Not at all: it is written.
    Never,
}

/// When to write the `wanted` status, where `found` is the one that the resource was last seen with, if it can be read.
/// The first is written at once; figures, and messages whose reason stays, wait for a minute since the last write,
/// everything else for ten seconds, and so does what somebody else has changed.
#[must_use]
pub fn due(
    written: Option<&Written>,
    found: Option<&LagMonitorStatus>,
    wanted: &LagMonitorStatus,
    now: Instant,
) -> Due {
    let Some(written) = written else { return if found == Some(wanted) { Due::Never } else { Due::Now } };
    let undone = found.is_some_and(|found| *found != written.stored);
    let pause = match written.status == *wanted {
        true if !undone => return Due::Never,
        false if !undone && without_figures(&written.status) == without_figures(wanted) => FIGURES_PAUSE,
        _ => LEAST_PAUSE,
    };
    match pause.checked_sub(now.saturating_duration_since(written.at)) {
        None | Some(Duration::ZERO) => Due::Now,
        Some(left) => Due::In(left),
    }
}

fn without_figures(status: &LagMonitorStatus) -> LagMonitorStatus {
    let mut rest = LagMonitorStatus {
        worst: None,
        max_lag: None,
        lag_records: None,
        last_sample_time: None,
        coverage_percent: None,
        ..status.clone()
    };
    rest.conditions.iter_mut().for_each(|condition| condition.message.clear());
    rest
}

#[cfg(test)]
mod tests;
