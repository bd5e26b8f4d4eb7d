//! Groups that rebalance, are unfair, and leave a partition unread, on a real broker: each raises its alert with figures
//! that can be told by hand, and ends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::single;
use crate::monitor::{Monitor, document};
use crate::operated::{Operated, condition_of};
use crate::producer::LiveProducer;
use crate::truth::{generated, group, line};
use crate::wait::{eventually, eventually_some};

const PATIENCE: Duration = Duration::from_secs(120);

/// A monitor of everything that begins with `prefix`, a sample a second, held against this objective.
fn watch(prefix: &str, slo: &str) -> Monitor {
    let text = document("watched", &single().bootstrap, prefix) + &format!("  slo: {{ {slo} }}\n");
    Monitor::start(&[("watched.yaml", &text)], &[])
}

/// The group in the first report in which it is as wanted.
#[track_caller]
fn seen(monitor: &Monitor, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> (Value, Value) {
    eventually_some(what, PATIENCE, || {
        let report = monitor.report("watched")?;
        let found = group(&report, name).filter(|found| holds(found))?.clone();
        Some((report, found))
    })
}

fn alert<'a>(group: &'a Value, kind: &str) -> Option<&'a Value> {
    group["alerts"].as_array().unwrap().iter().find(|alert| alert["kind"] == kind)
}

/// The value of a metric of the group; none where there is no such series.
fn metric(monitor: &Monitor, name: &str, group: &str, label: &str) -> Option<f64> {
    let metrics = monitor.get("/metrics").1;
    let (begin, of) = (format!("{name}{{"), format!("group=\"{group}\""));
    let mut lines = metrics.lines().filter(|line| line.starts_with(&begin) && line.contains(&of));
    lines.find(|line| line.contains(label))?.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn ten_rebalances_bring_the_score_to_zero_and_rest_brings_it_back() {
    let client = single().client();
    let prefix = unique("rebalances");
    client.create(&prefix, 2, &[]);
    client.commit(&prefix, &prefix, &[(0, 0), (1, 0)]);
    let monitor = watch(&prefix, "rebalanceWindow: 1m");
    let (first, calm) = seen(&monitor, &prefix, "the empty group", |group| group["group_state"] == "Empty");
    assert_eq!((&calm["rebalances"]["count"], &calm["rebalances"]["score"]), (&json!(0), &Value::Null));

    let mut members = None;
    // More than ten, for the first ones may have left the window when a sample comes late.
    for change in 1..=13 {
        // The last one stays.
        members =
            if change % 2 == 1 { Some(LiveConsumer::start(&client.config(), &prefix, &prefix, 100)) } else { None };
        let state = if members.is_some() { "Stable" } else { "Empty" };
        let (_, found) = seen(&monitor, &prefix, &format!("{change}: {state}"), |group| group["group_state"] == state);
        assert_eq!(found["rebalances"]["count"], change, "{found:#}");
    }
    let (report, found) = seen(&monitor, &prefix, "a score", |group| !group["rebalances"]["score"].is_null());
    // The window may have begun with the sample before.
    assert!(generated(&report) - generated(&first) >= 59_000, "after one window");
    let count = found["rebalances"]["count"].as_f64().unwrap();
    assert!((10.0..=13.0).contains(&count), "{found:#}");
    assert_eq!(found["rebalances"]["score"], 0.0);
    let alert_found = alert(&found, "rebalance_instability").unwrap();
    assert_eq!((&alert_found["value"], &alert_found["bound"]), (&json!(0.0), &json!(70.0)));
    assert_eq!((&alert_found["severity"], &alert_found["held"]), (&json!("warning"), &json!(false)));
    assert_eq!(metric(&monitor, "highwater_rebalance_score", &prefix, ""), Some(0.0));

    let (_, rested) =
        seen(&monitor, &prefix, "the end of the alert", |group| alert(group, "rebalance_instability").is_none());
    assert!(rested["rebalances"]["score"].as_f64().unwrap() >= 70.0, "{rested:#}");
    drop(members);
}

#[test]
fn an_uneven_assignment_is_unfair_until_it_is_even() {
    let client = single().client();
    let prefix = unique("unfair");
    (0..4).for_each(|n| client.create(&format!("{prefix}-{n}"), 1, &[]));
    let monitor = watch(&prefix, "maxGiniExcessPercent: 30");
    let member = |assignor: &str| {
        let mut config = client.config();
        config.set("partition.assignment.strategy", assignor).set("heartbeat.interval.ms", "500");
        LiveConsumer::start(&config, &prefix, &format!("^{prefix}-.*"), 100)
    };
    let assigned = |group: &Value| {
        let count = |member: &Value| member["assigned"].as_array().unwrap().len();
        let mut counts: Vec<usize> = group["members"].as_array().into_iter().flatten().map(count).collect();
        counts.sort_unstable();
        counts
    };
    // `range` hands out each topic for itself: the first partition of each goes to the first member.
    let uneven = [member("range"), member("range")];
    let (_, found) =
        seen(&monitor, &prefix, "4 and 0", |group| assigned(group) == [0, 4] && group["group_state"] == "Stable");
    assert_eq!(found["fairness"], json!({ "gini": 0.5, "excess": 0.5, "idle_members": 1 }));
    let raised = alert(&found, "unfair_distribution").unwrap().clone();
    assert_eq!((&raised["value"], &raised["bound"]), (&json!(0.5), &json!(0.3)));
    assert_eq!(metric(&monitor, "highwater_fairness_gini_excess", &prefix, ""), Some(0.5));

    drop(uneven);
    seen(&monitor, &prefix, "an end, for nobody is treated unfairly", |group| {
        group["group_state"] == "Empty" && alert(group, "unfair_distribution").is_none()
    });
    let _even = [member("roundrobin"), member("roundrobin")];
    let (_, found) = seen(&monitor, &prefix, "2 and 2", |group| {
        assigned(group) == [2, 2] && alert(group, "unfair_distribution").is_none()
    });
    assert_eq!(found["fairness"], json!({ "gini": 0.0, "excess": 0.0, "idle_members": 0 }));
    assert_eq!(metric(&monitor, "highwater_alerts", &prefix, "kind=\"unfair_distribution\""), Some(0.0));
}

/// A member that reads all its partitions, and commits one of them only when it is told to.
struct Choosy {
    leave: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Choosy {
    /// Leaves the partition alone from the start.
    fn start(mut config: ClientConfig, group: &str, topic: &str, left_alone: i32) -> Self {
        config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let (leave, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (topic, leaves, stops) = (topic.to_owned(), leave.clone(), stop.clone());
        let thread = spawn(move || {
            let mut read = BTreeMap::new();
            while !stops.load(Ordering::Relaxed) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    read.insert(message.partition(), message.offset() + 1);
                }
                let mut list = TopicPartitionList::new();
                for (partition, offset) in &read {
                    if *partition != left_alone || !leaves.load(Ordering::Relaxed) {
                        list.add_partition_offset(&topic, *partition, Offset::Offset(*offset)).unwrap();
                    }
                }
                if list.count() > 0 {
                    consumer.commit(&list, CommitMode::Sync).ok();
                }
            }
        });
        Self { leave, stop, thread: Some(thread) }
    }
}

impl Drop for Choosy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[test]
fn a_partition_that_is_left_alone_is_stuck_and_over_its_limit_until_it_is_read() {
    let client = single().client();
    let prefix = unique("stuck");
    client.create(&prefix, 2, &[]);
    client.produce(&prefix, 1, (0..20).map(|_| now()));
    client.commit(&prefix, &prefix, &[(0, 0), (1, 7)]);
    let mut monitor = watch(&prefix, "stuckWindow: 10s, maxLagRecords: 12");
    let member = Choosy::start(client.config(), &prefix, &prefix, 1);
    let producing = LiveProducer::start(&client.config(), &prefix, 10);
    let (report, found) = seen(&monitor, &prefix, "the alert", |group| alert(group, "stuck_partitions").is_some());
    assert_eq!(found["stuck_partitions"], 1);
    assert_eq!(report["totals"]["stuck_partitions"], 1);
    let waited = line(&report, &prefix, &prefix, 1)["stuck_seconds"].as_f64().unwrap();
    assert!((10.0..22.0).contains(&waited), "{waited}");
    assert_eq!(line(&report, &prefix, &prefix, 0)["stuck_seconds"], Value::Null);
    let raised = alert(&found, "stuck_partitions").unwrap().clone();
    assert_eq!(
        (&raised["value"], &raised["bound"], &raised["severity"]),
        (&json!(1.0), &json!(0.0), &json!("critical"))
    );
    assert_eq!(raised["summary"], format!("1 partition is stuck: {prefix}/1"));
    // 13 wait on partition 1 where 12 may: one of two is within its limit.
    assert_eq!((&found["slo"]["within"], &found["slo"]["breaching"]), (&json!(1), &json!(1)));
    assert_eq!((&found["slo"]["compliance"], &found["slo"]["met"]), (&json!(0.5), &json!(false)));
    assert_eq!(metric(&monitor, "highwater_stuck_partitions", &prefix, ""), Some(1.0));
    assert_eq!(metric(&monitor, "highwater_slo_compliance_ratio", &prefix, ""), Some(0.5));
    assert_eq!(found["recommendation"], raised["advice"]);

    monitor.stop("KILL");
    let killed = now();
    monitor.restart();
    let after = monitor.sampled_after("watched", killed);
    let kept = alert(group(&after, &prefix).unwrap(), "stuck_partitions").unwrap();
    assert_eq!((&kept["since"], &kept["value"]), (&raised["since"], &json!(1.0)), "as if nothing had happened");

    member.leave.store(false, Ordering::Relaxed);
    let (_, found) = seen(&monitor, &prefix, "no alert", |group| group["alerts"] == json!([]));
    assert_eq!((&found["stuck_partitions"], &found["slo"]["compliance"]), (&json!(0), &json!(1.0)));
    eventually("it is read to its end", PATIENCE, || {
        let report = monitor.report("watched").unwrap();
        line(&report, &prefix, &prefix, 1)["committed_offset"] == 20
    });
    drop(producing);
}

#[test]
fn an_alert_is_told_in_events_and_in_the_condition_when_it_begins_and_when_it_ends() {
    let client = single().client();
    let prefix = unique("events");
    client.create(&prefix, 1, &[]);
    client.produce(&prefix, 0, (0..10).map(|_| now()));
    client.commit(&prefix, &prefix, &[(0, 10)]);
    let operated = Operated::start("governance", &[]);
    let brokers = &single().bootstrap;
    let fields = format!(
        "  brokers: [\"{brokers}\"]\n  groups: {{ include: [\"{prefix}*\"] }}\n  topics: {{ include: [\"{prefix}*\"] }}\n  \
         sampling: {{ interval: 1s, coarseInterval: 10s }}\n  slo: {{ maxLagRecords: 5 }}\n  \
         output: {{ file: {{ path: orders.json }} }}\n"
    );
    operated.apply("orders", &fields);
    operated.condition("orders", "SLOMet", "True", "WithinLimits");
    client.produce(&prefix, 0, (0..6).map(|_| now()));
    let told = |reason: &str| operated.events("orders").into_iter().find(|(found, _)| found == reason);
    let note = eventually_some("the Event", PATIENCE, || told("SLOViolated")).1;
    assert_eq!(note, format!("1 group with too few partitions within their limits: {prefix}"));
    let resource = operated.condition("orders", "SLOMet", "False", "LimitsExceeded");
    let message = condition_of(&resource, "SLOMet")["message"].as_str().unwrap().to_owned();
    assert_eq!(message, format!("0 % of 1 partition within limits, 95 % wanted of each group; less in {prefix} (0 %)"));
    client.commit(&prefix, &prefix, &[(0, 16)]);
    let note = eventually_some("the other Event", PATIENCE, || told("SLOViolatedEnded")).1;
    assert_eq!(note, format!("1 group with enough partitions within their limits again: {prefix}"));
    operated.condition("orders", "SLOMet", "True", "WithinLimits");
    operated.kubectl(&["label", "lagmonitor", "orders", "highwater.dev/team=logistics"]);
    let name = format!("{}/orders", operated.namespace);
    operated.highwater.reports(&name, "the team", |report| report["team"] == "logistics");
}
