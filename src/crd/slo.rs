//! What counts as all right for the groups of a LagMonitor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::{duration_between, rule};

/// The service level objective of one LagMonitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Slo {
    /// The most records that a partition may be behind, from 0 to 9007199254740991.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub max_lag_records: i64,
    /// The largest age of data that a partition may have, from 1s to 8760h. Default: no limit.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "8760h")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<Duration>,
    /// The least share of each group's partitions within every limit, in percent, from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub min_compliance_percent: u32,
    /// The least rebalance score, from 0 to 100: 100 without rebalances, 0 with `maxRebalances` in the window.
    #[schemars(range(min = 0, max = 100))]
    pub min_rebalance_score: u32,
    /// The time over which rebalances are counted, from 10s to 168h, and no less than `sampling.interval`. A sample shows one
    /// rebalance at most.
    #[schemars(extend("x-kubernetes-validations" = duration_between("10s", "168h")))]
    pub rebalance_window: Duration,
    /// The number of rebalances in the window that brings the score to 0, from 1 to 10000.
    #[schemars(range(min = 1, max = 10000))]
    pub max_rebalances: u32,
    /// How much less even than the most even split an assignment may be (Gini coefficient), in percent, from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub max_gini_excess_percent: u32,
    /// The time without a commit, before readable records, after which a partition counts as stuck, from 10s to 168h.
    #[schemars(extend("x-kubernetes-validations" = duration_between("10s", "168h")))]
    pub stuck_window: Duration,
    /// Other limits for some groups and topics, at most 32; the first that matches wins.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["group", "topic"])
    )]
    pub overrides: Vec<Override>,
}

impl Default for Slo {
    fn default() -> Self {
        Self {
            max_lag_records: 1000,
            max_lag: None,
            min_compliance_percent: 95,
            min_rebalance_score: 70,
            rebalance_window: Duration::minutes(60),
            max_rebalances: 10,
            max_gini_excess_percent: 30,
            stuck_window: Duration::minutes(5),
            overrides: vec![],
        }
    }
}

/// Other limits for the groups and topics that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.maxLag) || has(self.maxLagRecords)", "write at least one of maxLag and maxLagRecords"),
]))]
pub struct Override {
    /// The groups it is for: a pattern as in `groups.include`, 1 to 512 characters. Default: `*`, all.
    #[schemars(length(min = 1, max = 512))]
    #[serde(default = "all")]
    pub group: String,
    /// The topics it is for: a pattern as in `topics.include`, 1 to 512 characters. Default: `*`, all.
    #[schemars(length(min = 1, max = 512))]
    #[serde(default = "all")]
    pub topic: String,
    /// The largest age of data that a partition may have, from 1s to 8760h. Default: that of `slo`.
    #[schemars(extend("x-kubernetes-validations" = duration_between("1s", "8760h")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<Duration>,
    /// The most records that a partition may be behind, from 0 to 9007199254740991. Default: that of `slo`.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag_records: Option<i64>,
}

fn all() -> String {
    "*".into()
}
