//! What only Highwater says about groups: how far an age may be off, how it was found, whether the group keeps up.

use super::{Family, Source};
use crate::lag::report::{AlertKind, Method, Partitions, Slo, State};

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
        "How far kafka_consumergroup_group_lag_seconds may be off, either way; absent where that is not known.",
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
        "How far highwater_group_topic_max_lag_seconds may be off, either way; absent where that is not known.",
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
        "State of the group on the topic: 1 for the one that holds, 0 for the others.",
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
        "highwater_group_topic_blocked_records",
        "Records that open transactions hide from the group, which has read up to them; absent without ReadCommitted.",
        Source::Topic(|topic, rows| rows.put(topic.partitions.as_ref().and_then(Partitions::blocked_records))),
    ),
    Family::gauge(
        "highwater_group_topic_abandoned_partitions",
        "Partitions that no member has, and that stand still while the group goes on elsewhere; they are not in the maximum.",
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
        "Records of the topic that the group reads a second; absent while that is not known of each partition it reads.",
        Source::Topic(|topic, rows| rows.put(topic.consume_rate)),
    ),
    Family::gauge(
        "highwater_group_topic_produced_records_per_second",
        "Records that are written a second to the partitions that the group reads; absent likewise.",
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
    Family::gauge(
        "highwater_group_lag_velocity_records_per_second",
        "Records a second by which what the group has not read grows: written less read.",
        Source::Group(|group, rows| rows.put(group.health.velocity.and_then(|velocity| velocity.records_per_second))),
    ),
    Family::gauge(
        "highwater_group_advised_members",
        "Members that would keep up; never more than can have a partition; absent where part of the group is not known.",
        Source::Group(|group, rows| rows.put(group.health.replicas.as_ref().map(|replicas| replicas.advised))),
    ),
    Family::gauge(
        "highwater_slo_partitions",
        "Partitions of the group by what their limits say of them.",
        Source::Group(|group, rows| {
            let Some(slo) = group.health.slo else { return };
            for (verdict, count) in [("within", slo.within), ("breaching", slo.breaching), ("unknown", slo.unknown)] {
                rows.put_with(&[("verdict", verdict)], count);
            }
        }),
    )
    .with(&["verdict"]),
    Family::gauge(
        "highwater_slo_partitions_without_commit",
        "Partitions that members of the group have, without a committed offset; in none of highwater_slo_partitions.",
        Source::Group(|group, rows| rows.put(group.health.slo.map(|slo| slo.without_commit))),
    ),
    Family::gauge(
        "highwater_slo_compliance_ratio",
        "Share of the group's partitions within their limits, 0 to 1; absent without a committed offset.",
        Source::Group(|group, rows| rows.put(group.health.slo.and_then(|slo| slo.compliance))),
    ),
    Family::gauge(
        "highwater_slo_target_ratio",
        "Share of the group's partitions that should be within their limits, 0 to 1.",
        Source::Group(|group, rows| rows.put(group.health.slo.map(|slo| slo.target))),
    ),
    Family::gauge(
        "highwater_slo_error_budget_remaining_ratio",
        "Share of the error budget of 30 days that is left: 1 is all, below 0 it is overspent.",
        Source::Group(|group, rows| rows.put(group.health.slo.and_then(|slo| slo.budget?.remaining))),
    ),
    Family::gauge(
        "highwater_slo_burn_rate",
        "How many times as fast as allowed the error budget was spent in the window.",
        Source::Group(|group, rows| {
            for (window, rate) in group.health.slo.as_ref().map(burn_rates).into_iter().flatten() {
                if let Some(rate) = rate {
                    rows.put_with(&[("window", window)], rate);
                }
            }
        }),
    )
    .with(&["window"]),
    Family::gauge(
        "highwater_stuck_partitions",
        "Partitions before which something readable has waited, unread, for the whole stuckWindow.",
        Source::Group(|group, rows| rows.put(group.health.stuck_partitions)),
    ),
    Family::gauge(
        "highwater_rebalances",
        "Rebalances of the group seen in the rebalanceWindow; a lower bound.",
        Source::Group(|group, rows| rows.put(group.health.rebalances.map(|rebalances| rebalances.count))),
    ),
    Family::gauge(
        "highwater_rebalance_score",
        "100 without rebalances, 0 with maxRebalances in the window; absent before one whole window.",
        Source::Group(|group, rows| rows.put(group.health.rebalances.and_then(|rebalances| rebalances.score))),
    ),
    Family::gauge(
        "highwater_fairness_gini",
        "Gini coefficient of the partitions a member, 0 is perfectly even; absent while an assignment is under way.",
        Source::Group(|group, rows| rows.put(group.health.fairness.map(|fairness| fairness.gini))),
    ),
    Family::gauge(
        "highwater_fairness_gini_excess",
        "How much highwater_fairness_gini is over that of the most even split.",
        Source::Group(|group, rows| rows.put(group.health.fairness.map(|fairness| fairness.excess))),
    ),
    Family::gauge(
        "highwater_alerts",
        "1 while an alert of the kind lasts, 0 while it does not.",
        Source::Group(|group, rows| {
            for kind in AlertKind::ALL.into_iter().filter(|_| group.health.slo.is_some()) {
                rows.put_with(&[("kind", kind.word())], group.health.alerts.iter().any(|alert| alert.kind == kind));
            }
        }),
    )
    .with(&["kind"]),
];

fn burn_rates(slo: &Slo) -> [(&'static str, Option<f64>); 5] {
    let of = |rate: fn(&crate::lag::report::Budget) -> Option<f64>| slo.budget.as_ref().and_then(rate);
    [
        ("5m", of(|budget| budget.burn_rate_5m)),
        ("30m", of(|budget| budget.burn_rate_30m)),
        ("1h", of(|budget| budget.burn_rate_1h)),
        ("6h", of(|budget| budget.burn_rate_6h)),
        ("3d", of(|budget| budget.burn_rate_3d)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::word::word;

    #[test]
    fn labels_say_the_report_s_words() {
        assert!(STATES.iter().all(|(name, state)| *name == word(state)));
        assert!(METHODS.iter().all(|(name, method)| *name == word(method)));
        assert!(AlertKind::ALL.into_iter().all(|kind| kind.word() == word(kind)));
    }
}
