//! A LagMonitor and what it refers to become a plan: everything that sampling needs, checked. Pure.
//!
//! Fetching references is left to `resolve`, running plans to the fleet.

mod claims;
mod credentials;
pub mod objective;

pub use claims::Claims;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use objective::Objective;
use serde_json::Value;

use super::resolve::{Kind, Resolved};
use crate::crd::output::ConfigMapOutput;
use crate::crd::properties::Properties;
use crate::crd::sampling::{IsolationLevel, Sampling};
use crate::crd::slo::Slo;
use crate::crd::{LagMonitor, LagMonitorSpec};
use crate::kafka::connection::Connection;
use crate::kafka::selection::{PatternError, Patterns, Selection};
use crate::lag::policy::Policy;
use crate::lag::report::MonitorName;

/// The annotation that asks for a sample at once, by any text that it did not have before.
pub const SAMPLE_NOW: &str = "highwater.dev/sample-now";

/// How one LagMonitor is to be sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The LagMonitor.
    pub monitor: MonitorName,
    /// Kubernetes' id of this life of the LagMonitor; none outside of a cluster.
    pub uid: Option<String>,
    /// The name of the cluster in labels and reports.
    pub cluster_name: String,
    /// How to connect, secrets included.
    pub connection: Connection,
    /// Which groups and topics.
    pub selection: Selection,
    /// How to sample and judge.
    pub policy: Policy,
    /// What counts as all right.
    pub objective: Objective,
    /// The report's file, relative to the namespace's folder.
    pub output_file: Option<String>,
    /// The report's ConfigMap, in the namespace of the LagMonitor.
    pub config_map: Option<ConfigMapOutput>,
    /// Whether sampling is to stop.
    pub suspend: bool,
    /// What the annotation `highwater.dev/sample-now` says; any new text asks for a sample at once.
    pub sample_now: Option<String>,
    /// Fields that are written and that this version does nothing with.
    pub unused: Vec<&'static str>,
}

/// Why a LagMonitor can't be sampled as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field of the LagMonitor to look at, such as `spec.tls.ca.secretRef`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What a person can do about a LagMonitor that can't be sampled. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A field has to be written.
    #[error("Required value")]
    Required,
    /// A pattern has to be written otherwise.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// An object has to be created.
    #[error("{kind} {name} does not exist in namespace {namespace}: create it, or name another one")]
    NotFound {
        /// The object's kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A key has to be added to an object.
    #[error("{kind} {name} has no key {wanted}: it has {present}")]
    KeyMissing {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The key, or keys, that are wanted.
        wanted: String,
        /// The keys that are there.
        present: String,
    },
    /// The content of a key has to be another.
    #[error("key {key} of {kind} {name} is not {expected}")]
    Content {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Another target has to be written, or the operator started with another flag.
    #[error("{target:?} is not allowed: write one that the operator's {flag} allows, or ask for it to be added there")]
    NotAllowed {
        /// The flag that limits targets.
        flag: &'static str,
        /// The target.
        target: String,
    },
    /// A name has to be changed here or there.
    #[error("{what} {value:?} is that of LagMonitor {holder} already: write another one")]
    Taken {
        /// What is shared.
        what: &'static str,
        /// Its value.
        value: String,
        /// `<namespace>/<name>` of the LagMonitor that has it.
        holder: String,
    },
}

impl Plan {
    /// The name under which the history is kept: a LagMonitor that is created again starts anew.
    #[must_use]
    pub fn history(&self) -> String {
        history(&self.monitor, self.uid.as_deref())
    }
}

/// The name of a LagMonitor.
#[must_use]
pub fn name_of(meta: &ObjectMeta) -> MonitorName {
    MonitorName { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
}

/// The name under which the history of a LagMonitor is kept.
#[must_use]
pub fn history(monitor: &MonitorName, uid: Option<&str>) -> String {
    uid.map_or_else(|| monitor.to_string(), |uid| format!("{monitor} {uid}"))
}

/// The namespace of a LagMonitor of a cluster, from the name under which its history is kept; `None` for one of a file.
#[must_use]
pub fn of_cluster(history: &str) -> Option<&str> {
    let (name, _) = history.split_once(' ')?;
    name.split_once('/').map(|(namespace, _)| namespace)
}

impl Problem {
    /// The word for it in conditions, events, logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Problem::Required => "InvalidSpec",
            Problem::Pattern(_) => "InvalidPattern",
            Problem::NotFound { kind: Kind::Secret, .. } => "SecretNotFound",
            Problem::NotFound { kind: Kind::ConfigMap, .. } => "ConfigMapNotFound",
            Problem::KeyMissing { .. } => "KeyMissing",
            Problem::Content { .. } => "InvalidContent",
            Problem::NotAllowed { .. } => "TargetNotAllowed",
            Problem::Taken { .. } => "NameTaken",
        }
    }
}

/// The objects of its namespace that a LagMonitor refers to.
#[must_use]
pub fn references(spec: &LagMonitorSpec) -> BTreeSet<(Kind, String)> {
    let tls = spec.tls.iter();
    let ca = tls.clone().filter_map(|tls| tls.ca.as_ref());
    let ca_maps = ca.clone().filter_map(|ca| ca.config_map_ref.as_ref()).map(|key| (Kind::ConfigMap, key.name.clone()));
    let ca_secrets = ca.filter_map(|ca| ca.secret_ref.as_ref()).map(|key| key.name.clone());
    let clients = tls.filter_map(|tls| tls.client_secret_ref.as_ref()).map(|secret| secret.name.clone());
    let sasl = spec.sasl.iter();
    let passwords = sasl.clone().filter_map(|sasl| sasl.password_secret_ref.as_ref()).map(|key| key.name.clone());
    let oauth = sasl.filter_map(|sasl| sasl.oauth.as_ref()).map(|oauth| oauth.client_secret_ref.name.clone());
    let secrets = ca_secrets.chain(clients).chain(passwords).chain(oauth).map(|name| (Kind::Secret, name));
    ca_maps.chain(secrets).collect()
}

/// Makes the plan of a LagMonitor that keeps the bounds and rules of its schema.
///
/// # Errors
/// The first field that can't be used, and why.
pub fn plan(monitor: &LagMonitor, resolved: &Resolved) -> Result<Plan, Invalid> {
    let name = name_of(&monitor.metadata);
    let spec = &monitor.spec;
    let lookup = credentials::Lookup { namespace: &name.namespace, resolved };
    let connection = Connection {
        brokers: spec.brokers.clone(),
        tls: spec.tls.as_ref().map(|tls| lookup.tls(tls)).transpose()?,
        sasl: spec.sasl.as_ref().map(|sasl| lookup.sasl(sasl)).transpose()?,
        properties: client_properties(&spec.properties),
    };
    Ok(Plan {
        cluster_name: spec.cluster_name.clone().unwrap_or_else(|| name.to_string()),
        connection,
        selection: Selection {
            groups: patterns("spec.groups", &spec.groups.include, &spec.groups.exclude)?,
            topics: patterns("spec.topics", &spec.topics.include, &spec.topics.exclude)?,
        },
        policy: policy(&spec.sampling),
        objective: Objective::new(&spec.slo)?,
        output_file: spec.output.file.as_ref().map(|file| file.path.clone()),
        config_map: spec.output.config_map.clone(),
        suspend: spec.suspend,
        sample_now: monitor.annotations().get(SAMPLE_NOW).cloned(),
        unused: unused(monitor),
        uid: monitor.metadata.uid.clone(),
        monitor: name,
    })
}

fn unused(monitor: &LagMonitor) -> Vec<&'static str> {
    let (slo, default) = (&monitor.spec.slo, Slo::default());
    // Without Kubernetes there is no uid, and no ConfigMap.
    let config_map = monitor.metadata.uid.is_none() && monitor.spec.output.config_map.is_some();
    let fields = [
        ("spec.slo.minRebalanceScore", slo.min_rebalance_score != default.min_rebalance_score),
        ("spec.slo.rebalanceWindow", slo.rebalance_window != default.rebalance_window),
        ("spec.slo.maxRebalances", slo.max_rebalances != default.max_rebalances),
        ("spec.slo.maxGiniExcessPercent", slo.max_gini_excess_percent != default.max_gini_excess_percent),
        ("spec.slo.stuckWindow", slo.stuck_window != default.stuck_window),
        ("spec.output.configMap", config_map),
    ];
    fields.into_iter().filter(|(_, written)| *written).map(|(field, _)| field).collect()
}

/// The policy of a sampling section.
#[must_use]
pub fn policy(sampling: &Sampling) -> Policy {
    Policy {
        interval: sampling.interval.millis(),
        coarse_interval: sampling.coarse_interval.millis(),
        offline_after_samples: sampling.offline_after_samples,
        offline_after: sampling.offline_after.millis(),
        online_threshold: sampling.online_threshold.millis(),
        rows_per_partition: sampling.rows_per_partition as usize,
        precision: sampling.precision.millis(),
        read_committed: sampling.isolation_level == IsolationLevel::ReadCommitted,
    }
}

fn patterns(field: &str, include: &[String], exclude: &[String]) -> Result<Patterns, Invalid> {
    for (list, written) in [("include", include), ("exclude", exclude)] {
        for (index, pattern) in written.iter().enumerate() {
            check_pattern(pattern, || format!("{field}.{list}[{index}]"))?;
        }
    }
    Patterns::new(include, exclude).map_err(|error| Invalid { field: field.to_owned(), problem: error.into() })
}

fn check_pattern(pattern: &str, field: impl Fn() -> String) -> Result<(), Invalid> {
    Patterns::check(pattern).map_err(|error| Invalid { field: field(), problem: error.into() })
}

/// The properties by librdkafka's names, which are also those of the resource.
fn client_properties(properties: &Properties) -> BTreeMap<String, String> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match serde_json::to_value(properties) {
        Ok(Value::Object(fields)) => fields.into_iter().map(|(name, value)| (name, text(value))).collect(),
        _ => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
