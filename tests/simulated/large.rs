//! Fifty thousand partitions: one pass sees all of them in time, and a broker that says nothing costs no more than its own.
//! Ten thousand commits that all lag, a hundred thousand with `HIGHWATER_TEST_FULL=1`: their ages stay exact, and no
//! broker is asked more than it bears. Thousands of idle partitions: all ages are exact in the first sample. A group that
//! has committed on ten thousand partitions.

use std::time::{Duration, Instant};

use highwater::kafka::selection::Patterns;
use highwater::lag::reason::{Reason, Scope};
use highwater::lag::refine::times::ladder;
use highwater::lag::refine::{Budget, PROBES};
use highwater::sim::cluster::{Cluster, Health};
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::{ALONE, HOUR, START, Watched, lines, stale};

const TOPICS: usize = 500;
const PARTITIONS: usize = 100;
const DEADLINE: Duration = Duration::from_secs(20);

fn cluster() -> Cluster {
    let mut cluster = Cluster::new("large", 3);
    for n in 0..TOPICS {
        let log = Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 });
        cluster.create_topic(&format!("topic-{n:03}"), 3, vec![log; PARTITIONS]);
    }
    for n in 0..12 {
        let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR / 2, 1)]);
        cluster.add_group(Group::new(&format!("group-{n}"), &[&*format!("topic-{n:03}")], story));
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_partitions_are_seen_and_a_silent_broker_costs_its_own() {
    let _alone = ALONE.lock().await;
    let mut large = Watched::start(cluster()).await;
    large.task.objective = None;
    let begun = Instant::now();
    let report = large.sample(DEADLINE).await;
    println!("{} partitions in {:?}", TOPICS * PARTITIONS, begun.elapsed());
    let seen: u32 = report.topics.iter().map(|topic| topic.partitions).sum();
    assert_eq!((seen as usize, report.sampling.coverage, report.errors.len()), (TOPICS * PARTITIONS, 1.0, 0));
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    for group in &report.groups {
        // They stopped half an hour ago.
        assert!(group.max_lag_seconds.is_some_and(|age| (1_795.0..1_805.0).contains(&age)), "{group:#?}");
    }

    large.clock.step(60_000);
    large.sim.cluster().set_health(1, Health::Silent);
    let begun = Instant::now();
    let report = large.sample(DEADLINE).await;
    assert!(begun.elapsed() < DEADLINE + DEADLINE / 2, "{:?}", begun.elapsed());
    let stale = stale(&report);
    assert_eq!(stale.len(), 12, "{stale:?}");
    assert!(stale.iter().any(|count| (30..=36).contains(count)), "{stale:?} {:#?}", report.errors);
    assert!(stale.iter().all(|count| (30..=36).contains(count) || *count == PARTITIONS), "{stale:?}");
    assert!((0.6..0.7).contains(&report.sampling.coverage), "{}", report.sampling.coverage);
    let about = |scope| report.errors.iter().any(|error| (error.scope, error.reason) == (scope, Reason::Timeout));
    assert!(
        about(Scope::Broker) && report.errors.iter().all(|error| error.scope != Scope::Topic),
        "{:#?}",
        report.errors
    );
    assert_eq!(report.topics.len(), TOPICS, "all topics are known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_coordinator_costs_only_its_own_groups_however_many_they_are() {
    const GROUPS: usize = 900;
    let _alone = ALONE.lock().await;
    let mut cluster = Cluster::new("many", 3);
    cluster.create_topic("orders", 3, vec![Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 }); 3]);
    for n in 0..GROUPS {
        let story = Story::new(START - HOUR, vec![Phase::keeps_up(HOUR / 2, 1)]);
        cluster.add_group(Group::new(&format!("group-{n}"), &["orders"], story));
    }
    let mut many = Watched::start(cluster).await;
    assert_eq!(many.sample(DEADLINE).await.sampling.coverage, 1.0);
    many.clock.step(60_000);
    many.sim.cluster().set_health(1, Health::Silent);
    for round in ["the first", "the second"] {
        let stale = stale(&many.sample(DEADLINE).await);
        let of = |count| stale.iter().filter(|own| **own == count).count();
        // Of the others, the partition that the silent broker leads.
        assert_eq!((stale.len(), of(1) + of(3)), (GROUPS, GROUPS), "{round}");
        assert!((GROUPS / 4..GROUPS / 2).contains(&of(3)), "{round}: {}", of(3));
        many.clock.step(60_000);
    }
}

/// Groups on one topic of three brokers: each reads slower than is written to any partition, at a rate of its own, of
/// some records a minute at least.
fn lagging(groups: usize) -> Cluster {
    let mut cluster = Cluster::new("lagging", 3);
    let log = |p| Log::new(START - 7 * HOUR, Traffic::Steady { per_second: 5.0 + 0.05 * p as f64 });
    cluster.create_topic("orders", 3, (0..PARTITIONS).map(log).collect());
    for n in 0..groups {
        let per_second = 0.049 * (1.0 + 99.0 * n as f64 / (groups - 1) as f64);
        let story = Story::new(START - 6 * HOUR, vec![Phase::reads(10 * HOUR, 1, per_second)]);
        cluster.add_group(Group::new(&format!("group-{n}"), &["orders"], story));
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_commits_that_all_lag_and_move_have_exact_ages_within_the_budget() {
    let full = std::env::var_os("HIGHWATER_TEST_FULL").is_some();
    let (groups, deadline) = if full { (1_000, 3 * DEADLINE) } else { (100, DEADLINE) };
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(lagging(groups)).await;
    let mut committed = vec![0; groups * PARTITIONS];
    for n in 0..5 {
        let (budget, begun) = (3 * Budget::after(watched.memory.sharpened).all as u64, Instant::now());
        let report = watched.sample(deadline).await;
        let (took, probes) = (begun.elapsed(), report.sampling.probes);
        assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
        assert!(took < deadline, "{took:?} in sample {n}");
        assert!(probes <= budget, "{probes} questions of {budget} in sample {n}");
        watched.assert_true(&report, "orders");
        assert!(lines(&report).all(|(_, line)| line.lag_records > Some(0)), "all lag");
        let moved: Vec<i64> = lines(&report).filter_map(|(_, line)| line.committed_offset).collect();
        assert_eq!(moved.len(), committed.len());
        assert!(moved.iter().zip(&committed).all(|(now, before)| now > before), "all move");
        let wanted = |age: f64| (age / 100.0).max(1.0);
        let sharp = lines(&report).filter_map(|(_, line)| line.lag_seconds.zip(line.bound_seconds));
        let sharp = sharp.filter(|(age, bound)| *bound <= wanted(*age)).count();
        println!("sample {n}: {took:?}, {probes} questions of {budget}, {sharp} of {} exact", moved.len());
        // One in a hundred may be at the edge of what is exact.
        assert!(n == 0 || sharp + moved.len() / 100 >= moved.len(), "{sharp} of {} in sample {n}", moved.len());
        committed = moved;
        watched.clock.step(60_000);
    }
}

/// Partitions that got ten records ten days ago, within nine seconds or, every other one, all at once, and two commits among
/// these on each.
fn idle(partitions: i32) -> Cluster {
    let mut cluster = Cluster::new("idle", 3);
    let created = START - 240 * HOUR;
    let log = |partition: i32| {
        let within = if partition % 2 == 0 { 9_000 } else { 1 };
        Log::new(created, Traffic::Bursts { records: 10, within, every: 10_000 * HOUR })
    };
    cluster.create_topic("orders", 3, (0..partitions).map(log).collect());
    for partition in 0..partitions {
        cluster.commit("five", "orders", partition, 5, created + HOUR);
        cluster.commit("seven", "orders", partition, 7, created + HOUR);
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_partitions_too_many_for_the_ladder_have_exact_ages_in_the_first_sample() {
    const IDLE: usize = 4_500;
    let _alone = ALONE.lock().await;
    assert!(IDLE / 3 * ladder(START).count() > PROBES, "each broker has too many");
    let mut watched = Watched::start(idle(IDLE as i32)).await;
    let begun = Instant::now();
    let report = watched.sample(DEADLINE).await;
    println!("{IDLE} idle partitions in {:?}, {} questions", begun.elapsed(), report.sampling.probes);
    assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
    assert!(report.sampling.probes <= 3 * PROBES as u64, "{}", report.sampling.probes);
    assert_eq!(lines(&report).count(), 2 * IDLE);
    watched.assert_true(&report, "orders");
    for (group, line) in lines(&report) {
        // By the last record; by the present alone it would be up to ten days.
        assert!(line.bound_seconds.is_some_and(|bound| bound <= 9.0), "{group}: {line:#?}");
        assert!(line.lag_seconds.is_some_and(|age| age > 863_900.0), "{group}: {line:#?}");
    }
}

/// Topics of the wide groups, and partitions of each.
const WIDE: usize = 103;
const EACH: usize = 97;

/// Two groups that have committed too many offsets to ask for them at once, one with members and one without, and a group
/// that reads a single topic.
fn wide() -> Cluster {
    let mut cluster = Cluster::new("wide", 3);
    let names: Vec<String> = (0..WIDE).map(|n| format!("topic-{n:03}")).collect();
    for name in &names {
        let log = Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 });
        cluster.create_topic(name, 3, vec![log; EACH]);
        (0..EACH as i32).for_each(|p| cluster.commit("bare", name, p, i64::from(p), START - HOUR));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reads = || Story::new(START - HOUR, vec![Phase::reads(10 * HOUR, 4, 0.5)]);
    cluster.add_group(Group::new("held", &names, reads()));
    cluster.add_group(Group::new("narrow", &names[..1], reads()));
    cluster
}

/// One sample and the requests that it took. So many commits of each group are in it, with an age that holds.
async fn sampled(watched: &mut Watched, groups: &[(&str, usize)]) -> u64 {
    let before = watched.sim.cluster().answered();
    let report = watched.sample(DEADLINE).await;
    let requests = watched.sim.cluster().answered() - before;
    assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
    assert_eq!(report.groups.len(), groups.len());
    let now = watched.clock.now();
    for (group, (id, commits)) in report.groups.iter().zip(groups) {
        let topics = group.topics.iter().flatten();
        let lines = topics.flat_map(|topic| topic.partitions.iter().flatten().map(|line| (&topic.topic, line)));
        let committed = lines.filter(|(_, line)| line.committed_offset.is_some()).map(|(topic, line)| {
            let committed = watched.sim.cluster().committed(id, topic, line.partition, now);
            assert_eq!(line.committed_offset, committed, "{id} {line:#?}");
            let truth = watched.truth(id, topic, line.partition);
            assert!(line.bound_seconds.is_none() || crate::holds(&line, truth), "{id} {truth} s {line:#?}");
        });
        assert_eq!((&*group.group_id, committed.count()), (*id, *commits));
    }
    println!("{groups:?}: {requests} requests");
    watched.clock.step(60_000);
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_with_very_many_commits_is_asked_for_them_in_parts() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(wide()).await;
    watched.task.policy.precision = 0;
    let (bare, held, narrow) = (("bare", WIDE * EACH), ("held", WIDE * EACH), ("narrow", EACH));
    sampled(&mut watched, &[bare, held, narrow]).await;
    let log = Log::new(START - HOUR, Traffic::Steady { per_second: 1.0 });
    watched.sim.cluster().create_topic("topic-new", 3, vec![log]);
    watched.sim.cluster().commit("bare", "topic-new", 0, 7, START);
    let mut requests = Vec::new();
    for groups in [&[("bare", bare.1 + 1), held, narrow][..], &[held, narrow], &[narrow]] {
        // One that was known before is asked for once more.
        sampled(&mut watched, groups).await;
        requests.push(sampled(&mut watched, groups).await);
        watched.sim.cluster().delete_group(groups[0].0);
    }
    // The 9,992 partitions in parts of 500.
    let taken: Vec<u64> = requests.windows(2).map(|pair| pair[0] - pair[1]).collect();
    assert!(taken.iter().all(|requests| (20..25).contains(requests)), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_without_a_selected_topic_have_no_commits_and_no_errors() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(wide()).await;
    for topics in ["nothing-*", "topic-new"] {
        watched.task.selection.topics = Patterns::new(&[topics.to_owned()], &[]).unwrap();
        watched.sim.cluster().create_topic("topic-new", 3, vec![Log::new(START, Traffic::Steady { per_second: 1.0 })]);
        for _ in 0..2 {
            let report = watched.sample(DEADLINE).await;
            assert_eq!(
                (report.groups.len(), lines(&report).filter(|(_, l)| l.committed_offset.is_some()).count()),
                (3, 0)
            );
            let of_groups = report.errors.iter().filter(|error| error.scope == Scope::Group).count();
            assert_eq!(of_groups, 0, "{topics}: {:#?}", report.errors);
            watched.clock.step(60_000);
        }
    }
}
