//! The latest report of each monitor, where those who show it look.
//!
//! Monitors post, everybody else takes a snapshot or watches; nobody ever waits for Kafka or for each other. There is
//! no history here: that is in `store`.

pub mod account;
pub mod said;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use account::Account;
use said::{Said, Sayings};

use crate::lag::observation::TopicConfig;
use crate::lag::reason::{Failure, Reason};
use crate::lag::report::{MonitorName, Report};
use crate::lag::{Millis, Name};

/// Everything on the board at one moment, sorted by namespace and name.
pub type Snapshot = Arc<BTreeMap<MonitorName, Posted>>;

/// What stands on the board for one monitor.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// The latest report; `None` before the first sample.
    pub report: Option<Arc<Report>>,
    /// How the monitor itself is doing.
    pub pulse: Arc<Pulse>,
    /// Whether the last report is in its file, or why not; `None` without a file, and before the first report.
    pub file: Option<Result<(), String>>,
}

/// How one monitor is doing, counted since it started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    /// The name given to the cluster: no two monitors share one.
    pub cluster_name: String,
    /// The name under which its history is kept.
    pub history: String,
    /// Samples begun.
    pub samples: u64,
    /// Samples that brought no report, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// Times asked to sharpen ages.
    pub probes: u64,
    /// Topics that the client has met since it was made: it remembers each of them, and is replaced when they are many.
    pub topics_met: usize,
    /// How long topics keep their records, or why that is not known; without those that were not asked for yet.
    pub configs: Arc<Configs>,
    /// When the last good sample ended.
    pub last_sample: Option<Millis>,
    /// Share of the wanted answers that came in the last sample, 0 to 1; 0 when it failed.
    pub coverage: Option<f64>,
    /// What the last good sample took.
    pub phases: Option<Phases>,
    /// Why the last sample brought nothing, or none can begin; `None` while samples come.
    pub trouble: Option<Failure>,
    /// Why history is kept in memory only at present; `None` while it is stored.
    pub unstored: Option<Unstored>,
}

/// Why history is kept in memory only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unstored {
    /// The word for it.
    pub reason: &'static str,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// How long topics keep their records, by name, or why that is not known.
pub type Configs = BTreeMap<Name, Result<TopicConfig, Reason>>;

/// What the parts of one sample took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Phases {
    /// Asking Kafka for offsets and members.
    pub observe: f64,
    /// Asking Kafka for offsets by time.
    pub probe: f64,
    /// Judging what was seen.
    pub judge: f64,
    /// Writing to the database.
    pub store: f64,
}

/// Where monitors post. Cheap to clone; clones are the same board.
#[derive(Debug, Clone, Default)]
pub struct Board {
    posts: Arc<watch::Sender<Snapshot>>,
    sayings: Arc<watch::Sender<Sayings>>,
    refused: Arc<watch::Sender<Refused>>,
    account: Arc<Mutex<Account>>,
}

/// How much is wrong in each file that has something wrong in it.
pub type Refused = BTreeMap<String, u64>;

impl Board {
    /// Posts a monitor's new report and pulse in place of its former ones.
    pub fn post(&self, monitor: &MonitorName, report: Arc<Report>, pulse: Pulse) {
        self.change(monitor, |posted| {
            posted.report = Some(report);
            posted.pulse = Arc::new(pulse);
        });
    }

    /// Posts a monitor's new pulse and leaves its last report, as when it starts or cannot even begin to sample.
    pub fn post_pulse(&self, monitor: &MonitorName, pulse: Pulse) {
        self.change(monitor, |posted| posted.pulse = Arc::new(pulse));
    }

    /// Posts what became of the monitor's report in its file. Nobody wakes when that is what stands there already, and
    /// nothing happens when the monitor is not on the board.
    pub fn post_file(&self, monitor: &MonitorName, file: Result<(), String>) {
        let file = Some(file);
        self.posts.send_if_modified(|all| {
            let differs = all.get(monitor).is_some_and(|posted| posted.file != file);
            if differs && let Some(posted) = Arc::make_mut(all).get_mut(monitor) {
                posted.file = file;
            }
            differs
        });
    }

    /// Forgets what became of the report in a file that it no longer goes to.
    pub fn forget_file(&self, monitor: &MonitorName) {
        self.change(monitor, |posted| posted.file = None);
    }

    fn change(&self, monitor: &MonitorName, change: impl FnOnce(&mut Posted)) {
        self.posts.send_modify(|all| change(Arc::make_mut(all).entry(monitor.clone()).or_default()));
    }

    /// Takes a monitor off the board; nothing happens when it is not there.
    pub fn remove(&self, monitor: &MonitorName) {
        self.posts.send_if_modified(|all| all.contains_key(monitor) && Arc::make_mut(all).remove(monitor).is_some());
    }

    /// Posts what a LagMonitor says of itself, sampled or not, in place of what it said before.
    pub fn say(&self, monitor: &MonitorName, said: Said) {
        self.sayings.send_if_modified(|all| {
            let differs = all.get(monitor).is_none_or(|before| **before != said);
            if differs {
                Arc::make_mut(all).insert(monitor.clone(), Arc::new(said));
            }
            differs
        });
    }

    /// Forgets what those LagMonitors said that are not there any more.
    pub fn unsay(&self, is_there: impl Fn(&MonitorName) -> bool) {
        self.sayings.send_if_modified(|all| {
            let gone = all.keys().any(|monitor| !is_there(monitor));
            if gone {
                Arc::make_mut(all).retain(|monitor, _| is_there(monitor));
            }
            gone
        });
    }

    /// What the LagMonitors say of themselves now.
    pub fn said(&self) -> Sayings {
        self.sayings.borrow().clone()
    }

    /// Posts the files in which something was refused, each as often as it has faults, in place of the former ones.
    pub fn refuse(&self, files: impl Iterator<Item = String>) {
        let mut refused = Refused::new();
        files.for_each(|file| *refused.entry(file).or_default() += 1);
        self.refused.send_replace(refused);
    }

    /// The files in which something is refused at present.
    pub fn refused(&self) -> Refused {
        self.refused.borrow().clone()
    }

    /// Counts what the operator did.
    pub fn account(&self, count: impl FnOnce(&mut Account)) {
        count(&mut self.account.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the operator has done so far.
    pub fn accounted(&self) -> Account {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What stands on the board now.
    pub fn latest(&self) -> Snapshot {
        self.posts.borrow().clone()
    }

    /// How many watch at present.
    pub fn watchers(&self) -> usize {
        self.posts.receiver_count()
    }

    /// A receiver that wakes at every change. The present snapshot counts as seen.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.posts.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::report::{Cluster, Detail, Sampling, Timestamp};

    fn name(name: &str) -> MonitorName {
        MonitorName { namespace: "shop".into(), name: name.into() }
    }

    fn report(cluster: &str) -> Arc<Report> {
        Arc::new(Report {
            schema_version: 1,
            monitor: None,
            team: None,
            cluster: Cluster { name: cluster.into(), id: None, brokers: vec![] },
            generated_at: Timestamp(0),
            sampling: Sampling { interval_seconds: None, duration_seconds: 0.1, coverage: 1.0, probes: 0 },
            detail: Detail::Partition,
            truncated: false,
            left_out: None,
            errors: vec![],
            totals: Default::default(),
            groups: vec![],
            topics: vec![],
        })
    }

    #[test]
    fn the_latest_post_stands_sorted_by_name() {
        let board = Board::default();
        board.post(&name("b"), report("old"), Pulse::default());
        board.post(&name("a"), report("a"), Pulse::default());
        board.clone().post(&name("b"), report("new"), Pulse::default());
        let shown: Vec<_> = board
            .latest()
            .iter()
            .map(|(name, posted)| (name.name.clone(), posted.report.as_ref().unwrap().cluster.name.clone()))
            .collect();
        assert_eq!(shown, [("a".into(), "a".into()), ("b".into(), "new".into())]);
    }

    #[test]
    fn a_failed_sample_leaves_the_last_report() {
        let board = Board::default();
        let failed = Pulse { failures: [(Reason::Timeout, 1)].into(), ..Pulse::default() };
        board.post_pulse(&name("new"), failed.clone());
        board.post(&name("old"), report("old"), Pulse::default());
        board.post_pulse(&name("old"), failed.clone());
        let all = board.latest();
        assert!(all[&name("new")].report.is_none());
        assert!(all[&name("old")].report.is_some());
        assert!(all.values().all(|posted| *posted.pulse == failed));
    }

    #[test]
    fn what_is_said_stays_the_same_value_until_it_changes() {
        let board = Board::default();
        let said = |team: &str| Said { team: Some(team.into()), ..Said::default() };
        board.say(&name("a"), said("bank"));
        board.say(&name("b"), said("shop"));
        let before = board.said();
        board.say(&name("b"), said("shop"));
        board.unsay(|_| true);
        assert!(Arc::ptr_eq(&before, &board.said()), "who compares pointers is not woken for nothing");
        board.say(&name("b"), said("bank"));
        board.unsay(|monitor| monitor.name == "b");
        let after = board.said();
        assert_eq!(after.keys().map(|monitor| &*monitor.name).collect::<Vec<_>>(), ["b"]);
        assert_eq!((after[&name("b")].team.as_deref(), before.len()), (Some("bank"), 2));
    }

    #[test]
    fn watchers_wake_at_a_post_and_at_a_removal_only() {
        let board = Board::default();
        let mut watch = board.watch();
        assert!(!watch.has_changed().unwrap());
        board.post(&name("a"), report("a"), Pulse::default());
        assert!(watch.has_changed().unwrap());
        let before = watch.borrow_and_update().clone();
        board.remove(&name("nobody"));
        assert!(!watch.has_changed().unwrap());
        board.remove(&name("a"));
        assert!(watch.borrow_and_update().is_empty());
        assert_eq!(before.len(), 1, "a snapshot taken earlier stays as it was");
    }
}
