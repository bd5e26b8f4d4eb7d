//! Which consumer groups and topics a LagMonitor watches. What a pattern matches is left to `kafka::selection`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A selection of consumer groups by their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Groups {
    /// The groups to watch, 1 to 64 patterns of 1 to 512 characters: an exact id, a glob such as `orders-*`, or a
    /// regular expression between slashes such as `/^billing-[0-9]+$/`.
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub include: Vec<String>,
    /// The groups to leave out of those, up to 64 patterns of the same form.
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub exclude: Vec<String>,
}

impl Default for Groups {
    fn default() -> Self {
        Self { include: vec!["*".into()], exclude: vec![] }
    }
}

/// A selection of topics by their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Topics {
    /// The topics to watch, 1 to 64 patterns of 1 to 512 characters: an exact name, a glob such as `orders.*`, or a
    /// regular expression between slashes such as `/^billing-[0-9]+$/`.
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub include: Vec<String>,
    /// The topics to leave out of those, up to 64 patterns of the same form.
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub exclude: Vec<String>,
}

impl Default for Topics {
    fn default() -> Self {
        Self { include: vec!["*".into()], exclude: vec!["__*".into()] }
    }
}
