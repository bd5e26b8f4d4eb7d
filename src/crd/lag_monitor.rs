//! The LagMonitor itself: which cluster, which groups, how often, what is all right, where to.

// Every print column has a `type_` and a `json_path` of its own, which the lint takes for repetitions.
#![expect(clippy::duplicated_attributes)]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, Topics};
use super::output::Output;
use super::properties::Properties;
use super::rule;
use super::sampling::Sampling;
use super::sasl::Sasl;
use super::slo::Slo;
use super::status::LagMonitorStatus;
use super::tls::Tls;

/// How old the data is that the consumer groups of one Kafka cluster are working on, sampled regularly.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "highwater.dev",
    version = "v1alpha1",
    kind = "LagMonitor",
    plural = "lagmonitors",
    shortname = "lm",
    category = "highwater",
    namespaced,
    status = "LagMonitorStatus",
    derive = "PartialEq",
    doc = "Measures how old the data is that the consumer groups of one Kafka cluster are working on.",
    printcolumn(name = "Groups", type_ = "integer", json_path = ".status.groups.total"),
    printcolumn(name = "Offline", type_ = "integer", json_path = ".status.groups.offline"),
    printcolumn(name = "Online", type_ = "integer", json_path = ".status.groups.online", priority = 1),
    printcolumn(name = "Recovering", type_ = "integer", json_path = ".status.groups.recovering", priority = 1),
    printcolumn(name = "Max-Lag", type_ = "string", json_path = ".status.maxLag"),
    printcolumn(name = "Worst", type_ = "string", json_path = ".status.worst.summary"),
    printcolumn(name = "SLO", type_ = "string", json_path = ".status.conditions[?(@.type==\"SLOMet\")].status"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Sampled", type_ = "date", json_path = ".status.lastSampleTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "!has(self.sasl) || has(self.tls) || !(self.sasl.mechanism in ['PLAIN', 'OAUTHBEARER']) \
         || self.sasl.allowPlaintextCredentials",
        "sasl.mechanism PLAIN or OAUTHBEARER without tls sends the credentials in the clear: \
         write tls: {} or sasl.allowPlaintextCredentials: true",
    ),
]))]
pub struct LagMonitorSpec {
    /// The bootstrap servers of the cluster, `host:port` each, 1 to 32. An IPv6 address stands in brackets.
    #[schemars(
        length(min = 1, max = 32),
        inner(
            length(max = 262),
            regex(pattern = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}$")
        ),
        extend(
            "x-kubernetes-list-type" = "set",
            "x-kubernetes-validations" = [rule(
                "self.all(broker, int(broker.substring(broker.lastIndexOf(':') + 1)) <= 65535)",
                "write every broker as host:port with a port from 1 to 65535",
            )]
        )
    )]
    pub brokers: Vec<String>,
    /// The name of the cluster in labels and reports, 1 to 253 letters, digits, `.`, `_`, `-` and `/`; two monitors
    /// may not share one. Default: `<namespace>/<name>` of the LagMonitor.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Speaks TLS. `{}` trusts the system's root certificates; without `tls` the connection is plaintext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Authenticates by SASL. Without it there is no SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
    /// Further properties of the Kafka client, by the names that librdkafka gives them. Only those listed here.
    #[serde(default)]
    pub properties: Properties,
    /// Which consumer groups to watch. Default: all.
    #[serde(default)]
    pub groups: Groups,
    /// Which topics to watch. Default: all but those whose name begins with `__`.
    #[serde(default)]
    pub topics: Topics,
    /// How often to look, how much to keep, and when a group counts as offline.
    #[serde(default)]
    pub sampling: Sampling,
    /// What is all right: the limits behind the condition `SLOMet` and the alerts.
    #[serde(default)]
    pub slo: Slo,
    /// Where the report goes besides status, metrics and API.
    #[serde(default)]
    pub output: Output,
    /// Stops sampling while true. What is known is kept. Default: false.
    #[serde(default)]
    pub suspend: bool,
}
