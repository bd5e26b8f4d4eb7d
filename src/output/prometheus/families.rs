//! The one table of metrics: name, help, type, labels, the detail at which they exist, and how firm they are.
//!
//! The exposition writes it, the README's table is made of it. The rows stand in the files below, by whom they speak of.

mod established;
mod groups;
mod operation;

use std::sync::LazyLock;

use super::rows::{Rows, Value};
use crate::board::account::Account;
use crate::board::said::Sayings;
use crate::board::{Posted, Refused};
use crate::lag::report::{Detail, Group, GroupPartition, GroupTopic};

/// One metric.
pub struct Family {
    /// Its name as it stands in text format 0.0.4: that of a counter ends in `_total`.
    pub name: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may still change.
    pub stability: Stability,
    /// Labels beyond those of what it is about.
    extra: &'static [&'static str],
    pub(super) source: Source,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows until the process ends.
    Counter,
    /// Counts of durations in buckets, with their sum.
    Histogram,
}

/// Whether a metric may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// Name, labels and meaning stay.
    Stable,
    /// May change with any minor version, which its changelog says.
    Alpha,
}

/// What a metric is about, and how its samples come out of that.
pub(super) enum Source {
    Process(fn(&Process, &mut Rows<'_>)),
    Monitor(fn(&Posted, &mut Rows<'_>)),
    Group(fn(&Group, &mut Rows<'_>)),
    Topic(fn(&GroupTopic, &mut Rows<'_>)),
    Partition(fn(&GroupPartition<'_>) -> Option<Value>),
    Log(fn(&GroupPartition<'_>) -> Option<Value>),
}

/// What is said about the process as a whole.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) detail: Detail,
    pub(super) partition_series: usize,
    /// The files in which something is refused, and how much.
    pub(super) refused: Refused,
    /// What the operator has done.
    pub(super) account: Account,
    /// How many tasks are under way.
    pub(super) tasks: usize,
    /// What the LagMonitors say of themselves.
    pub(super) sayings: Sayings,
}

/// Every metric, in the order in which they are written and documented.
pub fn all() -> &'static [&'static Family] {
    static ALL: LazyLock<Vec<&'static Family>> =
        LazyLock::new(|| established::FAMILIES.iter().chain(groups::FAMILIES).chain(operation::FAMILIES).collect());
    &ALL
}

impl Kind {
    /// Its name in the exposition.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    /// The names of its labels.
    pub fn labels(&self) -> Vec<&'static str> {
        let of_source: &[_] = match self.source {
            Source::Process(_) => &[],
            Source::Monitor(_) => &["cluster_name"],
            Source::Group(_) => &["cluster_name", "group"],
            Source::Topic(_) => &["cluster_name", "group", "topic"],
            Source::Partition(_) => &["cluster_name", "group", "topic", "partition"],
            Source::Log(_) => &["cluster_name", "topic", "partition"],
        };
        [of_source, self.extra].concat()
    }

    /// The least detail at which it is shown.
    pub fn detail(&self) -> Detail {
        match self.source {
            Source::Process(_) | Source::Monitor(_) | Source::Group(_) => Detail::Group,
            Source::Topic(_) => Detail::Topic,
            Source::Partition(_) | Source::Log(_) => Detail::Partition,
        }
    }

    const fn gauge(name: &'static str, help: &'static str, source: Source) -> Self {
        Self { name, help, kind: Kind::Gauge, stability: Stability::Alpha, extra: &[], source }
    }

    const fn counter(name: &'static str, help: &'static str, source: Source) -> Self {
        Self { name, help, kind: Kind::Counter, stability: Stability::Alpha, extra: &[], source }
    }

    const fn histogram(name: &'static str, help: &'static str, source: Source) -> Self {
        Self { name, help, kind: Kind::Histogram, stability: Stability::Alpha, extra: &[], source }
    }

    const fn stable(self) -> Self {
        Self { stability: Stability::Stable, ..self }
    }

    const fn with(self, extra: &'static [&'static str]) -> Self {
        Self { extra, ..self }
    }
}

/// The table for the README, a row a metric.
pub fn markdown() -> String {
    let mut table = String::from("| metric | type | labels | detail | meaning |\n|---|---|---|---|---|\n");
    for family in all() {
        let kind = family.kind.word();
        let detail = match family.detail() {
            Detail::Group => "group",
            Detail::Topic => "topic",
            Detail::Partition => "partition",
        };
        let firm = if family.stability == Stability::Stable { "" } else { " *(alpha)*" };
        let labels = family.labels().join(", ");
        table += &format!("| `{}` | {kind} | {labels} | {detail} | {}{firm} |\n", family.name, family.help);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_as_prometheus_wants_them() {
        let form = regex::Regex::new("^(kafka|highwater)_[a-z]+[a-z0-9_]*$").unwrap();
        let mut names: Vec<_> = all().iter().map(|family| family.name).collect();
        assert!(names.iter().all(|name| form.is_match(name)), "{names:?}");
        assert!(all().iter().all(|f| f.name.ends_with("_total") == (f.kind == Kind::Counter)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn helps_are_one_sentence_that_needs_no_escape() {
        for family in all() {
            assert!(family.help.ends_with('.') && !family.help.contains(['\n', '\\', '"', '|']), "{}", family.name);
        }
    }

    #[test]
    fn the_markdown_has_a_row_a_metric() {
        let table = markdown();
        assert_eq!(table.lines().count(), 2 + all().len());
        let row =
            "| `kafka_consumergroup_group_lag_seconds` | gauge | cluster_name, group, topic, partition | partition |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn alerts_and_dashboard_name_metrics_that_exist() {
        let name = regex::Regex::new(r"\b(?:kafka|highwater)_[a-z0-9_]+").unwrap();
        let part = regex::Regex::new("_(bucket|sum|count)$").unwrap();
        let exists = |name: &str| {
            let whole = all().iter().any(|family| family.name == name);
            let histogram = |family: &&Family| family.kind == Kind::Histogram && family.name == part.replace(name, "");
            whole || all().iter().copied().any(|family| histogram(&family))
        };
        assert!(exists("highwater_reconcile_duration_seconds_bucket") && !exists("highwater_build_info_sum"));
        for (file, text) in [
            ("rules.yaml", include_str!("../../../charts/highwater/files/rules.yaml")),
            ("dashboard.json", include_str!("../../../charts/highwater/files/dashboard.json")),
        ] {
            let names: Vec<_> = name.find_iter(text).map(|found| found.as_str()).collect();
            assert!(names.len() > 10, "{file}: {names:?}");
            for name in names {
                assert!(exists(name), "{file}: {name}");
            }
        }
    }

    #[test]
    fn the_readme_has_this_table() {
        let readme = include_str!("../../../README.md");
        let part = readme.split_once("<!-- metrics -->\n").and_then(|(_, rest)| rest.split_once("<!-- /metrics -->"));
        assert_eq!(part.map(|(table, _)| table.trim()), Some(markdown().trim()), "write this there:\n{}", markdown());
    }
}
