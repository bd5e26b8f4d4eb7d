//! A transaction that stays open for longer than a group may stand still, with `ReadCommitted`: who has read everything
//! before it is blocked, and nothing else.

use highwater::lag::anomaly::Anomaly;
use highwater::lag::report::{Group as Judged, GroupPartition, GroupTopic, State};
use highwater::sim::cluster::Cluster;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::faults::DEADLINE;
use crate::{ALONE, HOUR, MINUTE, START, Watched};

const PARTITIONS: i32 = 3;

/// Where the transaction begins: the end of each partition at the start.
const OPEN: i64 = 3_600;

/// For how many minutes it is open.
const MINUTES: i64 = 12;

/// A group whose two members keep up until the start, and again once the transaction has ended; and one that stopped
/// twenty minutes before.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new("transaction", 3);
    let log = Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 });
    cluster.create_topic("orders", 3, vec![log; PARTITIONS as usize]);
    let blocked = Phase::reads(MINUTES * MINUTE, 2, 0.0);
    let phases = vec![Phase::keeps_up(HOUR, 2), blocked, Phase::keeps_up(10 * HOUR, 2)];
    cluster.add_group(Group::new("blocked", &["orders"], Story::new(START - HOUR, phases)));
    let phases = vec![Phase::keeps_up(HOUR - 20 * MINUTE, 1)];
    cluster.add_group(Group::new("stopped", &["orders"], Story::new(START - HOUR, phases)));
    cluster
}

/// Lets the last stable offset of every partition stand still, or follow the end.
fn hold_stable(watched: &Watched, offset: Option<i64>) {
    let mut cluster = watched.sim.cluster();
    cluster.topic_mut("orders").unwrap().logs.iter_mut().for_each(|log| log.hold_stable(offset));
}

fn topic(group: &Judged) -> (&GroupTopic, Vec<GroupPartition<'_>>) {
    let Some([topic]) = group.topics.as_deref() else { panic!("{group:#?}") };
    (topic, topic.partitions.iter().flatten().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_blocks_who_has_read_all_before_it_for_as_long_as_it_is_open() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster()).await;
    watched.task.policy.read_committed = true;
    hold_stable(&watched, Some(OPEN));
    for minute in 0..=MINUTES + 2 {
        if minute > MINUTES {
            hold_stable(&watched, None);
        }
        let report = watched.sample(DEADLINE).await;
        assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
        watched.assert_true(&report, "orders");
        let written = 60 * minute;
        let (hidden, end) = if minute > MINUTES { (0, OPEN + written) } else { (written, OPEN) };
        let [blocked, stopped] = &report.groups[..] else { panic!("{report:#?}") };

        let (judged, lines) = topic(blocked);
        assert_eq!((judged.state, judged.stuck_partitions), (Some(State::Online), Some(0)), "minute {minute}");
        assert_eq!(lines.len(), PARTITIONS as usize);
        for line in lines {
            let odd: Vec<Anomaly> = line.anomalies.iter().collect();
            let expected = if hidden > 0 { vec![Anomaly::BlockedByTransaction] } else { vec![] };
            assert_eq!((odd, line.blocked_records), (expected, hidden), "minute {minute}: {line:#?}");
            assert_eq!((line.lag_records, line.log_end_offset), (Some(0), Some(end)), "minute {minute}: {line:#?}");
            // The first record that is hidden came a second after the start.
            let (age, bound) = (line.lag_seconds.unwrap(), line.bound_seconds.unwrap());
            let open = if hidden > 0 { written as f64 - 1.0 } else { 0.0 };
            assert!((age - open).abs() <= bound && bound <= (open / 100.0).max(1.0), "minute {minute}: {line:#?}");
        }

        // What can be read counts as ever: this one is OFFLINE, and stuck.
        let (judged, lines) = topic(stopped);
        assert_eq!(judged.state, Some(State::Offline), "minute {minute}");
        assert_eq!(judged.stuck_partitions, Some(if minute >= 5 { 3 } else { 0 }), "minute {minute}");
        for line in lines {
            assert_eq!((line.lag_records, line.blocked_records), (Some(end - OPEN + 1_200), 0), "{line:#?}");
        }
        watched.clock.step(MINUTE);
    }
}
