//! Looks at a real Kafka while it is written to: its ends move, and what is not read lies between sampled rows.
//!
//! Each age has the truth of its clock. Where the broker dates the records (LogAppendTime), its time is that of either
//! clock. Where producers do (CreateTime), an age on the producer clock is held against the timestamp, and one on the
//! append clock against the moments from when the record was sent until it was acknowledged: in one of them it entered.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::memory::Memory;
use highwater::lag::report::Report;
use highwater::lag::{Millis, Offset};
use highwater::monitor::sample::{Task, sample};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::brokers::{DEADLINE, PATIENCE, Written, commit, config, topic};
use crate::page::{COLUMNS, ours};
use crate::peers;
use crate::sampler::{Look, Setting, lines};
use crate::simulated::task;
use crate::traffic::{DAY, HOUR, SECOND, Shape};
use crate::week::Outcome;

/// What is written: on the topic with a week of backdated records, and on one whose records the broker dates.
const SHAPES: [Shape; 3] = [Shape::Steady, Shape::Bursts, Shape::Trickle];

/// How the names of the latter begin.
const DATED: &str = "accuracy-dated-";

/// How far behind each group follows; those that are further behind than a topic is old are at its beginning.
const DISTANCES: [Millis; 8] = [200, SECOND, 3 * SECOND, 7 * SECOND, 12 * SECOND, 20 * SECOND, HOUR, 2 * DAY];

const LOOKS: usize = 24;

/// What passes between two looks, in milliseconds: now less, now more than ages are to be exact to.
const WAITS: Range<u64> = 200..2_600;

/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(5);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Where producers date the records.
    pub(crate) created: Outcome,
    /// Where the broker does.
    pub(crate) appended: Outcome,
}

/// When a record came.
#[derive(Debug, Clone, Copy)]
struct Came {
    /// Its timestamp; it entered no earlier.
    stamp: Millis,
    /// It entered no later.
    by: Millis,
}

/// The records of each topic, by offset.
type Logs = HashMap<String, Vec<Came>>;

/// Takes note of what the broker has acknowledged.
struct Notes(Arc<Mutex<Logs>>);

impl ClientContext for Notes {}

impl ProducerContext for Notes {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let acknowledged = Clock::wall().now();
        let message = result.as_ref().unwrap_or_else(|(error, _)| panic!("a record was not written: {error}"));
        let came = match (message.timestamp(), message.topic().starts_with(DATED)) {
            (Timestamp::LogAppendTime(stamp), true) => Came { stamp, by: stamp },
            (Timestamp::CreateTime(stamp), false) => Came { stamp, by: acknowledged.max(stamp) },
            (stamp, _) => panic!("{} has a record of {stamp:?}", message.topic()),
        };
        let mut logs = self.0.lock().unwrap();
        let log = logs.get_mut(message.topic()).unwrap();
        assert_eq!(message.offset(), log.len() as Offset, "every record is known, in order");
        log.push(came);
    }
}

/// Looks while records come, behind those that are `written`.
pub(crate) async fn run(cluster: &Cluster, bootstrap: &str, written: &Written, rng: &mut Rng) -> Live {
    create(bootstrap).await;
    let logs = Arc::new(Mutex::new(before(written)));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (producer, stop) = (producer(bootstrap, Notes(logs.clone())), stop.clone());
        std::thread::spawn(move || write(&producer, &stop))
    };
    let reports = looks(cluster, bootstrap, &logs, rng).await;
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    // Only now is everything known that a look may have seen.
    let logs = logs.lock().unwrap();
    let mut live = Live::default();
    reports.iter().for_each(|report| compare(report, &logs, &mut live));
    live
}

fn topics(shape: Shape) -> [String; 2] {
    [topic(shape), format!("{DATED}{}", shape.name())]
}

/// Creates the topics whose records the broker dates.
async fn create(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    for shape in SHAPES {
        let [_, dated] = topics(shape);
        let mut new = NewTopic::new(&dated, 1, TopicReplication::Fixed(1));
        new.config = vec![("message.timestamp.type", "LogAppendTime")];
        admin.create_topics([&new], &AdminOptions::new()).await.unwrap()[0]
            .as_ref()
            .expect("a Kafka without the topics");
    }
}

/// What is there already. Of backdated records only the timestamp is the truth, on whatever clock an age stands.
fn before(written: &Written) -> Logs {
    let came = |stamp: &Millis| Came { stamp: *stamp, by: *stamp };
    let both = SHAPES.into_iter().flat_map(|shape| {
        let [created, dated] = topics(shape);
        let records: Vec<Came> = written[&created].iter().map(came).collect();
        [(created, records), (dated, Vec::new())]
    });
    both.collect()
}

/// A producer that is at work: its first records, which wait for connections, are written before anybody looks.
fn producer(bootstrap: &str, notes: Notes) -> BaseProducer<Notes> {
    let mut config = config(bootstrap);
    // Retried or not, records stand in the log in the order of their timestamps.
    config.set("linger.ms", "5").set("enable.idempotence", "true");
    let producer: BaseProducer<Notes> = config.create_with_context(notes).unwrap();
    let now = Clock::wall().now();
    SHAPES.into_iter().flat_map(topics).for_each(|topic| send(&producer, &topic, now));
    producer.flush(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer<Notes>, topic: &str, now: Millis) {
    let record = BaseRecord::<(), _>::to(topic).partition(0).payload("x").timestamp(now);
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Writes until it is to stop.
fn write(producer: &BaseProducer<Notes>, stop: &AtomicBool) {
    let begin = Clock::wall().now();
    let (mut now, mut sent) = (begin, [0; SHAPES.len()]);
    while !stop.load(Ordering::Relaxed) {
        now = Clock::wall().now().max(now);
        for (shape, sent) in SHAPES.into_iter().zip(&mut sent) {
            let due = due(shape, now - begin);
            for topic in topics(shape) {
                (*sent..due).for_each(|_| send(producer, &topic, now));
            }
            *sent = due;
        }
        producer.poll(TICK);
    }
    producer.flush(PATIENCE).unwrap();
}

/// How many records have come of a shape when so much has passed.
fn due(shape: Shape, passed: Millis) -> Millis {
    match shape {
        // 300 within a tenth of a second, every six seconds.
        Shape::Bursts => passed / 6_000 * 300 + (passed % 6_000).min(100) * 3,
        Shape::Trickle => passed / 3_000,
        _ => passed / 10,
    }
}

/// Looks again and again, at groups that follow.
async fn looks(cluster: &Cluster, bootstrap: &str, logs: &Mutex<Logs>, rng: &mut Rng) -> Vec<Report> {
    let consumer = |number| config(bootstrap).set("group.id", format!("live-{number}")).create().unwrap();
    let consumers: Vec<BaseConsumer> = (0..DISTANCES.len()).map(consumer).collect();
    let patterns = |include: &str| Patterns::new(&[include.to_owned()], &[]).unwrap();
    let selection = Selection { groups: patterns("live-*"), topics: patterns("accuracy-*") };
    let task = Task { selection, ..task(Setting::REFINED) };
    let (mut memory, mut reports) = (Memory::default(), Vec::new());
    for _ in 0..LOOKS {
        tokio::time::sleep(Duration::from_millis(rng.u64(WAITS))).await;
        for (consumer, distance) in consumers.iter().zip(DISTANCES) {
            let read = read(&logs.lock().unwrap(), Clock::wall().now() - distance);
            commit(consumer, read.iter().map(|(topic, offset)| (topic.as_str(), *offset)));
        }
        let (report, _) = sample(cluster, &mut memory, &task, DEADLINE, &Clock::wall()).await;
        assert!(report.sampling.coverage >= 1.0, "{:?}", report.errors);
        assert_eq!(report.groups.len(), DISTANCES.len(), "every group is in the report");
        reports.push(report);
    }
    reports
}

/// What a group has read that has read everything up to a moment.
fn read(logs: &Logs, until: Millis) -> Vec<(String, Offset)> {
    let offset = |log: &[Came]| log.partition_point(|came| came.stamp <= until) as Offset;
    logs.iter().map(|(topic, log)| (topic.clone(), offset(log))).collect()
}

fn compare(report: &Report, logs: &Logs, live: &mut Live) {
    let now = report.generated_at.0;
    for outcome in [&mut live.created, &mut live.appended] {
        // The questions are those about both.
        outcome.probes += report.sampling.probes;
        outcome.samples += 1;
    }
    for (topic, line) in report.groups.iter().flat_map(lines) {
        let (committed, end) = (line.committed_offset.unwrap(), line.log_end_offset.unwrap());
        // What came after the end was read is news to the next look.
        if committed >= end {
            continue;
        }
        let came = logs[topic][committed as usize];
        let mut look = Look::new(&line, now - came.stamp, now - came.stamp, None);
        // Where it is not known to the millisecond when it entered, the nearest moment cannot be called wrong.
        look.entered = look.age.unwrap_or(look.entered).clamp(now - came.by, now - came.stamp);
        let outcome = if topic.starts_with(DATED) { &mut live.appended } else { &mut live.created };
        outcome.add(&look, [None; peers::NAMES.len()], || format!("{topic} at {committed}, seen at {now}"));
    }
}

/// It as a part of the page.
pub(crate) fn part(live: &Live) -> String {
    let clocks = |outcome: &Outcome| (outcome.bounds.append.of, outcome.bounds.producer.of);
    let (created, appended) = (clocks(&live.created), clocks(&live.appended));
    format!(
        "\nThen records come steadily, in bursts and in a trickle, and {LOOKS} looks follow one another by 0.2 to \
         2.6 s: ends move, and what is not read lies between sampled rows. Where producers date them (CreateTime, \
         behind the week), the truth of an age on the producer clock is the timestamp, and of one on the append clock \
         the time from sending the record until its acknowledgement; where the broker dates them (LogAppendTime), it \
         is the broker's time. On the append clock stand {} and {} of these ages, on the producer clock {} and {}.\n\n\
         {COLUMNS}{}{}",
        created.0,
        appended.0,
        created.1,
        appended.1,
        ours("Highwater, CreateTime", &live.created),
        ours("Highwater, LogAppendTime", &live.appended),
    )
}
