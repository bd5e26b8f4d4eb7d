//! The things that series are about, each with its labels escaped once: monitors, groups, topics of groups, and
//! partitions' logs.

use std::collections::BTreeMap;

use crate::board::{Posted, Snapshot};
use crate::lag::report::{Detail, Group, GroupTopic};

/// One thing that series are about, as places in the board and its reports.
#[derive(Debug)]
pub(super) struct Unit {
    /// `name="value"` pairs parted by commas, escaped, without braces.
    pub(super) labels: Box<str>,
    monitor: usize,
    group: usize,
    topic: usize,
}

/// All of them, by level.
#[derive(Debug)]
pub(super) struct Units {
    posted: Vec<Posted>,
    pub(super) process: Vec<Unit>,
    pub(super) monitors: Vec<Unit>,
    pub(super) groups: Vec<Unit>,
    pub(super) topics: Vec<Unit>,
    pub(super) logs: Vec<Unit>,
}

impl Units {
    /// Everything on the board that a detail has series for.
    pub(super) fn new(board: &Snapshot, detail: Detail) -> Self {
        let posted = board.values().cloned().collect();
        let unit = |labels: String, monitor, group, topic| Unit { labels: labels.into(), monitor, group, topic };
        let (mut monitors, mut groups, mut topics, mut logs) = (vec![], vec![], vec![], vec![]);
        for (m, posted) in board.values().enumerate() {
            let cluster = label("cluster_name", &posted.pulse.cluster_name);
            monitors.push(unit(cluster.clone(), m, 0, 0));
            let Some(report) = posted.report.as_deref() else { continue };
            // Every group lists all partitions of a topic, and their ends are read once for all groups: the first
            // group that has the topic tells for all.
            let mut first = BTreeMap::new();
            for (g, group) in report.groups.iter().enumerate() {
                let of_group = format!("{cluster},{}", label("group", &group.group_id));
                for (t, topic) in group.topics.iter().flatten().enumerate().filter(|_| detail >= Detail::Topic) {
                    let of_topic = label("topic", &topic.topic);
                    topics.push(unit(format!("{of_group},{of_topic}"), m, g, t));
                    first.entry(&topic.topic).or_insert((of_topic, g, t));
                }
                groups.push(unit(of_group, m, g, 0));
            }
            logs.extend(first.into_values().map(|(topic, g, t)| unit(format!("{cluster},{topic}"), m, g, t)));
        }
        Self { posted, process: vec![unit(String::new(), 0, 0, 0)], monitors, groups, topics, logs }
    }

    pub(super) fn posted(&self, unit: &Unit) -> Option<&Posted> {
        self.posted.get(unit.monitor)
    }

    pub(super) fn group(&self, unit: &Unit) -> Option<&Group> {
        self.posted(unit)?.report.as_ref()?.groups.get(unit.group)
    }

    pub(super) fn topic(&self, unit: &Unit) -> Option<&GroupTopic> {
        self.group(unit)?.topics.as_ref()?.get(unit.topic)
    }
}

/// `name="value"` with backslash, quote and newline escaped: all that both formats ask for.
pub(super) fn label(name: &str, value: &str) -> String {
    let mut out = String::with_capacity(name.len() + value.len() + 3);
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, Pulse};
    use crate::output::sample;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(label("group", "a\\b\"c\nd\re"), "group=\"a\\\\b\\\"c\\nd\re\"");
    }

    #[test]
    fn a_log_is_told_once_however_many_groups_read_it() {
        let board = Board::default();
        board.post(&sample::monitor(), sample::report().into(), Pulse::default());
        let units = Units::new(&board.latest(), Detail::Partition);
        let logs: Vec<_> = units.logs.iter().map(|unit| &*unit.labels).collect();
        assert_eq!(logs, [r#"cluster_name="",topic="orders""#, r#"cluster_name="",topic="payments""#]);
        assert_eq!((units.monitors.len(), units.groups.len(), units.topics.len()), (1, 4, 4));
        assert!(Units::new(&board.latest(), Detail::Group).topics.is_empty());
    }
}
