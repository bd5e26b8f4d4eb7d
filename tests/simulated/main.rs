//! What takes a whole process on a simulated cluster: a day of virtual time, a clock that is set, very many partitions.
//!
//! One test at a time, for memory is measured that all share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod clock;
mod faults;
mod large;
mod soak;

use std::time::Duration;

use highwater::clock::Clock;
use highwater::crd::sampling::Sampling;
use highwater::crd::slo::Slo;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::memory::Memory;
use highwater::lag::report::{MonitorName, Report};
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
}

/// A number that the system knows of this process.
fn number(file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
