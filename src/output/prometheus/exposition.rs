//! The exposition itself, in pieces of some 64 KiB, written while the scraper reads: family by family, as the formats
//! demand, and within a family thing by thing.

use bytes::Bytes;

use super::detail::partition_series;
use super::families::{self, Family, Process, Source};
use super::negotiation::Format;
use super::rows::Rows;
use super::units::{Unit, Units};
use crate::board::account::Account;
use crate::board::said::Sayings;
use crate::board::{Refused, Snapshot};
use crate::lag::report::{Detail, GroupPartition};

/// A piece is sent on when it is so long; it is longer by the partitions of one topic at most.
const PIECE: usize = 64 * 1024;

/// One exposition of what stood on the board at one moment.
#[derive(Debug)]
pub struct Exposition {
    units: Units,
    process: Process,
    format: Format,
    /// How many partitions of each group and topic are shown where not all are.
    top: usize,
    /// Where the next piece begins: the family's place in the table, and the unit's in the family.
    family: usize,
    unit: usize,
    ended: bool,
}

/// The exposition of a snapshot at the detail that is in force.
///
/// No two monitors of the snapshot may share a cluster name, or their series would be the same.
pub fn exposition(board: &Snapshot, detail: Detail, format: Format) -> Exposition {
    let process = Process {
        detail,
        partition_series: partition_series(board),
        refused: Refused::new(),
        account: Account::default(),
        tasks: 0,
        sayings: Sayings::default(),
    };
    Exposition { units: Units::new(board, detail), process, format, top: 0, family: 0, unit: 0, ended: false }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
        while piece.len() < PIECE && !self.ended {
            self.step(&mut piece);
        }
        (!piece.is_empty()).then(|| piece.into())
    }
}

impl Exposition {
    /// With the files in which something is refused, what the operator has done, and what the LagMonitors say.
    #[must_use]
    pub fn with(mut self, refused: Refused, account: Account, sayings: Sayings) -> Self {
        self.process = Process { refused, account, sayings, ..self.process };
        self
    }

    /// With the number of tasks that are under way in the process.
    #[must_use]
    pub fn with_tasks(mut self, tasks: usize) -> Self {
        self.process.tasks = tasks;
        self
    }

    /// At topic detail, with so many partitions of each group and topic: those whose data is the oldest.
    #[must_use]
    pub fn with_top(mut self, top: usize) -> Self {
        self.top = top;
        self
    }

    /// Writes the samples of one family about one unit, and moves on.
    fn step(&mut self, out: &mut Vec<u8>) {
        let Some(family) = families::all().get(self.family) else {
            if self.format == Format::OpenMetrics {
                out.extend_from_slice(b"# EOF\n");
            }
            self.ended = true;
            return;
        };
        let units = self.units_of(family);
        let shown = family.detail() <= self.process.detail || self.shows_top(family);
        match units.get(self.unit).filter(|_| shown) {
            Some(unit) => {
                if self.unit == 0 {
                    header(out, family, self.format);
                }
                self.samples(out, family, unit);
                self.unit += 1;
            }
            None => (self.family, self.unit) = (self.family + 1, 0),
        }
    }

    fn shows_top(&self, family: &Family) -> bool {
        self.top > 0 && self.process.detail == Detail::Topic && matches!(family.source, Source::Partition(_))
    }

    fn units_of(&self, family: &Family) -> &[Unit] {
        match family.source {
            Source::Process(_) => &self.units.process,
            Source::Monitor(_) => &self.units.monitors,
            Source::Group(_) => &self.units.groups,
            Source::Topic(_) | Source::Partition(_) => &self.units.topics,
            Source::Log(_) => &self.units.logs,
        }
    }

    fn samples(&self, out: &mut Vec<u8>, family: &Family, unit: &Unit) {
        let mut rows = Rows { out, name: family.name, labels: &unit.labels };
        match family.source {
            Source::Process(put) => put(&self.process, &mut rows),
            Source::Monitor(put) => self.units.posted(unit).into_iter().for_each(|posted| put(posted, &mut rows)),
            Source::Group(put) => self.units.group(unit).into_iter().for_each(|group| put(group, &mut rows)),
            Source::Topic(put) => self.units.topic(unit).into_iter().for_each(|topic| put(topic, &mut rows)),
            Source::Partition(value) | Source::Log(value) => {
                let partitions = self.units.topic(unit).into_iter().flat_map(|topic| &topic.partitions).flatten();
                if self.shows_top(family) {
                    rows.put_partitions(oldest(partitions, self.top).iter().map(|p| (p.partition, value(p))));
                } else {
                    rows.put_partitions(partitions.map(|p| (p.partition, value(&p))));
                }
            }
        }
    }
}

/// The partitions before which something waits and whose data is the oldest, by number.
fn oldest<'a>(partitions: impl Iterator<Item = GroupPartition<'a>>, most: usize) -> Vec<GroupPartition<'a>> {
    let mut oldest: Vec<_> = partitions.filter(|p| p.lag_records.is_some_and(|records| records > 0)).collect();
    let age = |p: &GroupPartition<'_>| p.lag_seconds.unwrap_or(0.0);
    oldest.sort_by(|a, b| age(b).total_cmp(&age(a)).then(b.lag_records.cmp(&a.lag_records)));
    oldest.truncate(most);
    oldest.sort_by_key(|p| p.partition);
    oldest
}

/// `# HELP` and `# TYPE`. OpenMetrics calls a counter's family by the name without `_total`.
fn header(out: &mut Vec<u8>, family: &Family, format: Format) {
    let name = match format {
        Format::Text => family.name,
        Format::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
    };
    let kind = family.kind.word();
    out.extend_from_slice(format!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help).as_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::board::said::{Condition, Said};
    use crate::board::{Board, Phases, Pulse, Unstored};
    use crate::lag::reason::Reason;
    use crate::lag::report::{MonitorName, Report};
    use crate::output::sample;

    fn pulse(cluster_name: &str) -> Pulse {
        Pulse {
            cluster_name: cluster_name.into(),
            history: String::new(),
            samples: 12,
            failures: [(Reason::Timeout, 2)].into(),
            probes: 70,
            topics_met: 3,
            configs: Default::default(),
            last_sample: Some(1_772_366_400_123),
            coverage: Some(0.95),
            phases: Some(Phases { observe: 0.2, probe: 0.05, judge: 0.01, store: 0.002 }),
            trouble: None,
            unstored: Some(Unstored { reason: "StorageFull", message: String::new() }),
        }
    }

    fn board(report: Report) -> Snapshot {
        let board = Board::default();
        board.post(&sample::monitor(), report.into(), pulse("orders-kafka"));
        let silent = MonitorName { namespace: "shop".into(), name: "silent".into() };
        board.post_pulse(&silent, Pulse { last_sample: None, coverage: None, phases: None, ..pulse("silent-kafka") });
        board.latest()
    }

    /// The sample; its first group reads what is committed, and a transaction is open.
    fn report() -> Report {
        let mut report = sample::report();
        let topic = report.groups[0].topics.as_mut().and_then(|topics| topics.first_mut()).unwrap();
        sample::change_first_partition(topic, |p| p.blocked_records = 7);
        topic.partitions = topic.partitions.take().map(|all| all.with_isolation(true));
        report
    }

    fn whole(board: &Snapshot, detail: Detail, format: Format) -> String {
        let refused = [("a \"b\".yaml".to_owned(), 2)].into();
        let pieces = exposition(board, detail, format).with(refused, account(), sayings());
        let pieces: Vec<u8> = pieces.flatten().collect();
        String::from_utf8(pieces).unwrap()
    }

    /// All families, with a sample of each.
    pub(in crate::output::prometheus) fn everything() -> String {
        whole(&board(report()), Detail::Partition, Format::Text)
    }

    fn account() -> Account {
        let mut account = Account::default();
        account.turns.add(std::time::Duration::from_millis(7));
        account.failed("ConfigMapTaken");
        account.requested(200);
        account
    }

    fn sayings() -> Sayings {
        let [kind, status, reason, message] = ["Ready", "True", "Sampling", "samples come"].map(str::to_owned);
        let ready = Condition { kind, status, reason, message, since: crate::lag::report::Timestamp(0) };
        let board = Board::default();
        board.say(&sample::monitor(), Said { conditions: vec![ready], ..Said::default() });
        board.said()
    }

    /// Name, sorted label names, and value of every sample line; those of a histogram as if it had one.
    fn samples(text: &str) -> Vec<(String, Vec<String>, String)> {
        let names = regex::Regex::new(r#"([a-z_]+)="(?:[^"\\]|\\.)*""#).unwrap();
        let line = regex::Regex::new(r"^([a-z_]+)(\{.*\})? (\S+)$").unwrap();
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        lines
            .map(|l| {
                let parts = line.captures(l).unwrap_or_else(|| panic!("{l}"));
                let labels = parts.get(2).map_or("", |m| m.as_str());
                let labels =
                    names.captures_iter(labels).map(|c| c[1].to_string()).filter(|name| name != "le").collect();
                let name =
                    ["_bucket", "_sum", "_count"].into_iter().fold(&parts[1], |name, end| name.trim_end_matches(end));
                (name.to_string(), labels, parts[3].to_string())
            })
            .collect()
    }

    #[test]
    fn samples_keep_to_the_table_of_families() {
        let text = everything();
        let table: BTreeMap<_, _> = families::all().iter().map(|f| (f.name, f.labels())).collect();
        let mut seen = BTreeSet::new();
        for (name, labels, value) in samples(&text) {
            assert_eq!(labels, table[name.as_str()], "{name}");
            assert!(value.parse::<f64>().unwrap().is_finite(), "{name} {value}");
            seen.insert(name);
        }
        assert_eq!(seen.len(), table.len(), "each family has a sample");
    }

    #[test]
    fn families_stand_together_and_no_series_twice() {
        let text = everything();
        let series: Vec<_> =
            text.lines().filter(|l| !l.starts_with('#')).map(|l| l.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len());
        let mut names: Vec<_> = samples(&text).into_iter().map(|s| s.0).collect();
        names.dedup();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn the_known_is_there_and_the_unknown_is_absent() {
        let text = everything();
        let billing = r#"cluster_name="orders-kafka",group="billing",topic="orders""#;
        let has = |line: String| assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        has(format!("kafka_consumergroup_group_lag_seconds{{{billing},partition=\"0\"}} 266400"));
        has(format!("highwater_group_topic_lost_records{{{billing}}} 30"));
        has(format!("highwater_group_topic_blocked_records{{{billing}}} 7"));
        has(format!("highwater_group_topic_state{{{billing},state=\"OFFLINE\"}} 1"));
        has(format!("highwater_group_topic_state{{{billing},state=\"ONLINE\"}} 0"));
        has(format!("highwater_group_topic_max_lag_method{{{billing},method=\"at_least\"}} 1"));
        has(r#"kafka_partition_latest_offset{cluster_name="orders-kafka",topic="orders",partition="1"} 50"#.into());
        has(r#"highwater_monitor_sample_failures_total{cluster_name="silent-kafka",reason="Timeout"} 2"#.into());
        has(r#"highwater_metrics_partition_series 7"#.into());
        let lacks = |part: &str| assert!(!text.contains(part), "{part}");
        lacks(&format!("highwater_group_topic_max_lag_bound_seconds{{{billing}"));
        lacks(&format!("highwater_group_partition_lag_bound_seconds{{{billing},partition=\"0\""));
        lacks(r#"highwater_group_members{cluster_name="orders-kafka",group="zombie""#);
        lacks(r#"highwater_group_topic_blocked_records{cluster_name="orders-kafka",group="orders-shipper""#);
        lacks(r#"highwater_monitor_coverage_ratio{cluster_name="silent-kafka""#);
        lacks("NaN");
        let awkward = r#"group="we\"ird\\gr\noup,"#;
        assert!(text.contains(&format!("highwater_group_members{{cluster_name=\"orders-kafka\",{awkward}")), "{text}");
        lacks(&format!("kafka_consumergroup_group_offset{{cluster_name=\"orders-kafka\",{awkward}"));
    }

    #[test]
    fn who_reads_what_is_committed_has_0_where_no_transaction_hides_anything() {
        let topic = |name: &str, read_committed| {
            let mut topic = sample::topic(name, None, vec![sample::partition(0, Some(9), 9, None)]);
            topic.partitions = topic.partitions.map(|all| all.with_isolation(read_committed));
            topic
        };
        let groups = vec![sample::group("billing", vec![topic("committed", true), topic("all", false)], None)];
        let board = board(Report { groups, ..sample::report() });
        for (detail, count) in [(Detail::Group, 0), (Detail::Topic, 1), (Detail::Partition, 1)] {
            let text = whole(&board, detail, Format::Text);
            let lines: Vec<_> =
                text.lines().filter(|line| line.starts_with("highwater_group_topic_blocked_records{")).collect();
            assert_eq!(lines.len(), count, "{lines:?}");
            assert!(lines.iter().all(|line| line.ends_with(r#"topic="committed"} 0"#)), "{lines:?}");
        }
    }

    #[test]
    fn a_lesser_detail_has_the_families_of_that_detail_only() {
        for detail in [Detail::Group, Detail::Topic, Detail::Partition] {
            let text = whole(&board(report()), detail, Format::Text);
            for family in families::all() {
                let there = text.contains(&format!("# TYPE {} ", family.name));
                assert_eq!(there, family.detail() <= detail, "{} at {detail:?}", family.name);
            }
        }
    }

    #[test]
    fn at_topic_detail_the_oldest_partitions_may_stand_for_all() {
        let mut report = sample::report();
        let ages = [Some(5.0), None, Some(70.0), Some(0.0), Some(9.0)];
        let partitions = (0..).zip(ages).map(|(p, age)| GroupPartition {
            lag_seconds: age,
            lag_records: age.map(|age| age as i64),
            ..sample::partition(p, Some(1), 9, None)
        });
        let topic = sample::topic("orders", None, partitions.collect());
        report.groups = vec![sample::group("billing", vec![topic], None)];
        let board = board(report);
        let shown = |detail, top| {
            let pieces = exposition(&board, detail, Format::Text).with_top(top).flatten().collect();
            let text = String::from_utf8(pieces).unwrap();
            let lines = text.lines().filter(|line| line.starts_with("kafka_consumergroup_group_lag_seconds{"));
            lines.map(|line| line.rsplit_once("partition=").unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(Detail::Topic, 2), ["\"2\"} 70", "\"4\"} 9"]);
        assert_eq!(shown(Detail::Topic, 9), ["\"0\"} 5", "\"2\"} 70", "\"4\"} 9"]);
        assert_eq!(shown(Detail::Topic, 0).len() + shown(Detail::Group, 2).len(), 0);
        assert_eq!(shown(Detail::Partition, 2).len(), 4);
    }

    #[test]
    fn open_metrics_names_counters_and_ends() {
        let text = whole(&board(report()), Detail::Partition, Format::OpenMetrics);
        assert!(text.ends_with("\n# EOF\n"));
        assert!(text.contains("# TYPE highwater_monitor_samples counter\nhighwater_monitor_samples_total{"));
        let plain = everything();
        assert_eq!(samples(&text), samples(&plain));
        assert!(!plain.contains("# EOF"));
    }

    #[test]
    fn an_empty_board_still_speaks_of_the_process() {
        let text = whole(&Snapshot::default(), Detail::Partition, Format::Text);
        assert!(text.contains("highwater_build_info{version=\""));
        assert!(!text.contains("kafka_"));
    }

    #[test]
    fn pieces_are_small_and_cut_between_lines() {
        let mut report = sample::report();
        let partitions = |n| (0..n).map(|p| sample::partition(p, Some(1), 9, None)).collect();
        report.groups = (0..300)
            .map(|g| sample::group(&format!("group-{g}"), vec![sample::topic("orders", None, partitions(20))], None))
            .collect();
        let board = board(report);
        let pieces: Vec<Bytes> = exposition(&board, Detail::Partition, Format::Text).collect();
        assert!(pieces.len() > 10);
        assert!(pieces.iter().all(|piece| piece.len() < 2 * PIECE && piece.ends_with(b"\n")));
        let lines = whole(&board, Detail::Partition, Format::Text);
        assert_eq!(lines.matches("\nkafka_consumergroup_group_offset{").count(), 6_000);
    }
}
