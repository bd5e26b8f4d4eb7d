//! `/metrics` of `highwater run`: the numbers of the report, and never a wait for Kafka.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{now, unique};
use crate::kafka::Single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::shapes::HOUR;
use crate::truth::line;
use crate::wait::{eventually, eventually_some};

/// The value of the only series of a metric whose labels hold all these.
#[track_caller]
fn value(metrics: &str, metric: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let series = |line: &&str| {
        line.split_once('{').is_some_and(|(name, rest)| name == metric && labels.iter().all(|l| rest.contains(l)))
    };
    let found: Vec<_> = metrics.lines().filter(series).collect();
    assert_eq!(found.len(), 1, "{metric} {labels:?}: {found:?} in {metrics}");
    found[0].rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// `/metrics` and the report of one and the same sample.
fn together(monitor: &Monitor) -> (String, Value) {
    eventually_some("metrics and report of one sample", PATIENCE, || {
        let before = monitor.report("scrape")?;
        let (status, metrics) = monitor.get("/metrics");
        assert_eq!(status, 200);
        let same = |report: &Value| report["generated_at"] == before["generated_at"];
        // The report is written a moment after it is posted: the one after the next scrape may still be the same.
        (same(&monitor.report("scrape")?) && stands(&metrics, &before)).then_some((metrics, before))
    })
}

/// Whether the metrics are those of the report's sample.
fn stands(metrics: &str, report: &Value) -> bool {
    let oldest = &report["groups"][0]["max_lag_seconds"];
    let name = report["groups"][0]["group_id"].as_str().unwrap();
    oldest.as_f64() == Some(value(metrics, "kafka_consumergroup_group_max_lag_seconds", &[("group", name)]))
}

#[test]
fn metrics_say_what_the_report_says_and_never_wait_for_kafka() {
    let kafka = Single::start();
    let (client, prefix) = (kafka.client(), unique("scrape"));
    let (topic, group) = (format!("{prefix}-topic"), format!("{prefix}-group"));
    client.create(&topic, 2, &[]);
    client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
    client.produce(&topic, 1, (0..20).map(|n| now() - 20 * HOUR + n * HOUR));
    client.commit(&group, &topic, &[(0, 7), (1, 2)]);
    let flags = ["--ready-when", "connected"];
    let monitor = Monitor::start(&[("a.yaml", &document("scrape", &kafka.bootstrap, &prefix))], &flags);
    monitor.reports("scrape", "the group", |report| report["groups"][0]["group_id"] == *group);
    eventually("it is ready", PATIENCE, || monitor.get("/readyz").0 == 200);

    let (metrics, report) = together(&monitor);
    for partition in [0, 1] {
        let (line, number) = (line(&report, &group, &topic, partition), partition.to_string());
        let of = |metric, group: &[(&str, &str)]| {
            value(&metrics, metric, &[group, &[("topic", topic.as_str()), ("partition", number.as_str())]].concat())
        };
        for (metric, field) in [
            ("kafka_consumergroup_group_offset", "committed_offset"),
            ("kafka_consumergroup_group_lag", "lag_records"),
            ("kafka_consumergroup_group_lag_seconds", "lag_seconds"),
            ("highwater_group_partition_lag_bound_seconds", "bound_seconds"),
        ] {
            assert_eq!(Some(of(metric, &[("group", &group)])), line[field].as_f64(), "{metric}");
        }
        assert_eq!(Some(of("kafka_partition_latest_offset", &[])), line["log_end_offset"].as_f64());
        assert_eq!(Some(of("kafka_partition_earliest_offset", &[])), line["log_start_offset"].as_f64());
    }
    let of = |metric| value(&metrics, metric, &[("group", &group)]);
    let reported = &report["groups"][0]["topics"][0];
    assert_eq!(of("kafka_consumergroup_group_sum_lag"), 21.0);
    assert_eq!(Some(of("kafka_consumergroup_group_topic_sum_lag")), reported["total_lag_records"].as_f64());
    assert_eq!(Some(of("kafka_consumergroup_group_max_lag")), reported["max_lag_records"].as_f64());
    assert_eq!(value(&metrics, "highwater_group_state", &[("group", &group), ("state", "OFFLINE")]), 1.0);

    kafka.freeze();
    let mut slowest = Duration::ZERO;
    eventually("it says that the cluster is silent", 2 * PATIENCE, || {
        let begun = Instant::now();
        let metrics = monitor.get("/metrics").1;
        slowest = slowest.max(begun.elapsed());
        assert_eq!(monitor.get("/livez").0, 200);
        let coverage = value(&metrics, "highwater_monitor_coverage_ratio", &[]);
        assert_eq!(
            value(&metrics, "kafka_consumergroup_group_sum_lag", &[("group", &group)]),
            21.0,
            "the last is kept"
        );
        coverage == 0.0 && monitor.get("/readyz").0 == 503
    });
    assert!(slowest < Duration::from_secs(3), "a scrape took {slowest:?}");
    assert!(monitor.get("/readyz").1.contains("default/scrape"), "it says which");
    kafka.thaw();
    eventually("it is ready again", 2 * PATIENCE, || monitor.get("/readyz").0 == 200);
}
