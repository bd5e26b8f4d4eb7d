//! A shorter run on a real Kafka: backdated records in every shape, ages told by one look after another, the same while
//! more is written, and what questions by time cost its broker.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fastrand::Rng;
use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::lag::memory::Memory;
use highwater::lag::observation::Probe;
use highwater::lag::report::Report;
use highwater::lag::{Millis, Offset};
use highwater::monitor::sample::sample;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, TopicPartitionList};

use crate::live::{self, Live};
use crate::page::{COLUMNS, methods};
use crate::sampler::{Look, Setting, lines};
use crate::simulated::task;
use crate::traffic::{Shape, WEEK};
use crate::week::{Outcome, back};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Records written in each shape, at most.
const RECORDS: usize = 20_000;

/// Groups, each with a commit on every topic.
const GROUPS: usize = 20;

/// Looks, one right after the other; every group moves on between them.
const LOOKS: usize = 20;

/// Questions by time whose cost is measured on many partitions: as many as a broker is asked in one sample at most.
const PROBES: usize = highwater::lag::refine::PROBES;

/// Those whose cost is measured on few.
const FEW: usize = 1_200;

/// Partitions of the topic on which it is measured.
const PARTITIONS: usize = 500;

/// The timestamps of each topic's records, by offset.
pub(crate) type Written = HashMap<String, Vec<Millis>>;

/// One broker that the benchmark may write to, and its process where its cost is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) bootstrap: String,
    pub(crate) process: Option<u32>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Real {
    /// While nothing was written.
    pub(crate) still: Outcome,
    /// While records came.
    pub(crate) live: Live,
    /// All of it as a part of the page.
    pub(crate) part: String,
}

/// Runs everything.
pub(crate) fn run(broker: &Broker, seed: u64) -> Real {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rng = Rng::with_seed(seed);
        let written = write(&broker.bootstrap, &mut rng).await;
        let connection = Connection { brokers: vec![broker.bootstrap.clone()], ..Connection::default() };
        let cluster = Cluster::connect(&connection, Clock::wall()).unwrap();
        let still = looks(&cluster, &broker.bootstrap, &written, &mut rng).await;
        let live = live::run(&cluster, &broker.bootstrap, &written, &mut rng).await;
        let few: Vec<String> = written.keys().cloned().collect();
        let narrow = cost(&cluster, FEW, |n| (few[n % few.len()].clone(), 0), broker.process, &mut rng).await;
        write_wide(&broker.bootstrap).await;
        cluster.observe(&task(Setting::REFINED).selection, false, DEADLINE).await;
        let wide = cost(&cluster, PROBES, |n| (WIDE.to_owned(), n % PARTITIONS), broker.process, &mut rng).await;
        let part = part(&still, &live, &wide, &narrow);
        Real { still, live, part }
    })
}

/// Writes every shape, its last record a moment ago.
async fn write(bootstrap: &str, rng: &mut Rng) -> Written {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let mut written = Written::new();
    for shape in Shape::ALL {
        let topic = topic(shape);
        let mut new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        new.config = vec![("retention.ms", "-1")];
        admin.create_topics([&new], &AdminOptions::new()).await.unwrap()[0]
            .as_ref()
            .expect("a Kafka without the topics");
        let now = Clock::wall().now();
        let stamps = shape.stamps(now - WEEK, RECORDS, rng);
        let producer: BaseProducer = config(bootstrap).set("linger.ms", "20").create().unwrap();
        for stamp in &stamps {
            let mut record = BaseRecord::<(), _>::to(&topic).partition(0).payload("x").timestamp(*stamp);
            while let Err((_, back)) = producer.send(record) {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        producer.flush(PATIENCE).unwrap();
        written.insert(topic, stamps);
    }
    written
}

/// The topic of a shape.
pub(crate) fn topic(shape: Shape) -> String {
    format!("accuracy-{}", shape.name().replace(' ', "-"))
}

const WIDE: &str = "accuracy-wide";

/// Writes a topic of many partitions, a hundred records in each.
async fn write_wide(bootstrap: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let mut new = NewTopic::new(WIDE, PARTITIONS as i32, TopicReplication::Fixed(1));
    new.config = vec![("retention.ms", "-1")];
    admin.create_topics([&new], &AdminOptions::new()).await.unwrap()[0].as_ref().expect("a Kafka without the topic");
    let producer: BaseProducer = config(bootstrap).set("linger.ms", "50").create().unwrap();
    let begin = Clock::wall().now() - WEEK;
    for n in 0..100 {
        for partition in 0..PARTITIONS as i32 {
            let stamp = begin + n * WEEK / 100;
            let mut record = BaseRecord::<(), _>::to(WIDE).partition(partition).payload("x").timestamp(stamp);
            while let Err((_, back)) = producer.send(record) {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
    }
    producer.flush(PATIENCE).unwrap();
}

/// Looks again and again while every group reads on and nothing is written.
async fn looks(cluster: &Cluster, bootstrap: &str, written: &Written, rng: &mut Rng) -> Outcome {
    let begin = Clock::wall().now();
    let mut read: Vec<Vec<(&String, Millis)>> =
        (0..GROUPS).map(|_| written.keys().map(|topic| (topic, begin - back(rng))).collect()).collect();
    let consumer = |number| config(bootstrap).set("group.id", format!("accuracy-{number:02}")).create().unwrap();
    let consumers: Vec<BaseConsumer> = (0..GROUPS).map(consumer).collect();
    let (task, mut memory, mut outcome) = (task(Setting::REFINED), Memory::default(), Outcome::default());
    for _ in 0..LOOKS {
        for (consumer, read) in consumers.iter().zip(&mut read) {
            commit(consumer, read.iter().map(|(topic, until)| (topic.as_str(), position(&written[*topic], *until))));
            read.iter_mut().for_each(|(_, until)| *until += rng.i64(0..600_000));
        }
        let (report, _) = sample(cluster, &mut memory, &task, DEADLINE, &Clock::wall()).await;
        outcome.probes += report.sampling.probes;
        outcome.samples += 1;
        compare(&report, written, &mut outcome);
    }
    outcome
}

/// The first record after a time.
fn position(stamps: &[Millis], until: Millis) -> Offset {
    stamps.partition_point(|stamp| *stamp <= until) as Offset
}

/// Commits an offset on the one partition of each topic.
pub(crate) fn commit<'a>(consumer: &BaseConsumer, offsets: impl Iterator<Item = (&'a str, Offset)>) {
    let mut list = TopicPartitionList::new();
    for (topic, offset) in offsets {
        list.add_partition_offset(topic, 0, rdkafka::Offset::Offset(offset)).unwrap();
    }
    let begun = Instant::now();
    while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
        assert!(begun.elapsed() < PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn compare(report: &Report, written: &Written, outcome: &mut Outcome) {
    let now = report.generated_at.0;
    assert!(report.sampling.coverage >= 1.0, "{:?}", report.errors);
    for (topic, line) in report.groups.iter().flat_map(lines) {
        let (Some(stamps), Some(committed)) = (written.get(topic), line.committed_offset) else { continue };
        let Some(stamp) = stamps.get(committed as usize) else { continue };
        let look = Look::new(&line, now - stamp, now - stamp, None);
        let first_to_last = straight(stamps, committed as usize, now);
        outcome.add(&look, [None, None, Some(first_to_last), None], || format!("{topic} at {committed}"));
    }
}

/// What one line from the first to the last record says.
fn straight(stamps: &[Millis], committed: usize, now: Millis) -> f64 {
    let (first, last) = (stamps[0], stamps[stamps.len() - 1]);
    now as f64 - (first as f64 + (last - first) as f64 * committed as f64 / (stamps.len() - 1) as f64)
}

/// What questions by time cost: seconds passed, and CPU seconds of this process and of the broker.
#[derive(Debug)]
struct Cost {
    count: usize,
    wall: f64,
    here: f64,
    broker: Option<f64>,
}

async fn cost(
    cluster: &Cluster,
    count: usize,
    place: impl Fn(usize) -> (String, usize),
    process: Option<u32>,
    rng: &mut Rng,
) -> Cost {
    let now = Clock::wall().now();
    let mut cost = None;
    // The first time warms both up.
    for _ in 0..2 {
        let mut probe = |n: usize| {
            let (topic, partition) = place(n);
            Probe { topic: topic.as_str().into(), partition: partition as i32, time: now - rng.i64(0..WEEK) }
        };
        let probes: Vec<Probe> = (0..count).map(&mut probe).collect();
        let before = (Instant::now(), cpu("self"), process.map(|id| cpu(&id.to_string())));
        let told = cluster.tell(probes, DEADLINE).await;
        let failed = told.iter().filter(|told| told.answer.is_err()).count();
        assert_eq!(failed, 0, "of {count} questions");
        cost = Some(Cost {
            count,
            wall: before.0.elapsed().as_secs_f64(),
            here: cpu("self") - before.1,
            broker: process.map(|id| cpu(&id.to_string())).zip(before.2).map(|(after, before)| after - before),
        });
    }
    cost.unwrap()
}

/// CPU seconds that a process has used.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // utime and stime, in ticks of 10 ms.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn part(still: &Outcome, live: &Live, wide: &Cost, narrow: &Cost) -> String {
    let mut text = format!(
        "## On a real Kafka\n\nA week of backdated records in the six shapes on one broker, {GROUPS} groups from a \
         second to seven days behind, {LOOKS} looks while they read on and nothing is written. The truth is the records' \
         timestamps; of the other methods only the one that needs no samples takes part.\n\n{COLUMNS}"
    );
    let lines = methods(still);
    lines.lines().filter(|line| line.contains("Highwater") || line.contains("first-to-last")).for_each(|line| {
        writeln!(text, "{line}").unwrap();
    });
    text.push_str(&live::part(live));
    let asked = |cost: &Cost| {
        let per = |seconds: f64| seconds / cost.count as f64 * 1e6;
        let broker = cost.broker.map_or(String::new(), |broker| format!(", {:.0} µs at the broker", per(broker)));
        format!("{:.2} s: {:.0} µs of CPU each here{broker}", cost.wall, per(cost.here))
    };
    writeln!(
        text,
        "\n{PROBES} questions by time are the most that a broker is asked in one sample. Spread over {PARTITIONS} partitions \
         they took {}. {FEW} on {few} partitions, where a request has room for no more than {few} of them, took {}.",
        asked(wide),
        asked(narrow),
        few = Shape::ALL.len(),
    )
    .unwrap();
    text
}

pub(crate) fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}
