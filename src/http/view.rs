//! What stands on the board, to look clusters, groups and topics up in. Nothing is copied, and nothing is computed.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::listing::Sorted;
use super::refusal::Refusal;
use crate::board::said::{Said, Sayings};
use crate::board::{Board, Pulse, Snapshot};
use crate::lag::report::{Group, MonitorName, Report, Topic};

/// One monitor and its cluster.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    pub(super) name: MonitorName,
    /// Whether samples are taken: a suspended or refused one is known by what it says alone.
    pub(super) sampled: bool,
    pub(super) pulse: Arc<Pulse>,
    pub(super) report: Option<Arc<Report>>,
    /// What it says of itself; nothing before its spec was looked at.
    pub(super) said: Arc<Said>,
    rows: Arc<Rows>,
}

/// What lists say of each group of a report, in its order, once it was asked for.
type Rows = Vec<OnceLock<Option<Box<RawValue>>>>;

/// Everything on the board at one moment, by the name of the cluster.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) monitors: Vec<Monitor>,
    /// The same as long as every answer is.
    pub(super) etag: String,
    orders: Mutex<Vec<(&'static str, bool, Arc<Groups>)>>,
}

/// All groups in the order of one sort.
type Groups = Sorted<Place>;

/// A group: the place of its monitor in the view, and its own in the report.
pub(super) type Place = (usize, usize);

/// A report with the monitor that made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) report: &'a Arc<Report>,
}

impl Told<'_> {
    /// Whether it is of a LagMonitor of this team; without one, it always is.
    pub(super) fn is_of(self, team: Option<&str>) -> bool {
        team.is_none() || self.report.team.as_deref() == team
    }
}

/// Makes views of a board, one for each state of it.
#[derive(Debug)]
pub(super) struct Views {
    board: Board,
    last: Mutex<(Snapshot, Sayings, Arc<View>)>,
}

impl Views {
    pub(super) fn new(board: Board) -> Self {
        let (snapshot, sayings) = (board.latest(), board.said());
        let view = Arc::new(View::new(&snapshot, &sayings, &View::default()));
        Self { board, last: Mutex::new((snapshot, sayings, view)) }
    }

    /// The board as it is now.
    pub(super) fn latest(&self) -> Arc<View> {
        let (snapshot, sayings) = (self.board.latest(), self.board.said());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.0, &snapshot) || !Arc::ptr_eq(&last.1, &sayings) {
            let view = Arc::new(View::new(&snapshot, &sayings, &last.2));
            *last = (snapshot, sayings, view);
        }
        last.2.clone()
    }

    /// A receiver that wakes at every change of the board.
    pub(super) fn watch(&self) -> tokio::sync::watch::Receiver<Snapshot> {
        self.board.watch()
    }
}

impl View {
    /// The view of a snapshot and of what is said besides; what was written for one before is kept where the report is
    /// still the same.
    fn new(snapshot: &Snapshot, sayings: &Sayings, before: &Self) -> Self {
        let names: BTreeSet<&MonitorName> = snapshot.keys().chain(sayings.keys()).collect();
        let monitor = |name: &MonitorName| {
            let posted = snapshot.get(name);
            let report = posted.and_then(|posted| posted.report.clone());
            let same = |known: &&Monitor| match (&known.report, &report) {
                (Some(known), Some(report)) => Arc::ptr_eq(known, report),
                _ => false,
            };
            let count = report.as_ref().map_or(0, |report| report.groups.len());
            let rows = match before.monitors.iter().find(same) {
                Some(known) => known.rows.clone(),
                None => Arc::new(iter::repeat_with(OnceLock::new).take(count).collect()),
            };
            let pulse = posted.map(|posted| posted.pulse.clone()).unwrap_or_default();
            let said = sayings.get(name).cloned().unwrap_or_default();
            Monitor { name: name.clone(), sampled: posted.is_some(), pulse, report, said, rows }
        };
        let mut monitors: Vec<Monitor> = names.into_iter().map(monitor).collect();
        // One that is refused for its cluster's name comes after the one that has it.
        monitors.sort_by(|a, b| (a.cluster_name(), !a.sampled).cmp(&(b.cluster_name(), !b.sampled)));
        Self::of(monitors)
    }

    /// What it shows of some namespaces.
    pub(super) fn only(&self, namespaces: &BTreeSet<String>) -> Self {
        let seen = self.monitors.iter().filter(|monitor| namespaces.contains(&monitor.name.namespace));
        Self::of(seen.cloned().collect())
    }

    fn of(monitors: Vec<Monitor>) -> Self {
        let mut hash = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hash);
        for Monitor { name, pulse, report, said, .. } in &monitors {
            (name, &pulse.cluster_name, report.as_ref().map(|report| report.generated_at.0)).hash(&mut hash);
            (&said.cluster_name, &said.team).hash(&mut hash);
            for condition in &said.conditions {
                (&condition.status, &condition.reason, &condition.message, condition.since.0).hash(&mut hash);
            }
            (pulse.last_sample, &pulse.unstored, pulse.coverage.map(f64::to_bits)).hash(&mut hash);
            pulse.trouble.as_ref().map(|trouble| (trouble.reason, &trouble.message)).hash(&mut hash);
        }
        Self { monitors, etag: format!("W/\"{:016x}\"", hash.finish()), orders: Mutex::default() }
    }

    /// The places of all groups.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let count = |monitor: &Monitor| monitor.report.as_ref().map_or(0, |report| report.groups.len());
        self.monitors.iter().enumerate().flat_map(move |(n, monitor)| (0..count(monitor)).map(move |place| (n, place)))
    }

    /// The group at a place, and the monitor that saw it.
    pub(super) fn at(&self, (monitor, place): Place) -> Option<(Told<'_>, &Group)> {
        let told = self.monitors.get(monitor)?.told()?;
        Some((told, told.report.groups.get(place)?))
    }

    /// The group at a place, where it is in one of these reports.
    pub(super) fn among(&self, reports: &[Told<'_>], place: Place) -> Option<(Told<'_>, &Group)> {
        self.at(place).filter(|(told, _)| reports.iter().any(|one| std::ptr::eq(one.monitor, told.monitor)))
    }

    /// All groups by a field, ascending or descending, sorted once.
    pub(super) fn order(&self, by: (&'static str, bool), sort: impl FnOnce() -> Groups) -> Arc<Groups> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., known)) = orders.iter().find(|(field, descending, _)| (*field, *descending) == by) {
            return known.clone();
        }
        let sorted = Arc::new(sort());
        orders.push((by.0, by.1, sorted.clone()));
        sorted
    }

    /// The reports of the cluster that is asked for, by its name or Kafka's id of it, or those of all.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where there is no such cluster, [`Refusal::Wrong`] where two monitors look at it, and
    /// [`Refusal::NotReady`] before the first report.
    pub(super) fn reports(&self, cluster: Option<&str>) -> Result<Vec<Told<'_>>, Refusal> {
        let Some(cluster) = cluster else {
            let all: Vec<_> = self.monitors.iter().filter_map(Monitor::told).collect();
            return match all.is_empty() && self.monitors.iter().any(|monitor| monitor.sampled) {
                true => Err(Refusal::NotReady("no cluster has been sampled yet".into())),
                false => Ok(all),
            };
        };
        let found = self.monitor_of(cluster)?;
        match (found.told(), found.said.conditions.first()) {
            (Some(told), _) => Ok(vec![told]),
            (None, Some(ready)) if !found.sampled => {
                Err(Refusal::NotReady(format!("cluster {cluster:?} is not sampled: {}", ready.message)))
            }
            (None, _) => Err(Refusal::NotReady(format!("cluster {cluster:?} has not been sampled yet"))),
        }
    }

    /// The monitor of the cluster that is asked for, by its name or Kafka's id of it.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where there is no such cluster, [`Refusal::Wrong`] where two monitors look at it.
    pub(super) fn monitor_of(&self, cluster: &str) -> Result<&Monitor, Refusal> {
        if let Some(monitor) = self.monitors.iter().find(|monitor| monitor.cluster_name() == cluster) {
            return Ok(monitor);
        }
        let of_id = |monitor: &&Monitor| monitor.cluster_id() == Some(cluster);
        match self.monitors.iter().filter(of_id).collect::<Vec<_>>().as_slice() {
            [] => Err(self.unknown_cluster(cluster)),
            [monitor] => Ok(monitor),
            several => Err(ambiguous("cluster", cluster, several.iter().copied())),
        }
    }

    /// The group that is asked for.
    ///
    /// # Errors
    /// As for [`Self::reports`], also where the group is not in any cluster, or in several.
    pub(super) fn group(&self, cluster: Option<&str>, id: &str) -> Result<(Told<'_>, &Group), Refusal> {
        self.one("consumer group", cluster, id, |report| report.group(id))
    }

    /// The topic that is asked for.
    ///
    /// # Errors
    /// As for [`Self::group`].
    pub(super) fn topic(&self, cluster: Option<&str>, name: &str) -> Result<(Told<'_>, &Topic), Refusal> {
        self.one("topic", cluster, name, |report| report.topics.iter().find(|topic| &*topic.topic == name))
    }

    fn one<'a, T>(
        &'a self,
        kind: &str,
        cluster: Option<&str>,
        name: &str,
        find: impl Fn(&'a Report) -> Option<&'a T>,
    ) -> Result<(Told<'a>, &'a T), Refusal> {
        let reports = self.reports(cluster)?;
        let mut found: Vec<_> =
            reports.into_iter().filter_map(|told| find(told.report).map(|thing| (told, thing))).collect();
        match (found.pop(), found.len(), cluster) {
            (Some(one), 0, _) => Ok(one),
            (Some(last), ..) => Err(ambiguous(kind, name, found.iter().chain([&last]).map(|(told, _)| told.monitor))),
            (None, _, Some(cluster)) => {
                Err(Refusal::Unknown(format!("there is no {kind} {name:?} in cluster {cluster:?}")))
            }
            (None, _, None) => Err(Refusal::Unknown(format!("there is no {kind} {name:?} in any cluster"))),
        }
    }

    fn unknown_cluster(&self, cluster: &str) -> Refusal {
        let names = choices(self.monitors.iter());
        Refusal::Unknown(format!("there is no cluster with the name or id {cluster:?}; there is {names}"))
    }
}

impl Monitor {
    /// The name given to the cluster.
    pub(super) fn cluster_name(&self) -> &str {
        let before = if self.sampled { &self.pulse.cluster_name } else { &self.said.cluster_name };
        self.report.as_ref().map_or(before, |report| &report.cluster.name)
    }

    /// Whose it is.
    pub(super) fn team(&self) -> Option<&str> {
        self.report.as_ref().map_or(&self.said.team, |report| &report.team).as_deref()
    }

    /// Kafka's own id of the cluster, once known.
    pub(super) fn cluster_id(&self) -> Option<&str> {
        self.report.as_ref()?.cluster.id.as_deref()
    }

    /// What lists say of the group at a place of the report, written once.
    pub(super) fn row<T: Serialize>(&self, place: usize, row: impl FnOnce() -> T) -> Option<&RawValue> {
        self.rows.get(place)?.get_or_init(|| to_raw_value(&row()).ok()).as_deref()
    }

    pub(super) fn told(&self) -> Option<Told<'_>> {
        self.report.as_ref().map(|report| Told { monitor: self, report })
    }
}

fn ambiguous<'a>(kind: &str, name: &str, monitors: impl Iterator<Item = &'a Monitor>) -> Refusal {
    let choices = choices(monitors);
    Refusal::Wrong(format!("{kind} {name:?} is in more than one cluster: write cluster_id as one of {choices}"))
}

/// The names of clusters, ten at most.
fn choices<'a>(monitors: impl Iterator<Item = &'a Monitor>) -> String {
    let names: Vec<String> = monitors.map(|monitor| format!("{:?}", monitor.cluster_name())).collect();
    match names.len() {
        0 => "none yet".to_owned(),
        count if count > 10 => format!("{} and {} more", names[..10].join(", "), count - 10),
        _ => names.join(", "),
    }
}
