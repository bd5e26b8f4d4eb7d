//! The machine's clock is set by an hour while a monitor samples: ages are inside their bounds once it is right.

use std::time::Duration;

use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::sim::cluster::Cluster as Simulated;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::{ALONE, HOUR, MINUTE, START, Watched};

/// A group that stopped ten minutes before the start.
fn cluster() -> Simulated {
    let mut cluster = Simulated::new("clock", 1);
    cluster.create_topic("orders", 1, vec![Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 }); 4]);
    let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR + 5 * MINUTE, 1)]);
    cluster.add_group(Group::new("billing", &["orders"], story));
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_by_an_hour_is_told_and_bounds_hold_once_it_is_right() {
    let _alone = ALONE.lock().await;
    for wrong in [-HOUR, HOUR] {
        // The cluster goes by the right time; who samples does not, for ten minutes.
        let mut watched = Watched::start(cluster()).await;
        let clock = Clock::stepped(START);
        clock.set(wrong);
        let connection = Connection { brokers: watched.sim.bootstrap().to_vec(), ..Connection::default() };
        watched.cluster = Cluster::connect(&connection, clock.clone()).unwrap();
        let right = std::mem::replace(&mut watched.clock, clock);
        // Without questions by time: these go by the clocks of producers.
        watched.task.policy.precision = 0;
        let mut told = vec![];
        for minute in 0..20 {
            if minute == 10 {
                watched.clock.set(-wrong);
            }
            let report = watched.sample(Duration::from_secs(10)).await;
            if watched.memory.clock_set != 0 {
                told.push((minute, watched.memory.clock_set));
            }
            let topic = &report.groups[0].topics.as_ref().unwrap()[0];
            assert!(topic.max_lag_seconds.is_none_or(|age| age >= 0.0), "{topic:#?}");
            if minute >= 10 {
                let truth = (right.now() - (START + 5 * MINUTE)) as f64 / 1e3;
                let (age, bound) = (topic.max_lag_seconds.unwrap(), topic.bound_seconds.unwrap());
                assert!((age - truth).abs() <= bound + 2.0, "{wrong} at {minute}: {age} ± {bound}, truly {truth}");
            }
            watched.clock.step(MINUTE);
            right.step(MINUTE);
        }
        assert_eq!(told, [(10, -wrong)]);
    }
}
