//! Three brokers of which one is slow, unreachable by what was a connection, moved about, without its data: each fault
//! has the report that it should, and costs only itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, now, unique};
use crate::failover::{PARTITIONS, Story};
use crate::kafka::Three;
use crate::monitor::{Monitor, document};
use crate::shapes::HOUR;
use crate::truth::{generated, line, topic};
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What docs/failure-modes.md calls a few stale samples.
const FEW: usize = 6;

/// The partitions of a waiting group whose figures are not of this sample.
fn stale(report: &Value, name: &str) -> Option<Vec<i32>> {
    let group = report["groups"].as_array()?.iter().find(|group| group["group_id"] == name)?;
    let rows = group["topics"][0]["partitions"].as_array()?.iter().zip(0..);
    Some(rows.filter(|(row, _)| !row["stale_seconds"].is_null()).map(|(_, partition)| partition).collect())
}

/// Whether just the partitions that a broker leads are missing in the groups that it does not coordinate, of which there
/// are some, and nothing is said of others.
fn misses_only(story: &Story, report: &Value, broker: usize, led: &[i32]) -> bool {
    let missing: Vec<Vec<i32>> = story.groups.iter().filter_map(|name| stale(report, name)).collect();
    let errors = report["errors"].as_array().unwrap();
    let name = broker.to_string();
    let about = |error: &Value| match error["scope"].as_str() {
        Some("broker") => error["name"].as_str() == Some(&*name),
        // The list of groups waits for every broker; the groups are known from before.
        Some("group" | "cluster") => true,
        _ => false,
    };
    missing.len() == story.groups.len()
        && missing.iter().any(|partitions| partitions == led)
        && missing.iter().all(|partitions| partitions == led || partitions.len() == PARTITIONS as usize)
        && !errors.is_empty()
        && errors.iter().all(|error| error["reason"] == "Timeout" && about(error))
}

#[test]
fn a_slow_broker_and_lost_connections_cost_only_themselves() {
    // Brokers reach each other by the same way: while it is bad, no commit may be stored for half a minute.
    let mut story = Story::begin(Three::behind_proxies(), "5m");
    story.watch("all is seen", MINUTE, Story::is_whole);
    one_answers_in_20_seconds(&mut story);
    connections_are_half_open(&mut story, &[1]);
    connections_are_half_open(&mut story, &[1, 2, 3]);
    leaders_and_coordinators_move(&mut story);
}

fn one_answers_in_20_seconds(story: &mut Story) {
    let slow = story.leader();
    let leaders = story.kafka.client().leaders(&story.topic);
    let mut led: Vec<i32> = leaders.iter().filter(|(_, leader)| **leader == slow as i32).map(|(p, _)| *p).collect();
    led.sort_unstable();
    story.kafka.proxy(slow).delay(20 * SECOND);
    story.watch("its partitions are missed", 40 * SECOND, |story, report| misses_only(story, report, slow, &led));
    // With `HIGHWATER_TEST_FULL=1` the late answers come back while others are awaited.
    let lasting = SECOND * if std::env::var_os("HIGHWATER_TEST_FULL").is_some() { 45 } else { 1 };
    let (mut good, begun) = (0, Instant::now());
    story.watch("the others go on", MINUTE, |story, report| {
        good += usize::from(misses_only(story, report, slow, &led));
        good >= 2 && begun.elapsed() > lasting
    });
    story.look_once();
    story.kafka.proxy(slow).delay(Duration::ZERO);
    story.watch("it is as fast as the others", MINUTE, Story::is_whole);
}

/// Waits until all is seen, and what else is wanted of a report. On the way, few of them have figures of samples before.
fn is_soon_whole(story: &mut Story, what: &str, wanted: impl Fn(&Value) -> bool) {
    let mut stale = 0;
    story.watch(what, MINUTE, |story, report| {
        stale += usize::from(story.rows(report).iter().any(|row| !row["stale_seconds"].is_null()));
        story.is_whole(report) && wanted(report)
    });
    println!("{what}: {stale} stale samples");
    assert!(stale <= FEW, "{what}: {stale} stale samples");
}

fn connections_are_half_open(story: &mut Story, brokers: &[usize]) {
    let before: usize = brokers.iter().map(|n| story.kafka.proxy(*n).lost()).sum();
    brokers.iter().for_each(|n| story.kafka.proxy(*n).lose_connections());
    let begun = Instant::now();
    is_soon_whole(story, "new connections are made", |_| begun.elapsed() > 2 * SECOND);
    let lost: usize = brokers.iter().map(|n| story.kafka.proxy(*n).lost()).sum();
    assert!(lost > before, "nobody has used what was lost");
    println!("half-open connections to {brokers:?}: whole again after {:?}", begun.elapsed());
}

fn leaders_and_coordinators_move(story: &mut Story) {
    let first = story.leader() as i32;
    let order = [first % 3 + 1, (first + 1) % 3 + 1, first];
    let offsets = (0..4).map(|partition| ("__consumer_offsets", partition));
    let topic = story.topic.clone();
    let all: Vec<(&str, i32)> = (0..PARTITIONS).map(|partition| (&*topic, partition)).chain(offsets).collect();
    story.kafka.move_leaders(&all, order);
    let moved = now();
    is_soon_whole(story, "all is seen where it is now", |report| generated(report) > moved);
    let leaders = story.kafka.client().leaders(&topic);
    assert!(leaders.values().all(|leader| *leader == order[0]), "{leaders:?}");
}

/// Three topics that are held by one broker, by two, and by all; a group has read half of each.
struct Held {
    kafka: Three,
    client: Client,
    monitor: Monitor,
    group: String,
    alone: String,
    pair: String,
    safe: String,
}

impl Held {
    fn start() -> Self {
        let kafka = Three::start();
        let (client, prefix) = (kafka.client(), unique("held"));
        let [alone, pair, safe, group] = ["alone", "pair", "safe", "group"].map(|name| format!("{prefix}-{name}"));
        let begun = now() - HOUR;
        for (topic, brokers) in [(&alone, &[1][..]), (&pair, &[1, 2]), (&safe, &[3, 1, 2])] {
            client.place(topic, brokers);
            client.produce(topic, 0, (0..20).map(|n| begun + n * 1_000));
            client.commit(&group, topic, &[(0, 10)]);
        }
        let brokers = kafka.bootstrap.replace(',', "\", \"");
        let monitor = Monitor::start(&[("a.yaml", &document("held", &brokers, &prefix))], &[]);
        Self { kafka, client, monitor, group, alone, pair, safe }
    }

    /// Waits for a report; what all brokers hold is right in every one on the way.
    fn watch(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.monitor.reports("held", what, |report| {
            let Some(topic) = topic(report, &self.group, &self.safe) else { return false };
            assert_eq!((&topic["total_lag_records"], &topic["partitions"][0]["records_lost"]), (&json!(10), &json!(0)));
            holds(report)
        })
    }

    fn line<'a>(&self, report: &'a Value, topic: &str) -> &'a Value {
        line(report, &self.group, topic, 0)
    }

    fn is_whole(&self, report: &Value) -> bool {
        report["errors"] == json!([]) && report["sampling"]["coverage"] == 1.0
    }
}

#[test]
fn a_partition_without_leader_and_one_whose_end_was_lost_cost_only_themselves() {
    let mut held = Held::start();
    held.watch("all is seen", |report| held.is_whole(report) && held.line(report, &held.pair)["lag_records"] == 10);
    held.kafka.kill(2);
    eventually("broker 1 is the only one to hold all", MINUTE, || held.client.in_sync(&held.pair) == [1]);
    held.client.produce(&held.pair, 0, [now(); 30]);
    held.client.commit(&held.group, &held.pair, &[(0, 45)]);
    held.watch("the new records", |report| held.line(report, &held.pair)["log_end_offset"] == 50);

    held.kafka.kill(1);
    held.kafka.revive(2);
    let no_leader = |report: &Value, topic: &str| {
        let errors = report["errors"].as_array().unwrap().iter();
        errors.into_iter().any(|error| error["reason"] == "NoLeader" && error["name"] == topic)
    };
    let report = held.watch("two have no leader, the third is as ever", |report| {
        no_leader(report, &held.alone)
            && no_leader(report, &held.pair)
            && report["errors"].as_array().unwrap().len() == 2
            && held.line(report, &held.safe)["stale_seconds"].is_null()
    });
    let kept = held.line(&report, &held.alone);
    assert_eq!((&kept["lag_records"], &kept["log_end_offset"]), (&json!(10), &json!(20)), "the last figures");
    assert!(
        kept["stale_seconds"].as_f64().is_some_and(|age| age > 0.0) && kept["lag_seconds"].as_f64() > Some(3_500.0)
    );

    held.kafka.elect_uncleanly(&held.pair);
    let odd = json!(["offset_beyond_end", "log_truncated"]);
    let report = held.watch("the end has fallen", |report| held.line(report, &held.pair)["anomalies"] == odd);
    let fallen = held.line(&report, &held.pair);
    let figures = ["log_end_offset", "committed_offset", "lag_records", "records_lost"];
    assert_eq!(figures.map(|name| fallen[name].as_i64().unwrap()), [20, 45, 0, 0]);
    held.kafka.revive(1);
    held.watch("all is seen again", |report| {
        held.is_whole(report) && held.line(report, &held.alone)["lag_records"] == 10
    });
}
