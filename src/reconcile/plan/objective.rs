//! The limits of an objective, ready to be looked up: patterns compiled once, the first override that matches wins.

use super::Invalid;
use crate::crd::slo::Slo;
use crate::kafka::selection::Patterns;
use crate::lag::report::Report;
use crate::lag::slo::{Compliance, Limits, compliance};

/// What counts as all right for the groups of one LagMonitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// The least share of partitions within every limit, in percent, from 0 to 100.
    pub min_compliance_percent: u32,
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
    /// The first pattern that can't be used, with its field.
    pub fn new(slo: &Slo) -> Result<Self, Invalid> {
        let limits = Limits { max_lag_records: slo.max_lag_records, max_lag: slo.max_lag.map(|age| age.millis()) };
        let mut overrides = Vec::with_capacity(slo.overrides.len());
        for (index, written) in slo.overrides.iter().enumerate() {
            let patterns = |name: &str, pattern: &String| {
                let field = || format!("spec.slo.overrides[{index}].{name}");
                Patterns::new(std::slice::from_ref(pattern), &[])
                    .map_err(|error| Invalid { field: field(), problem: error.into() })
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
        Ok(Self { min_compliance_percent: slo.min_compliance_percent, limits, overrides })
    }

    /// The limits of a group on a topic.
    #[must_use]
    pub fn limits(&self, group: &str, topic: &str) -> Limits {
        let matching = self.overrides.iter().find(|it| it.group.matches(group) && it.topic.matches(topic));
        matching.map_or(self.limits, |it| it.limits)
    }

    /// How many partitions of a report are within their limits.
    #[must_use]
    pub fn compliance(&self, report: &Report) -> Compliance {
        compliance(report, |group, topic| self.limits(group, topic))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::sample;

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
        assert_eq!(objective.min_compliance_percent, 90);
    }

    #[test]
    fn without_a_word_only_records_are_limited() {
        let objective = objective(json!({ "overrides": [{ "group": "a", "maxLag": "1m" }] }));
        assert_eq!(objective.limits("b", "t"), Limits { max_lag_records: 1_000, max_lag: None });
        assert_eq!(objective.limits("a", "t"), Limits { max_lag_records: 1_000, max_lag: Some(60_000) });
        assert_eq!(objective.min_compliance_percent, 95);
    }

    #[test]
    fn a_report_is_counted_by_these_limits() {
        let records = |max| objective(json!({ "maxLagRecords": max })).compliance(&sample::report());
        assert_eq!(records(1_000), Compliance { within: 4, breaching: 1, unknown: 0 });
        assert_eq!(records(4_000), Compliance { within: 5, breaching: 0, unknown: 0 });
    }
}
