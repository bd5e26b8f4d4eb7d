//! What takes a whole process on a simulated cluster: a day of virtual time, clocks that are wrong, what breaks or changes
//! while it is looked at, a transaction that stays open, very many partitions.
//!
//! One test at a time, for memory is measured that all share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod changes;
mod clock;
mod faults;
mod large;
mod soak;
mod transaction;

use std::time::Duration;

use highwater::clock::Clock;
use highwater::crd::sampling::Sampling;
use highwater::crd::slo::Slo;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::Partition;
use highwater::lag::memory::Memory;
use highwater::lag::report::{GroupPartition, MonitorName, Report};
use highwater::monitor::objective::Objective;
use highwater::monitor::sample::{Task, sample};
use highwater::reconcile::plan::policy;
use highwater::sim::Sim;
use highwater::sim::cluster::Cluster as Simulated;
use tokio::sync::Mutex;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

/// When the simulated clusters are looked at first: milliseconds since 1970 UTC.
const START: i64 = 1_790_000_000_000;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// A simulated cluster that is looked at as a monitor does.
struct Watched {
    sim: Sim,
    clock: Clock,
    cluster: Cluster,
    memory: Memory,
    task: Task,
}

impl Watched {
    async fn start(simulated: Simulated) -> Self {
        let clock = Clock::stepped(START);
        let sim = Sim::start(simulated, clock.clone()).await.unwrap();
        let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
        let cluster = Cluster::connect(&connection, clock.clone()).unwrap();
        let all = || Patterns::new(&["*".to_owned()], &[]).unwrap();
        let task = Task {
            monitor: Some(MonitorName { namespace: "default".to_owned(), name: "simulated".to_owned() }),
            team: None,
            cluster_name: "simulated".to_owned(),
            selection: Selection { groups: all(), topics: all() },
            policy: policy(&Sampling::default()),
            objective: Some(Objective::new(&Slo::default()).unwrap()),
        };
        Self { sim, clock, cluster, memory: Memory::default(), task }
    }

    /// One sample, which takes about as long as that at most.
    async fn sample(&mut self, deadline: Duration) -> Report {
        sample(&self.cluster, &mut self.memory, &self.task, deadline, &self.clock).await.0
    }

    /// How long ago the oldest record that a group has not read was written, by its timestamp, in seconds; 0 where it has
    /// read all.
    fn truth(&self, group: &str, topic: &str, partition: Partition) -> f64 {
        self.truth_at(self.clock.now(), group, topic, partition)
    }

    /// The same when it is really `now`, whatever the clock shows.
    fn truth_at(&self, now: i64, group: &str, topic: &str, partition: Partition) -> f64 {
        let cluster = self.sim.cluster();
        let committed = cluster.committed(group, topic, partition, now).unwrap();
        let written = cluster.log(topic, partition).unwrap().timestamp(committed, now);
        written.map_or(0.0, |written| (now - written) as f64 / 1e3)
    }

    /// Every line of a report that is about this topic alone has an age: inside its bound, or no more than the true one.
    fn assert_true(&self, report: &Report, topic: &str) {
        for (group, line) in lines(report) {
            let (age, truth) = (line.lag_seconds.unwrap(), self.truth(group, topic, line.partition));
            let inside = if line.bound_seconds.is_some() { holds(&line, truth) } else { age <= truth };
            assert!(inside, "{group}, truly {truth} s: {line:#?}");
        }
    }
}

/// Whether an age is inside its bound.
fn holds(line: &GroupPartition<'_>, truth: f64) -> bool {
    line.lag_seconds.zip(line.bound_seconds).is_some_and(|(age, bound)| (age - truth).abs() <= bound + 1e-6)
}

/// Every partition of every group, with the group's id.
fn lines(report: &Report) -> impl Iterator<Item = (&str, GroupPartition<'_>)> {
    report.groups.iter().flat_map(|group| {
        let topics = group.topics.iter().flatten();
        topics.flat_map(|topic| topic.partitions.iter().flatten()).map(move |line| (&*group.group_id, line))
    })
}

/// How many partitions of each group, on each topic, are not of this sample.
fn stale(report: &Report) -> Vec<usize> {
    let topics = report.groups.iter().flat_map(|group| group.topics.iter().flatten());
    let lines = topics.map(|topic| topic.partitions.iter().flatten().filter(|line| line.stale_seconds.is_some()));
    lines.map(Iterator::count).collect()
}

/// A number that the system knows of this process.
fn number(file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
