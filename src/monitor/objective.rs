//! The limits of an objective, ready to be looked up: patterns compiled once, the first override that matches wins.

use crate::crd::slo::Slo;
use crate::kafka::selection::{PatternError, Patterns};
use crate::lag::slo::{self, Bounds, Limits};

/// What counts as all right for the groups of one LagMonitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    bounds: Bounds,
    limits: Limits,
    overrides: Vec<Override>,
}

#[derive(Debug, Clone, PartialEq)]
struct Override {
    group: Patterns,
    topic: Patterns,
    limits: Limits,
}

impl Objective {
    /// The objective of a LagMonitor.
    ///
    /// # Errors
    /// The first pattern that can't be used, with its field below `spec.slo`.
    pub fn new(slo: &Slo) -> Result<Self, (String, PatternError)> {
        let limits = Limits { max_lag_records: slo.max_lag_records, max_lag: slo.max_lag.map(|age| age.millis()) };
        let mut overrides = Vec::with_capacity(slo.overrides.len());
        for (index, written) in slo.overrides.iter().enumerate() {
            let patterns = |name: &str, pattern: &String| {
                Patterns::new(std::slice::from_ref(pattern), &[])
                    .map_err(|error| (format!("overrides[{index}].{name}"), error))
            };
            overrides.push(Override {
                group: patterns("group", &written.group)?,
                topic: patterns("topic", &written.topic)?,
                limits: Limits {
                    max_lag_records: written.max_lag_records.unwrap_or(limits.max_lag_records),
                    max_lag: written.max_lag.map(|age| age.millis()).or(limits.max_lag),
                },
            });
        }
        let bounds = Bounds {
            min_compliance_percent: slo.min_compliance_percent,
            min_rebalance_score: slo.min_rebalance_score,
            rebalance_window: slo.rebalance_window.millis(),
            max_rebalances: slo.max_rebalances,
            max_gini_excess_percent: slo.max_gini_excess_percent,
            stuck_window: slo.stuck_window.millis(),
        };
        Ok(Self { bounds, limits, overrides })
    }
}

impl slo::Objective for Objective {
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn limits(&self, group: &str, topic: &str) -> Limits {
        let matching = self.overrides.iter().find(|it| it.group.matches(group) && it.topic.matches(topic));
        matching.map_or(self.limits, |it| it.limits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::lag::slo::Objective as _;

    fn objective(slo: serde_json::Value) -> Objective {
        Objective::new(&serde_json::from_value(slo).unwrap()).unwrap()
    }

    #[test]
    fn the_first_override_that_matches_wins_and_what_it_leaves_out_is_the_objectives() {
        let objective = objective(json!({
            "maxLagRecords": 10, "maxLag": "60s", "minCompliancePercent": 90,
            "overrides": [
                { "group": "audit-*", "topic": "slow", "maxLag": "2h" },
                { "group": "audit-*", "maxLag": "1h", "maxLagRecords": 0 },
                { "topic": "/^slow$/", "maxLagRecords": 99 },
            ],
        }));
        let limits = |max_lag_records, minutes: i64| Limits { max_lag_records, max_lag: Some(minutes * 60_000) };
        for (group, topic, expected) in [
            ("billing", "orders", limits(10, 1)),
            ("audit-1", "slow", limits(10, 120)),
            ("audit-1", "orders", limits(0, 60)),
            ("billing", "slow", limits(99, 1)),
            ("audit", "slower", limits(10, 1)),
        ] {
            assert_eq!(objective.limits(group, topic), expected, "{group} {topic}");
        }
        assert_eq!(objective.bounds().min_compliance_percent, 90);
    }

    #[test]
    fn without_a_word_only_records_are_limited() {
        let objective = objective(json!({ "overrides": [{ "group": "a", "maxLag": "1m" }] }));
        assert_eq!(objective.limits("b", "t"), Limits { max_lag_records: 1_000, max_lag: None });
        assert_eq!(objective.limits("a", "t"), Limits { max_lag_records: 1_000, max_lag: Some(60_000) });
        assert_eq!(objective.bounds().min_compliance_percent, 95);
    }

    /// Patterns, and whether each matches `a` and `b`.
    const PATTERNS: [(&str, [bool; 2]); 4] =
        [("*", [true, true]), ("a", [true, false]), ("b", [false, true]), ("c*", [false; 2])];

    proptest! {
        #[test]
        fn limits_are_those_of_the_first_override_that_matches_both(
            overrides in prop::collection::vec((0..4_usize, 0..4_usize, prop::option::of(0..9_i64), prop::option::of(1..9_i64)), 0..6),
            (group, topic) in (0..2_usize, 0..2_usize),
        ) {
            let overrides: Vec<_> = overrides.into_iter().filter(|(.., records, age)| records.is_some() || age.is_some()).collect();
            let written = |(group, topic, records, age): &(usize, usize, Option<i64>, Option<i64>)| {
                let mut written = json!({ "group": PATTERNS[*group].0, "topic": PATTERNS[*topic].0 });
                if let Some(records) = records {
                    written["maxLagRecords"] = json!(records);
                }
                if let Some(age) = age {
                    written["maxLag"] = json!(format!("{age}s"));
                }
                written
            };
            let all: Vec<_> = overrides.iter().map(written).collect();
            let found = objective(json!({ "maxLagRecords": 99, "maxLag": "99s", "overrides": all }));
            let first = overrides.iter().find(|(of, on, ..)| PATTERNS[*of].1[group] && PATTERNS[*on].1[topic]);
            let (records, age) = first.map_or((None, None), |(.., records, age)| (*records, *age));
            let expected =
                Limits { max_lag_records: records.unwrap_or(99), max_lag: Some(age.unwrap_or(99) * 1_000) };
            prop_assert_eq!(found.limits(["a", "b"][group], ["a", "b"][topic]), expected);
        }
    }
}
