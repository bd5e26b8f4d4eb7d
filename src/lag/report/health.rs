//! How a group stands besides its ages: objective, rebalances, fairness, stuck partitions, advice; and sums of that.
//!
//! Shares are 0 to 1, the score is 0 to 100. What is not known is `null`, and so is what only an objective could tell in
//! the report of a single look, which has none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupTopic, Name, Timestamp};

/// One group against its objective; its fields stand among those of the group.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Health {
    /// How many partitions are within their limits, and what is left of the error budget.
    pub slo: Option<Slo>,
    /// Partitions before which something readable has waited, unread, for the whole `stuckWindow`.
    pub stuck_partitions: Option<u32>,
    /// How often members or assignments changed.
    pub rebalances: Option<Rebalances>,
    /// How evenly partitions are spread over the members; `null` while an assignment is under way.
    pub fairness: Option<Fairness>,
    /// How fast the lag grows.
    pub velocity: Option<Velocity>,
    /// How long until every topic has caught up at its present rates; `null` when one does not converge.
    pub drain_seconds: Option<f64>,
    /// How many members would do; `null` where something of the group could not be read.
    pub replicas: Option<Replicas>,
    /// What to do next, in a sentence; `null` when nothing is to be done.
    pub recommendation: Option<String>,
    /// What is not all right at present, the gravest first.
    pub alerts: Vec<Alert>,
}

/// The partitions of a group, or of all groups, by what their limits say of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Slo {
    /// Share of the partitions that are known to be within every limit; `null` where there is none.
    pub compliance: Option<f64>,
    /// The share that is wanted.
    pub target: f64,
    /// Whether as many are within their limits; `null` where there is none, and where unknown ones decide. Of several
    /// groups together, whether each of them has as many.
    pub met: Option<bool>,
    /// Partitions within every limit.
    pub within: u64,
    /// Partitions over at least one.
    pub breaching: u64,
    /// Partitions over none, and not known to be within all.
    pub unknown: u64,
    /// Partitions that a member has, without a committed offset: they are in none of these counts.
    pub without_commit: u64,
    /// What is left of the error budget; `null` for the sum of all groups.
    pub budget: Option<Budget>,
}

/// The error budget: the share of time, over all partitions, that may be spent over the limits.
///
/// After "Alerting on SLOs" in The Site Reliability Workbook (Google, 2018): a burn rate of 1 spends the whole budget
/// in exactly one period. Time that was not observed counts as good, so that a young history gives a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Budget {
    /// Length of the period, which ends now.
    pub period_seconds: f64,
    /// How much of the period was observed.
    pub observed_seconds: f64,
    /// Share of the budget that is left: 1 is all, below 0 it is overspent; `null` for a target of 1, which has none.
    pub remaining: Option<f64>,
    /// How many times as fast as allowed it was spent in the last 5 minutes.
    pub burn_rate_5m: Option<f64>,
    /// In the last 30 minutes.
    pub burn_rate_30m: Option<f64>,
    /// In the last hour.
    pub burn_rate_1h: Option<f64>,
    /// In the last 6 hours.
    pub burn_rate_6h: Option<f64>,
    /// In the last 3 days.
    pub burn_rate_3d: Option<f64>,
}

/// One group on one topic against the limits that it has there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct TopicSlo {
    /// Share of the partitions that are known to be within every limit; `null` where there is none.
    pub compliance: Option<f64>,
    /// Whether the wanted share is reached on this topic; `null` as for the group.
    pub met: Option<bool>,
    /// Partitions within every limit.
    pub within: u64,
    /// Partitions over at least one.
    pub breaching: u64,
    /// Partitions over none, and not known to be within all.
    pub unknown: u64,
    /// Partitions that a member has, without a committed offset: they are in none of these counts.
    pub without_commit: u64,
    /// The most records that a partition may be behind.
    pub max_lag_records: i64,
    /// The largest age that a partition may have; `null` for no limit.
    pub max_lag_seconds: Option<f64>,
}

/// How often the members of a group, or what is assigned to them, changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Rebalances {
    /// 100 without rebalances, 0 with `maxRebalances` in the window; `null` before a whole window was observed.
    pub score: Option<f64>,
    /// The score that is wanted at least: `minRebalanceScore`.
    pub target: f64,
    /// Rebalances seen in the window: a lower bound, for two between two samples look like one.
    pub count: u32,
    /// Length of the window, which ends now.
    pub window_seconds: f64,
    /// When the last one was seen.
    pub last: Option<Timestamp>,
}

/// How evenly partitions are spread over the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Fairness {
    /// Gini coefficient of the partitions a member: 0 is perfectly even, and for less than two members.
    pub gini: f64,
    /// How much it is over that of the most even split of as many partitions over as many members.
    pub excess: f64,
    /// Members without a partition.
    pub idle_members: u32,
}

/// How fast a group's lag grows; below 0 it shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Velocity {
    /// Records a second, written less read, over the last samples.
    pub records_per_second: Option<f64>,
    /// Seconds of age a second, over the last samples: 1 for a group that stands still.
    pub seconds_per_second: Option<f64>,
}

/// How many members would keep up, and why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Replicas {
    /// So many members are advised, 1 or more, and never more than `useful`.
    pub advised: u32,
    /// So many have a partition now.
    pub current: u32,
    /// With more members, some would have no partition.
    pub useful: u32,
    /// Records a second that one member reads when it has enough to read; `null` before that was seen.
    pub member_rate: Option<f64>,
    /// Why.
    pub reason: ReplicaReason,
    /// Why, in a sentence with its figures.
    pub reasoning: String,
}

/// Why so many members are advised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaReason {
    /// As many as there are, for they keep up, and what one could read was not seen yet.
    KeepsUp,
    /// By the rates that were measured.
    Measured,
    /// By the rates it would take more than can have a partition.
    PartitionLimit,
    /// As many as can have a partition; there are more now.
    IdleMembers,
    /// As many as there are, for partitions are stuck, and more members would not help.
    Stuck,
    /// By the rates, or else as many as there were, or else one, for no member has a partition.
    NoMembers,
    /// As many as there are: it is behind, and its rates are not known yet.
    NotMeasured,
}

/// Something about a group that is not all right.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// The same for as long as it lasts, and when it comes again: cluster name, group and kind.
    pub id: String,
    /// What is not all right.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// The group.
    pub group_id: Name,
    /// Since when.
    pub since: Timestamp,
    /// The figure: compliance (0 to 1), stuck partitions, rebalance score, or Gini excess.
    pub value: f64,
    /// What the figure should at least be (compliance, score) or at most (stuck partitions, excess).
    pub bound: f64,
    /// Whether the figure is of an earlier sample, for the group is not Stable now.
    pub held: bool,
    /// What is the matter, in a sentence with the figures.
    pub summary: String,
    /// What to do, in a sentence.
    pub advice: String,
}

impl Alert {
    /// Whether it is about this topic of its group, or about the group as a whole.
    pub fn is_about(&self, on: &GroupTopic) -> bool {
        match self.kind {
            AlertKind::SloViolated => on.slo.is_some_and(|slo| slo.breaching > 0),
            AlertKind::StuckPartitions => on.stuck_partitions.is_some_and(|stuck| stuck > 0),
            AlertKind::RebalanceInstability | AlertKind::UnfairDistribution => true,
        }
    }
}

/// What is not all right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Too few partitions are within their limits.
    SloViolated,
    /// Partitions are stuck.
    StuckPartitions,
    /// The group rebalances too often.
    RebalanceInstability,
    /// Partitions are spread unevenly.
    UnfairDistribution,
}

impl AlertKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 4] =
        [Self::SloViolated, Self::StuckPartitions, Self::RebalanceInstability, Self::UnfairDistribution];

    /// Its name in JSON, in labels, and in the id of an alert.
    pub fn word(self) -> &'static str {
        match self {
            Self::SloViolated => "slo_violated",
            Self::StuckPartitions => "stuck_partitions",
            Self::RebalanceInstability => "rebalance_instability",
            Self::UnfairDistribution => "unfair_distribution",
        }
    }
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Within days.
    Warning,
    /// Now.
    Critical,
}

/// All groups of a report together.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Totals {
    /// Groups.
    pub groups: u32,
    /// Groups that keep up.
    pub online: u32,
    /// Groups that catch up.
    pub recovering: u32,
    /// Groups that stand still before readable records.
    pub offline: u32,
    /// Groups by Kafka's own state of them.
    pub group_states: GroupStates,
    /// Members of the groups that could be asked.
    pub members: u32,
    /// Largest age over all groups.
    pub max_lag_seconds: Option<f64>,
    /// Records not read, over all groups.
    pub total_lag_records: Option<i64>,
    /// The partitions of all groups by what their limits say of them.
    pub slo: Option<Slo>,
    /// Stuck partitions of all groups.
    pub stuck_partitions: Option<u32>,
    /// Alerts that are no more than a warning.
    pub warnings: u32,
    /// Alerts that are critical.
    pub criticals: u32,
}

/// Groups by Kafka's own state of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupStates {
    /// Stable: every member has its assignment.
    pub stable: u32,
    /// Members join, or move to another assignment: PreparingRebalance, CompletingRebalance, Assigning, Reconciling.
    pub rebalancing: u32,
    /// Empty: without members.
    pub empty: u32,
    /// Dead, or not told.
    pub other: u32,
}

/// All groups of the LagMonitors of one team together.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Team {
    /// The label `highwater.dev/team` of the LagMonitors; `null` for those without.
    pub team: Option<Name>,
    /// LagMonitors that have a report.
    pub monitors: u32,
    /// Their groups together. Its `slo` is met where that of each LagMonitor is, and has the highest of their targets.
    pub totals: Totals,
}

/// All groups on one topic together; its fields stand among those of the topic.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct TopicHealth {
    /// Groups that committed on it or have it assigned.
    pub groups: u32,
    /// Groups that keep up with it.
    pub online: u32,
    /// Groups that catch up on it.
    pub recovering: u32,
    /// Groups that stand still on it before readable records.
    pub offline: u32,
    /// Partitions on which at least one group has a committed offset.
    pub consumed_partitions: u32,
    /// Share of the partitions on which at least one group has a committed offset.
    pub coverage: Option<f64>,
    /// Largest age over its groups.
    pub max_lag_seconds: Option<f64>,
    /// Records not read, over its groups.
    pub total_lag_records: Option<i64>,
    /// Mean over its groups of the share of partitions within their limits.
    pub mean_compliance: Option<f64>,
    /// Stuck partitions, over its groups.
    pub stuck_partitions: Option<u32>,
    /// Alerts of its groups that are about this topic, or about a group as a whole.
    pub alerts: u32,
    /// How its groups are doing, in a sentence.
    pub summary: String,
}
