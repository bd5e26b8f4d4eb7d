//! `/api/v1/consumers/groups`: the consumer groups, filtered and sorted, and one of them whole.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::{GroupRow, Origin};
use super::{GroupPath, Of};
use crate::http::answer::Answer;
use crate::http::listing::{Key, Page, Sorted, page_of, sorted};
use crate::http::query::{Asked, Cursor, Field, Limit, Path, Search, Sort};
use crate::http::refusal::Refusal;
use crate::http::view::{Place, Told, View};
use crate::http::viewer::Shown;
use crate::lag::extent::{Extent, extent};
use crate::lag::observation::{GroupKind, GroupState};
use crate::lag::report::{Group, State};

/// Which groups, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Groups {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only groups with this in their id, in whatever case.
    #[serde(default)]
    q: Search,
    /// Only groups whose worst topic is in this state.
    state: Option<State>,
    /// Only groups that Kafka says are in this state.
    group_state: Option<GroupState>,
    /// Only groups that speak this protocol.
    #[serde(rename = "type")]
    kind: Option<GroupKind>,
    /// Only groups that committed on this topic, or have it assigned.
    topic: Option<String>,
    /// Only groups of LagMonitors with this label `highwater.dev/team`.
    team: Option<String>,
    /// Only groups with an alert, or without.
    alerting: Option<bool>,
    /// Only groups that meet their objective, or do not.
    slo_met: Option<bool>,
    /// How many items a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// What to sort by.
    #[serde(default)]
    sort: Sort<By>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) enum By {
    #[default]
    Group,
    Cluster,
    State,
    Members,
    Age,
    Records,
    Compliance,
    Score,
    Alerts,
}

impl Field for By {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("group_id", Self::Group),
        ("cluster_name", Self::Cluster),
        ("state", Self::State),
        ("members", Self::Members),
        ("max_lag_seconds", Self::Age),
        ("total_lag_records", Self::Records),
        ("slo_compliance", Self::Compliance),
        ("rebalance_score", Self::Score),
        ("alerts", Self::Alerts),
    ];
}

impl Groups {
    /// Whether a group is asked for.
    fn want(&self, told: Told<'_>, group: &Group) -> bool {
        let health = &group.health;
        self.state.is_none_or(|state| group.state == Some(state))
            && self.group_state.is_none_or(|state| group.group_state == Some(state))
            && self.kind.is_none_or(|kind| group.kind == kind)
            && self.alerting.is_none_or(|alerting| health.alerts.is_empty() != alerting)
            && self.slo_met.is_none_or(|met| health.slo.and_then(|slo| slo.met) == Some(met))
            && told.is_of(self.team.as_deref())
            && self.topic.as_deref().is_none_or(|topic| group.topics.iter().flatten().any(|on| &*on.topic == topic))
            && self.q.is_in(&group.group_id)
    }
}

fn key(group: &Group, by: By) -> Key {
    let health = &group.health;
    Key::Number(match by {
        By::Group | By::Cluster => return Key::Name,
        By::State => group.state.map(|state| f64::from(state as u8)),
        By::Members => group.members.as_ref().map(|members| members.len() as f64),
        By::Age => group.max_lag_seconds,
        By::Records => group.total_lag_records.map(|records| records as f64),
        By::Compliance => health.slo.and_then(|slo| slo.compliance),
        By::Score => health.rebalances.and_then(|rebalances| rebalances.score),
        By::Alerts => Some(health.alerts.len() as f64),
    })
}

fn name(told: Told<'_>, group: &Group, by: By) -> Vec<u8> {
    let (cluster, group) = (told.report.cluster.name.as_str(), &*group.group_id);
    let names = if matches!(by, By::Cluster) { [cluster, group] } else { [group, cluster] };
    names.join("\0").into_bytes()
}

/// All groups in an order, sorted once for each state of the board.
pub(super) fn order(view: &View, sort: Sort<By>) -> Arc<Sorted<Place>> {
    let field = By::NAMES.iter().find(|(_, by)| *by == sort.field).map_or("", |(name, _)| name);
    view.order((field, sort.descending), || {
        let key = |place: &Place, by| view.at(*place).map_or(Key::Name, |(_, group)| key(group, by));
        let name = |place: &Place, by| view.at(*place).map(|(told, group)| name(told, group, by)).unwrap_or_default();
        sorted(view.places(), sort, key, name)
    })
}

/// The consumer groups.
pub(in crate::http) async fn list(
    Shown(view): Shown,
    Asked(asked): Asked<Groups>,
) -> Result<Answer<Page<GroupRow<'static>>>, Refusal> {
    let meant = view.reports(asked.cluster_id.as_deref())?;
    let want = |place| view.among(&meant, place).is_some_and(|(told, group)| asked.want(told, group));
    let range = (asked.limit, asked.cursor.as_ref());
    let row = |place: Place| {
        let (told, group) = view.at(place)?;
        told.monitor.row(place.1, || GroupRow::of(told, group))
    };
    Answer::of(&page_of(&order(&view, asked.sort), asked.sort, range, want, row))
}

/// One consumer group, with its members, topics and partitions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupDetail")]
pub(in crate::http) struct Whole<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    /// How far behind it is, over all its partitions.
    lag: Extent,
    #[serde(flatten)]
    group: &'a Group,
}

impl<'a> Whole<'a> {
    pub(in crate::http) fn of(told: Told<'a>, group: &'a Group) -> Self {
        Self { origin: Origin::of(told), lag: extent(group), group }
    }
}

/// One consumer group.
pub(in crate::http) async fn one(
    Shown(view): Shown,
    Path(GroupPath { group_id }): Path<GroupPath>,
    Asked(of): Asked<Of>,
) -> Result<Answer<Whole<'static>>, Refusal> {
    let (told, group) = view.group(of.cluster_id.as_deref(), &group_id)?;
    Answer::of(&Whole::of(told, group))
}
