//! What LagMonitors say of themselves in their conditions, whether they are sampled, suspended or refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::lag::Name;
use crate::lag::report::{MonitorName, Timestamp};

/// What every LagMonitor says of itself, sorted by namespace and name.
pub type Sayings = Arc<BTreeMap<MonitorName, Arc<Said>>>;

/// What one LagMonitor says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The name given to its cluster, as far as its spec can be read.
    pub cluster_name: String,
    /// Whose it is: its label `highwater.dev/team`.
    pub team: Option<Name>,
    /// Its conditions, `Ready` first.
    pub conditions: Vec<Condition>,
}

/// One condition of a LagMonitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Condition {
    /// Its type: `Ready`, `Connected`, `Published`, `SLOMet`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The word for why.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Since when it has this status.
    pub since: Timestamp,
}

impl Said {
    /// Whether a condition is `True`; not where it is not known either.
    pub fn is(&self, kind: &str) -> bool {
        self.conditions.iter().any(|condition| condition.kind == kind && condition.status == "True")
    }
}
