//! What a LagMonitor says about itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of one LagMonitor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LagMonitorStatus {
    /// `Ready` (accepted, sampling, published), `Connected`, `Published` and `SLOMet`. A breach of the objective never
    /// changes `Ready`.
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// How many groups are in which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupCounts>,
    /// The group and topic with the oldest data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<Worst>,
    /// The age of the oldest data over all groups, such as `4m12s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<String>,
    /// The records not read, over all groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<i64>,
    /// When the last sample that brought figures was taken; all figures here are of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sample_time: Option<Time>,
    /// The share of the wanted answers that the last sample got, in percent, rounded down, from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<u32>,
    /// Kafka's own id of the cluster.
    #[serde(rename = "clusterID", skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The ConfigMap in the LagMonitor's namespace that holds the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
    /// The pod that takes the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_by: Option<String>,
}

/// How many groups are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupCounts {
    /// All selected groups.
    pub total: u32,
    /// Those that keep up.
    pub online: u32,
    /// Those that stand still before readable records.
    pub offline: u32,
    /// Those that advance again and are still behind.
    pub recovering: u32,
}

/// The group and topic with the oldest data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Worst {
    /// The id of the group.
    pub group: String,
    /// The name of the topic.
    pub topic: String,
    /// The age of its oldest data, in whole seconds.
    pub lag_seconds: i64,
    /// All of it in a few words, such as `billing-7 on orders`.
    pub summary: String,
}
