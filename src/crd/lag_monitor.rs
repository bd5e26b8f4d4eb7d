//! The LagMonitor itself: which cluster, which groups, how often, what is all right, where to.

// Every print column has a `type_` and a `json_path` of its own, which the lint takes for repetitions.
#![expect(clippy::duplicated_attributes)]

use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::groups::{Groups, Topics};
use super::output::Output;
use super::properties::Properties;
use super::sampling::Sampling;
use super::sasl::Sasl;
use super::slo::Slo;
use super::status::LagMonitorStatus;
use super::tls::Tls;
use super::{as_long_as, form, has_form, rule};

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
        "PLAIN and OAUTHBEARER without spec.tls send the credentials in the clear: \
         write spec.tls: {} or spec.sasl.allowPlaintextCredentials: true",
    ).field_path(".sasl.mechanism"),
    as_long_as(
        "slo.rebalanceWindow",
        "sampling.interval",
        "write a spec.slo.rebalanceWindow at least as long as spec.sampling.interval: a sample shows one rebalance at most",
    ),
]))]
pub struct LagMonitorSpec {
    /// The bootstrap servers of the cluster, `host:port` each, 1 to 32. An IPv6 address stands in brackets.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(max = 262)),
        extend("x-kubernetes-list-type" = "set"),
        transform = check_each_broker
    )]
    pub brokers: Vec<String>,
    /// The name of the cluster in labels and reports, 1 to 253 letters, digits, `.`, `_` and `-`; two monitors may not
    /// share one. Default: `<namespace>/<name>` of the LagMonitor, which no other can take, for a name has no `/`.
    #[schemars(
        length(max = 253),
        extend("x-kubernetes-validations" = form(
            "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
            "write a name of letters, digits, ., _ and - with a letter or digit at each end, such as orders-kafka",
        ))
    )]
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
    /// Stops sampling while true. What is known is kept, and the report's file and ConfigMap stay as they are. Default:
    /// false.
    #[serde(default)]
    pub suspend: bool,
}

/// The form of a bootstrap server; its port is at most 65535 besides.
pub const BROKER: &str = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}$";

fn check_each_broker(brokers: &mut Schema) {
    let condition = format!("{} && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535", has_form("self", BROKER));
    let message = "write host:port with a port from 1 to 65535, such as kafka-1:9092 or [::1]:9092";
    if let Some(each) = brokers.get_mut("items").and_then(Value::as_object_mut) {
        each.insert("x-kubernetes-validations".to_owned(), json!([rule(&condition, message)]));
    }
}
