//! `/api/v1/consumers/groups/{group_id}/health`: how one group stands against its objective.

use schemars::JsonSchema;
use serde::Serialize;

use super::rows::Origin;
use super::{GroupPath, Of};
use crate::http::answer::Answer;
use crate::http::query::{Asked, Path};
use crate::http::refusal::Refusal;
use crate::http::view::Told;
use crate::http::viewer::Shown;
use crate::lag::extent::{Extent, extent};
use crate::lag::observation::{GroupKind, GroupState};
use crate::lag::report::{Group, Health, State, Trend};

/// How one group stands against its objective: the single figures first, then what they are made of.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupHealth")]
pub(in crate::http) struct Summary<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    /// The group's id.
    group_id: &'a str,
    /// Which protocol it speaks.
    #[serde(rename = "type")]
    kind: GroupKind,
    /// Kafka's own state of the group.
    group_state: Option<GroupState>,
    /// The worst state of its topics.
    state: Option<State>,
    /// Share of the partitions that are within every limit, 0 to 1.
    slo_compliance: Option<f64>,
    /// 100 without rebalances, 0 with as many as the objective allows.
    rebalance_score: Option<f64>,
    /// Gini coefficient of the partitions a member: 0 is perfectly even.
    fairness_gini: Option<f64>,
    /// Partitions that are stuck.
    stuck_count: Option<u32>,
    /// How far behind it is, over all its partitions.
    lag: Extent,
    /// Where the age is heading.
    trend: Option<Trend>,
    #[serde(flatten)]
    health: &'a Health,
}

impl<'a> Summary<'a> {
    pub(in crate::http) fn of(told: Told<'a>, group: &'a Group) -> Self {
        let health = &group.health;
        Self {
            origin: Origin::of(told),
            group_id: &group.group_id,
            kind: group.kind,
            group_state: group.group_state,
            state: group.state,
            slo_compliance: health.slo.and_then(|slo| slo.compliance),
            rebalance_score: health.rebalances.and_then(|rebalances| rebalances.score),
            fairness_gini: health.fairness.map(|fairness| fairness.gini),
            stuck_count: health.stuck_partitions,
            lag: extent(group),
            trend: group.trend,
            health,
        }
    }
}

/// How one group stands against its objective.
pub(in crate::http) async fn health(
    Shown(view): Shown,
    Path(GroupPath { group_id }): Path<GroupPath>,
    Asked(of): Asked<Of>,
) -> Result<Answer<Summary<'static>>, Refusal> {
    let (told, group) = view.group(of.cluster_id.as_deref(), &group_id)?;
    Answer::of(&Summary::of(told, group))
}
