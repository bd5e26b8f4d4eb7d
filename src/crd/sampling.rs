//! How often a LagMonitor looks, how much it keeps, and when a group counts as offline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::{as_long_as, duration_between, is_duration, rule};

/// The sampling of one LagMonitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    as_long_as("coarseInterval", "interval", "write a coarseInterval that is at least as long as interval"),
]))]
pub struct Sampling {
    /// Time between two samples, from 1s to 1h.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "1h")))]
    pub interval: Duration,
    /// Least time between two rows of history while no group on the topic needs finer ones, from `interval` to 24h.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "24h")))]
    pub coarse_interval: Duration,
    /// Samples without progress before a group counts as offline, from 2 to 1000; together with `offlineAfter`.
    #[schemars(range(min = 2, max = 1000))]
    pub offline_after_samples: u32,
    /// Time without progress before a group counts as offline, from 1s to 168h; together with `offlineAfterSamples`.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "168h")))]
    pub offline_after: Duration,
    /// The largest age of data with which a group that was behind is ONLINE again, from 1s to 168h.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "168h")))]
    pub online_threshold: Duration,
    /// Rows of history kept for every partition, from 50 to 10000.
    #[schemars(range(min = 50, max = 10000))]
    pub rows_per_partition: u32,
    /// The end to which lag is counted: all records, or only those of committed transactions.
    pub isolation_level: IsolationLevel,
    /// How exact an age should be at least, from 1s to 1h; one percent of the age is the other side. 0s turns
    /// refinement off: then ages are as exact as the rows of history around them.
    #[schemars(extend("x-kubernetes-validations" = [rule(
        &format!(
            "{} && (duration(self) == duration('0s') || \
             duration(self) >= duration('1s') && duration(self) <= duration('1h'))",
            is_duration("self"),
        ),
        "write a duration from 1s to 1h, or 0s to turn refinement off",
    )]))]
    pub precision: Duration,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            interval: Duration::seconds(60),
            coarse_interval: Duration::minutes(30),
            offline_after_samples: 5,
            offline_after: Duration::minutes(5),
            online_threshold: Duration::minutes(10),
            rows_per_partition: 600,
            isolation_level: IsolationLevel::ReadUncommitted,
            precision: Duration::seconds(1),
        }
    }
}

/// To which end lag is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IsolationLevel {
    /// To the high watermark.
    ReadUncommitted,
    /// To the last stable offset.
    ReadCommitted,
}
