//! A cluster of three that loses a broker, hangs, and is gone as a whole: what can be known goes on, and is right.
//!
//! Groups committed at known records, one group goes on committing all the while. Every report of the way is looked
//! at, not only the first and the last.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::client::{Client, now, unique};
use crate::highwater::{Outcome, highwater};
use crate::kafka::Three;
use crate::traced::{Monitor, document};

const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PARTITIONS: i32 = 6;

/// Records of each partition; the groups stand at the half of them.
const RECORDS: i64 = 100;

/// How long a fresh report may take: an interval, a sample up to its deadline, and a machine that is slow; and the
/// longest pause, jitter included, before a cluster is asked again that was gone as a whole.
const FRESH: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the reports are about.
pub(crate) struct Story {
    pub(crate) kafka: Three,
    pub(crate) monitor: Monitor,
    pub(crate) topic: String,
    pub(crate) groups: Vec<String>,
    working: Working,
    /// How long a fresh report may take.
    fresh: Duration,
    /// When the reports that were looked at were made.
    seen: BTreeSet<String>,
}

impl Story {
    /// Has groups wait and one work on this cluster, and a monitor look, to whom a group that does not commit for so long is
    /// OFFLINE.
    pub(crate) fn begin(kafka: Three, offline_after: &str) -> Self {
        let client = kafka.client();
        let topic = client.topic("kept", PARTITIONS, &[]);
        let start = now() - 600_000;
        (0..PARTITIONS).for_each(|partition| client.produce(&topic, partition, (0..RECORDS).map(|n| start + n * 1000)));
        // As many as it takes to have one on every coordinator.
        let groups: Vec<String> = (0..6).map(|_| unique("waiting")).collect();
        let offsets: Vec<_> = (0..PARTITIONS).map(|partition| (partition, RECORDS / 2)).collect();
        groups.iter().for_each(|group| client.commit(group, &topic, &offsets));
        let working = Working::start(&client);
        let mut fields = json!({ "brokers": kafka.bootstrap.split(',').collect::<Vec<_>>() });
        fields["sampling"] = json!({
            "interval": "1s", "coarseInterval": "10s", "offlineAfter": offline_after, "onlineThreshold": "1h",
        });
        let monitor = Monitor::start(&[document("three", &fields)], &[]);
        Self { kafka, monitor, topic, groups, working, fresh: FRESH, seen: BTreeSet::new() }
    }

    /// Looks at every new report until one of them is as wanted.
    #[track_caller]
    pub(crate) fn watch(&mut self, what: &str, timeout: Duration, wanted: impl FnMut(&Self, &Value) -> bool) -> Value {
        self.look(what, timeout, wanted)
            .unwrap_or_else(|told| panic!("not within {timeout:?}: {what}; the reports:\n{told}"))
    }

    /// The same; where none is as wanted, what they saw.
    #[track_caller]
    fn look(
        &mut self,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Self, &Value) -> bool,
    ) -> Result<Value, String> {
        let end = Instant::now() + timeout;
        let (mut fresh, mut told) = (Instant::now(), Vec::new());
        loop {
            let report = self.monitor.report("three").unwrap_or_default();
            let made = report["generated_at"].as_str().unwrap_or_default().to_owned();
            if !made.is_empty() && self.seen.insert(made) {
                fresh = Instant::now();
                told.push(self.told(&report));
                self.assert_right(&report, false);
                if wanted(self, &report) {
                    return Ok(report);
                }
            }
            assert!(fresh.elapsed() < self.fresh, "{what}: the reports have stopped");
            if Instant::now() > end {
                return Err(told.join("\n"));
            }
            sleep(SECOND / 20);
        }
    }

    /// Whatever a report shows is true, and nobody is offline for a broker's sake. A look `alone` has no last figures.
    #[track_caller]
    fn assert_right(&self, report: &Value, alone: bool) {
        for group in report["groups"].as_array().unwrap() {
            let name = group["group_id"].as_str().unwrap();
            if name == self.working.group {
                assert_ne!(group["state"], "OFFLINE", "{name} goes on committing:\n{report:#}");
            }
            if self.groups.iter().any(|group| group == name) {
                let Some(topic) = group["topics"].as_array().and_then(|topics| topics.first()) else { continue };
                for partition in topic["partitions"].as_array().unwrap() {
                    assert_eq!(partition["committed_offset"], RECORDS / 2, "{name}: {partition}");
                    let never_seen = alone && partition["log_end_offset"].is_null();
                    let lag = if never_seen { Value::Null } else { (RECORDS / 2).into() };
                    assert_eq!(partition["lag_records"], lag, "{name}: {partition}");
                    assert_eq!(partition["records_lost"], 0, "{name}: {partition}");
                }
            }
        }
    }

    /// All groups with all partitions, nothing stale.
    pub(crate) fn is_whole(&self, report: &Value) -> bool {
        let rows = self.rows(report);
        let expected = self.groups.len() * PARTITIONS as usize;
        report["sampling"]["coverage"] == 1.0
            && report["errors"] == json!([])
            && rows.len() == expected
            && rows.iter().all(|row| row["stale_seconds"].is_null())
            && rows.iter().all(|row| row["lag_seconds"].as_f64().is_some_and(|age| (500.0..900.0).contains(&age)))
    }

    /// The partitions of the waiting groups.
    pub(crate) fn rows<'a>(&self, report: &'a Value) -> Vec<&'a Value> {
        let groups = report["groups"].as_array().into_iter().flatten();
        let waiting = groups.filter(|group| self.groups.iter().any(|name| group["group_id"] == name.as_str()));
        let topics = waiting.flat_map(|group| group["topics"].as_array().into_iter().flatten());
        topics.flat_map(|topic| topic["partitions"].as_array().into_iter().flatten()).collect()
    }

    /// What a report saw, in a line.
    fn told(&self, report: &Value) -> String {
        let rows = self.rows(report);
        let stale = rows.iter().filter(|row| !row["stale_seconds"].is_null()).count();
        let errors = report["errors"].as_array().into_iter().flatten();
        let errors: Vec<String> = errors.map(|error| format!("{} {}", error["scope"], error["reason"])).collect();
        let (at, coverage) = (&report["generated_at"], &report["sampling"]["coverage"]);
        format!("{at} coverage {coverage}, {stale} of {} stale, {errors:?}", rows.len())
    }

    /// Something is missing, which is said, and its last figures are there with their age.
    fn is_partly_seen(&self, report: &Value) -> bool {
        let coverage = report["sampling"]["coverage"].as_f64().unwrap();
        let rows = self.rows(report);
        let stale = rows.iter().filter(|row| !row["stale_seconds"].is_null()).count();
        let errors = report["errors"].as_array().unwrap();
        let causes = ["Unreachable", "Timeout", "NoLeader", "NoCoordinator"];
        (0.1..1.0).contains(&coverage)
            && stale > 0
            && stale < rows.len()
            && !errors.is_empty()
            && errors.iter().all(|error| causes.iter().any(|cause| error["reason"] == *cause))
    }

    /// `consumer-lag` in the middle of it: ends in time, and what it shows is right.
    #[track_caller]
    pub(crate) fn look_once(&self) {
        let outcome = self.look_alone();
        let report = outcome.json();
        self.assert_right(&report, true);
        let known = self.rows(&report).iter().filter(|row| !row["lag_seconds"].is_null()).count();
        assert!(known > 0, "the rest is shown: {report:#}");
        assert_eq!(outcome.code, Some(u8::from(report["errors"] != json!([])).into()), "{}", outcome.stderr);
    }

    #[track_caller]
    fn look_alone(&self) -> Outcome {
        let begun = Instant::now();
        let outcome =
            highwater(&["consumer-lag", "--brokers", &self.kafka.bootstrap, "-o", "json", "--timeout", "10s"]);
        assert!(begun.elapsed() < 20 * SECOND, "{:?}", begun.elapsed());
        outcome
    }

    /// All of it, by three brokers.
    fn is_whole_again(&self, report: &Value) -> bool {
        self.is_whole(report) && report["cluster"]["brokers"].as_array().is_some_and(|brokers| brokers.len() == 3)
    }

    /// Takes a leader away until a report is as wanted, and returns which. On a machine that is slow Kafka may have replaced
    /// it before it went: where it no longer leads one interval and a half later, it is brought back, and another is taken.
    #[track_caller]
    fn lose(
        &mut self,
        what: &str,
        away: impl Fn(&mut Three, usize),
        back: impl Fn(&mut Three, usize),
        wanted: impl Fn(&Self, &Value) -> bool,
    ) -> usize {
        for _ in 0..5 {
            let broker = self.leader();
            away(&mut self.kafka, broker);
            let (client, topic) = (self.kafka.client(), self.topic.clone());
            let leader = spawn(move || {
                sleep(SECOND * 3 / 2);
                client.leaders(&topic)[&0]
            });
            let looked = self.look(what, 20 * SECOND, &wanted);
            let leader = leader.join().unwrap();
            match looked {
                Ok(_) => return broker,
                Err(told) if leader == broker as i32 => panic!("{what}, while {broker} leads; the reports:\n{told}"),
                Err(_) => back(&mut self.kafka, broker),
            }
            self.watch("it is back", 60 * SECOND, Self::is_whole_again);
        }
        panic!("{what}: no broker went on leading once it was lost")
    }

    /// A broker that leads some of it.
    pub(crate) fn leader(&self) -> usize {
        self.kafka.client().leaders(&self.topic)[&0].try_into().unwrap()
    }

    /// Samples that saw nothing.
    fn failures(&self) -> f64 {
        self.monitor.metric("highwater_monitor_sample_failures_total", &[]).unwrap_or(0.0)
    }
}

#[test]
fn what_can_be_known_goes_on_and_is_right() {
    let mut story = Story::begin(Three::start(), "10s");
    story.watch("all is seen", 60 * SECOND, Story::is_whole);
    one_is_killed(&mut story);
    one_hangs(&mut story);
    all_are_killed(&mut story);
}

fn one_is_killed(story: &mut Story) {
    let lost = story.lose("the rest is seen", Three::kill, Three::revive, Story::is_partly_seen);
    story.look_once();
    story.watch("others lead", 60 * SECOND, Story::is_whole);
    story.kafka.revive(lost);
    story.watch("it is back", 60 * SECOND, Story::is_whole_again);
}

fn one_hangs(story: &mut Story) {
    let (stop, go_on) =
        (|kafka: &mut Three, n| kafka.signal(n, "STOP"), |kafka: &mut Three, n| kafka.signal(n, "CONT"));
    let hung = story.lose("it is missed", stop, go_on, |_, report| report["sampling"]["coverage"] != 1.0);
    let end = Instant::now() + 10 * SECOND;
    story.look_once();
    story.watch("others lead", 30 * SECOND, Story::is_whole);
    story.watch("ten seconds are over", 30 * SECOND, |_, _| Instant::now() > end);
    story.kafka.signal(hung, "CONT");
    story.watch("it goes on", 60 * SECOND, Story::is_whole);
}

fn all_are_killed(story: &mut Story) {
    let before = story.failures();
    story.fresh = FRESH + LONGEST_PAUSE;
    (1..=3).for_each(|broker| story.kafka.kill(broker));
    // The last figures are kept, each with its age.
    let report = story.watch("nothing is seen", 40 * SECOND, |story, report| {
        let rows = story.rows(report);
        report["sampling"]["coverage"] == 0.0
            && rows.len() == story.groups.len() * PARTITIONS as usize
            && rows.iter().all(|row| row["stale_seconds"].as_f64().is_some_and(|age| age > 5.0))
    });
    assert_eq!(report["errors"][0]["reason"], "Unreachable", "{}", report["errors"]);
    assert!(story.failures() > before, "{} after {before}", story.failures());
    assert_eq!(story.look_alone().code, Some(1));
    story.kafka.revive_all();
    story.watch("it is back", 120 * SECOND, Story::is_whole);
}

/// A group that commits one record after the other, all the while.
struct Working {
    group: String,
    stop: Arc<AtomicBool>,
}

impl Working {
    fn start(client: &Client) -> Self {
        const RECORDS: i64 = 5000;
        let (topic, group) = (client.topic("worked", 1, &[]), unique("working"));
        client.produce(&topic, 0, [now() - 60_000; RECORDS as usize]);
        let mut config = client.config();
        config.set("group.id", &group).set("socket.timeout.ms", "2000");
        let consumer: BaseConsumer = config.create().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        spawn({
            let stop = stop.clone();
            move || {
                for offset in 1..RECORDS {
                    let mut list = TopicPartitionList::new();
                    list.add_partition_offset(&topic, 0, Offset::Offset(offset)).unwrap();
                    // One that fails is made up for by the next.
                    consumer.commit(&list, CommitMode::Async).ok();
                    consumer.poll(SECOND / 5);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        });
        Self { group, stop }
    }
}

impl Drop for Working {
    /// Does not wait: a consumer takes long to leave a cluster that is gone.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
