//! `/api/v1/scale/{namespace}/{monitor}/{group_id}`: how many replicas would do, for an autoscaler.
//!
//! What is not known well enough is 503 and no number, so that the autoscaler's own fallback acts.

use axum::extract::State as Shared;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use crate::access::Thing;
use crate::http::answer::Answer;
use crate::http::query::Path;
use crate::http::refusal::Refusal;
use crate::http::view::{Monitor, Told};
use crate::http::viewer::Guard;
use crate::lag::Millis;
use crate::lag::reason::{Failure, Scope};
use crate::lag::replicas::unseen;
use crate::lag::report::{Group, Replicas};

/// Samples that may be missing before a report counts as stale, and the least time that takes.
const MISSED: f64 = 3.0;
const LEAST: f64 = 30.0;

/// The group in the path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http) struct ScalePath {
    /// The namespace of the LagMonitor.
    namespace: String,
    /// The name of the LagMonitor.
    monitor: String,
    /// The consumer group's id; a `/` in it is written `%2F`.
    group_id: String,
}

/// How many replicas would do.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Scale<'a> {
    /// So many members are advised: 1 or more, and never more than can have a partition.
    desired_replicas: u32,
    /// Age of the oldest record that the group has not read.
    lag_seconds: f64,
    /// What the advice is made of.
    raw: &'a Replicas,
}

/// How many replicas would do.
pub(in crate::http) async fn scale(
    Shared(api): Shared<Api>,
    guard: Guard,
    Path(path): Path<ScalePath>,
) -> Result<Answer<Scale<'static>>, Refusal> {
    guard.may(Thing::Advice(&path.namespace)).await?;
    let view = api.view()?;
    let named = |monitor: &&Monitor| monitor.name.namespace == path.namespace && monitor.name.name == path.monitor;
    let unknown = || Refusal::Unknown(format!("there is no LagMonitor {}/{}", path.namespace, path.monitor));
    let monitor = view.monitors.iter().find(named).ok_or_else(unknown)?;
    let told = monitor.told().ok_or_else(|| Refusal::NotReady("the cluster has not been sampled yet".into()))?;
    fresh(told, api.clock.now())?;
    let group = told.report.group(&path.group_id);
    let group = group.ok_or_else(|| {
        Refusal::Unknown(format!("there is no consumer group {:?} in {}", path.group_id, monitor.name))
    })?;
    whole(told, group)?;
    let unsure = |what| Refusal::NotReady(format!("{what} of the group is not known at present"));
    let lag_seconds = group.max_lag_seconds.ok_or_else(|| unsure("the age"))?;
    let raw = group.health.replicas.as_ref().ok_or_else(|| unsure("the advice"))?;
    Answer::of(&Scale { desired_replicas: raw.advised, lag_seconds, raw })
}

/// Refuses a report that is too old, or made while the cluster did not answer.
fn fresh(told: Told<'_>, now: Millis) -> Result<(), Refusal> {
    if let Some(trouble) = &told.monitor.pulse.trouble {
        return Err(Refusal::NotReady(format!("the cluster does not answer: {}", trouble.message)));
    }
    let age = (now - told.report.generated_at.0) as f64 / 1e3;
    let most = told.report.sampling.interval_seconds.map_or(LEAST, |interval| (interval * MISSED).max(LEAST));
    match age > most {
        true => Err(Refusal::NotReady(format!("the last sample is {age:.0} s old, more than {most:.0} s"))),
        false => Ok(()),
    }
}

/// Refuses a group of which something could not be read: less is known to wait than does, and the advice would be too low.
///
/// A broker that is silent is seen at the partitions that it leads, and so is only a matter of the groups that read them.
fn whole(told: Told<'_>, group: &Group) -> Result<(), Refusal> {
    let partly = |what: &str| Err(Refusal::NotReady(format!("part of the group is not known: {what}")));
    let about = |failure: &&Failure| match failure.scope {
        Scope::Group => *group.group_id == *failure.name,
        Scope::Topic => group.topics.iter().flatten().any(|topic| *topic.topic == *failure.name),
        Scope::Cluster | Scope::Broker | Scope::Partition => false,
    };
    match (told.report.errors.iter().find(about), unseen(group), &group.members) {
        (Some(failure), ..) => partly(&failure.message),
        (_, Some(what), _) => partly(&what),
        (.., None) => partly("its members could not be asked"),
        _ => Ok(()),
    }
}
