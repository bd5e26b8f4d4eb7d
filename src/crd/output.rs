//! Where the report of a LagMonitor goes besides status, metrics and API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::{duration_between, form, object_name};

/// The outputs. None is on unless it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Writes the report into a ConfigMap of the LagMonitor's namespace. On Kubernetes only. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapOutput>,
    /// Writes the report into a file below the folder of `--output-dir`. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileOutput>,
}

/// A report in a ConfigMap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapOutput {
    /// The ConfigMap's name, 1 to 253 lower case letters, digits, `-` and `.`. It is created when absent; one that
    /// belongs to somebody else is left alone.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = object_name()))]
    pub name: String,
    /// How deep the report goes.
    #[serde(default)]
    pub detail: Detail,
    /// Least time between two writes, from 10s to 24h.
    #[schemars(extend("x-kubernetes-validations" = duration_between("10s", "24h")))]
    #[serde(default = "one_minute")]
    pub min_interval: Duration,
}

/// How deep a report goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Detail {
    /// Groups only.
    #[default]
    Group,
    /// Groups and their topics.
    Topic,
    /// Groups, topics and partitions.
    Partition,
}

/// A report in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileOutput {
    /// The file below `<output-dir>/<namespace>`, 1 to 255 letters, digits, `.`, `_`, `-` and `/`; two monitors may
    /// not share one.
    #[schemars(
        length(max = 255),
        extend("x-kubernetes-validations" = form(
            "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
            "write a relative path of letters, digits, ., _ and - without empty parts and without parts that begin with a dot, \
             such as orders.json or lag/orders.json",
        ))
    )]
    pub path: String,
}

fn one_minute() -> Duration {
    Duration::minutes(1)
}
