//! The machine's clock is set by an hour while a monitor samples: ages are inside their bounds once it is right, and
//! before that inside them or flagged, for then the clocks of all producers seem to be wrong.

use std::time::Duration;

use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::lag::anomaly::Anomaly;
use highwater::lag::report::GroupPartition;
use highwater::sim::cluster::Cluster as Simulated;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::{ALONE, HOUR, MINUTE, START, Watched, holds, lines};

/// A group that stops five minutes after the start.
fn cluster() -> Simulated {
    let mut cluster = Simulated::new("clock", 1);
    cluster.create_topic("orders", 1, vec![Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 }); 4]);
    let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR + 5 * MINUTE, 1)]);
    cluster.add_group(Group::new("billing", &["orders"], story));
    cluster
}

/// Whether an age is named as one that need not be inside its bound, by the clocks of producers that seem to be wrong.
fn is_flagged(line: &GroupPartition<'_>) -> bool {
    let odd = [Anomaly::TimestampsAhead, Anomaly::TimestampsLate, Anomaly::RecordHidden];
    odd.iter().any(|odd| line.anomalies.contains(*odd))
}

/// Twenty minutes, in the first ten of which the clock of who samples is wrong by so much.
async fn look(wrong: i64, by_time: bool) {
    // The cluster goes by the right time; who samples does not.
    let mut watched = Watched::start(cluster()).await;
    let clock = Clock::stepped(START);
    clock.set(wrong);
    let connection = Connection { brokers: watched.sim.bootstrap().to_vec(), ..Connection::default() };
    watched.cluster = Cluster::connect(&connection, clock.clone()).unwrap();
    let right = std::mem::replace(&mut watched.clock, clock);
    if !by_time {
        // Sampled ends alone: answers to questions by time go by the clocks of producers.
        watched.task.policy.precision = 0;
    }
    let (mut told, mut probes) = (vec![], 0);
    for minute in 0..20 {
        if minute == 10 {
            watched.clock.set(-wrong);
        }
        let report = watched.sample(Duration::from_secs(10)).await;
        probes += report.sampling.probes;
        if watched.memory.clock_set != 0 {
            told.push((minute, watched.memory.clock_set));
        }
        assert_eq!(lines(&report).count(), 4);
        for (group, line) in lines(&report) {
            let truth = watched.truth_at(right.now(), group, "orders", line.partition);
            assert_eq!(truth > 0.0, minute > 5, "it reads until then");
            assert!(line.lag_seconds.is_some_and(|age| age >= 0.0), "{line:#?}");
            let flagged = by_time && minute < 10 && is_flagged(&line);
            assert!(flagged || holds(&line, truth), "{wrong} at {minute}, truly {truth} s: {line:#?}");
        }
        watched.clock.step(MINUTE);
        right.step(MINUTE);
    }
    assert_eq!((told, probes > 0), (vec![(10, -wrong)], by_time));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_by_an_hour_is_told_and_bounds_hold_once_it_is_right() {
    let _alone = ALONE.lock().await;
    for wrong in [-HOUR, HOUR] {
        for by_time in [false, true] {
            look(wrong, by_time).await;
        }
    }
}
