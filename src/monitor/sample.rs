//! One sample: observe, remember, sharpen, judge. The same for a loop's every turn and for a single look.

use std::time::{Duration, Instant};

use crate::board::Phases;
use crate::clock::Clock;
use crate::kafka::Cluster;
use crate::kafka::selection::Selection;
use crate::lag::judge::{Heading, judge};
use crate::lag::memory::Memory;
use crate::lag::policy::Policy;
use crate::lag::refine::Refinement;
use crate::lag::report::{MonitorName, Report};

/// Rounds of questions by time in one sample. A search over a week halves down to a millisecond in thirty.
const ROUNDS: usize = 40;

/// Questions by time in one sample.
const PROBES: usize = 20_000;

/// What is sampled, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The LagMonitor; `None` for a single look.
    pub monitor: Option<MonitorName>,
    /// The name of the cluster in labels and reports.
    pub cluster_name: String,
    /// Which groups and topics.
    pub selection: Selection,
    /// How to sample and judge.
    pub policy: Policy,
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
    let observation = cluster.observe(&task.selection, task.policy.read_committed, deadline).await;
    phases.observe = begun.elapsed().as_secs_f64();
    memory.remember(observation, &task.policy);
    let sharpened = Instant::now();
    let probes = sharpen(cluster, memory, &task.policy, deadline, clock).await;
    phases.probe = sharpened.elapsed().as_secs_f64();
    let judged = Instant::now();
    let heading = Heading {
        monitor: task.monitor.clone(),
        cluster_name: task.cluster_name.clone(),
        periodic: task.monitor.is_some(),
        probes,
    };
    let report = judge(memory, &task.policy, heading, clock.now());
    phases.judge = judged.elapsed().as_secs_f64();
    (report, phases)
}

/// Asks by time until every age is as exact as wanted, or rounds, questions or half of the deadline are used up.
async fn sharpen(cluster: &Cluster, memory: &mut Memory, policy: &Policy, deadline: Duration, clock: &Clock) -> u64 {
    let until = Instant::now() + deadline / 2;
    let mut refinement = Refinement::start(memory);
    let mut asked = 0;
    for _ in 0..ROUNDS {
        let left = until.saturating_duration_since(Instant::now());
        let probes = refinement.next(memory, policy, clock.now(), PROBES - asked);
        if probes.is_empty() || left.is_zero() {
            break;
        }
        asked += probes.len();
        let told = cluster.tell(probes, left).await;
        refinement.learn(memory, &told);
    }
    asked as u64
}
