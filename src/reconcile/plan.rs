//! A LagMonitor and what it refers to become a plan: everything that sampling needs, checked. Pure.
//!
//! Fetching references is left to `resolve`, running plans to the fleet.

mod credentials;
pub mod objective;

use std::collections::{BTreeMap, BTreeSet};

use objective::Objective;
use serde_json::Value;

use super::resolve::{Kind, Resolved};
use crate::crd::properties::Properties;
use crate::crd::sampling::{IsolationLevel, Sampling};
use crate::crd::slo::Slo;
use crate::crd::{LagMonitor, LagMonitorSpec};
use crate::kafka::connection::Connection;
use crate::kafka::selection::{PatternError, Patterns, Selection};
use crate::lag::policy::Policy;
use crate::lag::report::MonitorName;

/// How one LagMonitor is to be sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The LagMonitor.
    pub monitor: MonitorName,
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
    /// Whether sampling is to stop.
    pub suspend: bool,
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
    let namespace = monitor.metadata.namespace.clone().unwrap_or_default();
    let name = monitor.metadata.name.clone().unwrap_or_default();
    let spec = &monitor.spec;
    let lookup = credentials::Lookup { namespace: &namespace, resolved };
    let connection = Connection {
        brokers: spec.brokers.clone(),
        tls: spec.tls.as_ref().map(|tls| lookup.tls(tls)).transpose()?,
        sasl: spec.sasl.as_ref().map(|sasl| lookup.sasl(sasl)).transpose()?,
        properties: client_properties(&spec.properties),
    };
    Ok(Plan {
        cluster_name: spec.cluster_name.clone().unwrap_or_else(|| format!("{namespace}/{name}")),
        connection,
        selection: Selection {
            groups: patterns("spec.groups", &spec.groups.include, &spec.groups.exclude)?,
            topics: patterns("spec.topics", &spec.topics.include, &spec.topics.exclude)?,
        },
        policy: policy(&spec.sampling),
        objective: Objective::new(&spec.slo)?,
        output_file: spec.output.file.as_ref().map(|file| file.path.clone()),
        suspend: spec.suspend,
        unused: unused(spec),
        monitor: MonitorName { namespace, name },
    })
}

/// Refuses plans that want the cluster name or the output file of one before them.
#[must_use]
pub fn refuse_conflicts(plans: Vec<Plan>) -> (Vec<Plan>, Vec<(MonitorName, Invalid)>) {
    let mut clusters = BTreeMap::<String, MonitorName>::new();
    let mut files = BTreeMap::<(String, String), MonitorName>::new();
    let (mut good, mut refused) = (vec![], vec![]);
    for plan in plans {
        let cluster = clusters
            .get(&plan.cluster_name)
            .map(|holder| taken("spec.clusterName", "clusterName", plan.cluster_name.clone(), holder));
        let place = plan.output_file.clone().map(|path| (plan.monitor.namespace.clone(), path));
        let file = place.as_ref().and_then(|place| {
            let holder = files.get(place)?;
            Some(taken("spec.output.file.path", "the output file", place.1.clone(), holder))
        });
        if let Some(invalid) = cluster.or(file) {
            refused.push((plan.monitor, invalid));
            continue;
        }
        clusters.insert(plan.cluster_name.clone(), plan.monitor.clone());
        files.extend(place.map(|place| (place, plan.monitor.clone())));
        good.push(plan);
    }
    (good, refused)
}

fn unused(spec: &LagMonitorSpec) -> Vec<&'static str> {
    let (slo, default) = (&spec.slo, Slo::default());
    let fields = [
        ("spec.slo.minRebalanceScore", slo.min_rebalance_score != default.min_rebalance_score),
        ("spec.slo.rebalanceWindow", slo.rebalance_window != default.rebalance_window),
        ("spec.slo.maxRebalances", slo.max_rebalances != default.max_rebalances),
        ("spec.slo.maxGiniExcessPercent", slo.max_gini_excess_percent != default.max_gini_excess_percent),
        ("spec.slo.stuckWindow", slo.stuck_window != default.stuck_window),
        ("spec.output.configMap", spec.output.config_map.is_some()),
    ];
    fields.into_iter().filter(|(_, written)| *written).map(|(field, _)| field).collect()
}

fn taken(field: &str, what: &'static str, value: String, holder: &MonitorName) -> Invalid {
    let holder = format!("{}/{}", holder.namespace, holder.name);
    Invalid { field: field.to_owned(), problem: Problem::Taken { what, value, holder } }
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
