//! The series of `/metrics`: names that break other exporters stand there unbroken, at topic detail only the oldest
//! partitions do, and what is deleted is gone with the next sample.

use std::time::{Duration, Instant};

use crate::client::{now, unique};
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::wait::{eventually, eventually_some};

/// The interval of `document`'s monitors, and what a sample and the commands before it may take.
const SOON: Duration = Duration::from_secs(5);

/// A label's value as both formats have it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The samples of one metric.
fn samples<'a>(metrics: &'a str, metric: &str) -> Vec<&'a str> {
    let head = format!("{metric}{{");
    metrics.lines().filter(|line| line.starts_with(&head)).collect()
}

#[test]
fn names_that_break_stand_unbroken_and_go_when_they_are_deleted() {
    let (client, prefix) = (single().client(), unique("series"));
    let longest = format!("{prefix}{}", ".-_".repeat(83)).split_at(249).0.to_owned();
    client.create(&longest, 1, &[]);
    client.produce(&longest, 0, (0..10).map(|_| now() - 60_000));
    let odd = ["\"quoted\"", "back\\slash\\n", "new\r\nline", "a:b{c}=d,e#\u{1}", "größe-群-🦀", "tab\tand space \\"];
    let mut groups: Vec<String> = odd.iter().map(|name| format!("{prefix}{name}")).collect();
    groups.push(format!("{prefix}{}", "g".repeat(249)));
    groups.iter().for_each(|group| client.commit(group, &longest, &[(0, 3)]));
    let monitor = Monitor::start(&[("a.yaml", &document("series", &single().bootstrap, &prefix))], &[]);
    let lag = |group: &str| {
        let labels = format!("cluster_name=\"default/series\",group=\"{}\",topic=\"{longest}\"", escaped(group));
        format!("kafka_consumergroup_group_lag{{{labels},partition=\"0\"}} 7")
    };
    let metrics = eventually_some("every group has its series", PATIENCE, || {
        let (_, metrics) = monitor.get("/metrics");
        groups.iter().all(|group| metrics.lines().any(|line| line == lag(group))).then_some(metrics)
    });
    assert_eq!(samples(&metrics, "kafka_consumergroup_group_lag").len(), groups.len());

    let gone = groups.pop().unwrap();
    let begun = Instant::now();
    client.delete_group(&gone);
    let names = |name: &str| monitor.get("/metrics").1.contains(&escaped(name));
    eventually("the deleted group has no series", PATIENCE, || !names(&gone));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(groups.iter().all(|group| names(group)), "the others stay");
    let begun = Instant::now();
    client.delete(&longest);
    eventually("the deleted topic has no series", PATIENCE, || !names(&longest));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn at_topic_detail_the_oldest_partitions_stand_for_all() {
    let (client, prefix) = (single().client(), unique("top"));
    client.create(&prefix, 6, &[]);
    for partition in 0..6 {
        client.produce(&prefix, partition, [now() - i64::from(partition) * 600_000 - 60_000]);
    }
    client.commit(&prefix, &prefix, &[(0, 0), (1, 0), (2, 1), (3, 0), (4, 0), (5, 1)]);
    let flags = ["--metrics-detail", "topic", "--metrics-top-partitions", "2"];
    let monitor = Monitor::start(&[("a.yaml", &document("top", &single().bootstrap, &prefix))], &flags);
    let metrics = eventually_some("the group has its series", PATIENCE, || {
        let (_, metrics) = monitor.get("/metrics");
        metrics.contains("kafka_consumergroup_group_sum_lag{").then_some(metrics)
    });
    let lag = samples(&metrics, "kafka_consumergroup_group_lag_seconds");
    let partitions: Vec<_> =
        lag.iter().map(|line| line.split("partition=").nth(1).unwrap().split(' ').next()).collect();
    assert_eq!(partitions, [Some("\"3\"}"), Some("\"4\"}")], "{lag:?}");
    assert!(samples(&metrics, "kafka_partition_latest_offset").is_empty());
}
