//! One group against its objective: fills in, after a sample was judged, what its lines and its past amount to.
//!
//! Figures that speak of a settled group (fairness, stuck partitions, rebalances) begin and end no alert while it is in
//! the middle of a rebalance or of unknown state: what is seen then is on its way to something else. The alerts that last
//! are held, with the figure as it was. A rebalance that has not ended for `offlineAfter` is no way to anywhere: stuck
//! partitions and rebalances are judged as they are.
//!
//! Of a group without members, what is over ends, so that no alert outlives those whom it was about: nobody is treated
//! unfairly, nobody comes and goes. What is not over is held. Nothing begins but stuck partitions before which more and more
//! waits: a group that is meant to rest has nothing to read, or is read in time, and that nobody reads what has come already
//! is said by its state, OFFLINE.

use super::Millis;
use super::advice;
use super::alert::Finding;
use super::budget::burns;
use super::conduct::Conduct;
use super::fairness::fairness;
use super::judge::seconds;
use super::observation::{GroupObservation, GroupState};
use super::policy::Policy;
use super::progress::WINDOW;
use super::replicas::{Lately, replicas};
use super::report::{AlertKind, Group, GroupTopic, Health, Severity, Slo, TopicSlo, Velocity};
use super::slo::{Bounds, Compliance, Limits, Objective, of_partitions};

/// What a group is held against.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What counts as all right; `None` for a single look, which raises no alerts.
    pub objective: Option<&'a dyn Objective>,
    /// How the monitor samples.
    pub policy: &'a Policy,
    /// The name given to the cluster.
    pub cluster_name: &'a str,
    /// Now.
    pub now: Millis,
}

/// Fills in the health of a group whose ages are judged. `slope` is that of its age, in seconds a second.
pub fn govern(conduct: &mut Conduct, seen: &GroupObservation, group: &mut Group, slope: Option<f64>, scene: Scene<'_>) {
    let bounds = scene.objective.map(|objective| objective.bounds());
    let compliance = scene.objective.map(|objective| hold(group, objective));
    if let (Some(bounds), Some(compliance)) = (bounds, compliance) {
        conduct.unsaved |= conduct.rebalances.observe(seen, &bounds, scene.policy.interval, scene.now);
        if seen.commits.is_ok() {
            conduct.unsaved |= conduct.spending.add(compliance, scene.policy.interval, scene.now);
        }
        conduct.note_stuck(group.topics.iter().flatten(), scene.now);
        group.health.slo = Some(Slo {
            budget: Some(conduct.spending.figures(bounds.min_compliance_percent, scene.now)),
            ..slo(compliance, bounds.min_compliance_percent)
        });
        group.health.rebalances = conduct.rebalances.figures(&bounds, scene.now);
        group.health.stuck_partitions =
            group.topics.iter().flatten().filter_map(|topic| topic.stuck_partitions).reduce(u32::saturating_add);
    }
    if settled(seen) || seen.state == Some(GroupState::Empty) {
        let of = |member: &super::report::Member| member.assigned.iter().map(|some| some.partitions.len()).sum();
        group.health.fairness = group.members.as_ref().map(|members| {
            let mut counts: Vec<usize> = members.iter().map(of).collect();
            fairness(&mut counts)
        });
    }
    group.health.velocity = velocity(group, slope);
    group.health.drain_seconds = drain(group);
    let (advice, crew) = replicas(group, conduct.crew, lately(conduct, seen, bounds, scene), scene.policy);
    group.health.replicas = advice;
    conduct.unsaved |= conduct.crew.size != crew.size;
    conduct.crew = crew;
    if let Some(bounds) = bounds {
        judge_alerts(conduct, seen, &group.health, &bounds, scene);
        group.health.alerts = advice::alerts(conduct, group, scene.cluster_name);
    }
    group.health.recommendation = advice::recommendation(group);
}

/// Counts every topic's partitions by the limits that the group has there.
fn hold(group: &mut Group, objective: &dyn Objective) -> Compliance {
    let mut all = Compliance::default();
    for topic in group.topics.iter_mut().flatten() {
        let limits = objective.limits(&group.group_id, &topic.topic);
        let compliance = of_partitions(topic.partitions.iter().flatten(), limits);
        topic.slo = Some(topic_slo(compliance, limits, objective.bounds().min_compliance_percent));
        all += compliance;
    }
    all
}

fn topic_slo(compliance: Compliance, limits: Limits, target: u32) -> TopicSlo {
    TopicSlo {
        compliance: compliance.percent().map(|percent| percent / 100.0),
        met: compliance.meets(target),
        within: compliance.within,
        breaching: compliance.breaching,
        unknown: compliance.unknown,
        without_commit: compliance.without_commit,
        max_lag_records: limits.max_lag_records,
        max_lag_seconds: limits.max_lag.map(seconds),
    }
}

/// The figures of some partitions against a target in percent, without a budget.
pub(super) fn slo(compliance: Compliance, target: u32) -> Slo {
    Slo {
        compliance: compliance.percent().map(|percent| percent / 100.0),
        target: f64::from(target) / 100.0,
        met: compliance.meets(target),
        within: compliance.within,
        breaching: compliance.breaching,
        unknown: compliance.unknown,
        without_commit: compliance.without_commit,
        budget: None,
    }
}

fn lately(conduct: &Conduct, seen: &GroupObservation, bounds: Option<Bounds>, scene: Scene<'_>) -> Lately {
    let (watch, now, patience) = (&conduct.rebalances, scene.now, scene.policy.offline_after);
    let measured_over = scene.policy.interval.saturating_mul(WINDOW as Millis + 1);
    let watched = bounds.is_none_or(|bounds| watch.watched_for(patience, &bounds, now));
    let deserted = seen.state == Some(GroupState::Empty) && watched && watch.unchanged_for(patience, now);
    Lately { calm: watch.unchanged_for(measured_over, now), deserted }
}

fn settled(group: &GroupObservation) -> bool {
    group.state == Some(GroupState::Stable)
}

/// Over the topics whose rates are known; all of them have to be, or the sum would mean something else.
fn velocity(group: &Group, seconds_per_second: Option<f64>) -> Option<Velocity> {
    let rate = |topic: &GroupTopic| Some(topic.produce_rate? - topic.consume_rate?);
    let topics = group.topics_read();
    let records_per_second = topics.map(rate).reduce(|a, b| Some(a? + b?)).flatten();
    let known = records_per_second.is_some() || seconds_per_second.is_some();
    known.then_some(Velocity { records_per_second, seconds_per_second })
}

fn drain(group: &Group) -> Option<f64> {
    let topics = group.topics_read();
    topics.map(|topic| topic.drain_seconds).reduce(|a, b| Some(a?.max(b?))).flatten()
}

fn judge_alerts(conduct: &mut Conduct, seen: &GroupObservation, health: &Health, bounds: &Bounds, scene: Scene<'_>) {
    let Scene { policy, now, .. } = scene;
    let fresh = seen.commits.is_ok();
    let empty = seen.state == Some(GroupState::Empty);
    let endless = seen.state.is_some() && conduct.rebalances.unsettled_for(policy.offline_after, now);
    let told = settled(seen) || endless;
    let of_settled = |finding: Option<Finding>| finding.filter(|found| told || (empty && !found.breached));
    let grows = health.velocity.and_then(|velocity| velocity.records_per_second).is_some_and(|rate| rate > 0.0);
    let stuck = health.stuck_partitions.filter(|_| fresh).map(stuck_finding);
    let findings = [
        (AlertKind::SloViolated, health.slo.and_then(slo_finding).filter(|_| fresh)),
        (AlertKind::StuckPartitions, if empty && grows { stuck } else { of_settled(stuck) }),
        (
            AlertKind::RebalanceInstability,
            of_settled(health.rebalances.and_then(|found| found.score).map(|score| score_finding(score, bounds))),
        ),
        (AlertKind::UnfairDistribution, of_settled(health.fairness.map(|found| excess_finding(found.excess, bounds)))),
    ];
    for (kind, finding) in findings {
        conduct.unsaved |= conduct.alerts.judge(kind, finding, now);
    }
}

fn slo_finding(slo: Slo) -> Option<Finding> {
    let urgent = slo.budget.is_some_and(|budget| burns(&budget, slo.target));
    Some(Finding {
        value: slo.compliance?,
        bound: slo.target,
        breached: !slo.met?,
        severity: if urgent { Severity::Critical } else { Severity::Warning },
    })
}

/// Nobody reads what waits there, and it will not get better by itself.
fn stuck_finding(stuck: u32) -> Finding {
    Finding { value: stuck.into(), bound: 0.0, breached: stuck > 0, severity: Severity::Critical }
}

fn score_finding(score: f64, bounds: &Bounds) -> Finding {
    let bound = f64::from(bounds.min_rebalance_score);
    Finding { value: score, bound, breached: score < bound, severity: Severity::Warning }
}

fn excess_finding(excess: f64, bounds: &Bounds) -> Finding {
    let bound = f64::from(bounds.max_gini_excess_percent) / 100.0;
    // A split that is as uneven as is allowed may be a little more so in binary.
    Finding { value: excess, bound, breached: excess > bound + 1e-9, severity: Severity::Warning }
}
