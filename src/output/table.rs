//! The report as a table for a person in front of a terminal: worst first, ages in words, `-` for what is unknown.
//!
//! Colour only repeats what a word in the same row says. Names come from the cluster and may hold anything: control
//! characters are shown escaped, never sent to the terminal.

use std::cmp::Reverse;
use std::ffi::OsStr;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::duration::{human, human_bound};
use super::word::word;
use crate::lag::report::{Group, GroupPartition, GroupTopic, Method, Report, State};

/// Whether to colour: on a terminal, unless `NO_COLOR` is set to anything but nothing (no-color.org).
pub fn colours_wanted(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// A row a group and topic: OFFLINE before RECOVERING before ONLINE, then the oldest first.
///
/// A group without topics, or a report of groups only, has one row a group. Without a row there is no header either.
pub fn table(report: &Report, colours: bool) -> String {
    let mut table = Sheet::new(
        &["GROUP", "TOPIC", "STATE", "AGE", "±BOUND", "TREND", "LAG", "DRAIN"],
        &["AGE", "±BOUND", "LAG", "DRAIN"],
        colours,
    );
    for (group, topic) in worst_first(report) {
        let (state, trend) = (topic.map_or(group.state, |t| t.state), topic.map_or(group.trend, |t| t.trend));
        let seconds = topic.map_or(group.max_lag_seconds, |t| t.max_lag_seconds);
        let records = topic.map_or(group.total_lag_records, |t| t.total_lag_records);
        table.row(
            state,
            [
                printable(&group.group_id),
                topic.map_or_else(unknown, |t| printable(&t.topic)),
                state.map_or_else(unknown, word),
                age(seconds, topic.and_then(|t| t.method)),
                topic.and_then(|t| t.bound_seconds).map_or_else(unknown, human_bound),
                trend.map_or_else(unknown, word),
                number(records),
                topic.and_then(|t| t.drain_seconds).map_or_else(unknown, human),
            ],
        );
    }
    table.finish()
}

/// A row a partition, the groups and topics in the order of [`table`], the partitions by number.
pub fn wide(report: &Report, colours: bool) -> String {
    let mut table = Sheet::new(
        &[
            "GROUP",
            "TOPIC",
            "PARTITION",
            "STATE",
            "AGE",
            "±BOUND",
            "METHOD",
            "CLOCK",
            "COMMITTED",
            "LOG-END",
            "LAG",
            "LOST",
            "STALE",
            "CLIENT-ID",
            "HOST",
            "ANOMALIES",
        ],
        &["PARTITION", "AGE", "±BOUND", "COMMITTED", "LOG-END", "LAG", "LOST", "STALE"],
        colours,
    );
    for (group, topic) in worst_first(report) {
        let state = topic.map_or(group.state, |t| t.state);
        let names = [printable(&group.group_id), topic.map_or_else(unknown, |t| printable(&t.topic))];
        let partitions = topic.and_then(|t| t.partitions.as_ref()).filter(|partitions| !partitions.is_empty());
        for partition in partitions.into_iter().flatten() {
            table.row(state, names.clone().into_iter().chain(partition_cells(group, state, &partition)));
        }
        if partitions.is_none() {
            let rest = [unknown(), state.map_or_else(unknown, word)].into_iter().chain((0..12).map(|_| unknown()));
            table.row(state, names.into_iter().chain(rest));
        }
    }
    table.finish()
}

fn partition_cells(group: &Group, state: Option<State>, partition: &GroupPartition<'_>) -> [String; 14] {
    let member = group.members.iter().flatten().find(|m| Some(&m.member_id) == partition.member_id);
    let anomalies: Vec<String> = partition.anomalies.iter().map(word).collect();
    [
        partition.partition.to_string(),
        state.map_or_else(unknown, word),
        age(partition.lag_seconds, partition.method),
        partition.bound_seconds.map_or_else(unknown, human_bound),
        partition.method.map_or_else(unknown, word),
        partition.clock.map_or_else(unknown, word),
        number(partition.committed_offset),
        number(partition.log_end_offset),
        number(partition.lag_records),
        partition.records_lost.to_string(),
        partition.stale_seconds.map_or_else(unknown, human),
        member.map_or_else(unknown, |m| printable(&m.client_id)),
        member.map_or_else(unknown, |m| printable(&m.host)),
        if anomalies.is_empty() { unknown() } else { anomalies.join(",") },
    ]
}

/// Every group with each of its topics, or with none where it has none, in an order that equal reports share.
fn worst_first(report: &Report) -> Vec<(&Group, Option<&GroupTopic>)> {
    let mut rows = Vec::new();
    for group in &report.groups {
        match group.topics.as_deref() {
            None | Some([]) => rows.push((group, None)),
            Some(topics) => rows.extend(topics.iter().map(|topic| (group, Some(topic)))),
        }
    }
    let severity = |(group, topic): &(&Group, Option<&GroupTopic>)| {
        let millis = topic.map_or(group.max_lag_seconds, |t| t.max_lag_seconds).map(|seconds| (seconds * 1e3) as i64);
        (topic.map_or(group.state, |t| t.state), millis)
    };
    rows.sort_by_key(|row| Reverse(severity(row)));
    rows
}

/// An age as it is shown, with a sign before a lower bound; `-` where it is unknown.
pub(crate) fn age(seconds: Option<f64>, method: Option<Method>) -> String {
    match (seconds, method) {
        (None, _) => unknown(),
        (Some(seconds), Some(Method::AtLeast)) => format!("≥{}", human(seconds)),
        (Some(seconds), _) => human(seconds),
    }
}

fn number(value: Option<i64>) -> String {
    value.map_or_else(unknown, |value| value.to_string())
}

fn unknown() -> String {
    "-".into()
}

/// A name without control characters: they are shown escaped.
pub(crate) fn printable(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A table without lines, as `kubectl` prints it.
pub(super) struct Sheet {
    table: Table,
    colours: bool,
}

impl Sheet {
    pub(super) fn new(columns: &[&str], right: &[&str], colours: bool) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.iter().map(Cell::new));
        if colours {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for (index, name) in columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2));
                if right.contains(name) {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        Self { table, colours }
    }

    pub(super) fn row(&mut self, state: Option<State>, cells: impl IntoIterator<Item = String>) {
        let state_word = state.map(word);
        self.table.add_row(cells.into_iter().map(|text| {
            let coloured = self.colours && state_word.as_ref() == Some(&text);
            match state.filter(|_| coloured) {
                Some(State::Offline) => Cell::new(text).fg(Color::Red),
                Some(State::Recovering) => Cell::new(text).fg(Color::Yellow),
                Some(State::Online) => Cell::new(text).fg(Color::Green),
                None => Cell::new(text),
            }
        }));
    }

    pub(super) fn finish(self) -> String {
        if self.table.is_empty() {
            return String::new();
        }
        self.table.trim_fmt() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{detail, sample};

    #[test]
    fn the_worst_comes_first_and_everything_reads_aloud() {
        let shown = table(&sample::report(), false);
        let rows: Vec<Vec<&str>> = shown
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[0], ["GROUP", "TOPIC", "STATE", "AGE", "±BOUND", "TREND", "LAG", "DRAIN"]);
        assert_eq!(rows[1], ["billing", "orders", "OFFLINE", "≥3d2h", "-", "growing", "60", "-"]);
        assert_eq!(rows[2], ["orders-shipper", "payments", "RECOVERING", "4m12s", "1ms", "shrinking", "4000", "1m35s"]);
        assert_eq!(rows[3], ["orders-shipper", "orders", "ONLINE", "2.5s", "40ms", "-", "10", "-"]);
        assert_eq!(rows[4][1..], ["orders", "-", "-", "-", "-", "-", "-"]);
        assert_eq!(rows[5], ["zombie", "-", "-", "-", "-", "-", "-", "-"]);
        assert_eq!(rows.len(), 6);
    }

    #[test]
    fn wide_has_a_row_a_partition() {
        let shown = wide(&sample::report(), false);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 1 + 7 + 1, "seven partitions and a group without topics");
        let words: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(words[..8], ["billing", "orders", "0", "OFFLINE", "≥3d2h", "-", "at_least", "append"]);
        assert_eq!(words[8..], ["10", "100", "60", "30", "1m1s", "-", "-", "timestamps_ahead,record_hidden"]);
        let words: Vec<&str> = lines[4].split_whitespace().collect();
        assert_eq!(words[words.len() - 3..], ["shipper", "10.0.0.7", "-"]);
    }

    #[test]
    fn names_cannot_reach_the_terminal_as_commands() {
        for shown in [table(&sample::report(), false), wide(&sample::report(), false)] {
            assert!(shown.contains(r#"we"ird\gr\noup,\u{1b}[31m\t=é"#), "{shown}");
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }

    #[test]
    fn colours_change_nothing_but_colour() {
        let (plain, coloured) = (table(&sample::report(), false), table(&sample::report(), true));
        assert_ne!(plain, coloured);
        let stripped = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&coloured, "").into_owned();
        let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
    }

    #[test]
    fn where_nothing_is_shown_no_header_stands_alone() {
        let report = Report { groups: Vec::new(), ..sample::report() };
        assert_eq!((table(&report, false), wide(&report, true)), (String::new(), String::new()));
    }

    #[test]
    fn no_color_wins_over_the_terminal() {
        assert!(colours_wanted(true, None));
        assert!(colours_wanted(true, Some(OsStr::new(""))));
        assert!(!colours_wanted(true, Some(OsStr::new("1"))));
        assert!(!colours_wanted(false, None));
    }

    #[test]
    fn a_report_of_groups_has_a_row_a_group() {
        let shown = table(&detail::lowered(&sample::report(), crate::lag::report::Detail::Group), false);
        let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[1], ["billing", "-", "OFFLINE", "3d2h", "-", "growing", "60", "-"]);
    }
}
