//! `/api/v1/totals` and `/api/v1/teams`: all groups together, and by whose they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::answer::Answer;
use crate::http::listing::{Key, Page, page};
use crate::http::query::{Asked, Cursor, Field, Limit, Sort};
use crate::http::refusal::Refusal;
use crate::http::viewer::Shown;
use crate::lag::aggregate::{teams, together};
use crate::lag::report::{Report, Team, Totals};

/// Which groups to add up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Added {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only groups of LagMonitors with this label `highwater.dev/team`.
    team: Option<String>,
}

/// All groups together.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Together")]
pub(in crate::http) struct Together {
    /// LagMonitors that have a report.
    monitors: usize,
    /// Their groups. Its `slo` is met where that of each LagMonitor is, and has the highest of their targets.
    #[serde(flatten)]
    totals: Totals,
}

/// All groups together.
pub(in crate::http) async fn totals(
    Shown(view): Shown,
    Asked(asked): Asked<Added>,
) -> Result<Answer<Together>, Refusal> {
    let mut reports = view.reports(asked.cluster_id.as_deref())?;
    reports.retain(|told| told.is_of(asked.team.as_deref()));
    let totals = together(reports.iter().map(|told| &**told.report));
    Answer::of(&Together { monitors: reports.len(), totals })
}

/// Which teams, and how many of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Teams {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
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
    Team,
    Monitors,
    Groups,
    Age,
    Records,
    Compliance,
    Alerts,
}

impl Field for By {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("team", Self::Team),
        ("monitors", Self::Monitors),
        ("groups", Self::Groups),
        ("max_lag_seconds", Self::Age),
        ("total_lag_records", Self::Records),
        ("slo_compliance", Self::Compliance),
        ("alerts", Self::Alerts),
    ];
}

fn key(team: &&Team, by: By) -> Key {
    let totals = &team.totals;
    Key::Number(match by {
        By::Team => return Key::Name,
        By::Monitors => Some(f64::from(team.monitors)),
        By::Groups => Some(f64::from(totals.groups)),
        By::Age => totals.max_lag_seconds,
        By::Records => totals.total_lag_records.map(|records| records as f64),
        By::Compliance => totals.slo.and_then(|slo| slo.compliance),
        By::Alerts => Some(f64::from(totals.warnings + totals.criticals)),
    })
}

/// What is nobody's comes after every name, whatever language that is in.
fn name(team: &&Team, _: By) -> Vec<u8> {
    team.team.as_ref().map_or_else(|| vec![u8::MAX], |name| name.as_bytes().to_vec())
}

/// The teams.
pub(in crate::http) async fn list(
    Shown(view): Shown,
    Asked(asked): Asked<Teams>,
) -> Result<Answer<Page<Team>>, Refusal> {
    let reports = view.reports(asked.cluster_id.as_deref())?;
    let all = teams(reports.iter().map(|told| -> &Report { told.report }));
    let range = (asked.limit, asked.cursor.as_ref());
    Answer::of(&page(all.iter().collect(), asked.sort, range, key, name, |team| team))
}
