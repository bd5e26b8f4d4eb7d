//! The measured process: samples, stores, posts and serves as the product does, and tells what each part has cost.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::access::Access;
use highwater::board::{Board, Pulse};
use highwater::clock::Clock;
use highwater::crd::sampling::Sampling;
use highwater::crd::slo::Slo;
use highwater::http::{Edge, Readiness, Serving, serve};
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::Millis;
use highwater::lag::bracket::wanted;
use highwater::lag::history::{Fact, Run};
use highwater::lag::judge::{Heading, judge};
use highwater::lag::memory::Memory;
use highwater::lag::policy::Policy;
use highwater::lag::report::{Detail, MonitorName, Report};
use highwater::lag::spread::spread;
use highwater::monitor::objective::Objective;
use highwater::monitor::sample::sharpen;
use highwater::output::prometheus::exposition::exposition;
use highwater::output::prometheus::negotiation::Format;
use highwater::store::Store;
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use super::fixture::{GROUPS, TOPICS};
use super::sampled::{Ages, Cost, Sampled};

/// The longest time that one sample may take on the network.
const DEADLINE: Duration = Duration::from_secs(30);

/// Samples, scrapes and ends as it is told on standard input.
pub(crate) fn run(brokers: &str) {
    highwater::kafka::settle_in();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut sampler = Sampler::new(brokers, Store::open(folder.path()).unwrap().store);
        println!("{}", sampler.serve().await);
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin().lock().lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        while let Some(line) = lines.recv().await {
            match line.as_str() {
                "sample" => println!("{}", serde_json::to_string(&sampler.sample().await).unwrap()),
                "cpu" => println!("{}", cpu()),
                "fill" => println!("{}", sampler.fill()),
                other => panic!("{other}"),
            }
            std::io::stdout().flush().unwrap();
        }
    });
}

struct Sampler {
    cluster: Cluster,
    selection: Selection,
    policy: Policy,
    objective: Objective,
    memory: Memory,
    store: Arc<Store>,
    board: Board,
    clock: Clock,
}

impl Sampler {
    fn new(brokers: &str, store: Store) -> Self {
        let clock = Clock::wall();
        let brokers = brokers.split(',').map(str::to_owned).collect();
        let connection = Connection { brokers, ..Connection::default() };
        let patterns = |pattern: &str| Patterns::new(&[format!("{pattern}*")], &[]).unwrap();
        Self {
            cluster: Cluster::connect(&connection, clock.clone()).unwrap(),
            selection: Selection { groups: patterns(GROUPS), topics: patterns(TOPICS) },
            policy: highwater::reconcile::plan::policy(&Sampling::default()),
            objective: Objective::new(&Slo::default()).unwrap(),
            memory: Memory::default(),
            store: Arc::new(store),
            board: Board::default(),
            clock,
        }
    }

    /// Serves what stands on the board; says where.
    async fn serve(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Serving {
            board: self.board.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            readiness: Readiness::waiting_for("nothing"),
            detail: Some(Detail::Partition),
            top_partitions: 0,
            access: Access::Open,
            metrics_elsewhere: false,
            origins: vec![],
            edge: Edge::default(),
        };
        tokio::spawn(serve(listener, serving, CancellationToken::new()));
        address
    }

    async fn sample(&mut self) -> Sampled {
        let mut sampled = Sampled::default();
        let mut lap = Lap::start();
        let observation = self.cluster.observe(&self.selection, false, DEADLINE).await;
        assert!(observation.failures.is_empty(), "{:?}", observation.failures);
        sampled.observe = lap.cost();
        self.memory.remember(observation, &self.policy);
        sampled.remember = lap.cost();
        sampled.probes = sharpen(&self.cluster, &mut self.memory, &self.policy, DEADLINE, &self.clock).await;
        sampled.probe = lap.cost();
        let heading = Heading {
            monitor: Some(name()),
            team: None,
            cluster_name: "bench".into(),
            periodic: true,
            probes: sampled.probes,
        };
        let report = judge(&mut self.memory, &self.policy, Some(&self.objective), heading, self.clock.now());
        sampled.judge = lap.cost();
        let written = number("/proc/self/io", "wchar:");
        sampled.journal = self.store.save("bench", &mut self.memory, &report).unwrap().bytes as u64;
        sampled.store = lap.cost();
        sampled.stored = number("/proc/self/io", "wchar:") - written;
        sampled.groups = report.groups.len();
        sampled.ages = ages(&report, self.policy.precision);
        sampled.partitions = self.memory.topics.values().map(|topic| topic.partitions.len()).sum();
        let pulse = Pulse { cluster_name: "bench".into(), history: "bench".into(), ..Pulse::default() };
        self.board.post(&name(), Arc::new(report), pulse);
        lap = Lap::start();
        let bytes: usize = exposition(&self.board.latest(), Detail::Partition, Format::Text).map(|b| b.len()).sum();
        assert!(bytes > 0);
        sampled.render = lap.cost();
        sampled.resident = number("/proc/self/status", "VmRSS:") * 1024;
        sampled.peak = number("/proc/self/status", "VmHWM:") * 1024;
        sampled
    }

    /// Gives every partition the history of a week: as many rows as are kept, older than what was sampled.
    fn fill(&mut self) -> usize {
        let rows = self.policy.rows_per_partition;
        for partition in self.memory.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            let history = &mut partition.history;
            let Some(oldest) = history.runs.first() else { continue };
            let age = |n: usize| oldest.first.min(oldest.last) - (rows - n) as i64 * 900_000 - 60_000;
            let offset = |n: usize| oldest.offset - (rows - n) as i64;
            let runs = (0..rows * 3 / 4).map(|n| Run { first: age(n), last: age(n), offset: offset(n) });
            history.runs = runs.chain(history.runs.iter()).collect();
            let facts = (0..rows / 4).map(|n| Fact { from: age(n) - 1, at: age(n), offset: offset(n) });
            history.facts = facts.collect();
            (history.unsaved, history.rewritten) = (true, true);
        }
        rows
    }
}

fn ages(report: &Report, precision: Millis) -> Ages {
    let topics = report.groups.iter().flat_map(|group| group.topics.iter().flatten());
    let lines = topics.flat_map(|topic| topic.partitions.iter().flatten());
    // Little room, for it counts in the memory that is measured.
    let (mut count, mut exact, mut bounds) = (0, 0, Vec::new());
    for line in lines.filter(|line| line.lag_records.is_some_and(|lag| lag > 0)) {
        count += 1;
        let Some((age, bound)) = line.lag_seconds.zip(line.bound_seconds) else { continue };
        exact += usize::from(bound * 1e3 <= wanted(precision, (age * 1e3) as Millis) as f64);
        // Bits of floats that are not negative are in the order of the floats.
        bounds.push((bound as f32).to_bits());
    }
    let ranks = spread(&mut bounds).map_or([0; 3], |bounds| [bounds.p50, bounds.p95, bounds.max]);
    Ages { count, at_least: count - bounds.len(), exact, bounds: ranks.map(|bits| f64::from(f32::from_bits(bits))) }
}

fn name() -> MonitorName {
    MonitorName { namespace: "bench".into(), name: "bench".into() }
}

/// What has been spent since the last lap.
struct Lap(Instant, f64);

impl Lap {
    fn start() -> Self {
        Self(Instant::now(), cpu())
    }

    fn cost(&mut self) -> Cost {
        let now = Self::start();
        let cost = Cost { wall: (now.0 - self.0).as_secs_f64(), cpu: now.1 - self.1 };
        *self = now;
        cost
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The number behind a word in a file of the system.
pub(super) fn number(file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
