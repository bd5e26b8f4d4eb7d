//! What changes on three brokers while groups are at work: a topic is born again, partitions are added, offsets are
//! reset, producers' clocks are wrong. Each costs only itself, and every age is true.
//!
//! Each broker leads a partition of every topic and follows the others. All goes on side by side, before one monitor.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::arrivals::listed;
use crate::client::{Client, now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::Three;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::shapes::{DAY, HOUR, MINUTE, SECOND};
use crate::truth::{CLOCK, Compared, generated, group, line, topic};
use crate::wait::eventually_some;

/// Records that are written to a partition at a time; groups stand in the middle of them.
pub(crate) const RECORDS: i64 = 20;
pub(crate) const HALF: i64 = RECORDS / 2;

/// The widest bound, in seconds, of what came between two samples.
const WIDEST: f64 = 10.0;

/// One offset on the three partitions that a topic has at first.
pub(crate) fn each(offset: i64) -> [(i32, i64); 3] {
    [0, 1, 2].map(|partition| (partition, offset))
}

/// A topic with a partition on every broker, and what is written there: offsets and timestamps.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) records: [Vec<(i64, i64)>; 3],
}

impl Topic {
    /// Writes the first records, whose timestamps follow from partition and offset.
    pub(crate) fn written(client: &Client, name: &str, settings: &[(&str, &str)], time: fn(i64, i64) -> i64) -> Self {
        let name = eventually_some("each broker leads a partition", PATIENCE, || {
            let topic = client.topic(name, 3, settings);
            let leaders: BTreeSet<i32> = client.leaders(&topic).into_values().collect();
            (leaders == BTreeSet::from([1, 2, 3])).then_some(topic)
        });
        let records = [0, 1, 2].map(|partition: i32| {
            let times = (0..RECORDS).map(|offset| time(i64::from(partition), offset));
            let records: Vec<(i64, i64)> = (0..).zip(times).collect();
            client.produce(&name, partition, records.iter().map(|(_, time)| *time));
            records
        });
        Self { name, records }
    }

    /// How a report compares with the first records.
    #[track_caller]
    pub(crate) fn compared(&self, report: &Value, group: &str) -> [Compared; 3] {
        [0, 1, 2].map(|partition| Compared::new(report, group, &self.name, partition, &self.records[partition]))
    }

    /// A group that waits has the age of the record that it stands at, and so many records after it; none is lost.
    #[track_caller]
    pub(crate) fn assert_waits(&self, report: &Value, group: &str, records: i64) {
        for compared in self.compared(report, group) {
            assert!(is_exact(&compared), "{compared:#?}");
            let line = &compared.line;
            assert_eq!((&line["lag_records"], &line["records_lost"]), (&json!(records), &json!(0)), "{line:#}");
        }
    }
}

pub(crate) fn is_exact(compared: &Compared) -> bool {
    compared.error() <= compared.wanted() && compared.bound_holds()
}

/// Records that came while somebody looked: where, and between which moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    pub(crate) partition: i32,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl Came {
    /// Whether an age is that of these records, within its bound.
    pub(crate) fn holds(self, report: &Value, line: &Value) -> bool {
        let [oldest, youngest] = [self.before, self.after].map(|time| (generated(report) - time) as f64 / 1e3);
        let (age, bound) = (line["lag_seconds"].as_f64(), line["bound_seconds"].as_f64());
        age.zip(bound).is_some_and(|(age, bound)| {
            let off = bound + CLOCK;
            bound <= WIDEST && age - off <= oldest && youngest <= age + off
        })
    }
}

/// What is there before anything changes, and who looks.
struct Stage {
    client: Client,
    monitor: Monitor,
    prefix: String,
    /// A group that stays in the middle of the first records.
    waiting: String,
    calm: Topic,
    reborn: Topic,
    reset: Topic,
    ahead: Topic,
    behind: Topic,
    stamped: Topic,
    /// When all of that had been written, and nobody looked yet.
    begun: i64,
}

impl Stage {
    fn start(kafka: &Three) -> Self {
        let (client, prefix) = (kafka.client(), unique("changes"));
        let written = |name: &str, settings: &[(&str, &str)], time: fn(i64, i64) -> i64| {
            Topic::written(&client, &format!("{prefix}-{name}"), settings, time)
        };
        let calm = written("calm", &[], |partition, n| now() - (partition + 1) * HOUR + n * MINUTE);
        let reborn = written("reborn", &[], |_, n| now() - DAY + n * MINUTE);
        let reset = written("reset", &[], |partition, n| now() - DAY - partition * HOUR + n * HOUR / 2);
        let ahead = written("ahead", &[("message.timestamp.after.max.ms", "9000000000")], |_, _| now() + DAY);
        let behind = written("behind", &[], |partition, n| now() - (partition + 10) * MINUTE + n * SECOND);
        let stamped = written("stamped", &[("message.timestamp.type", "LogAppendTime")], |_, n| n * DAY);
        let waiting = format!("{prefix}-waiting");
        for topic in [&calm, &ahead, &behind, &stamped] {
            client.commit(&waiting, &topic.name, &each(HALF));
        }
        let (begun, brokers) = (now(), kafka.bootstrap.replace(',', "\", \""));
        let monitor = Monitor::start(&[("a.yaml", &document("changes", &brokers, &prefix))], &[]);
        let stage = Self { client, monitor, prefix, waiting, calm, reborn, reset, ahead, behind, stamped, begun };
        stage.monitor.reports("changes", "all is seen", |report| {
            is_whole(report) && stage.calm.compared(report, &stage.waiting).iter().all(is_exact)
        });
        stage
    }

    fn group(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// A member of a group, who soon hears of what becomes of its topic.
    fn consumer(&self, group: &str, topic: &str, per_second: u32) -> LiveConsumer {
        let mut config = self.client.config();
        config.set("topic.metadata.refresh.interval.ms", "500");
        LiveConsumer::start(&config, group, topic, per_second)
    }

    /// Waits for a report; what nothing happens to is right in every one on the way.
    #[track_caller]
    fn watch(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.monitor.reports("changes", what, |report| {
            self.assert_calm(report);
            holds(report)
        })
    }

    /// The report of a sample that begins after this.
    #[track_caller]
    fn sampled(&self) -> Value {
        let report = self.monitor.sampled_after("changes", now());
        self.assert_calm(&report);
        report
    }

    #[track_caller]
    fn assert_calm(&self, report: &Value) {
        self.calm.assert_waits(report, &self.waiting, HALF);
    }

    /// Writes as many records again to each of these partitions, by a clock that is so far ahead.
    fn write(&self, topic: &str, partitions: [i32; 3], ahead: i64) -> [Came; 3] {
        partitions.map(|partition| {
            let before = now();
            self.client.produce(topic, partition, (0..RECORDS).map(|_| now() + ahead));
            Came { partition, before, after: now() }
        })
    }

    /// Has a group of nobody stand at this offset, in the middle of what came last, and looks at its ages.
    #[track_caller]
    fn assert_told(&self, group: &str, topic: &str, offset: i64, came: [Came; 3]) {
        self.client.commit(group, topic, &came.map(|came| (came.partition, offset)));
        let report = self.sampled();
        for came in came {
            let line = line(&report, group, topic, came.partition as usize);
            assert_eq!((&line["lag_records"], &line["records_lost"]), (&json!(HALF), &json!(0)), "{line:#}");
            assert!(came.holds(&report, line), "{came:?}, told at {}: {line:#}", generated(&report));
        }
    }
}

/// Everything was answered.
pub(crate) fn is_whole(report: &Value) -> bool {
    report["errors"] == json!([]) && report["sampling"]["coverage"] == 1.0
}

/// Whether a group has read every partition up to this end, and nothing is odd.
pub(crate) fn is_read(report: &Value, group: &str, name: &str, ends: &[i64]) -> bool {
    let Some(found) = topic(report, group, name) else { return false };
    let rows = found["partitions"].as_array().unwrap();
    let at_end = |(row, end): (&Value, &i64)| {
        row["committed_offset"] == *end && row["log_end_offset"] == *end && row["anomalies"] == json!([])
    };
    found["state"] == "ONLINE"
        && found["total_lag_records"] == 0
        && rows.len() == ends.len()
        && rows.iter().zip(ends).all(at_end)
}

#[test]
fn what_changes_on_three_brokers_costs_only_itself_and_ages_are_true() {
    let kafka = Three::start();
    let stage = &Stage::start(&kafka);
    let stories: [fn(&Stage); 4] = [a_topic_is_born_again, partitions_are_added, offsets_are_reset, clocks_are_wrong];
    thread::scope(|scope| {
        for story in stories {
            scope.spawn(move || story(stage));
        }
    });
    let report = stage.watch("all is seen in the end", is_whole);
    let topics = report["topics"].as_array().unwrap();
    assert!(topics.iter().all(|topic| topic["replication_factor"] == 3), "{topics:#?}");
}

fn a_topic_is_born_again(stage: &Stage) {
    let (client, name, reader) = (&stage.client, &*stage.reborn.name, stage.group("heir"));
    let all = |report: &Value| is_read(report, &reader, name, &[RECORDS; 3]);
    let member = stage.consumer(&reader, name, 500);
    let former = stage.watch("all of its former life is read", all);
    let id = |report: &Value| listed(report, name).map(|found| found["topic_id"].as_str().unwrap().to_owned());
    let is_new = |report: &Value| id(report).is_some_and(|new| Some(new) != id(&former));
    client.delete(name);
    client.create(name, 3, &[]);
    let empty = stage.watch("its new life is seen", is_new);
    let age = topic(&empty, &reader, name).and_then(|found| found["max_lag_seconds"].as_f64());
    assert!(age.is_none_or(|age| age == 0.0), "an age of its former life: {empty:#}");

    let came = stage.write(name, [0, 1, 2], 0);
    // Not every client goes on by itself: librdkafka's may wait at an offset of the former life.
    member.stop();
    stage.assert_told(&reader, name, HALF, came);
    let _again = stage.consumer(&reader, name, 500);
    let new = stage.watch("all of its new life is read", all);
    assert!(is_new(&new), "{new:#}");
}

fn partitions_are_added(stage: &Stage) {
    let (name, reader) = (&*stage.calm.name, stage.group("reader"));
    let _member = stage.consumer(&reader, name, 500);
    stage.watch("three partitions are read", |report| is_read(report, &reader, name, &[RECORDS; 3]));
    stage.client.grow(name, 6);
    stage.watch("six are seen", |report| listed(report, name).is_some_and(|found| found["partitions"] == 6));
    let came = stage.write(name, [3, 4, 5], 0);
    let report = stage.watch("six are read, each by a member", |report| {
        is_read(report, &reader, name, &[RECORDS; 6])
            && (0..6).all(|partition| line(report, &reader, name, partition)["member_id"].is_string())
    });
    for partition in 3..6 {
        let line = line(&report, &stage.waiting, name, partition);
        let told = (&line["method"], &line["lag_records"], &line["lag_seconds"]);
        assert_eq!(told, (&json!("no_commit"), &Value::Null, &Value::Null), "{line:#}");
    }
    stage.assert_told(&stage.group("late"), name, HALF, came);
}

/// Sets the offsets of a group without members, which has the age of where it is, and this state.
#[track_caller]
fn reset_to(stage: &Stage, reader: &str, offset: i64, state: &str) {
    stage.client.commit(reader, &stage.reset.name, &each(offset));
    let report = stage.sampled();
    for compared in stage.reset.compared(&report, reader) {
        assert!(is_exact(&compared), "{compared:#?}");
        let told = (&compared.line["committed_offset"], &compared.line["lag_records"]);
        assert_eq!(told, (&json!(offset), &json!(RECORDS - offset)), "{compared:#?}");
    }
    assert_eq!(group(&report, reader).unwrap()["state"], state, "at {offset}: {report:#}");
}

fn offsets_are_reset(stage: &Stage) {
    let (name, reader) = (&*stage.reset.name, stage.group("wanderer"));
    let all = |report: &Value| is_read(report, &reader, name, &[RECORDS; 3]);
    let member = stage.consumer(&reader, name, 500);
    stage.watch("all is read", all);
    member.stop();
    reset_to(stage, &reader, 0, "RECOVERING");
    let member = stage.consumer(&reader, name, 20);
    stage.watch("all is read again", |report| {
        for compared in stage.reset.compared(report, &reader) {
            assert!(compared.bound_holds(), "on the way: {compared:#?}");
        }
        all(report)
    });
    member.stop();
    for (offset, state) in [(8, "RECOVERING"), (14, "RECOVERING"), (RECORDS, "ONLINE")] {
        reset_to(stage, &reader, offset, state);
    }
}

fn clocks_are_wrong(stage: &Stage) {
    let Stage { client, waiting, ahead, behind, .. } = stage;
    let name = &stage.stamped.name;
    let stamped = Topic { name: name.clone(), records: [0, 1, 2].map(|partition| client.records(name, partition)) };
    let report = stage.sampled();
    for compared in [behind, &stamped].into_iter().flat_map(|topic| topic.compared(&report, waiting)) {
        assert!(is_exact(&compared), "by the timestamps: {compared:#?}");
    }
    let longest = (generated(&report) - stage.begun) as f64 / 1e3 + CLOCK;
    for partition in 0..3 {
        let line = line(&report, waiting, &ahead.name, partition);
        let told = (&line["method"], &line["bound_seconds"], &line["anomalies"]);
        assert_eq!(told, (&json!("at_least"), &Value::Null, &json!(["timestamps_ahead"])), "{line:#}");
        assert!(line["lag_seconds"].as_f64().is_some_and(|age| 0.0 < age && age <= longest), "{longest}: {line:#}");
    }
    // What came since somebody looks is dated by when it came.
    for (topic, by) in [(ahead, DAY), (behind, -10 * MINUTE), (&stamped, -DAY)] {
        let came = stage.write(&topic.name, [0, 1, 2], by);
        stage.assert_told(&stage.group("since"), &topic.name, RECORDS + HALF, came);
    }
}
