//! A day of virtual time, a sample a minute, while topics and groups come and go: memory and disk writes stay flat. A
//! tenth of a day without `HIGHWATER_TEST_FULL=1`.

use std::path::Path;
use std::time::Duration;

use highwater::sim::cluster::Cluster;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};
use highwater::store::Store;

use crate::{ALONE, HOUR, MINUTE, START, Watched, number};

const MIB: u64 = 1 << 20;

/// Twenty topics of ten partitions and twenty groups: some keep up, some are behind, some have stopped.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new("soak", 3);
    for n in 0..20 {
        let topic = format!("topic-{n}");
        let traffic = Traffic::Wave { per_second: 5.0, period: 24 * HOUR, depth: 0.7, phase: i64::from(n) * HOUR };
        let log = Log::new(START - 24 * HOUR, traffic).with_retention(48 * HOUR);
        cluster.create_topic(&topic, 3, vec![log; 10]);
        let phases = match n % 3 {
            0 => vec![Phase::keeps_up(240 * HOUR, 3)],
            1 => vec![Phase::reads(2 * HOUR, 2, 3.0), Phase::reads(HOUR, 4, 12.0)],
            _ => vec![Phase::keeps_up(3 * HOUR, 1), Phase::stopped(HOUR)],
        };
        let story = Story::new(START - 12 * HOUR, phases).repeated_from(0).committing_every(5_000);
        cluster.add_group(Group::new(&format!("group-{n}"), &[&*topic], story));
    }
    cluster
}

/// Puts another topic and another group in the place of those that came before.
fn churn(cluster: &mut Cluster, generation: usize, now: i64) {
    if let Some(before) = generation.checked_sub(1) {
        cluster.delete_topic(&format!("visited-{before}"));
        cluster.delete_group(&format!("visitor-{before}"));
    }
    let topic = format!("visited-{generation}");
    cluster.create_topic(&topic, 3, vec![Log::new(now - MINUTE, Traffic::Steady { per_second: 1.0 }); 10]);
    let story = Story::new(now - MINUTE, vec![Phase::keeps_up(HOUR, 2)]);
    cluster.add_group(Group::new(&format!("visitor-{generation}"), &[&*topic], story));
}

/// What has been used at one moment, in bytes.
#[derive(Debug, Clone, Copy)]
struct Used {
    resident: u64,
    written: u64,
    stored: u64,
}

impl Used {
    fn now(folder: &Path) -> Self {
        let stored = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        Self { resident: number("status", "VmRSS:") * 1024, written: number("io", "wchar:"), stored }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_costs_as_much_at_its_end_as_at_noon() {
    let _alone = ALONE.lock().await;
    highwater::kafka::settle_in();
    let samples = if std::env::var_os("HIGHWATER_TEST_FULL").is_some() { 1440 } else { 144 };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap().store;
    let mut day = Watched::start(cluster()).await;
    // The histories are full before noon.
    day.task.policy.rows_per_partition = samples / 8;
    let mut quarters = vec![];
    for n in 0..samples {
        if n % 10 == 0 {
            churn(&mut day.sim.cluster(), n / 10, day.clock.now());
        }
        let report = day.sample(Duration::from_secs(20)).await;
        assert_eq!((report.sampling.coverage, report.errors.len(), report.groups.len()), (1.0, 0, 21), "at {n}");
        store.save("soak", &mut day.memory, &report).unwrap();
        if (n + 1) % (samples / 4) == 0 {
            store.fold("soak", &day.memory, day.task.policy.rows_per_partition).unwrap();
            quarters.push(Used::now(folder.path()));
        }
        day.clock.step(MINUTE);
    }
    let [_, noon, afternoon, end] = quarters[..] else { panic!("{quarters:?}") };
    println!("{quarters:#?}");
    assert!(end.resident < noon.resident + noon.resident / 10 + 4 * MIB, "memory grows: {quarters:#?}");
    // Until then the file finds its size: pages of what is deleted are kept for what comes.
    assert!(end.stored <= afternoon.stored + afternoon.stored / 20, "the database grows: {quarters:#?}");
    let [third, fourth] = [afternoon.written - noon.written, end.written - afternoon.written];
    assert!(fourth < third + third / 4, "more and more is written: {quarters:#?}");
    assert_eq!(
        store.samples_of("soak", None).unwrap().keys().filter(|(group, _)| group.starts_with("visitor")).count(),
        1
    );
    let known = day.memory.topics.keys().filter(|topic| topic.starts_with("visited")).count();
    assert_eq!((known, day.memory.groups.len()), (1, 21), "what is gone is forgotten");
}
