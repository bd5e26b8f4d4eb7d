//! The columns of each table: a title, the field of the answer, and how its value is said.

use serde_json::Value;

use crate::output::duration::{human, human_bound};
use crate::output::table::printable;

/// How a value is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A name or a word.
    Word,
    /// Names, by comma.
    Words,
    /// A length of time.
    Length,
    /// An age, with `≥` before it where the field of its bound is not known.
    Age(&'static str),
    /// A bound of an age.
    Bound,
    /// A whole number.
    Count,
    /// How many there are in an array.
    Many,
    /// A share as percent, never rounded up to 100 or down to 0.
    Percent,
    /// A number with two decimals.
    Decimal,
    /// How many times as much as is allowed.
    Times,
    /// How many partitions are assigned to a member.
    Assigned,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Where the value stands in a row, as a JSON pointer.
    pub(super) field: &'static str,
    said: Said,
}

const fn column(title: &'static str, field: &'static str, said: Said) -> Column {
    Column { title, field, said }
}

/// Of each group in a list, and of one group.
pub(super) const GROUPS: &[Column] = &[
    column("CLUSTER", "/cluster_name", Said::Word),
    column("GROUP", "/group_id", Said::Word),
    column("ALERTS", "/alerts", Said::Many),
    column("STATE", "/state", Said::Word),
    column("KAFKA-STATE", "/group_state", Said::Word),
    column("AGE", "/max_lag_seconds", Said::Age("/lag/bound_seconds")),
    column("±BOUND", "/lag/bound_seconds", Said::Bound),
    column("TREND", "/trend", Said::Word),
    column("LAG", "/total_lag_records", Said::Count),
    column("LAG-MAX", "/lag/max_records", Said::Count),
    column("LAG-P95", "/lag/p95_records", Said::Count),
    column("LAG-P50", "/lag/p50_records", Said::Count),
    column("DRAIN", "/drain_seconds", Said::Length),
    column("MEMBERS", "/members", Said::Count),
    column("OBJECTIVE", "/slo/compliance", Said::Percent),
];

/// Of one group against its objective.
pub(super) const OBJECTIVE: &[Column] = &[
    column("OBJECTIVE", "/slo/compliance", Said::Percent),
    column("WANTED", "/slo/target", Said::Percent),
    column("BUDGET", "/slo/budget/remaining", Said::Percent),
    column("BURN-5M", "/slo/budget/burn_rate_5m", Said::Times),
    column("BURN-30M", "/slo/budget/burn_rate_30m", Said::Times),
    column("BURN-1H", "/slo/budget/burn_rate_1h", Said::Times),
    column("BURN-6H", "/slo/budget/burn_rate_6h", Said::Times),
    column("BURN-3D", "/slo/budget/burn_rate_3d", Said::Times),
    column("STUCK", "/stuck_partitions", Said::Count),
];

/// Of one group and its members: how often they change, how evenly they share, how many would do.
pub(super) const CONDUCT: &[Column] = &[
    column("STABILITY", "/rebalances/score", Said::Count),
    column("WANTED", "/rebalances/target", Said::Count),
    column("REBALANCES", "/rebalances/count", Said::Count),
    column("GINI", "/fairness/gini", Said::Decimal),
    column("IDLE", "/fairness/idle_members", Said::Count),
    column("MEMBERS", "/replicas/current", Said::Count),
    column("ADVISED", "/replicas/advised", Said::Count),
    column("USEFUL", "/replicas/useful", Said::Count),
];

/// Of each topic of one group.
pub(super) const TOPICS: &[Column] = &[
    column("TOPIC", "/topic", Said::Word),
    column("STATE", "/state", Said::Word),
    column("AGE", "/max_lag_seconds", Said::Age("/bound_seconds")),
    column("±BOUND", "/bound_seconds", Said::Bound),
    column("TREND", "/trend", Said::Word),
    column("LAG", "/total_lag_records", Said::Count),
    column("DRAIN", "/drain_seconds", Said::Length),
    column("OBJECTIVE", "/slo/compliance", Said::Percent),
    column("NO-COMMIT", "/slo/without_commit", Said::Count),
    column("STUCK", "/stuck_partitions", Said::Count),
];

/// Of each partition of one group.
pub(super) const PARTITIONS: &[Column] = &[
    column("TOPIC", "/topic", Said::Word),
    column("PARTITION", "/partition", Said::Count),
    column("AGE", "/lag_seconds", Said::Age("/bound_seconds")),
    column("±BOUND", "/bound_seconds", Said::Bound),
    column("LAG", "/lag_records", Said::Count),
    column("COMMITTED", "/committed_offset", Said::Count),
    column("LOG-START", "/log_start_offset", Said::Count),
    column("LOG-END", "/log_end_offset", Said::Count),
    column("MEMBER", "/member_id", Said::Word),
    column("METHOD", "/method", Said::Word),
    column("CLOCK", "/clock", Said::Word),
    column("LOST", "/records_lost", Said::Count),
    column("STALE", "/stale_seconds", Said::Length),
    column("STUCK", "/stuck_seconds", Said::Length),
    column("ANOMALIES", "/anomalies", Said::Words),
];

/// Of each member of one group.
pub(super) const MEMBERS: &[Column] = &[
    column("MEMBER", "/client_id", Said::Word),
    column("HOST", "/host", Said::Word),
    column("PARTITIONS", "/assigned", Said::Assigned),
    column("SHARE", "/share", Said::Percent),
];

/// Of a topic.
pub(super) const TOPIC: &[Column] = &[
    column("TOPIC", "/topic", Said::Word),
    column("AGE", "/max_lag_seconds", Said::Length),
    column("LAG", "/total_lag_records", Said::Count),
    column("GROUPS", "/groups", Said::Count),
    column("PARTITIONS", "/partitions", Said::Count),
    column("READ", "/coverage", Said::Percent),
    column("OBJECTIVE", "/mean_compliance", Said::Percent),
    column("STUCK", "/stuck_partitions", Said::Count),
];

/// Of each group of a topic.
pub(super) const CONSUMERS: &[Column] = &[
    column("GROUP", "/group_id", Said::Word),
    column("STATE", "/topic_lag/state", Said::Word),
    column("AGE", "/topic_lag/max_lag_seconds", Said::Age("/topic_lag/bound_seconds")),
    column("±BOUND", "/topic_lag/bound_seconds", Said::Bound),
    column("TREND", "/topic_lag/trend", Said::Word),
    column("LAG", "/topic_lag/total_lag_records", Said::Count),
    column("DRAIN", "/topic_lag/drain_seconds", Said::Length),
    column("OBJECTIVE", "/topic_lag/slo/compliance", Said::Percent),
    column("STABILITY", "/rebalances/score", Said::Count),
    column("GINI", "/fairness/gini", Said::Decimal),
];

/// Of each alert.
pub(super) const ALERTS: &[Column] = &[
    column("CLUSTER", "/cluster_name", Said::Word),
    column("SEVERITY", "/severity", Said::Word),
    column("ALERT", "/kind", Said::Word),
    column("GROUP", "/group_id", Said::Word),
    column("SINCE", "/since", Said::Word),
    column("WHAT", "/summary", Said::Word),
    column("ADVICE", "/advice", Said::Word),
];

/// Of each alert of one group.
pub(super) const HELD: &[Column] = &[
    column("SEVERITY", "/severity", Said::Word),
    column("ALERT", "/kind", Said::Word),
    column("SINCE", "/since", Said::Word),
    column("WHAT", "/summary", Said::Word),
    column("ADVICE", "/advice", Said::Word),
];

impl Column {
    pub(super) fn right(&self) -> bool {
        !matches!(self.said, Said::Word | Said::Words)
    }

    /// The value of a row in words; `-` where it is not known.
    pub(super) fn cell(&self, row: &Value) -> String {
        let value = row.pointer(self.field).unwrap_or(&Value::Null);
        self.say(row, value).unwrap_or_else(|| "-".to_owned())
    }

    fn say(&self, row: &Value, value: &Value) -> Option<String> {
        Some(match self.said {
            Said::Word => printable(value.as_str()?),
            Said::Words => {
                let words: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
                Some(printable(&words.join(","))).filter(|words| !words.is_empty())?
            }
            Said::Length => human(value.as_f64()?),
            Said::Age(bound) => {
                let sign = if row.pointer(bound).is_some_and(Value::is_null) { "≥" } else { "" };
                format!("{sign}{}", human(value.as_f64()?))
            }
            Said::Bound => human_bound(value.as_f64()?),
            Said::Count => match value {
                // Of one group whole, the members themselves stand where a list has their number.
                Value::Array(some) => some.len().to_string(),
                other => format!("{:.0}", other.as_f64()?),
            },
            Said::Many => value.as_array()?.len().to_string(),
            Said::Percent => percent(value.as_f64()?),
            Said::Decimal => format!("{:.2}", value.as_f64()?),
            Said::Times => match value.as_f64()? {
                few if few < 10.0 => format!("{few:.1}x"),
                many => format!("{many:.0}x"),
            },
            Said::Assigned => {
                let of = |one: &Value| one["partitions"].as_array().map_or(0, Vec::len);
                value.as_array()?.iter().map(of).sum::<usize>().to_string()
            }
        })
    }

    /// The value of a row as it stands in the answer, for a program; empty where it is not known.
    pub(super) fn raw(&self, row: &Value) -> String {
        match row.pointer(self.field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(some)) if self.said == Said::Words => {
                some.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            Some(Value::Array(some)) => some.len().to_string(),
            Some(other) => other.to_string(),
        }
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        99.0..100.0 => format!("{:.2}%", (percent * 100.0).floor() / 100.0),
        0.0.. if percent > 0.0 && percent < 1.0 => "<1%".to_owned(),
        _ => format!("{percent:.0}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        for (share, said) in
            [(1.0, "100%"), (0.9999, "99.99%"), (0.995, "99.50%"), (0.5, "50%"), (0.001, "<1%"), (0.0, "0%")]
        {
            assert_eq!(percent(share), said);
        }
    }
}
