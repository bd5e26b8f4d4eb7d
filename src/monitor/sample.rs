//! One sample: observe, remember, sharpen, judge. The same for a loop's every turn and for a single look.

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::board::Phases;
use crate::clock::Clock;
use crate::kafka::Cluster;
use crate::kafka::selection::Selection;
use crate::lag::Name;
use crate::lag::judge::{Heading, judge};
use crate::lag::memory::Memory;
use crate::lag::policy::Policy;
use crate::lag::refine::{Budget, Refinement};
use crate::lag::report::{MonitorName, Report};
use crate::lag::slo;

use super::objective::Objective;

/// What is sampled, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The LagMonitor; `None` for a single look.
    pub monitor: Option<MonitorName>,
    /// Whose LagMonitor it is: its label `highwater.dev/team`.
    pub team: Option<Name>,
    /// The name of the cluster in labels and reports.
    pub cluster_name: String,
    /// Which groups and topics.
    pub selection: Selection,
    /// How to sample and judge.
    pub policy: Policy,
    /// What counts as all right; `None` for a single look.
    pub objective: Option<Objective>,
}

/// Takes one sample within about `deadline`, and says what its parts took.
pub async fn sample(
    cluster: &Cluster,
    memory: &mut Memory,
    task: &Task,
    deadline: Duration,
    clock: &Clock,
) -> (Report, Phases) {
    let begun = Instant::now();
    let mut phases = Phases::default();
    let uptime = clock.uptime();
    let mut observation = cluster.observe(&task.selection, task.policy.read_committed, deadline).await;
    observation.uptime = Some(uptime);
    phases.observe = begun.elapsed().as_secs_f64();
    memory.remember(observation, &task.policy);
    if memory.clock_set != 0 {
        let seconds = memory.clock_set / 1_000;
        tracing::warn!(seconds, "the clock was set: ages that stand on samples from before have a wider bound");
    }
    memory.told_configs(&cluster.configs());
    let sharpened = Instant::now();
    let probes = sharpen(cluster, memory, &task.policy, deadline, clock).await;
    phases.probe = sharpened.elapsed().as_secs_f64();
    let judged = Instant::now();
    let heading = Heading {
        monitor: task.monitor.clone(),
        team: task.team.clone(),
        cluster_name: task.cluster_name.clone(),
        periodic: task.monitor.is_some(),
        probes,
    };
    let objective = task.objective.as_ref().map(|objective| objective as &dyn slo::Objective);
    let report = judge(memory, &task.policy, objective, heading, clock.now());
    phases.judge = judged.elapsed().as_secs_f64();
    (report, phases)
}

/// Asks by time until every age is as exact as wanted, or the budget of each broker or half of the deadline is used up.
///
/// Each broker is asked at its own pace: one that takes its time holds up nobody's answers but its own.
pub async fn sharpen(
    cluster: &Cluster,
    memory: &mut Memory,
    policy: &Policy,
    deadline: Duration,
    clock: &Clock,
) -> u64 {
    let until = Instant::now() + deadline / 2;
    let mut refinement = Refinement::start(memory, policy, clock.now(), Budget::after(memory.sharpened));
    let mut free = refinement.brokers();
    let mut rounds = FuturesUnordered::new();
    let mut asked = 0;
    loop {
        for broker in free.drain(..) {
            let left = until.saturating_duration_since(Instant::now());
            let probes = if left.is_zero() { Vec::new() } else { refinement.next(memory, clock.now(), broker) };
            if !probes.is_empty() {
                asked += probes.len();
                rounds.push(async move { (broker, cluster.tell(probes, left).await) });
            }
        }
        let Some((broker, told)) = rounds.next().await else { break };
        refinement.learn(memory, &told);
        free.push(broker);
    }
    memory.sharpened = memory.sharpened.saturating_add(u32::from(asked > 0));
    asked as u64
}
