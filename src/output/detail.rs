//! A report at a lesser detail, for those who have no room for all of it.

use crate::lag::report::{Detail, Group, GroupTopic, Report};

/// The report without what lies deeper than `detail`. What it does not have is not invented: asked for more, it stays.
///
/// Aggregates keep counting what is left out. Whoever lowers in order to fit a size limit sets `truncated`. What is
/// left out is not copied first: a report of a million partitions costs no more than its groups.
pub fn lowered(report: &Report, detail: Detail) -> Report {
    if detail >= report.detail {
        return report.clone();
    }
    Report {
        monitor: report.monitor.clone(),
        team: report.team.clone(),
        cluster: report.cluster.clone(),
        detail,
        errors: report.errors.clone(),
        totals: report.totals.clone(),
        groups: report.groups.iter().map(|group| lowered_group(group, detail)).collect(),
        topics: report.topics.clone(),
        ..*report
    }
}

fn lowered_group(group: &Group, detail: Detail) -> Group {
    let topics = group.topics.as_ref().filter(|_| detail > Detail::Group);
    Group {
        group_id: group.group_id.clone(),
        assignor: group.assignor.clone(),
        members: group.members.clone(),
        health: group.health.clone(),
        topics: topics.map(|topics| topics.iter().map(without_partitions).collect()),
        ..*group
    }
}

fn without_partitions(topic: &GroupTopic) -> GroupTopic {
    GroupTopic { topic: topic.topic.clone(), partitions: None, ..*topic }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn each_level_drops_what_lies_below_and_nothing_else() {
        let whole = sample::report();
        let topic = lowered(&whole, Detail::Topic);
        let group = lowered(&whole, Detail::Group);
        assert!(topic.groups.iter().flat_map(|g| g.topics.iter().flatten()).all(|t| t.partitions.is_none()));
        assert!(topic.groups.iter().all(|g| g.topics.is_some()));
        assert!(group.groups.iter().all(|g| g.topics.is_none()));
        assert_eq!((topic.detail, group.detail), (Detail::Topic, Detail::Group));
        assert_eq!(group.groups.len(), whole.groups.len());
        assert_eq!(group.groups[0].max_lag_seconds, whole.groups[0].max_lag_seconds);
        assert!(!group.truncated);
    }

    #[test]
    fn a_lower_report_is_not_raised() {
        let group = lowered(&sample::report(), Detail::Group);
        let again = lowered(&group, Detail::Partition);
        assert_eq!(again.detail, Detail::Group);
        assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&group).unwrap());
    }
}
