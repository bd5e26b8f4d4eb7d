//! One LagMonitor at work: observe, remember, judge, post, at its cadence.
//!
//! Missed ticks are skipped and samples never overlap; an unreachable cluster is asked again with growing, jittered
//! pauses. Knows no Kubernetes: a plan in, posts on the board out.

pub mod sample;

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Pulse};
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

/// Samples until `stop`. Every sample is stored as it is judged, so there is nothing left to store at the end.
pub async fn run(name: MonitorName, task: Task, connection: Connection, house: House, stop: CancellationToken) {
    let mut monitor = Monitor::start(name, task, house);
    tokio::select! {
        () = monitor.sample_for_ever(&connection) => {}
        () = stop.cancelled() => {}
    }
    tracing::info!(monitor = %monitor.name, "stopped");
}

/// A group, a topic, and the state in which the last sample found them.
type Held = (Name, Name, State);

struct Monitor {
    name: MonitorName,
    task: Task,
    house: House,
    memory: Memory,
    pulse: Pulse,
    states: Vec<Held>,
    failures: Vec<Failure>,
}

impl Monitor {
    fn start(name: MonitorName, task: Task, house: House) -> Self {
        let loaded = block_in_place(|| house.store.load(&name.to_string()));
        let memory = loaded.unwrap_or_else(|error| {
            tracing::warn!(monitor = %name, reason = %error.reason(), %error, "starting without history");
            Memory::default()
        });
        let pulse = Pulse { cluster_name: task.cluster_name.clone(), ..Pulse::default() };
        house.board.post_pulse(&name, pulse.clone());
        Self { name, task, house, memory, pulse, states: Vec::new(), failures: Vec::new() }
    }

    async fn sample_for_ever(&mut self, connection: &Connection) {
        let cluster = match Cluster::connect(connection, self.house.clock.clone()) {
            Ok(cluster) => cluster,
            Err(error) => {
                tracing::error!(monitor = %self.name, reason = ?error.reason(), %error, "cannot sample");
                self.fail(error.reason(), error.to_string());
                self.house.board.post_pulse(&self.name, self.pulse.clone());
                return std::future::pending().await;
            }
        };
        let interval = self.house.clock.real(self.task.policy.interval);
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut pauses = pauses(interval);
        loop {
            ticks.tick().await;
            if self.sample(&cluster, interval).await {
                pauses = self::pauses(interval);
            } else {
                tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                ticks.reset_immediately();
            }
        }
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
        self.pulse.trouble = None;
        if coverage == 0.0 {
            match Failure::gravest(&report.errors) {
                Some(failure) => self.fail(failure.reason, failure.message.clone()),
                None => self.fail(Reason::KafkaError, "nothing that was asked was answered; see Kafka's logs".into()),
            }
        }
        self.tell_failures(&report);
        self.tell_transitions(&report);
        let report = Arc::new(report);
        let stored = Instant::now();
        let name = self.name.to_string();
        if before.is_some() && report.cluster.id.is_some() && before != report.cluster.id {
            tracing::warn!(monitor = %self.name, "another cluster answers here: history starts anew");
            block_in_place(|| self.house.store.forget(&name)).unwrap_or_else(|error| tracing::warn!("{error}"));
        }
        let saved = block_in_place(|| self.house.store.save(&name, &mut self.memory, &report));
        let fold_due = saved.as_ref().is_ok_and(|saved| saved.fold_due);
        let trouble =
            saved.err().map(|error| (error.reason(), error.to_string())).or_else(|| self.house.store.degraded());
        self.tell_storage(trouble);
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
        self.pulse.trouble = Some(Failure { scope: Scope::Cluster, name: String::new(), reason, message });
    }

    /// Folds and thins what was stored, when the store says that it is time.
    fn keep_house(&self) {
        let rows = self.task.policy.rows_per_partition;
        let name = self.name.to_string();
        if let Err(error) = block_in_place(|| self.house.store.fold(&name, &self.memory, rows)) {
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
    fn tell_storage(&mut self, trouble: Option<(&'static str, String)>) {
        let monitor = &self.name;
        let before = std::mem::replace(&mut self.pulse.unstored, trouble.as_ref().map(|(reason, _)| *reason));
        match trouble {
            Some((reason, why)) if before != Some(reason) => {
                tracing::warn!(%monitor, reason, "history is kept in memory only: {why}");
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

fn pauses(interval: Duration) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(interval.min(Duration::from_secs(1)) / 2)
        // The jitter comes on top, and is as long at most.
        .with_max_delay(interval.max(LONGEST_PAUSE) / 2)
        .with_jitter()
        .without_max_times()
        .build()
}
