//! What changes while it is looked at costs only itself: a leader that is missing, partitions that are added, a topic
//! that is created again, offsets that are reset, a broker that becomes slow. And producers whose clocks are wrong.

use std::time::{Duration, Instant};

use highwater::lag::anomaly::Anomaly;
use highwater::lag::reason::{Reason, Scope};
use highwater::lag::report::{Clock, GroupPartition, Method, Report, State};
use highwater::sim::cluster::Cluster;
use highwater::sim::consumer::{Phase, Story};
use highwater::sim::group::Group;
use highwater::sim::log::{Log, Traffic};

use crate::faults::{self, DEADLINE, GROUPS};
use crate::{ALONE, HOUR, MINUTE, START, Watched, holds, lines, stale};

/// Partitions of the topic.
const PARTITIONS: i32 = 3;

/// A log that gets a record a second.
fn log(created: i64) -> Log {
    Log::new(created, Traffic::Steady { per_second: 1.0 })
}

/// A topic that every broker has, and groups that began to read it an hour ago.
fn cluster(log: Log, groups: &[(&str, &[Phase])]) -> Cluster {
    let mut cluster = Cluster::new("changes", 3);
    cluster.create_topic("orders", 3, vec![log; PARTITIONS as usize]);
    for (id, phases) in groups {
        cluster.add_group(Group::new(id, &["orders"], Story::new(START - HOUR, phases.to_vec())));
    }
    cluster
}

/// Two members that keep up, and read half an hour of records in a minute when there is more to read.
fn live() -> Phase {
    Phase::reads(10 * HOUR, 2, 30.0)
}

/// A member that kept up until twenty minutes ago.
fn stopped() -> Phase {
    Phase::keeps_up(HOUR - 20 * MINUTE, 1)
}

/// Sets the committed offset of a group to so many records before the end of each partition.
fn reset(watched: &Watched, group: &str, behind: i64) {
    let (mut cluster, now) = (watched.sim.cluster(), watched.clock.now());
    for partition in 0..PARTITIONS {
        let end = cluster.log("orders", partition).unwrap().end(now);
        cluster.commit(group, "orders", partition, end - behind, now);
    }
}

/// One figure of each line of a group.
fn each<T>(report: &Report, group: &str, figure: impl Fn(GroupPartition<'_>) -> T) -> Vec<T> {
    lines(report).filter(|(id, _)| *id == group).map(|(_, line)| figure(line)).collect()
}

/// The state of each group on the topic, and since when.
fn states(report: &Report) -> Vec<(Option<State>, Option<i64>)> {
    let topics = report.groups.iter().flat_map(|group| group.topics.iter().flatten());
    topics.map(|topic| (topic.state, topic.since.map(|since| since.0))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_without_a_leader_is_stale_until_it_has_one_and_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let simulated = cluster(log(START - HOUR), &[("live", &[live()]), ("stopped", &[stopped()])]);
    let mut watched = Watched::start(simulated).await;
    let first = watched.sample(DEADLINE).await;
    watched.sim.cluster().topic_mut("orders").unwrap().leaderless = vec![1];
    for minute in 1..=2 {
        watched.clock.step(MINUTE);
        let report = watched.sample(DEADLINE).await;
        let told: Vec<_> = report.errors.iter().map(|error| (error.scope, error.reason, &*error.name)).collect();
        assert_eq!((told, report.sampling.coverage), (vec![(Scope::Topic, Reason::NoLeader, "orders")], 0.75));
        let stale = [None, Some(60.0 * f64::from(minute)), None];
        assert_eq!(each(&report, "live", |line| line.stale_seconds), stale);
        assert_eq!(each(&report, "stopped", |line| line.stale_seconds), stale);
        let (kept, waiting) = (1_200, 1_200 + 60 * i64::from(minute));
        let records = each(&report, "stopped", |line| line.lag_records);
        assert_eq!(records, [Some(waiting), Some(kept), Some(waiting)], "the last figures");
        let records = each(&report, "live", |line| line.lag_records);
        assert_eq!(records, [Some(0), None, Some(0)], "it has read beyond the end that was seen last");
        let ages = each(&report, "stopped", |line| line.lag_seconds.unwrap());
        assert!(ages.iter().all(|age| (age - waiting as f64).abs() <= 5.0), "ages go on: {ages:?}");
        assert_eq!(states(&report), states(&first), "states go on");
    }
    watched.sim.cluster().topic_mut("orders").unwrap().leaderless = vec![];
    watched.clock.step(MINUTE);
    let report = watched.sample(DEADLINE).await;
    assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
    assert_eq!((stale(&report), states(&report)), (vec![0, 0], states(&first)));
    assert_eq!(each(&report, "live", |line| line.lag_records), [Some(0); 3]);
    assert_eq!(each(&report, "stopped", |line| line.lag_records), [Some(1_380); 3]);
    watched.assert_true(&report, "orders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_are_in_the_next_sample_and_change_nothing_else() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster(log(START - HOUR), &[("live", &[live()])])).await;
    // This one commits on the three partitions that it knows, and goes on with them alone.
    reset(&watched, "by-hand", 0);
    let first = watched.sample(DEADLINE).await;
    watched.sim.cluster().topic_mut("orders").unwrap().logs.extend(vec![log(START); 2]);
    for minute in 1..=2 {
        watched.clock.step(MINUTE);
        reset(&watched, "by-hand", 0);
        let report = watched.sample(DEADLINE).await;
        assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
        let [topic] = &report.topics[..] else { panic!("{:#?}", report.topics) };
        assert_eq!((topic.partitions, &topic.topic_id), (5, &first.topics[0].topic_id));
        assert_eq!((states(&report), stale(&report)), (states(&first), vec![0, 0]));
        let topics = report.groups.iter().flat_map(|group| group.topics.iter().flatten());
        assert_eq!(topics.map(|topic| topic.partitions_without_commit).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(lines(&report).count(), 10);
        for (group, line) in lines(&report) {
            let new = line.partition >= PARTITIONS;
            let end = 60 * minute + if new { 0 } else { 3_600 };
            let expected = match group == "by-hand" && new {
                true => (None, None, None, Some(Method::NoCommit)),
                false => (Some(end), Some(0), Some(0.0), Some(Method::CaughtUp)),
            };
            assert_eq!((line.committed_offset, line.lag_records, line.lag_seconds, line.method), expected, "{group}");
            assert_eq!((line.log_end_offset, line.anomalies.iter().count()), (Some(end), 0), "{group}: {line:#?}");
            assert_eq!(line.member_id.is_some(), group == "live", "its members have them: {line:#?}");
        }
    }
    let runs = watched.memory.topics["orders"].partitions.iter().map(|known| known.history.runs.len());
    assert_eq!(runs.collect::<Vec<_>>(), [3, 3, 3, 2, 2], "each has a history of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_that_are_reset_under_a_group_at_work_have_the_age_of_where_they_are() {
    let _alone = ALONE.lock().await;
    let mut watched = Watched::start(cluster(log(START - HOUR), &[("live", &[live()])])).await;
    // How many records before the end it is set to, where it is; and how many wait at the sample.
    let story = [
        (None, 0, State::Online),
        (Some(2_700), 2_700, State::Recovering),
        (None, 960, State::Recovering),
        (None, 0, State::Online),
        (Some(3_200), 3_200, State::Recovering),
        (Some(0), 0, State::Online),
        (None, 0, State::Online),
        (Some(300), 300, State::Recovering),
        (None, 0, State::Online),
    ];
    for (n, (set, waiting, state)) in story.into_iter().enumerate() {
        if let Some(behind) = set {
            reset(&watched, "live", behind);
        }
        let report = watched.sample(DEADLINE).await;
        let records = each(&report, "live", |line| line.lag_records);
        assert_eq!((records, report.groups[0].state), (vec![Some(waiting); 3], Some(state)), "sample {n}");
        for (_, line) in lines(&report) {
            let (age, bound) = (line.lag_seconds.unwrap(), line.bound_seconds.unwrap());
            assert!((age - waiting as f64).abs() <= 2.0 + bound, "sample {n}: {line:#?}");
            assert!(bound <= (age / 100.0).max(1.0), "sample {n}: {line:#?}");
        }
        watched.assert_true(&report, "orders");
        watched.clock.step(MINUTE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_created_again_under_groups_at_work_is_followed_from_where_they_read_on() {
    let _alone = ALONE.lock().await;
    let groups: [(&str, &[Phase]); 2] = [("reads-on", &[live()]), ("waits", &[live()])];
    let mut watched = Watched::start(cluster(log(START - HOUR), &groups)).await;
    let first = watched.sample(DEADLINE).await;
    assert_eq!(each(&first, "waits", |line| line.committed_offset), [Some(3_600); 3]);
    let now = watched.clock.now();
    watched.sim.cluster().recreate_topic("orders", vec![log(now); PARTITIONS as usize], now);
    watched.clock.step(MINUTE);
    let odd = |report: &Report, group: &str| each(report, group, |line| line.anomalies.iter().collect::<Vec<_>>());
    // How many records before the end the first group is set to, as by its client, which finds its offset beyond the
    // end; how many wait at the sample.
    for (n, (set, waiting)) in [(None, 0), (Some(120), 120), (None, 0), (None, 0)].into_iter().enumerate() {
        if let Some(behind) = set {
            reset(&watched, "reads-on", behind);
        }
        let report = watched.sample(DEADLINE).await;
        assert_eq!((report.sampling.coverage, report.errors.len()), (1.0, 0), "{:#?}", report.errors);
        assert_ne!(report.topics[0].topic_id, first.topics[0].topic_id);
        assert!(states(&report).iter().all(|(state, _)| *state == Some(State::Online)), "sample {n}: {report:#?}");
        assert_eq!(each(&report, "reads-on", |line| line.lag_records), [Some(waiting); 3], "sample {n}");
        let former = if n == 0 { vec![Anomaly::CommitFromFormerTopic] } else { vec![] };
        assert_eq!(odd(&report, "reads-on"), vec![former; 3], "sample {n}");
        let mut former = vec![Anomaly::CommitFromFormerTopic];
        former.extend((n > 0).then_some(Anomaly::OffsetBeyondEnd));
        assert_eq!(odd(&report, "waits"), vec![former; 3], "sample {n}");
        assert_eq!(each(&report, "waits", |line| (line.lag_records, line.records_lost)), [(Some(0), 0); 3]);
        watched.assert_true(&report, "orders");
        let bounds = each(&report, "reads-on", |line| line.bound_seconds.unwrap());
        assert!(bounds.iter().all(|bound| *bound <= 1.0), "sample {n}: {bounds:?}");
        watched.clock.step(MINUTE);
    }
}

/// Half an hour of records that come into the log so long after what their producer's clock says. Looks at every line behind
/// which something waits, with how long ago that was written by that clock, and how long ago it came, in seconds.
async fn look_at_a_clock(delay: i64, check: impl Fn(&GroupPartition<'_>, f64, f64)) {
    let log = log(START - HOUR - delay).with_delay(delay);
    let stops = Phase::keeps_up(HOUR + 2 * MINUTE, 1);
    let slow = [Phase::keeps_up(HOUR, 1), Phase::reads(10 * HOUR, 1, 0.5)];
    let groups: [(&str, &[Phase]); 4] =
        [("live", &[live()]), ("slow", &slow), ("stopped", &[stopped()]), ("stops", &[stops])];
    let mut watched = Watched::start(cluster(log, &groups)).await;
    for minute in 0..30 {
        let report = watched.sample(DEADLINE).await;
        let waiting: Vec<_> = lines(&report).filter(|(_, line)| line.method != Some(Method::CaughtUp)).collect();
        let groups = 1 + usize::from(minute > 0) + usize::from(minute > 2);
        assert_eq!(waiting.len(), groups * PARTITIONS as usize, "minute {minute}: {waiting:#?}");
        for (group, line) in &waiting {
            let written = watched.truth(group, "orders", line.partition);
            check(line, written, written - delay as f64 / 1e3);
        }
        watched.clock.step(MINUTE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_whose_clock_is_a_day_ahead_is_flagged_or_records_are_dated_by_when_they_came() {
    let _alone = ALONE.lock().await;
    let check = |line: &GroupPartition<'_>, _: f64, came: f64| match line.clock {
        Some(Clock::Append) => assert!(holds(line, came), "came {came} s ago: {line:#?}"),
        _ => {
            assert!(line.anomalies.contains(Anomaly::TimestampsAhead), "{line:#?}");
            assert_eq!((line.method, line.bound_seconds), (Some(Method::AtLeast), None), "{line:#?}");
            assert!(line.lag_seconds.is_some_and(|age| (0.0..=came).contains(&age)), "came {came} s ago: {line:#?}");
        }
    };
    look_at_a_clock(-24 * HOUR, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_whose_clock_is_behind_is_flagged_or_ages_are_inside_their_bounds() {
    let _alone = ALONE.lock().await;
    let check = |line: &GroupPartition<'_>, written: f64, came: f64| {
        let flagged = [Anomaly::TimestampsLate, Anomaly::RecordHidden].iter().any(|odd| line.anomalies.contains(*odd));
        // Timestamps that lie before the rows around the commit are brought into them: it is then when the record came.
        let by_timestamp = line.clock == Some(Clock::Producer) && holds(line, written);
        assert!(flagged || by_timestamp || holds(line, came), "written {written} s ago, came {came} s ago: {line:#?}");
    };
    look_at_a_clock(10 * MINUTE, check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_answers_after_the_deadline_costs_only_its_own_partitions_and_groups() {
    let _alone = ALONE.lock().await;
    let deadline = 2 * DEADLINE;
    let mut watched = Watched::start(faults::cluster()).await;
    assert_eq!(watched.sample(deadline).await.sampling.coverage, 1.0);
    watched.sim.cluster().set_latency(1, 2 * deadline);
    for _ in 0..2 {
        watched.clock.step(MINUTE);
        let begun = Instant::now();
        let report = watched.sample(deadline).await;
        assert!(begun.elapsed() < deadline + deadline / 2, "{:?}", begun.elapsed());
        let stale = stale(&report);
        let of = |count| stale.iter().filter(|own| **own == count).count();
        assert!(of(1) >= GROUPS / 4 && of(1) + of(3) == GROUPS, "{stale:?}");
        let brokers = report.errors.iter().filter(|error| error.scope == Scope::Broker);
        let brokers: Vec<&str> = brokers.map(|error| &*error.name).collect();
        assert!(!brokers.is_empty() && brokers.iter().all(|name| *name == "1"), "{:#?}", report.errors);
        assert!(report.errors.iter().all(|error| error.scope != Scope::Topic), "{:#?}", report.errors);
    }
    watched.sim.cluster().set_latency(1, Duration::ZERO);
    let mut late = 0;
    while watched.sample(deadline).await.sampling.coverage < 1.0 {
        late += 1;
        assert!(late <= 2, "it is as fast as the others");
        watched.clock.step(MINUTE);
    }
}
