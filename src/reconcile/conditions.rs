//! What a LagMonitor says of itself in four conditions: `Ready`, `Connected`, `Published` and `SLOMet`. Pure.
//!
//! `Ready` is what the spec and the other two come to; a breach of the objective never changes it. What this process
//! does not know yet stands as the process before it left it, so that a restart turns nothing to `Unknown`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::wording::{counted, listed, short, whole_percent};
use crate::board::said::Condition as Said;
use crate::board::{Posted, Pulse, Unstored};
use crate::lag::Millis;
use crate::lag::reason::Failure;
use crate::lag::report::{Report, Timestamp};
use crate::lag::slo::{Compliance, Objective as _, of_group};
use crate::monitor::objective::Objective;

/// The condition that a LagMonitor is sampled and published.
pub const READY: &str = "Ready";
/// The condition that its cluster answers.
pub const CONNECTED: &str = "Connected";
/// The condition that its report is where `spec.output` says.
pub const PUBLISHED: &str = "Published";
/// The condition that enough partitions of each of its groups are within their limits.
pub const SLO_MET: &str = "SLOMet";

/// The reason of `Ready` where nothing is wrong.
pub(super) const SAMPLING: &str = "Sampling";
/// The reason of `Ready` for a suspended LagMonitor.
pub(super) const SUSPENDED: &str = "Suspended";
/// The reason of conditions that wait for the first sample.
pub(super) const STARTING: &str = "Starting";
/// The reason of the other conditions of a refused LagMonitor.
pub(super) const NOT_SAMPLED: &str = "NotSampled";

/// The most bytes of a message.
const LONGEST_MESSAGE: usize = 1024;

/// What became of a LagMonitor's spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is sampled as it is written.
    Accepted,
    /// It asks for no samples.
    Suspended,
    /// It can't be sampled as it is written.
    Refused {
        /// The word for it.
        reason: &'static str,
        /// What to do about it, in a sentence that begins with the field.
        message: String,
        /// Whether the monitor goes on with the spec that was accepted before.
        goes_on: bool,
    },
}

impl Standing {
    /// Whether samples are taken.
    #[must_use]
    pub fn samples(&self) -> bool {
        matches!(self, Self::Accepted | Self::Refused { goes_on: true, .. })
    }

    /// Why the spec is refused, if it is.
    pub(super) fn refusal(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Refused { reason, message, goes_on: false } => Some((reason, message.clone())),
            Self::Refused { reason, message, goes_on: true } => {
                Some((reason, format!("{message}; until then it is sampled as it was written before")))
            }
            Self::Accepted | Self::Suspended => None,
        }
    }
}

/// What became of the outputs of a LagMonitor, file and ConfigMap together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The spec asks for none.
    StatusOnly,
    /// This process has not tried yet.
    Waiting,
    /// The last try succeeded, and nothing is due, or only at its `minInterval`.
    Done,
    /// The last try failed.
    Failed {
        /// The word for it.
        reason: &'static str,
        /// What to do about it.
        message: String,
    },
}

impl Published {
    /// What became of a file for which the spec asks, or asks not.
    #[must_use]
    pub fn of_file(wanted: bool, posted: Option<&Posted>) -> Self {
        match posted.and_then(|posted| posted.file.as_ref()).filter(|_| wanted) {
            None if wanted => Self::Waiting,
            None => Self::StatusOnly,
            Some(Ok(())) => Self::Done,
            Some(Err(message)) => Self::Failed { reason: "OutputFile", message: message.clone() },
        }
    }
}

/// Everything that is known of one LagMonitor at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The `metadata.generation` of which this is known.
    pub generation: Option<i64>,
    /// What became of its spec.
    pub standing: &'a Standing,
    /// What stands on the board for it.
    pub posted: Option<&'a Posted>,
    /// What became of its outputs.
    pub published: &'a Published,
    /// The objective of the spec that is sampled; `None` when none is.
    pub objective: Option<&'a Objective>,
}

impl<'a> Facts<'a> {
    /// The last report and its pulse, where the last sample brought figures.
    pub(super) fn figures(&self) -> Option<(&'a Report, &'a Pulse)> {
        let posted = self.posted.filter(|posted| posted.pulse.coverage.is_some_and(|coverage| coverage > 0.0))?;
        posted.report.as_deref().map(|report| (report, &*posted.pulse))
    }
}

/// The conditions at `now`, always all four. Only a change of status moves a transition time of `previous`.
#[must_use]
pub fn conditions(facts: Facts<'_>, previous: &[Condition], now: Millis) -> Vec<Condition> {
    let before = |name: &str| previous.iter().find(|condition| condition.type_ == name);
    let or_as_left = |name: &str, found: Option<Finding>, missing: &str| {
        let left = || before(name).filter(|left| left.observed_generation == facts.generation).and_then(Finding::left);
        found.or_else(left).unwrap_or_else(|| Finding::new(UNKNOWN, STARTING, missing))
    };
    let connected = or_as_left(CONNECTED, connected(facts), "the first sample has not come yet");
    let published = or_as_left(PUBLISHED, published(facts), "the report has not been published yet");
    let slo_met = or_as_left(SLO_MET, slo_met(facts), "the first sample has not come yet");
    let ready = ready(facts, &connected, &published);
    [(READY, ready), (CONNECTED, connected), (PUBLISHED, published), (SLO_MET, slo_met)]
        .into_iter()
        .map(|(name, finding)| finding.condition(name, facts.generation, before(name), now))
        .collect()
}

/// The conditions as those show them who have no part in Kubernetes.
#[must_use]
pub fn said(conditions: &[Condition]) -> Vec<Said> {
    let said = |condition: &Condition| Said {
        kind: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: Timestamp(condition.last_transition_time.0.as_millisecond()),
    };
    conditions.iter().map(said).collect()
}

/// A condition before it has a place in time.
#[derive(Debug, Clone)]
struct Finding {
    status: &'static str,
    reason: String,
    message: String,
}

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";

impl Finding {
    fn new(status: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), message: message.into() }
    }

    /// What another process found, if it found anything.
    fn left(condition: &Condition) -> Option<Self> {
        let status = [TRUE, FALSE].into_iter().find(|status| condition.status == *status)?;
        Some(Self::new(status, &condition.reason, &condition.message))
    }

    fn condition(self, name: &str, generation: Option<i64>, before: Option<&Condition>, now: Millis) -> Condition {
        let since =
            before.filter(|before| before.status == self.status).map(|before| before.last_transition_time.clone());
        Condition {
            type_: name.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason,
            message: short(&self.message, LONGEST_MESSAGE),
            observed_generation: generation,
            last_transition_time: since.unwrap_or_else(|| time(now)),
        }
    }
}

/// A time as Kubernetes writes it: in whole seconds.
pub(super) fn time(now: Millis) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(now.div_euclid(1_000)).unwrap_or_default())
}

/// What is said of everything that needs samples where none are taken.
fn unsampled(standing: &Standing) -> Option<Finding> {
    match standing {
        standing if standing.samples() => None,
        Standing::Suspended => {
            Some(Finding::new(UNKNOWN, SUSPENDED, "no samples are taken while spec.suspend is true"))
        }
        _ => Some(Finding::new(UNKNOWN, NOT_SAMPLED, "no samples are taken; the condition Ready says why")),
    }
}

fn ready(facts: Facts<'_>, connected: &Finding, published: &Finding) -> Finding {
    if let Some((reason, message)) = facts.standing.refusal() {
        return Finding::new(FALSE, reason, message);
    }
    if *facts.standing == Standing::Suspended {
        return Finding::new(FALSE, SUSPENDED, "no samples are taken: write spec.suspend: false to go on");
    }
    let parts = [connected, published];
    let lacks = |status| parts.into_iter().find(|part| part.status == status).cloned();
    lacks(FALSE).or_else(|| lacks(UNKNOWN)).unwrap_or_else(|| {
        let message = "the spec is accepted, samples come, and the report is published";
        match facts.posted.and_then(|posted| posted.pulse.unstored.as_ref()) {
            None => Finding::new(TRUE, SAMPLING, message),
            // Ages are right without history, too; what a restart would lose is said.
            Some(Unstored { reason, message: why }) => {
                Finding::new(TRUE, *reason, format!("{message}; but history is kept in memory only: {why}"))
            }
        }
    })
}

/// Whether the last sample came; `None` before the first.
fn connected(facts: Facts<'_>) -> Option<Finding> {
    if let Some(unsampled) = unsampled(facts.standing) {
        return Some(unsampled);
    }
    if let Some(trouble) = facts.posted.and_then(|posted| posted.pulse.trouble.as_ref()) {
        return Some(Finding::new(FALSE, word(trouble), &trouble.message));
    }
    let (report, pulse) = facts.figures()?;
    let percent = whole_percent(pulse.coverage?);
    let Some(gravest) = Failure::gravest(&report.errors) else {
        return Some(match percent {
            100 => Finding::new(TRUE, "Complete", "the last sample got every answer that it asked for"),
            _ => Finding::new(TRUE, "Partial", format!("{percent} % of the answers came")),
        });
    };
    let more = match report.errors.len() - 1 {
        0 => String::new(),
        more => format!("; the report has {more} more"),
    };
    let reason = if percent < 100 { "Partial".to_owned() } else { word(gravest) };
    Some(Finding::new(TRUE, reason, format!("{percent} % of the answers came; {}{more}", gravest.message)))
}

/// The word of a reason, as reports, logs and metrics have it.
pub(super) fn word(failure: &Failure) -> String {
    format!("{:?}", failure.reason)
}

/// Whether the report is where the spec says; `None` before the first try.
fn published(facts: Facts<'_>) -> Option<Finding> {
    if let Some(unsampled) = unsampled(facts.standing) {
        return Some(unsampled);
    }
    match facts.published {
        Published::Waiting => None,
        Published::StatusOnly => {
            Some(Finding::new(TRUE, "StatusOnly", "spec.output asks for nothing besides status, metrics and API"))
        }
        Published::Done => Some(Finding::new(TRUE, "Published", "the report is where spec.output says")),
        Published::Failed { reason, message } => Some(Finding::new(FALSE, *reason, message)),
    }
}

/// Whether enough partitions of every group are within their limits; `None` before the first sample.
fn slo_met(facts: Facts<'_>) -> Option<Finding> {
    if let Some(unsampled) = unsampled(facts.standing) {
        return Some(unsampled);
    }
    if let Some(trouble) = facts.posted.and_then(|posted| posted.pulse.trouble.as_ref()) {
        let message = "the last sample brought no figures; the condition Connected says why";
        return Some(Finding::new(UNKNOWN, word(trouble), message));
    }
    let (report, _) = facts.figures()?;
    let objective = facts.objective?;
    let groups = report.groups.iter().map(|group| (&*group.group_id, of_group(group, objective)));
    let judged = judged(groups.collect(), objective.bounds().min_compliance_percent);
    Some(judged.unwrap_or_else(|| nothing_to_judge(report)))
}

/// Why no partition counts.
fn nothing_to_judge(report: &Report) -> Finding {
    let topics = report.groups.iter().flat_map(|group| group.topics.iter().flatten());
    let mut partitions = topics.flat_map(|topic| topic.partitions.iter().flatten());
    if partitions.any(|partition| partition.committed_offset.is_some()) {
        let message =
            "no partition with a committed offset counts: each one is abandoned, or has a tail that can't be read";
        return Finding::new(UNKNOWN, "NothingToJudge", message);
    }
    Finding::new(UNKNOWN, "NoCommittedOffsets", "no group has a committed offset that could be late")
}

/// What the groups come to: one of them is enough to miss the objective, however many keep it. `None` where no partition
/// of theirs counts.
fn judged(mut groups: Vec<(&str, Compliance)>, wanted: u32) -> Option<Finding> {
    groups.retain(|(_, compliance)| compliance.partitions() > 0);
    let mut all = Compliance::default();
    groups.iter().for_each(|(_, compliance)| all += *compliance);
    if groups.is_empty() {
        return None;
    }
    let percent = |of: Compliance| of.percent().map_or(0, |percent| whole_percent(percent / 100.0));
    let (share, partitions) = (percent(all), counted(all.partitions(), "partition"));
    let told = format!("{share} % of {partitions} within limits, {wanted} % wanted of each group");
    let with = |met| groups.iter().filter(move |(_, compliance)| compliance.meets(wanted) == met);
    let mut late: Vec<_> = with(Some(false)).map(|(name, found)| (percent(*found), *name)).collect();
    late.sort_unstable();
    let late: Vec<String> = late.into_iter().map(|(percent, name)| format!("{name} ({percent} %)")).collect();
    let unknown: Vec<&str> = with(None).map(|(name, _)| *name).collect();
    Some(match (late.len(), unknown.len()) {
        (0, 0) => Finding::new(TRUE, "WithinLimits", told),
        (0, _) => Finding::new(UNKNOWN, "AgesUnknown", format!("{told}; not known of {}", listed(&unknown))),
        (_, _) => Finding::new(FALSE, "LimitsExceeded", format!("{told}; less in {}", listed(&late))),
    })
}

#[cfg(test)]
pub(super) mod tests;
