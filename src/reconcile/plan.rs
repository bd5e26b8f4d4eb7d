//! A LagMonitor and what it refers to become a plan: everything that sampling needs, checked. Pure.
//!
//! Fetching references is left to `resolve`, running plans to the fleet.

mod claims;
mod credentials;

pub use claims::Claims;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::Value;

use super::resolve::{Kind, Resolved};
use crate::crd::output::ConfigMapOutput;
use crate::crd::properties::Properties;
use crate::crd::sampling::{IsolationLevel, Sampling};
use crate::crd::{LagMonitor, LagMonitorSpec};
use crate::kafka::connection::Connection;
use crate::kafka::selection::{PatternError, Patterns, Selection};
use crate::lag::Name;
use crate::lag::policy::Policy;
use crate::lag::report::MonitorName;
use crate::monitor::objective::Objective;

/// The annotation that asks for a sample at once, by any text that it did not have before.
pub const SAMPLE_NOW: &str = "highwater.dev/sample-now";

/// The label that says whose LagMonitor it is.
pub const TEAM: &str = "highwater.dev/team";

/// How one LagMonitor is to be sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The LagMonitor.
    pub monitor: MonitorName,
    /// Kubernetes' id of this life of the LagMonitor; none outside of a cluster.
    pub uid: Option<String>,
    /// The name of the cluster in labels and reports.
    pub cluster_name: String,
    /// Whose it is: the label `highwater.dev/team`.
    pub team: Option<Name>,
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
    /// A file would be where another file needs a folder.
    #[error(
        "the output file {path:?} and {other:?}, that of LagMonitor {holder}, can't both be there, for one would be the \
         folder of the other: write another one"
    )]
    Folder {
        /// The file.
        path: String,
        /// The other file.
        other: String,
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
            Problem::Taken { .. } | Problem::Folder { .. } => "NameTaken",
        }
    }
}

/// Objects by kind and name, each with a field that refers to it.
pub type Referred = BTreeMap<(Kind, String), &'static str>;

/// The objects of its namespace that a LagMonitor refers to.
#[must_use]
pub fn references(spec: &LagMonitorSpec) -> Referred {
    let (tls, sasl) = (spec.tls.as_ref(), spec.sasl.as_ref());
    let ca = tls.and_then(|tls| tls.ca.as_ref());
    let password = sasl.and_then(|sasl| sasl.password_secret_ref.as_ref());
    let oauth = sasl.and_then(|sasl| sasl.oauth.as_ref()).map(|oauth| &oauth.client_secret_ref);
    let client = tls.and_then(|tls| tls.client_secret_ref.as_ref());
    let keys = [
        (Kind::ConfigMap, "spec.tls.ca.configMapRef", ca.and_then(|ca| ca.config_map_ref.as_ref())),
        (Kind::Secret, "spec.tls.ca.secretRef", ca.and_then(|ca| ca.secret_ref.as_ref())),
        (Kind::Secret, "spec.sasl.passwordSecretRef", password),
        (Kind::Secret, "spec.sasl.oauth.clientSecretRef", oauth),
    ];
    let of_keys = keys.into_iter().filter_map(|(kind, field, key)| Some(((kind, key?.name.clone()), field)));
    let of_client = client.map(|secret| ((Kind::Secret, secret.name.clone()), "spec.tls.clientSecretRef"));
    of_keys.chain(of_client).collect()
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
        team: monitor.labels().get(TEAM).map(|team| team.as_str().into()),
        connection,
        selection: Selection {
            groups: patterns("spec.groups", &spec.groups.include, &spec.groups.exclude)?,
            topics: patterns("spec.topics", &spec.topics.include, &spec.topics.exclude)?,
        },
        policy: policy(&spec.sampling),
        objective: Objective::new(&spec.slo)
            .map_err(|(field, error)| Invalid { field: format!("spec.slo.{field}"), problem: error.into() })?,
        output_file: spec.output.file.as_ref().map(|file| file.path.clone()),
        config_map: spec.output.config_map.clone(),
        sample_now: monitor.annotations().get(SAMPLE_NOW).cloned(),
        unused: unused(monitor),
        uid: monitor.metadata.uid.clone(),
        monitor: name,
    })
}

fn unused(monitor: &LagMonitor) -> Vec<&'static str> {
    // Without Kubernetes there is no uid, and no ConfigMap.
    let config_map = monitor.metadata.uid.is_none() && monitor.spec.output.config_map.is_some();
    let fields = [("spec.output.configMap", config_map)];
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
