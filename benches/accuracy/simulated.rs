//! A week on the simulated cluster: the whole way of a sample, through the real client, in steps of virtual time.
//!
//! The simulated logs are functions of time, so the truth is computed; records enter at their timestamps.

use std::time::Duration;

use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::Millis;
use highwater::lag::memory::Memory;
use highwater::lag::report::Report;
use highwater::monitor::sample::{Task, sample};
use highwater::sim::Sim;
use highwater::sim::cluster::Cluster as Simulated;
use highwater::sim::log::{Log, Traffic};

use crate::peers;
use crate::readers::Reader;
use crate::sampler::{Look, Setting, lines};
use crate::traffic::{DAY, HOUR, MINUTE, SECOND, START, Shape, WEEK};
use crate::week::Outcome;

const DEADLINE: Duration = Duration::from_secs(20);

fn log(shape: Shape) -> Log {
    let begin = START - WEEK;
    let one = |traffic| Log::new(begin, traffic);
    match shape {
        Shape::Steady => one(Traffic::Steady { per_second: 3.0 }),
        Shape::Wave => one(Traffic::Wave { per_second: 3.0, period: DAY, depth: 0.9, phase: 7 * HOUR }),
        Shape::Bursts => one(Traffic::Bursts { records: 6_000, within: MINUTE, every: 2 * HOUR }),
        Shape::Batch => one(Traffic::Bursts { records: 50_000, within: 20 * SECOND, every: DAY }),
        Shape::Trickle => one(Traffic::Bursts { records: 1, within: 0, every: 50 * SECOND }),
        Shape::Step => {
            one(Traffic::Steady { per_second: 0.01 }).then(START + 3 * DAY, Traffic::Steady { per_second: 6.0 })
        }
    }
}

/// Takes a sample every minute, or in the short form every twenty.
pub(crate) fn run(short: bool) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(week(short))
}

async fn week(short: bool) -> Outcome {
    let clock = Clock::stepped(START);
    let mut simulated = Simulated::new("accuracy", 3);
    Shape::ALL.iter().for_each(|shape| simulated.create_topic(shape.name(), 1, vec![log(*shape)]));
    let sim = Sim::start(simulated, clock.clone()).await.unwrap();
    let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
    let cluster = Cluster::connect(&connection, clock.clone()).unwrap();
    let task = task(Setting::REFINED);
    let (mut memory, mut outcome) = (Memory::default(), Outcome::default());
    let interval = if short { 20 * MINUTE } else { MINUTE };
    for now in (START..START + WEEK).step_by(interval as usize) {
        clock.step(now - clock.now());
        commit(&sim, now);
        let (report, _) = sample(&cluster, &mut memory, &task, DEADLINE, &clock).await;
        assert!(report.sampling.coverage >= 1.0, "{:?}", report.errors);
        outcome.probes += report.sampling.probes;
        outcome.samples += 1;
        compare(&sim, &report, now, &mut outcome);
    }
    outcome
}

/// What is sampled: everything.
pub(crate) fn task(setting: Setting) -> Task {
    let all = || Patterns::new(&["*".to_owned()], &["__*".to_owned()]).unwrap();
    Task {
        monitor: None,
        cluster_name: "accuracy".to_owned(),
        team: None,
        selection: Selection { groups: all(), topics: all() },
        policy: setting.policy(),
        objective: None,
    }
}

fn commit(sim: &Sim, now: Millis) {
    let mut cluster = sim.cluster();
    for (number, reader) in Reader::all().into_iter().enumerate() {
        for shape in Shape::ALL {
            let position = cluster.log(shape.name(), 0).unwrap().end(reader.has_read(now));
            cluster.commit(&format!("group-{number:02}"), shape.name(), 0, position, now);
        }
    }
}

fn compare(sim: &Sim, report: &Report, now: Millis, outcome: &mut Outcome) {
    let cluster = sim.cluster();
    assert_eq!(report.groups.len(), Reader::all().len(), "every group is in the report");
    for (topic, line) in report.groups.iter().flat_map(lines) {
        let committed = line.committed_offset.unwrap();
        let Some(written) = cluster.log(topic, line.partition).unwrap().timestamp(committed, now) else { continue };
        let look = Look::new(&line, now - written, now - written, None);
        outcome.add(&look, [None; peers::NAMES.len()], || format!("{topic} at {}", now - START));
    }
}
