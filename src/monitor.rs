//! One LagMonitor at work: observe, remember, judge, post, at its cadence.
//!
//! Missed ticks are skipped and samples never overlap; an unreachable cluster is asked again with growing, jittered
//! pauses. New orders are taken up without a restart. Knows no Kubernetes: a job in, posts on the board out.

pub mod objective;
pub mod sample;

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Pulse, Unstored};
use crate::clock::Clock;
use crate::kafka::Cluster;
use crate::kafka::connection::Connection;
use crate::lag::Name;
use crate::lag::memory::Memory;
use crate::lag::reason::{Failure, Reason, Scope};
use crate::lag::report::{MonitorName, Report, State};
use crate::store::Store;

use sample::{Task, sample};

/// The shortest and the longest time that one sample may take on the network.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// The longest pause before an unreachable cluster is asked again, where the interval is not longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The least time between a sample and one that somebody asks for, by the annotation or by another spec.
const SPACING: Duration = Duration::from_secs(1);

/// What every monitor of a process shares.
#[derive(Debug, Clone)]
pub struct House {
    /// Where reports are posted.
    pub board: Board,
    /// Where history is kept.
    pub store: Arc<Store>,
    /// The time to go by.
    pub clock: Clock,
}

/// What one monitor has to do from its start to its end.
#[derive(Debug)]
pub struct Job {
    /// Under which name it posts.
    pub name: MonitorName,
    /// Under which name its history is kept.
    pub history: String,
    /// How it connects.
    pub connection: Connection,
    /// What it samples: each new value is taken up at once, with a sample.
    pub orders: watch::Receiver<Orders>,
}

/// What may change while a monitor goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    /// What is sampled, and how.
    pub task: Task,
    /// Any new text here asks for a sample at once.
    pub sample_now: Option<String>,
}

/// Samples until `stop`. Every sample is stored as it is judged, so there is nothing left to store at the end.
pub async fn run(job: Job, house: House, stop: CancellationToken) {
    let mut monitor = Monitor::start(job.name, job.history, job.orders, house);
    tokio::select! {
        () = monitor.sample_for_ever(&job.connection) => {}
        () = stop.cancelled() => {}
    }
    tracing::info!(monitor = %monitor.name, "stopped");
}

/// A group, a topic, and the state in which the last sample found them.
type Held = (Name, Name, State);

struct Monitor {
    name: MonitorName,
    history: String,
    orders: watch::Receiver<Orders>,
    task: Task,
    house: House,
    memory: Memory,
    pulse: Pulse,
    states: Vec<Held>,
    failures: Vec<Failure>,
}

impl Monitor {
    fn start(name: MonitorName, history: String, mut orders: watch::Receiver<Orders>, house: House) -> Self {
        let task = orders.borrow_and_update().task.clone();
        let loaded = block_in_place(|| house.store.load(&history));
        let memory = loaded.unwrap_or_else(|error| {
            tracing::warn!(monitor = %name, reason = %error.reason(), %error, "starting without history");
            Memory::default()
        });
        let pulse = Pulse { cluster_name: task.cluster_name.clone(), history: history.clone(), ..Pulse::default() };
        house.board.post_pulse(&name, pulse.clone());
        Self { name, history, orders, task, house, memory, pulse, states: Vec::new(), failures: Vec::new() }
    }

    async fn sample_for_ever(&mut self, connection: &Connection) {
        let cluster = match Cluster::connect(connection, self.house.clock.clone()) {
            Ok(cluster) => {
                let last = &self.memory.last;
                let topics = last.topics.iter().map(|topic| topic.name.clone());
                cluster.asking_configs().knowing(topics, last.groups.iter().map(|group| group.id.clone()))
            }
            Err(error) => {
                tracing::error!(monitor = %self.name, reason = ?error.reason(), %error, "cannot sample");
                self.fail(error.reason(), error.to_string());
                self.house.board.post_pulse(&self.name, self.pulse.clone());
                return std::future::pending().await;
            }
        };
        let mut interval = self.interval();
        let (mut ticks, mut pauses) = (ticks(interval), pauses(interval));
        let mut begun = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.asked(begun) => ticks.reset(),
            }
            begun = Instant::now();
            self.task = self.orders.borrow_and_update().task.clone();
            self.pulse.cluster_name.clone_from(&self.task.cluster_name);
            if interval != self.interval() {
                interval = self.interval();
                ticks = self::ticks(interval);
                ticks.reset();
            }
            if self.sample(&cluster, interval).await {
                pauses = self::pauses(interval);
            } else {
                let pause = tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE));
                tokio::select! {
                    () = pause => {}
                    () = self.asked(begun) => {}
                }
                ticks.reset_immediately();
            }
        }
    }

    /// Waits for new orders, and until the last sample, which has `begun` then, is long enough ago for another: however
    /// often somebody asks, Kafka is not asked more often.
    async fn asked(&mut self, begun: Instant) {
        changed(&mut self.orders).await;
        tokio::time::sleep(SPACING.saturating_sub(begun.elapsed())).await;
    }

    /// Time between two samples on the machine's clock.
    fn interval(&self) -> Duration {
        self.house.clock.real(self.task.policy.interval).max(Duration::from_millis(1))
    }

    /// Takes one sample, posts and stores it; says whether anything of the cluster could be seen.
    async fn sample(&mut self, cluster: &Cluster, interval: Duration) -> bool {
        let deadline = interval.mul_f64(0.8).clamp(DEADLINES.0, DEADLINES.1);
        let before = self.memory.last.cluster_id.clone();
        let (report, mut phases) = sample(cluster, &mut self.memory, &self.task, deadline, &self.house.clock).await;
        let coverage = report.sampling.coverage;
        self.pulse.samples += 1;
        self.pulse.probes += report.sampling.probes;
        self.pulse.coverage = Some(coverage);
        self.pulse.topics_met = cluster.topics_met();
        self.pulse.configs = cluster.configs();
        self.pulse.trouble = None;
        if coverage == 0.0 {
            match Failure::gravest(&report.errors) {
                Some(failure) => self.fail(failure.reason, failure.message.clone()),
                None => self.fail(Reason::KafkaError, "nothing that was asked was answered; see Kafka's logs".into()),
            }
        }
        self.tell_failures(&report);
        self.tell_transitions(&report);
        for (topic, partition) in self.memory.truncated() {
            let monitor = &self.name;
            tracing::warn!(%monitor, %topic, partition, "the log was truncated: its end fell back, and records are lost");
        }
        let report = Arc::new(report);
        let stored = Instant::now();
        if before.is_some() && report.cluster.id.is_some() && before != report.cluster.id {
            tracing::warn!(monitor = %self.name, "another cluster answers here: history starts anew");
            block_in_place(|| self.house.store.forget(&self.history)).unwrap_or_else(|error| tracing::warn!("{error}"));
        }
        let saved = block_in_place(|| self.house.store.save(&self.history, &mut self.memory, &report));
        let fold_due = saved.as_ref().is_ok_and(|saved| saved.fold_due);
        let trouble =
            saved.err().map(|error| (error.reason(), error.to_string())).or_else(|| self.house.store.degraded());
        self.tell_storage(trouble.map(|(reason, message)| Unstored { reason, message }));
        phases.store = stored.elapsed().as_secs_f64();
        if coverage > 0.0 {
            self.pulse.last_sample = Some(self.house.clock.now());
            self.pulse.phases = Some(phases);
        }
        tracing::debug!(monitor = %self.name, groups = report.groups.len(), coverage, ?phases, "sampled");
        self.house.board.post(&self.name, report, self.pulse.clone());
        if fold_due {
            self.keep_house();
        }
        coverage > 0.0
    }

    /// Notes in the pulse that a sample brought nothing, or that none can begin.
    fn fail(&mut self, reason: Reason, message: String) {
        *self.pulse.failures.entry(reason).or_default() += 1;
        self.pulse.trouble = Some(Failure::new(Scope::Cluster, "", reason, message));
    }

    /// Folds and thins what was stored, when the store says that it is time.
    fn keep_house(&self) {
        let rows = self.task.policy.rows_per_partition;
        if let Err(error) = block_in_place(|| self.house.store.fold(&self.history, &self.memory, rows)) {
            tracing::warn!(monitor = %self.name, reason = %error.reason(), %error, "housekeeping failed");
        }
    }

    /// Logs what could not be read and could be before, and the other way round.
    fn tell_failures(&mut self, report: &Report) {
        let monitor = &self.name;
        for failure in report.errors.iter().filter(|failure| !self.failures.contains(failure)) {
            tracing::warn!(%monitor, reason = ?failure.reason, "{}", failure.message);
        }
        if report.errors.is_empty() && !self.failures.is_empty() {
            tracing::info!(%monitor, "everything can be read again");
        }
        self.failures.clone_from(&report.errors);
    }

    /// Logs that history is kept in memory only, and when that is over.
    fn tell_storage(&mut self, trouble: Option<Unstored>) {
        let monitor = &self.name;
        let before = std::mem::replace(&mut self.pulse.unstored, trouble);
        match &self.pulse.unstored {
            Some(Unstored { reason, message }) if before.as_ref().is_none_or(|before| before.reason != *reason) => {
                tracing::warn!(%monitor, reason, "history is kept in memory only: {message}");
            }
            None if before.is_some() => tracing::info!(%monitor, "history is stored again"),
            _ => {}
        }
    }

    /// Logs every group that changed its state since the last sample.
    fn tell_transitions(&mut self, report: &Report) {
        let mut states = Vec::new();
        for group in &report.groups {
            for topic in group.topics.iter().flatten() {
                let Some(state) = topic.state else { continue };
                states.push((group.group_id.clone(), topic.topic.clone(), state));
            }
        }
        for (group, topic, state) in &states {
            let place = self.states.binary_search_by(|held| (&held.0, &held.1).cmp(&(group, topic)));
            let before = place.ok().and_then(|i| self.states.get(i)).map(|held| held.2);
            if let Some(before) = before.filter(|before| before != state) {
                let monitor = &self.name;
                tracing::info!(%monitor, %group, %topic, from = %before, to = %state, "{group} is {state} on {topic}");
            }
        }
        self.states = states;
    }
}

/// Waits for new orders; for ever once nobody can give any.
async fn changed(orders: &mut watch::Receiver<Orders>) {
    if orders.changed().await.is_err() {
        std::future::pending().await
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}

fn pauses(interval: Duration) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(interval.min(Duration::from_secs(1)) / 2)
        // The jitter comes on top, and is as long at most.
        .with_max_delay(interval.max(LONGEST_PAUSE) / 2)
        .with_jitter()
        .without_max_times()
        .build()
}
