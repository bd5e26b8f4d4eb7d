//! What only Highwater says about groups: how far an age may be off, how it was found, whether the group keeps up.

use super::{Family, Source};
use crate::lag::report::{Method, State};

const STATES: [(&str, State); 3] =
    [("ONLINE", State::Online), ("RECOVERING", State::Recovering), ("OFFLINE", State::Offline)];

const METHODS: [(&str, Method); 5] = [
    ("caught_up", Method::CaughtUp),
    ("record", Method::Record),
    ("interpolated", Method::Interpolated),
    ("at_least", Method::AtLeast),
    ("no_commit", Method::NoCommit),
];

pub(super) const FAMILIES: &[Family] = &[
    Family::gauge(
        "highwater_group_partition_lag_bound_seconds",
        "How far kafka_consumergroup_group_lag_seconds may be off, either way; absent for a lower bound.",
        Source::Partition(|p| p.bound_seconds.map(Into::into)),
    ),
    Family::gauge(
        "highwater_group_partition_stale_seconds",
        "Age of the figures of a partition whose broker did not answer in the last sample.",
        Source::Partition(|p| p.stale_seconds.map(Into::into)),
    ),
    Family::gauge(
        "highwater_group_topic_max_lag_seconds",
        "Age of the oldest record of the topic that the group has not read.",
        Source::Topic(|topic, rows| rows.put(topic.max_lag_seconds)),
    ),
    Family::gauge(
        "highwater_group_topic_max_lag_bound_seconds",
        "How far highwater_group_topic_max_lag_seconds may be off, either way; absent for a lower bound.",
        Source::Topic(|topic, rows| rows.put(topic.bound_seconds)),
    ),
    Family::gauge(
        "highwater_group_topic_max_lag_method",
        "How highwater_group_topic_max_lag_seconds was found: 1 for the method that holds, 0 for the others.",
        Source::Topic(|topic, rows| rows.put_variant("method", &METHODS, topic.method)),
    )
    .with(&["method"]),
    Family::gauge(
        "highwater_group_topic_state",
        "Whether the group keeps up with the topic: 1 for the state that holds, 0 for the others.",
        Source::Topic(|topic, rows| rows.put_variant("state", &STATES, topic.state)),
    )
    .with(&["state"]),
    Family::gauge(
        "highwater_group_topic_lost_records",
        "Records of the topic that were deleted before the group read them and that it has not passed yet.",
        Source::Topic(|topic, rows| {
            rows.put(topic.partitions.as_ref().map(|all| all.iter().map(|p| p.records_lost).sum::<i64>()));
        }),
    ),
    Family::gauge(
        "highwater_group_topic_abandoned_partitions",
        "Partitions that stand still while others advance; they are not in the maximum.",
        Source::Topic(|topic, rows| rows.put(Some(topic.abandoned_partitions))),
    ),
    Family::gauge(
        "highwater_group_topic_partitions_without_commit",
        "Partitions of the topic without a committed offset of the group.",
        Source::Topic(|topic, rows| rows.put(Some(topic.partitions_without_commit))),
    ),
    Family::gauge(
        "highwater_group_topic_drain_seconds",
        "How long until the group has caught up at its present rates; absent when it does not converge.",
        Source::Topic(|topic, rows| rows.put(topic.drain_seconds)),
    ),
    Family::gauge(
        "highwater_group_topic_consumed_records_per_second",
        "Records of the topic that the group reads a second, over the last samples.",
        Source::Topic(|topic, rows| rows.put(topic.consume_rate)),
    ),
    Family::gauge(
        "highwater_group_topic_produced_records_per_second",
        "Records that are written to the topic a second, over the last samples.",
        Source::Topic(|topic, rows| rows.put(topic.produce_rate)),
    ),
    Family::gauge(
        "highwater_group_state",
        "Worst state of the group's topics: 1 for the state that holds, 0 for the others.",
        Source::Group(|group, rows| rows.put_variant("state", &STATES, group.state)),
    )
    .with(&["state"]),
    Family::gauge(
        "highwater_group_members",
        "Members of the group; absent where they could not be asked.",
        Source::Group(|group, rows| rows.put(group.members.as_ref().map(Vec::len))),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::word::word;

    #[test]
    fn labels_say_the_report_s_words() {
        assert!(STATES.iter().all(|(name, state)| *name == word(state)));
        assert!(METHODS.iter().all(|(name, method)| *name == word(method)));
    }
}
