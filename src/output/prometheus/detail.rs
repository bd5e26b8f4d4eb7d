//! How deep the metrics go: as asked, or as deep as a Prometheus can be expected to bear.

use crate::board::Snapshot;
use crate::lag::report::{Detail, Partitions};

/// Up to so many pairs of group and partition all partitions are shown, unless something else is asked for.
pub const MOST_PARTITION_SERIES: usize = 20_000;

/// The pairs of group and partition on the board: the series of each metric that has a partition label and a group's.
pub fn partition_series(board: &Snapshot) -> usize {
    let reports = board.values().filter_map(|posted| posted.report.as_deref());
    let topics = reports.flat_map(|report| &report.groups).flat_map(|group| group.topics.iter().flatten());
    topics.filter_map(|topic| topic.partitions.as_ref()).map(Partitions::len).sum()
}

/// The detail in force. Left to itself it falls from partition to topic above [`MOST_PARTITION_SERIES`], and rises
/// again at nine tenths of it, so that a cluster at the edge does not make series come and go.
pub fn in_force(asked: Option<Detail>, series: usize, before: Detail) -> Detail {
    let most = if before == Detail::Partition { MOST_PARTITION_SERIES } else { MOST_PARTITION_SERIES / 10 * 9 };
    asked.unwrap_or(if series <= most { Detail::Partition } else { Detail::Topic })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Detail::{Group, Partition, Topic};

    #[test]
    fn what_is_asked_for_is_in_force() {
        for asked in [Group, Topic, Partition] {
            assert_eq!(in_force(Some(asked), 1_000_000, Partition), asked);
            assert_eq!(in_force(Some(asked), 0, Topic), asked);
        }
    }

    #[test]
    fn left_to_itself_it_falls_above_the_limit_and_rises_well_below() {
        assert_eq!(in_force(None, 20_000, Partition), Partition);
        assert_eq!(in_force(None, 20_001, Partition), Topic);
        assert_eq!(in_force(None, 19_000, Topic), Topic);
        assert_eq!(in_force(None, 18_000, Topic), Partition);
    }

    #[test]
    fn series_are_counted_over_all_monitors() {
        let board = crate::board::Board::default();
        for name in ["a", "b"] {
            let monitor = crate::lag::report::MonitorName { namespace: "x".into(), name: name.into() };
            board.post(&monitor, crate::output::sample::report().into(), crate::board::Pulse::default());
        }
        assert_eq!(partition_series(&board.latest()), 14);
    }
}
