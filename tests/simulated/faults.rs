//! What is not seen in one pass is not gone: groups that no broker lists, topics that Kafka refuses to show; and what is gone
//! is. Beside it, topics that are created again, logs that are truncated, and a cluster that another one takes the place of.

use std::time::Duration;

use futures_util::future::join_all;
use highwater::kafka::Cluster as Client;
use highwater::kafka::connection::Connection;
use highwater::lag::reason::{Reason, Scope};
use highwater::lag::report::{Group as Judged, Report, State};
use highwater::sim::cluster::{Cluster, Health};
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::{ALONE, HOUR, MINUTE, START, Watched, stale};

pub(crate) const GROUPS: usize = 12;
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// Twelve groups that stopped ten minutes ago, on a topic whose partitions every broker has.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = Cluster::new("faults", 3);
    cluster.create_topic("orders", 3, vec![Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 }); 3]);
    for n in 0..GROUPS {
        let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR - 10 * MINUTE, 1)]);
        cluster.add_group(Group::new(&format!("group-{n}"), &["orders"], story));
    }
    cluster
}

fn names(report: &Report) -> Vec<&str> {
    report.groups.iter().map(|group| &*group.group_id).collect()
}

/// Since when each group has been OFFLINE.
fn since(report: &Report) -> Vec<Option<i64>> {
    let topic = |group: &Judged| group.topics.as_ref().unwrap().iter().find(|topic| &*topic.topic == "orders").cloned();
    let offline = |group| topic(group).filter(|topic| topic.state == Some(State::Offline));
    report.groups.iter().map(|group| offline(group).and_then(|topic| topic.since).map(|since| since.0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_no_broker_lists_are_there_until_their_coordinator_says_that_they_are_not() {
    let _alone = ALONE.lock().await;
    let mut simulated = cluster();
    simulated.set_one_coordinator();
    let mut watched = Watched::start(simulated).await;
    let first = watched.sample(DEADLINE).await;
    assert_eq!((first.groups.len(), first.sampling.coverage), (GROUPS, 1.0));
    // The brokers that are left take the partitions over, and list the groups of the one that is gone nowhere.
    watched.sim.cluster().set_health(1, Health::Down);
    for _ in 0..2 {
        watched.clock.step(MINUTE);
        let report = watched.sample(DEADLINE).await;
        assert_eq!(names(&report), names(&first));
        let unread: Vec<_> = report.errors.iter().filter(|error| error.scope == Scope::Group).collect();
        assert!((1..GROUPS).contains(&unread.len()), "{unread:#?}");
        assert!(report.sampling.coverage < 1.0);
        assert_eq!(since(&report), since(&first), "states go on");
    }
    watched.sim.cluster().set_health(1, Health::Up);
    watched.sim.cluster().delete_group("group-0");
    watched.clock.step(MINUTE);
    let report = watched.sample(DEADLINE).await;
    assert_eq!((report.groups.len(), report.sampling.coverage), (GROUPS - 1, 1.0), "{:#?}", report.errors);
    assert!(!names(&report).contains(&"group-0"), "who is deleted is gone from the next sample");
}

/// What the pass sees that comes after a broker fell silent: the stale lines of each group, of three.
async fn beside_silence(broker: i32) -> Vec<usize> {
    let mut watched = Watched::start(cluster()).await;
    assert_eq!(watched.sample(DEADLINE).await.sampling.coverage, 1.0);
    watched.sim.cluster().set_health(broker, Health::Silent);
    // A second later librdkafka has a favourite: the broker that it asks first is the one that it goes on to ask.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    watched.clock.step(MINUTE);
    stale(&watched.sample(2 * DEADLINE).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_broker_falls_silent_the_next_pass_sees_what_the_others_have() {
    let _alone = ALONE.lock().await;
    for stale in join_all((0..12).map(|n| beside_silence(n % 3))).await {
        // The partition that the broker leads; and all of the groups that it coordinates, a third or so.
        let of = |count| stale.iter().filter(|own| **own == count).count();
        assert!(of(1) >= GROUPS / 4 && of(1) + of(3) == GROUPS, "{stale:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_refused_for_a_while_keep_their_history() {
    let _alone = ALONE.lock().await;
    let mut simulated = cluster();
    simulated.create_topic("parcels", 3, vec![Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 })]);
    let story = Story::new(START - HOUR, vec![Phase::keeps_up(10 * HOUR, 1)]);
    simulated.add_group(Group::new("at-work", &["orders"], story));
    let mut watched = Watched::start(simulated).await;
    let rows = |watched: &Watched, topic: &str| {
        watched.memory.topics.get(topic).map(|topic| topic.partitions[0].history.runs.len())
    };
    watched.sample(DEADLINE).await;
    let before = rows(&watched, "orders").unwrap();
    for refused in [&["orders"][..], &["orders", "parcels"]] {
        for name in refused {
            watched.sim.cluster().refuse_topic(name, true);
        }
        for _ in 0..2 {
            watched.clock.step(MINUTE);
            let report = watched.sample(DEADLINE).await;
            let told = report.errors.iter().filter(|error| error.reason == Reason::TopicNotAuthorized);
            assert_eq!(told.count(), refused.len(), "{:#?}", report.errors);
            assert!(report.sampling.coverage < 1.0);
            assert_eq!((report.topics.len(), report.groups.len()), (2, GROUPS + 1));
        }
    }
    assert_eq!(rows(&watched, "orders"), Some(before));
    for name in ["orders", "parcels"] {
        watched.sim.cluster().refuse_topic(name, false);
    }
    watched.sim.cluster().delete_topic("parcels");
    watched.clock.step(MINUTE);
    let report = watched.sample(DEADLINE).await;
    assert_eq!((report.topics.len(), report.sampling.coverage), (1, 1.0), "{:#?}", report.errors);
    assert!(rows(&watched, "orders") > Some(before) && rows(&watched, "parcels").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_created_again_is_another_and_a_log_that_is_truncated_is_not() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster()).await;
    let of = |report: &Report| {
        let topic = report.groups[0].topics.as_ref().unwrap()[0].clone();
        let line = topic.partitions.as_ref().unwrap().iter().next().unwrap();
        let words: Vec<String> = line.anomalies.iter().map(|anomaly| format!("{anomaly:?}")).collect();
        (line.lag_records, words)
    };
    watched.sample(DEADLINE).await;
    let now = watched.clock.now();
    watched.sim.cluster().topic_mut("orders").unwrap().logs.iter_mut().for_each(|log| log.truncate(now, 3_100));
    for _ in 0..2 {
        watched.clock.step(MINUTE);
        watched.sample(DEADLINE).await;
    }
    watched.clock.step(MINUTE);
    assert!(of(&watched.sample(DEADLINE).await).1.contains(&"LogTruncated".to_owned()));
    let fresh = vec![Log::new(watched.clock.now(), Traffic::Steady { per_second: 1.0 }); 3];
    let now = watched.clock.now();
    watched.sim.cluster().recreate_topic("orders", fresh, now);
    watched.clock.step(MINUTE);
    let (lag, anomalies) = of(&watched.sample(DEADLINE).await);
    assert_eq!(
        (lag, anomalies),
        (Some(0), vec!["CommitFromFormerTopic".to_owned()]),
        "3000 were committed, 60 are there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_lost_or_back_costs_one_stale_sample_at_most() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster()).await;
    watched.sample(DEADLINE).await;
    for broker in 0..3 {
        for health in [Health::Down, Health::Up] {
            watched.sim.cluster().set_health(broker, health);
            let mut stale = 0;
            while watched.sample(DEADLINE).await.sampling.coverage < 1.0 {
                stale += 1;
                assert!(stale <= 1, "broker {broker} {health:?}");
                watched.clock.step(MINUTE);
            }
            watched.clock.step(MINUTE);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_at_the_same_address_is_another() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster()).await;
    for id in ["faults", "faults", "another"] {
        watched.sim.cluster().set_id(id);
        watched.clock.step(MINUTE);
        let report = watched.sample(DEADLINE).await;
        assert_eq!(report.cluster.id.as_deref(), Some(id));
    }
    let runs = watched.memory.topics["orders"].partitions[0].history.runs.len();
    assert_eq!(runs, 1, "nothing of the former one counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_knows_of_whom_it_is_told_what_no_list_shows() {
    let _alone = ALONE.lock().await;
    let mut simulated = cluster();
    simulated.set_one_coordinator();
    let mut watched = Watched::start(simulated).await;
    let first = watched.sample(DEADLINE).await;
    watched.sim.cluster().set_health(1, Health::Down);
    watched.sim.cluster().refuse_topic("orders", true);
    let connection = Connection { brokers: watched.sim.bootstrap().to_vec(), ..Connection::default() };
    let groups = first.groups.iter().map(|group| group.group_id.clone());
    let known = ["orders".into(), "never-seen".into()].into_iter();
    watched.cluster = Client::connect(&connection, watched.clock.clone()).unwrap().knowing(known, groups);
    watched.clock.step(MINUTE);
    let report = watched.sample(DEADLINE).await;
    assert_eq!((names(&report), report.topics.len()), (names(&first), 1));
    assert!(report.errors.iter().any(|error| (error.reason, &*error.name) == (Reason::TopicNotAuthorized, "orders")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_that_passes_a_commit_is_told_with_the_age_of_the_first_survivor() {
    let _alone = ALONE.lock().await;
    let mut cluster = Cluster::new("retention", 1);
    let log = Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 }).with_retention(30 * MINUTE);
    cluster.create_topic("orders", 1, vec![log]);
    let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR - 20 * MINUTE, 1)]);
    cluster.add_group(Group::new("stopped", &["orders"], story));
    let mut watched = Watched::start(cluster).await;
    for minute in (0..=25).step_by(5) {
        let report = watched.sample(DEADLINE).await;
        let topic = &report.groups[0].topics.as_ref().unwrap()[0];
        let line = topic.partitions.as_ref().unwrap().iter().next().unwrap();
        let (lost, age) = (60 * (minute - 10).max(0), 60.0 * (20 + minute).min(30) as f64);
        assert!((line.records_lost - lost).abs() <= 5, "{lost} of minute {minute}: {line:#?}");
        assert!((line.lag_seconds.unwrap() - age).abs() <= 5.0, "{age} s in minute {minute}: {line:#?}");
        assert!((line.lag_records.unwrap() - age as i64).abs() <= 5, "the survivors count: {line:#?}");
        watched.clock.step(5 * MINUTE);
    }
}
