//! The API at 1,000 groups on 100,000 partitions: how long a page takes, that 1,000 watchers are served on time, and
//! how long a week of history takes to open. `cargo bench --bench api` fails where a limit is passed; with `--short` it
//! asks a tenth as often.
//!
//! The server is a process of its own, so that its CPU time is its alone; this one asks, and measures. `--serve COUNT`
//! is that server alone, with so many groups, for whoever wants to look at a large one.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement that cannot go on should stop"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use highwater::access::Access;
use highwater::board::{Board, Pulse};
use highwater::clock::Clock;
use highwater::http::{Edge, Readiness, Serving, serve};
use highwater::lag::aggregate;
use highwater::lag::memory::Memory;
use highwater::lag::observation::{GroupKind, GroupState};
use highwater::lag::report::{
    Alert, AlertKind, Assignment, Budget, Cluster, Detail, Fairness, Group, GroupPartition, GroupTopic, Health, Member,
    Method, MonitorName, Rebalances, ReplicaReason, Replicas, Report, Sampling, Severity, Slo, State, Timestamp, Topic,
    TopicSlo, Trend, Velocity,
};
use highwater::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::connect_async;
use tokio_util::sync::CancellationToken;

const GROUPS: usize = 1_000;
const PARTITIONS: i32 = 100;
const TICK: Duration = Duration::from_secs(1);
const MINUTES: i64 = 60_000;
/// What a LagMonitor keeps by default.
const ROWS: usize = 600;
/// A frame that comes later than this is late: the next one is due half a second after.
const LATE: Duration = Duration::from_millis(500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        let groups = arguments.get(at + 1).map_or(GROUPS, |count| count.parse().unwrap());
        return tokio::runtime::Runtime::new().unwrap().block_on(server(groups));
    }
    let part = if arguments.iter().any(|argument| argument == "--short") { 10 } else { 1 };
    let mut child =
        Command::new(&arguments[0]).args(["--serve", &GROUPS.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address: SocketAddr = address.trim().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tell = || {
        println!("| what | found | limit | share of the limit |\n|---|---|---|---|");
        let all = runtime.block_on(measure(address, &child, part));
        let over: Vec<&str> = all.iter().filter(|found| found.found > found.most).map(|found| found.what).collect();
        (all, over)
    };
    let (mut all, mut over) = tell();
    // A tenth is soon over: where somebody else had the machine meanwhile, it is asked for again.
    for _ in (1..3).take_while(|_| part > 1) {
        if !over.is_empty() {
            (all, over) = tell();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if std::env::args().any(|argument| argument == "--write") {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api-benchmarks.md"), page(&all)).unwrap();
    }
    assert!(over.is_empty(), "over the limit: {over:?}");
}

async fn server(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path()).unwrap().store);
    let clock = Clock::wall();
    let mut memory = Memory::default();
    let names = (0..count).map(|n| (format!("group-{n:04}").into(), format!("topic-{n:04}").into()));
    memory.groups = names.map(|(group, topic)| (group, BTreeMap::from([(topic, Default::default())]))).collect();
    // A week, a sample every twelve minutes: more than are kept.
    for n in (0..840).rev() {
        let saved = store.save("bench", &mut memory, &report(count, clock.now() - n * 12 * MINUTES, 0)).unwrap();
        if saved.fold_due {
            store.fold("bench", &memory, ROWS).unwrap();
        }
    }
    let (board, readiness) = (Board::default(), Readiness::waiting_for("nothing"));
    readiness.ready();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let serving = Serving {
        board: board.clone(),
        store,
        clock: clock.clone(),
        readiness,
        detail: None,
        top_partitions: 0,
        access: Access::Open,
        metrics_elsewhere: false,
        origins: vec![],
        edge: Edge::default(),
    };
    tokio::spawn(serve(listener, serving, CancellationToken::new()));
    let name = MonitorName { namespace: "bench".into(), name: "bench".into() };
    loop {
        let pulse = Pulse { cluster_name: "bench".into(), history: "bench".into(), ..Pulse::default() };
        board.post(&name, Arc::new(report(count, clock.now(), PARTITIONS)), pulse);
        tokio::time::sleep(5 * TICK).await;
    }
}

/// So many groups on a topic each, of so many partitions.
fn report(count: usize, now: i64, partitions: i32) -> Report {
    let groups: Vec<Group> = (0..count).map(|n| group(n, partitions, now)).collect();
    let mut topics: Vec<Topic> = (0..count).map(topic).collect();
    aggregate::tell_topics(&mut topics, &groups);
    Report {
        schema_version: 1,
        monitor: None,
        team: None,
        cluster: Cluster { name: "bench".into(), id: Some("bench".into()), brokers: vec!["b:9092".into()] },
        generated_at: Timestamp(now),
        sampling: Sampling { interval_seconds: Some(5.0), duration_seconds: 0.5, coverage: 1.0, probes: 0 },
        detail: Detail::Partition,
        truncated: false,
        left_out: None,
        errors: vec![],
        totals: aggregate::totals(&groups, Some(95)),
        groups,
        topics,
    }
}

fn topic(n: usize) -> Topic {
    Topic {
        topic: format!("topic-{n:04}").into(),
        topic_id: Some(format!("{n:032x}")),
        partitions: PARTITIONS.unsigned_abs(),
        replication_factor: 3,
        ends: (0..PARTITIONS).map(|_| (Some(0), Some(123_466))).collect(),
        health: Default::default(),
    }
}

fn group(n: usize, partitions: i32, now: i64) -> Group {
    let topic: Arc<str> = format!("topic-{n:04}").into();
    let age = (now / 1_000 % 500) as f64 + n as f64;
    let member_id: Arc<str> = format!("group-{n:04}-member-0").into();
    let member = |m: i32| Member {
        member_id: format!("group-{n:04}-member-{m}").into(),
        client_id: "client".into(),
        host: "/10.0.0.1".into(),
        assigned: vec![Assignment { topic: topic.clone(), partitions: (m * 10..m * 10 + 10).collect() }],
    };
    let all = (0..partitions).map(|p| partition(p, age, &member_id)).collect();
    let mut topics = vec![GroupTopic { partitions: Some(all), ..on(topic.clone(), age, now) }];
    if n == 0 && partitions > 0 {
        // One topic has not been sampled before.
        topics.push(GroupTopic { partitions: Some([].into_iter().collect()), ..on("young".into(), 0.0, now) });
    }
    Group {
        group_id: format!("group-{n:04}").into(),
        kind: GroupKind::Classic,
        group_state: Some(GroupState::Stable),
        state: Some(State::Online),
        assignor: Some("range".into()),
        members: Some((0..10).map(member).collect()),
        max_lag_seconds: Some(age),
        total_lag_records: Some(1_000 + n as i64),
        trend: Some(Trend::Growing),
        health: health(n, now),
        topics: Some(topics),
    }
}

fn on(topic: Arc<str>, age: f64, now: i64) -> GroupTopic {
    GroupTopic {
        topic,
        state: Some(State::Online),
        since: Some(Timestamp(now)),
        max_lag_seconds: Some(age),
        p50_lag_seconds: Some(age),
        p95_lag_seconds: Some(age),
        bound_seconds: Some(age / 20.0),
        method: Some(Method::Interpolated),
        clock: None,
        total_lag_records: Some(1_000),
        max_lag_records: Some(10),
        p50_lag_records: Some(10),
        p95_lag_records: Some(10),
        partitions_without_commit: 0,
        abandoned_partitions: 0,
        abandoned: false,
        consume_rate: Some(1_234.567_8),
        produce_rate: Some(1_345.678_9),
        drain_seconds: Some(912.345),
        trend: Some(Trend::Growing),
        slo: Some(TopicSlo {
            compliance: Some(0.93),
            met: Some(false),
            within: 93,
            breaching: 7,
            unknown: 0,
            without_commit: 0,
            max_lag_records: 1_000,
            max_lag_seconds: Some(60.0),
        }),
        stuck_partitions: Some(0),
        partitions: None,
    }
}

/// The error budget of one group; no two have the same digits.
fn budget(n: usize) -> Budget {
    let burn = |times: f64| burn(n, times);
    Budget {
        period_seconds: 2_592_000.0,
        observed_seconds: 604_800.0,
        remaining: burn(0.123_4),
        burn_rate_5m: burn(15.2),
        burn_rate_30m: burn(15.1),
        burn_rate_1h: burn(14.6),
        burn_rate_6h: burn(6.123),
        burn_rate_3d: burn(1.234),
    }
}

fn burn(n: usize, times: f64) -> Option<f64> {
    Some(times + n as f64 / 1_000.0)
}

/// What stands beside the ages of a group with an objective: every other one misses it, and is alerted of.
fn health(n: usize, now: i64) -> Health {
    let met = n.is_multiple_of(2);
    let (within, breaching) = if met { (100, 0) } else { (93, 7) };
    let reasoning = "1,345.7 records/s are written and 1,000 wait, one member reads 123.4 records/s: 14 would keep up with a fifth to \
         spare and read what waits within 10 min";
    let advice = format!("Run 14 members: {reasoning}.");
    let alert = || Alert {
        id: format!("bench/group-{n:04}/slo_violated"),
        kind: AlertKind::SloViolated,
        severity: if n.is_multiple_of(5) { Severity::Critical } else { Severity::Warning },
        group_id: format!("group-{n:04}").into(),
        since: Timestamp(now - 60 * MINUTES),
        value: 0.93,
        bound: 0.95,
        held: false,
        summary: "93 % of its partitions are within their limits, 95 % are wanted".into(),
        advice: advice.clone(),
    };
    Health {
        slo: Some(Slo {
            compliance: Some(within as f64 / 100.0),
            target: 0.95,
            met: Some(met),
            within,
            breaching,
            unknown: 0,
            without_commit: 0,
            budget: Some(budget(n)),
        }),
        stuck_partitions: Some(0),
        rebalances: Some(Rebalances {
            score: Some(90.0),
            target: 70.0,
            count: 1,
            window_seconds: 3_600.0,
            last: Some(Timestamp(now - 20 * MINUTES)),
        }),
        fairness: Some(Fairness { gini: 0.123_4, excess: 0.012_3, idle_members: 0 }),
        velocity: Some(Velocity { records_per_second: burn(n, 111.1), seconds_per_second: burn(n, 0.05) }),
        drain_seconds: Some(912.345),
        replicas: Some(Replicas {
            advised: 14,
            current: 10,
            useful: 100,
            member_rate: Some(123.456_7),
            reason: ReplicaReason::Measured,
            reasoning: reasoning.into(),
        }),
        recommendation: Some(advice.clone()),
        alerts: if met { vec![] } else { vec![alert()] },
    }
}

fn partition(partition: i32, age: f64, member: &Arc<str>) -> GroupPartition<'_> {
    GroupPartition {
        partition,
        member_id: Some(member),
        committed_offset: Some(123_456),
        log_start_offset: Some(0),
        log_end_offset: Some(123_466),
        lag_records: Some(10 + i64::from(partition)),
        lag_seconds: Some(age - f64::from(partition) / 1e3),
        bound_seconds: Some(0.01),
        method: Some(Method::Interpolated),
        clock: None,
        records_lost: 0,
        blocked_records: 0,
        stale_seconds: None,
        stuck_seconds: None,
        anomalies: Default::default(),
    }
}

/// One figure and the most that it may be.
struct Found {
    what: &'static str,
    found: f64,
    most: f64,
    unit: &'static str,
}

impl Found {
    fn time(what: &'static str, found: Duration, most: Duration) -> Self {
        Self { what, found: millis(found), most: millis(most), unit: " ms" }
    }

    fn share(&self) -> f64 {
        if self.most > 0.0 { self.found / self.most } else { self.found }
    }

    fn row(&self) -> String {
        let Self { what, found, most, unit } = self;
        let digits = usize::from(!unit.is_empty());
        format!("| {what} | {found:.digits$}{unit} | {most:.0}{unit} | {:.2} |", self.share())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measures a part of what can be measured, and tells what it finds.
async fn measure(address: SocketAddr, server: &Child, part: usize) -> Vec<Found> {
    let mut all = Vec::new();
    let mut told = |found: Found| {
        println!("{}", found.row());
        all.push(found);
    };
    let groups = "/api/v1/consumers/groups?sort=-max_lag_seconds";
    for (what, path) in [
        ("a page of 100 groups, 200 a second: p99", groups),
        ("one group with its 100 partitions, 200 a second: p99", "/api/v1/consumers/groups/group-0500"),
    ] {
        let scrapes = (10 / part).max(2);
        let (paged, scraped) =
            tokio::join!(rate(address, path, 200, 2_000 / part), rate(address, "/metrics", 2, scrapes));
        told(Found::time(what, percentile(paged, 99), Duration::from_millis(10)));
        let what = "… a scrape of `/metrics` meanwhile: the slowest";
        told(Found::time(what, percentile(scraped, 100), Duration::from_millis(100)));
    }
    let limit = Duration::from_millis(200);
    let week = rate(address, "/api/v1/consumers/groups/group-0500/history", 10, 20 / part).await;
    told(Found::time("a week of one group's history, 600 rows: the slowest of 20", percentile(week, 100), limit));
    let shown: Vec<String> = (0..50).map(|n| format!("group_id=group-{:04}", n * 20)).collect();
    let lines = rate(address, &format!("/api/v1/consumers/history?{}", shown.join("&")), 5, 20 / part).await;
    let limit = Duration::from_millis(500);
    told(Found::time("a week of 50 groups, 60 points each: the slowest of 20", percentile(lines, 100), limit));

    let (begun, frames) = ((Instant::now(), cpu(server)), 20_usize.div_ceil(part).max(5));
    let lateness = join_all((0..GROUPS).map(|n| watch(address, n, frames))).await.concat();
    let (wall, used) = (begun.0.elapsed(), cpu(server) - begun.1);
    let late = lateness.iter().filter(|late| **late > LATE).count();
    let what = "1,000 WebSockets with a snapshot a second each: how many come half a second late";
    told(Found { what, found: late as f64, most: 0.0, unit: "" });
    told(Found::time("… how late one is: p99", percentile(lateness, 99), Duration::from_millis(250)));
    told(Found::time("… CPU time of the server a second meanwhile", used.div_f64(wall.as_secs_f64()), TICK));
    all
}

/// The page of the figures, for people who wonder whether it holds.
fn page(all: &[Found]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let nice = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(16)).unwrap_or("0");
    let rows: Vec<String> = all.iter().map(Found::row).collect();
    format!(
        "# How fast the API is\n\n\
         `cargo bench --bench api -- --write` makes this page: 1,000 groups on 100,000 partitions, a new report every five \
         seconds, a week of history of 600 rows a group. The server is a process of its own; who asks runs beside it on the \
         same machine, and takes part of its time.\n\n\
         Measured on {cores} cores, whose load was {load} at the end, by other programs too; before those it had the \
         niceness {nice}.\n\n\
         | what | found | limit | share of the limit |\n|---|---|---|---|\n{}\n\n\
         Lists are sorted once a report and order, each of their rows is written once a report when it is first asked for, and \
         so is each snapshot of a WebSocket, however many listen.\n",
        rows.join("\n")
    )
}

/// Asks so many times a second on ten connections, and says how long each answer took.
async fn rate(address: SocketAddr, path: &str, a_second: u32, count: usize) -> Vec<Duration> {
    let begun = Instant::now();
    let connections = count.min(10);
    let ask = async |first: usize| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut took = Vec::new();
        for n in (first..count).step_by(connections) {
            tokio::time::sleep_until((begun + TICK * n as u32 / a_second).into()).await;
            let asked = Instant::now();
            get(&mut stream, path).await;
            took.push(asked.elapsed());
        }
        took
    };
    join_all((0..connections).map(ask)).await.concat()
}

/// One request on a connection that stays open.
async fn get(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes()).await.unwrap();
    let (mut text, mut some) = (Vec::new(), vec![0; 1 << 18]);
    loop {
        let read = stream.read(&mut some).await.unwrap();
        assert!(read > 0, "the connection ended");
        text.extend_from_slice(&some[..read]);
        let Some(end) = text.windows(4).take(4_096).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let whole = match head.split_once("content-length: ") {
            Some((_, rest)) => text.len() - end - 4 == rest.lines().next().unwrap().trim().parse::<usize>().unwrap(),
            None => text.ends_with(b"\r\n0\r\n\r\n"),
        };
        if whole {
            return;
        }
    }
}

/// How late each of so many snapshots is that come every second.
async fn watch(address: SocketAddr, n: usize, count: usize) -> Vec<Duration> {
    let url = format!("ws://{address}/ws/consumers/groups/group-{n:04}/live?interval=1");
    let (mut socket, _) = connect_async(url).await.unwrap();
    let (mut first, mut late) = (None, Vec::new());
    while late.len() < count {
        let said = socket.next().await.unwrap().unwrap();
        if !said.is_text() || !said.to_text().unwrap().starts_with("{\"type\":\"snapshot\"") {
            continue;
        }
        let due = first.get_or_insert_with(Instant::now);
        late.push(Instant::now().saturating_duration_since(*due));
        *due += TICK;
    }
    late
}

fn percentile(mut all: Vec<Duration>, percent: usize) -> Duration {
    all.sort_unstable();
    all[(all.len() * percent).div_ceil(100) - 1]
}

/// CPU time of a process so far.
fn cpu(process: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks = rest.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>();
    Duration::from_millis(10) * ticks
}
