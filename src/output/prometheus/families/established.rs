//! The metrics whose names dashboards and alerts already use, with the labels that they know.

use super::{Family, Source};

pub(super) const FAMILIES: &[Family] = &[
    Family::gauge(
        "kafka_consumergroup_group_offset",
        "Committed offset: the next offset that the group will read.",
        Source::Partition(|p| p.committed_offset.map(Into::into)),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_lag",
        "Records that the group has not read.",
        Source::Partition(|p| p.lag_records.map(Into::into)),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_lag_seconds",
        "Age of the oldest record that the group has not read.",
        Source::Partition(|p| p.lag_seconds.map(Into::into)),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_topic_sum_lag",
        "Records that the group has not read, all partitions of the topic together.",
        Source::Topic(|topic, rows| rows.put(topic.total_lag_records)),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_max_lag",
        "Records that the group has not read on its worst partition.",
        Source::Group(|group, rows| rows.put(group.topics.iter().flatten().filter_map(|t| t.max_lag_records).max())),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_max_lag_seconds",
        "Age of the oldest record that the group has not read, over all topics.",
        Source::Group(|group, rows| rows.put(group.max_lag_seconds)),
    )
    .stable(),
    Family::gauge(
        "kafka_consumergroup_group_sum_lag",
        "Records that the group has not read, over all topics.",
        Source::Group(|group, rows| rows.put(group.total_lag_records)),
    )
    .stable(),
    Family::gauge(
        "kafka_partition_latest_offset",
        "End of the log to which lag is counted: high watermark, or last stable offset with ReadCommitted.",
        Source::Log(|p| p.log_end_offset.map(Into::into)),
    )
    .stable(),
    Family::gauge(
        "kafka_partition_earliest_offset",
        "First readable offset of the log.",
        Source::Log(|p| p.log_start_offset.map(Into::into)),
    )
    .stable(),
];
