//! What a LagMonitor says about itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The status of one LagMonitor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LagMonitorStatus {
    /// `Ready` (accepted, sampling, published), `Connected`, `Published` and `SLOMet`. A breach of the objective never
    /// changes `Ready`.
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]),
        transform = bound_conditions
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
    #[schemars(length(max = 32))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag: Option<String>,
    /// The records not read, over all groups.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<i64>,
    /// When the last sample that brought figures was taken; all figures here but `coveragePercent` are of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sample_time: Option<Time>,
    /// The share of the wanted answers that the last sample got, in percent, rounded down, from 0 to 100; 0 when it brought
    /// no figures.
    #[schemars(range(min = 0, max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<u32>,
    /// Kafka's own id of the cluster.
    #[schemars(length(max = 255))]
    #[serde(rename = "clusterID", skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The ConfigMap in the LagMonitor's namespace that holds the report.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
    /// The pod that takes the samples.
    #[schemars(length(max = 253))]
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
    #[schemars(length(max = 32767))]
    pub group: String,
    /// The name of the topic.
    #[schemars(length(max = 249))]
    pub topic: String,
    /// The age of its oldest data, in whole seconds.
    #[schemars(range(min = 0))]
    pub lag_seconds: i64,
    /// All of it in a few words, such as `billing-7 on orders`.
    #[schemars(length(max = 128))]
    pub summary: String,
}

/// The bounds that Kubernetes gives a condition of its own kinds.
fn bound_conditions(conditions: &mut Schema) {
    let bounds = [
        ("type", json!({ "maxLength": 316 })),
        ("status", json!({ "enum": ["True", "False", "Unknown"] })),
        ("observedGeneration", json!({ "minimum": 0 })),
        ("reason", json!({ "minLength": 1, "maxLength": 1024 })),
        ("message", json!({ "maxLength": 32768 })),
    ];
    for (field, bound) in bounds {
        let place = format!("/items/properties/{field}");
        if let (Some(Value::Object(field)), Value::Object(bound)) = (conditions.pointer_mut(&place), bound) {
            field.extend(bound);
        }
    }
}
