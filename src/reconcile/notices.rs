//! What an Event tells of a LagMonitor: changes, one notice a kind and sample. Pure.
//!
//! States that were merely found are not told: neither those of the first sample, nor what a former process left in
//! the status.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{
    CONNECTED, Facts, NOT_SAMPLED, PUBLISHED, Published, READY, SAMPLING, SUSPENDED, Standing, word,
};
use super::wording::{counted, listed, short};
use crate::board::Unstored;
use crate::lag::report::{Alert, AlertKind, GroupPartition, Report, State};
use crate::lag::{Name, Offset, Partition};

/// The most bytes of a note.
const LONGEST_NOTE: usize = 1024;

/// One change of a LagMonitor, to be told in an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should look: type `Warning`, otherwise `Normal`.
    pub warning: bool,
    /// The word for it.
    pub reason: String,
    /// What was being done: `Accept`, `Sample`, `Store` or `Publish`.
    pub action: &'static str,
    /// The sentence, at most 1024 bytes.
    pub note: String,
}

/// What was last seen of one LagMonitor. The caller keeps it as long as there is the LagMonitor.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    standing: Option<Stood>,
    lost: bool,
    unpublished: bool,
    unstored: bool,
    states: BTreeMap<Name, State>,
    /// The alerts of groups that had any.
    alerts: BTreeSet<(AlertKind, Name)>,
    /// The log start up to which losses are known, of partitions with a loss.
    losses: BTreeMap<(Name, Name, Partition), Offset>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stood {
    Accepted,
    Suspended,
    Refused(String),
}

impl Seen {
    /// What the process before this one left in the conditions of the status, so that it is not told again.
    #[must_use]
    pub fn left(conditions: &[Condition]) -> Self {
        let find = |name: &str| conditions.iter().find(|condition| condition.type_ == name);
        let is_false = |name: &str| find(name).is_some_and(|condition| condition.status == "False");
        let reason_is = |name: &str, reason: &str| find(name).is_some_and(|condition| condition.reason == reason);
        let standing = find(READY).map(|ready| match () {
            () if ready.reason == SUSPENDED => Stood::Suspended,
            () if reason_is(CONNECTED, NOT_SAMPLED) => Stood::Refused(ready.message.clone()),
            () => Stood::Accepted,
        });
        let (lost, unpublished) = (is_false(CONNECTED), is_false(PUBLISHED));
        let unstored = find(READY).is_some_and(|ready| ready.status == "True" && ready.reason != SAMPLING);
        Self { standing, lost, unpublished, unstored, ..Self::default() }
    }

    /// The notices of what changed until now, which then counts as seen.
    pub fn notice(&mut self, facts: Facts<'_>) -> Vec<Notice> {
        let mut notices = Vec::new();
        notices.extend(self.standing(facts.standing));
        if facts.standing.samples() {
            notices.extend(self.connection(facts));
            notices.extend(self.publishing(facts.published));
            notices.extend(self.storing(facts));
        } else {
            (self.lost, self.unpublished) = (false, false);
        }
        if let Some((report, _)) = facts.figures() {
            notices.extend(self.transitions(report));
            notices.extend(self.lost_records(report));
            notices.extend(self.alerts(report));
            self.states = states(report);
            self.alerts = alerts(report).map(|alert| (alert.kind, alert.group_id.clone())).collect();
        }
        notices
    }

    fn standing(&mut self, standing: &Standing) -> Option<Notice> {
        let (stands, notice) = match standing.refusal() {
            // What is kept is as short as the condition's message, to be compared with one that was left.
            Some((reason, message)) => {
                (Stood::Refused(short(&message, LONGEST_NOTE)), Notice::new(true, reason, "Accept", &message))
            }
            None if *standing == Standing::Suspended => {
                (Stood::Suspended, Notice::new(false, SUSPENDED, "Accept", "sampling is suspended by spec.suspend"))
            }
            None => {
                (Stood::Accepted, Notice::new(false, "SamplingStarted", "Accept", "the spec is accepted and sampled"))
            }
        };
        (self.standing.replace(stands) != self.standing).then_some(notice)
    }

    fn connection(&mut self, facts: Facts<'_>) -> Option<Notice> {
        let before = self.lost;
        if let Some(trouble) = facts.posted.and_then(|posted| posted.pulse.trouble.as_ref()) {
            self.lost = true;
            return (!before).then(|| Notice::new(true, &word(trouble), "Sample", &trouble.message));
        }
        facts.figures()?;
        self.lost = false;
        before.then(|| Notice::new(false, "Connected", "Sample", "the cluster answers again"))
    }

    fn publishing(&mut self, published: &Published) -> Option<Notice> {
        match published {
            Published::Failed { reason, message } => {
                let before = std::mem::replace(&mut self.unpublished, true);
                (!before).then(|| Notice::new(true, reason, "Publish", message))
            }
            Published::Done | Published::StatusOnly => {
                self.unpublished = false;
                None
            }
            Published::Waiting => None,
        }
    }

    /// Whether history is stored, as the last sample left it.
    fn storing(&mut self, facts: Facts<'_>) -> Option<Notice> {
        let pulse = facts.posted.map(|posted| &posted.pulse).filter(|pulse| pulse.samples > 0)?;
        let before = std::mem::replace(&mut self.unstored, pulse.unstored.is_some());
        match &pulse.unstored {
            Some(Unstored { reason, message }) if !before => {
                Some(Notice::new(true, reason, "Store", &format!("history is kept in memory only: {message}")))
            }
            None if before => Some(Notice::new(false, "HistoryStored", "Store", "history is stored again")),
            _ => None,
        }
    }

    /// Groups that changed their state, by the state that they have now.
    fn transitions(&self, report: &Report) -> impl Iterator<Item = Notice> {
        let changed = |wanted: State| {
            let changed = report.groups.iter().filter(move |group| {
                let before = self.states.get(&group.group_id);
                group.state == Some(wanted) && before.is_some_and(|before| *before != wanted)
            });
            changed.map(|group| &*group.group_id).collect::<Vec<_>>()
        };
        let kinds = [
            (State::Offline, true, "GroupsOffline", "went OFFLINE"),
            (State::Recovering, false, "GroupsRecovering", "went to RECOVERING"),
            (State::Online, false, "GroupsOnline", "came back ONLINE"),
        ];
        let told = kinds.map(|(state, warning, reason, what)| {
            let groups = changed(state);
            let note = || format!("{} {what}: {}", counted(groups.len() as u64, "group"), listed(&groups));
            (!groups.is_empty()).then(|| Notice::new(warning, reason, "Sample", &note()))
        });
        told.into_iter().flatten()
    }

    /// Alerts that began and ended, those of a kind together. What a new group comes with is told as well, but not what
    /// the first report has: it may have begun long ago.
    fn alerts(&self, report: &Report) -> impl Iterator<Item = Notice> {
        let now: BTreeSet<(AlertKind, &Name)> = alerts(report).map(|alert| (alert.kind, &alert.group_id)).collect();
        let first = self.states.is_empty();
        let told = AlertKind::ALL.into_iter().flat_map(move |kind| {
            let (warning, began, ended) = words(kind);
            let fresh = now.iter().filter(|(k, group)| *k == kind && !self.alerts.contains(&(*k, (*group).clone())));
            let fresh: Vec<&str> = fresh.map(|(_, group)| &***group).filter(|_| !first).collect();
            let over = self.alerts.iter().filter(|(k, group)| *k == kind && !now.contains(&(*k, group)));
            let over: Vec<&str> = over.map(|(_, group)| &**group).collect();
            let tell = |warning, reason: &str, groups: &[&str], what: &str| {
                let note = || format!("{} {what}: {}", counted(groups.len() as u64, "group"), listed(groups));
                (!groups.is_empty()).then(|| Notice::new(warning, reason, "Sample", &note()))
            };
            [tell(true, warning, &fresh, began), tell(false, &format!("{warning}Ended"), &over, ended)]
        });
        told.flatten().collect::<Vec<_>>().into_iter()
    }

    /// Groups of which Kafka deleted records, since the last sample, that they had not read.
    fn lost_records(&mut self, report: &Report) -> Option<Notice> {
        let (mut known, mut groups, mut records) = (BTreeMap::new(), Vec::new(), 0_i64);
        for group in &report.groups {
            let mut lost = 0_i64;
            for topic in group.topics.iter().flatten() {
                for partition in topic.partitions.iter().flatten() {
                    let place = (group.group_id.clone(), topic.topic.clone(), partition.partition);
                    let start = partition.log_start_offset;
                    // A log that starts at less than before is another one.
                    let before =
                        self.losses.get(&place).copied().filter(|before| start.is_none_or(|start| *before <= start));
                    lost = lost.saturating_add(new_loss(&partition, before));
                    known.extend(start.filter(|_| partition.records_lost > 0).or(before).map(|start| (place, start)));
                }
            }
            if lost > 0 && self.states.contains_key(&group.group_id) {
                groups.push(&*group.group_id);
                records = records.saturating_add(lost);
            }
        }
        self.losses = known;
        let note = || {
            let (records, count) = (counted(records.unsigned_abs(), "record"), counted(groups.len() as u64, "group"));
            format!("Kafka deleted {records} that {count} had not read: {}", listed(&groups))
        };
        (!groups.is_empty()).then(|| Notice::new(true, "RecordsLost", "Sample", &note()))
    }
}

/// The records of a partition that were lost since the log start was `before`.
fn new_loss(partition: &GroupPartition<'_>, before: Option<Offset>) -> i64 {
    let since = partition.log_start_offset.zip(before).map_or(i64::MAX, |(start, before)| start - before);
    partition.records_lost.min(since)
}

fn alerts(report: &Report) -> impl Iterator<Item = &Alert> {
    report.groups.iter().flat_map(|group| &group.health.alerts)
}

/// The reason of the notice of an alert that begins, and what it and its end say of the groups.
fn words(kind: AlertKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        AlertKind::SloViolated => (
            "SLOViolated",
            "with too few partitions within their limits",
            "with enough partitions within their limits again",
        ),
        AlertKind::StuckPartitions => {
            ("StuckPartitions", "with stuck partitions", "whose partitions are no longer stuck")
        }
        AlertKind::RebalanceInstability => {
            ("RebalanceInstability", "rebalancing too often", "no longer rebalancing too often")
        }
        AlertKind::UnfairDistribution => {
            ("UnfairDistribution", "with unevenly spread partitions", "with evenly spread partitions again")
        }
    }
}

fn states(report: &Report) -> BTreeMap<Name, State> {
    report.groups.iter().filter_map(|group| Some((group.group_id.clone(), group.state?))).collect()
}

impl Notice {
    fn new(warning: bool, reason: &str, action: &'static str, note: &str) -> Self {
        Self { warning, reason: reason.to_owned(), action, note: short(note, LONGEST_NOTE) }
    }
}

#[cfg(test)]
mod tests;
