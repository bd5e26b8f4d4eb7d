//! `/api/v1/alerts`: what is not all right at present, the gravest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::Origin;
use crate::http::answer::Answer;
use crate::http::listing::{Key, Page, page};
use crate::http::query::{Asked, Cursor, Field, Limit, Search, Sort};
use crate::http::refusal::Refusal;
use crate::http::view::Told;
use crate::http::viewer::Shown;
use crate::lag::report::{Alert, AlertKind, Severity};

/// Which alerts, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Alerts {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only alerts of this severity.
    severity: Option<Severity>,
    /// Only alerts of this kind.
    kind: Option<AlertKind>,
    /// Only alerts of this group.
    group_id: Option<String>,
    /// Only alerts of groups with this in their id, in whatever case.
    #[serde(default)]
    q: Search,
    /// Only alerts of groups of LagMonitors with this label `highwater.dev/team`.
    team: Option<String>,
    /// How many items a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// What to sort by; the gravest first without it.
    #[serde(default = "gravest_first")]
    sort: Sort<By>,
}

fn gravest_first() -> Sort<By> {
    Sort { field: By::Severity, descending: true }
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) enum By {
    #[default]
    Severity,
    Since,
    Group,
    Kind,
}

impl Field for By {
    const NAMES: &'static [(&'static str, Self)] =
        &[("severity", Self::Severity), ("since", Self::Since), ("group_id", Self::Group), ("kind", Self::Kind)];
}

/// One alert, and where it comes from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AlertRow")]
pub(in crate::http) struct Row<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    #[serde(flatten)]
    origin: Origin<'a>,
}

fn key((_, alert): &(Told<'_>, &Alert), by: By) -> Key {
    match by {
        By::Severity => Key::Number(Some(f64::from(alert.severity as u8))),
        By::Since => Key::Number(Some(alert.since.0 as f64)),
        By::Group | By::Kind => Key::Name,
    }
}

fn name((told, alert): &(Told<'_>, &Alert), by: By) -> Vec<u8> {
    let (group, kind, cluster) = (&*alert.group_id, alert.kind.word(), told.report.cluster.name.as_str());
    let names = if matches!(by, By::Kind) { [kind, group, cluster] } else { [group, kind, cluster] };
    names.join("\0").into_bytes()
}

/// What is not all right at present.
pub(in crate::http) async fn list(
    Shown(view): Shown,
    Asked(asked): Asked<Alerts>,
) -> Result<Answer<Page<Row<'static>>>, Refusal> {
    let want = |alert: &Alert| {
        asked.severity.is_none_or(|severity| alert.severity == severity)
            && asked.kind.is_none_or(|kind| alert.kind == kind)
            && asked.group_id.as_deref().is_none_or(|group| &*alert.group_id == group)
            && asked.q.is_in(&alert.group_id)
    };
    let of_team = |told: &Told<'_>| told.is_of(asked.team.as_deref());
    let mut rows = Vec::new();
    for told in view.reports(asked.cluster_id.as_deref())?.into_iter().filter(of_team) {
        let all = told.report.groups.iter().flat_map(|group| &group.health.alerts);
        rows.extend(all.filter(|alert| want(alert)).map(|alert| (told, alert)));
    }
    let range = (asked.limit, asked.cursor.as_ref());
    let row = |(told, alert)| Row { alert, origin: Origin::of(told) };
    Answer::of(&page(rows, asked.sort, range, key, name, row))
}
