//! `/api/v1/clusters`: the clusters, each with the LagMonitor that samples it, or would, and how that is doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::said::Condition;
use crate::http::answer::Answer;
use crate::http::listing::{Key, Page, page};
use crate::http::query::{Asked, Cursor, Field, Limit, Search, Sort};
use crate::http::refusal::Refusal;
use crate::http::view::Monitor;
use crate::http::viewer::Shown;
use crate::lag::Name;
use crate::lag::reason::Failure;
use crate::lag::report::{Timestamp, Totals};

/// Which clusters, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Clusters {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only clusters with this in their name or in `NAMESPACE/NAME` of their LagMonitor, in whatever case.
    #[serde(default)]
    q: Search,
    /// Only clusters of LagMonitors of this namespace.
    namespace: Option<String>,
    /// Only clusters of LagMonitors with this label `highwater.dev/team`.
    team: Option<String>,
    /// Only clusters whose LagMonitor is Ready, or is not.
    ready: Option<bool>,
    /// How many items a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// What to sort by.
    #[serde(default)]
    sort: Sort<By>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) enum By {
    #[default]
    Cluster,
    Age,
}

impl Field for By {
    const NAMES: &'static [(&'static str, Self)] = &[("cluster_name", Self::Cluster), ("max_lag_seconds", Self::Age)];
}

impl Clusters {
    fn want(&self, monitor: &Monitor) -> bool {
        (self.q.is_in(monitor.cluster_name()) || self.q.is_in(&monitor.name.to_string()))
            && self.namespace.as_deref().is_none_or(|namespace| monitor.name.namespace == namespace)
            && (self.team.is_none() || monitor.team() == self.team.as_deref())
            && self.ready.is_none_or(|ready| monitor.said.is("Ready") == ready)
    }
}

/// One cluster, and how its LagMonitor is doing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClusterRow")]
pub(in crate::http) struct Row<'a> {
    /// The name given to the cluster.
    cluster_name: &'a str,
    /// Kafka's own id of it; `null` before it was told.
    cluster_id: Option<&'a str>,
    /// The namespace of the LagMonitor.
    namespace: &'a str,
    /// The name of the LagMonitor.
    monitor: &'a str,
    /// Whose LagMonitor it is: its label `highwater.dev/team`.
    team: Option<&'a str>,
    /// What the LagMonitor says of itself: `Ready`, `Connected`, `Published` and `SLOMet`.
    conditions: &'a [Condition],
    /// `host:port` of every live broker.
    brokers: &'a [Name],
    /// When the latest ages were computed; `null` before the first sample.
    generated_at: Option<Timestamp>,
    /// When the last sample that brought anything ended.
    last_sample: Option<Timestamp>,
    /// Time between samples.
    interval_seconds: Option<f64>,
    /// Share of the wanted answers that came in the last sample, 0 to 1; 0 when it failed.
    coverage: Option<f64>,
    /// Why the last sample brought nothing, or none can begin; `null` while samples come.
    trouble: Option<&'a Failure>,
    /// Why history is kept in memory only at present; `null` while it is stored.
    unstored: Option<&'a str>,
    /// What could not be read in the last sample, and why.
    errors: &'a [Failure],
    /// How many topics are selected.
    topics: usize,
    /// All groups together; `null` before the first sample.
    totals: Option<&'a Totals>,
}

impl<'a> Row<'a> {
    fn of(monitor: &'a Monitor) -> Self {
        let (pulse, report) = (&monitor.pulse, monitor.report.as_deref());
        Self {
            cluster_name: monitor.cluster_name(),
            cluster_id: monitor.cluster_id(),
            namespace: &monitor.name.namespace,
            monitor: &monitor.name.name,
            team: monitor.team(),
            conditions: &monitor.said.conditions,
            brokers: report.map_or(&[], |report| &report.cluster.brokers),
            generated_at: report.map(|report| report.generated_at),
            last_sample: pulse.last_sample.map(Timestamp),
            interval_seconds: report.and_then(|report| report.sampling.interval_seconds),
            coverage: pulse.coverage,
            trouble: pulse.trouble.as_ref(),
            unstored: pulse.unstored.as_ref().map(|unstored| unstored.reason),
            errors: report.map_or(&[], |report| &report.errors),
            topics: report.map_or(0, |report| report.topics.len()),
            totals: report.map(|report| &report.totals),
        }
    }
}

fn key(monitor: &&Monitor, by: By) -> Key {
    match by {
        By::Cluster => Key::Name,
        By::Age => Key::Number(monitor.report.as_ref().and_then(|report| report.totals.max_lag_seconds)),
    }
}

/// The clusters.
pub(in crate::http) async fn list(
    Shown(view): Shown,
    Asked(asked): Asked<Clusters>,
) -> Result<Answer<Page<Row<'static>>>, Refusal> {
    let name = |monitor: &&Monitor, _| format!("{}\0{}", monitor.cluster_name(), monitor.name).into_bytes();
    let range = (asked.limit, asked.cursor.as_ref());
    let meant = match asked.cluster_id.as_deref() {
        Some(cluster) => vec![view.monitor_of(cluster)?],
        None => view.monitors.iter().collect(),
    };
    let wanted = meant.into_iter().filter(|monitor| asked.want(monitor)).collect();
    Answer::of(&page(wanted, asked.sort, range, key, name, Row::of))
}
