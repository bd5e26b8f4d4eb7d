//! A LagMonitor from its creation to its end: sampled, told in status, ConfigMap, file, metrics and Events, and gone.

use serde_json::Value;

use crate::ages::look;
use crate::client::{now, unique};
use crate::cluster::cluster;
use crate::kafka::single;
use crate::monitor::PATIENCE;
use crate::operated::{Operated, condition_of, resource};
use crate::shapes::HOUR;
use crate::truth::{CLOCK, generated};
use crate::wait::{eventually, eventually_some};

/// Samples once, and then when asked.
const SELDOM: &str = "  sampling: { interval: 1h, coarseInterval: 1h }\n";

fn spec(prefix: &str, more: &str) -> String {
    let brokers = &single().bootstrap;
    format!(
        "  brokers: [\"{brokers}\"]\n  groups: {{ include: [\"{prefix}*\"] }}\n  topics: {{ include: [\"{prefix}*\"] }}\n{more}"
    )
}

/// A topic of two partitions with a record an hour, and two groups: one hours behind, one that has read everything.
fn stage(name: &str) -> String {
    let (client, prefix) = (single().client(), unique(name));
    let topic = format!("{prefix}-orders");
    client.create(&topic, 2, &[]);
    client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
    client.commit(&format!("{prefix}-behind"), &topic, &[(0, 7), (1, 0)]);
    client.commit(&format!("{prefix}-done"), &topic, &[(0, 10), (1, 0)]);
    prefix
}

/// Every partition's line of a report, with its group and topic.
fn lines(report: &Value) -> Vec<(String, &Value)> {
    let groups = report["groups"].as_array().unwrap().iter();
    let topics = groups.flat_map(|group| group["topics"].as_array().unwrap().iter().map(move |topic| (group, topic)));
    let partitions = |(group, topic): (&Value, &'_ Value)| format!("{} {}", group["group_id"], topic["topic"]);
    topics
        .flat_map(|pair| pair.1["partitions"].as_array().unwrap().iter().map(move |line| (partitions(pair), line)))
        .collect()
}

/// Holds a report against one that was made so many seconds later: the same offsets, and ages equal within the bounds.
#[track_caller]
fn assert_same(report: &Value, later: &Value, between: f64) {
    for ((place, told), (same, looked)) in lines(report).into_iter().zip(lines(later)) {
        assert_eq!(place, same);
        for field in ["partition", "committed_offset", "log_start_offset", "log_end_offset", "lag_records"] {
            assert_eq!(told[field], looked[field], "{place} {field}");
        }
        let number = |line: &Value, field: &str| line[field].as_f64().unwrap();
        let aged = if number(told, "lag_records") > 0.0 { between } else { 0.0 };
        let off = (number(looked, "lag_seconds") - number(told, "lag_seconds") - aged).abs();
        let bounds = number(told, "bound_seconds") + number(looked, "bound_seconds") + CLOCK;
        assert!(off <= bounds, "{place}: {off} s off, bounds {bounds} s");
    }
}

#[test]
fn it_is_sampled_told_and_gone() {
    let (prefix, operated) = (stage("resource"), Operated::start("resource", &[]));
    let output = "  output: { configMap: { name: orders-lag, detail: Partition }, file: { path: orders.json } }\n";
    operated.apply("orders", &spec(&prefix, &format!("{SELDOM}{output}")));
    operated.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "lm/orders"]);

    let resource = operated.resource("orders");
    let status = &resource["status"];
    for (condition, reason) in
        [("Ready", "Sampling"), ("Connected", "Complete"), ("Published", "Published"), ("SLOMet", "WithinLimits")]
    {
        let found = condition_of(&resource, condition);
        assert_eq!((&found["status"], &found["reason"]), (&"True".into(), &reason.into()), "{resource:#}");
        assert_eq!(found["observedGeneration"], resource["metadata"]["generation"]);
    }
    assert_eq!((&status["groups"]["total"], &status["coveragePercent"]), (&2.into(), &100.into()), "{status:#}");
    assert_eq!(status["worst"]["summary"], format!("{prefix}-behind on {prefix}-orders"), "{status:#}");
    assert_eq!((&status["lagRecords"], &status["sampledBy"]), (&3.into(), &"highwater-0".into()), "{status:#}");
    assert!(status["maxLag"].as_str().unwrap().starts_with("3h"), "{status:#}");
    let table = operated.kubectl(&["get", "lm"]);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1]), ("orders", "2"), "{table}");
    assert!(table.contains("MAX-LAG") && table.contains(&format!("{prefix}-behind on ")), "{table}");

    let file = operated.highwater.report(&format!("{}/orders", operated.namespace)).unwrap();
    assert_eq!(operated.config_map("orders-lag").unwrap(), file, "one report, wherever it is shown");
    assert_eq!(status["configMap"], "orders-lag");
    let once = look(&format!("{prefix}*"), &["--topic", &format!("{prefix}*")]);
    let between = (generated(&once) - generated(&file)) as f64 / 1e3;
    assert_eq!(lines(&once).len(), 4);
    assert_same(&file, &once, between);

    let metrics = operated.highwater.get("/metrics").1;
    let cluster_name = format!("cluster_name=\"{}/orders\"", operated.namespace);
    assert!(metrics.contains(&format!("kafka_consumergroup_group_lag_seconds{{{cluster_name}")), "{metrics}");
    let events = operated.events("orders");
    assert_eq!(events.iter().map(|(reason, _)| reason.as_str()).collect::<Vec<_>>(), ["SamplingStarted"], "{events:?}");

    operated.kubectl(&["annotate", "lm/orders", "highwater.dev/sample-now=please"]);
    let again = eventually_some("a sample is taken when asked for", PATIENCE, || {
        let report = operated.highwater.report(&format!("{}/orders", operated.namespace))?;
        (generated(&report) > generated(&file)).then_some(report)
    });
    assert_eq!(again["groups"][0]["total_lag_records"], file["groups"][0]["total_lag_records"]);

    operated.kubectl(&["delete", "lm/orders"]);
    eventually("its file, its series and its ConfigMap go", PATIENCE, || {
        !operated.highwater.file(&format!("{}/orders", operated.namespace)).exists()
            && !operated.highwater.get("/metrics").1.contains(&cluster_name)
            && operated.config_map("orders-lag").is_none()
    });
    let mut highwater = operated.highwater;
    let (code, took) = highwater.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
    assert_eq!(highwater.remembered(), Vec::<String>::new(), "its rows are gone");
}

#[test]
fn only_what_a_new_spec_changes_is_touched() {
    let (prefix, operated) = (stage("edited"), Operated::start("edited", &[]));
    let often = |more: &str| spec(&prefix, &format!("  sampling: {{ interval: 1s }}\n{more}"));
    operated.apply("orders", &often(""));
    operated.condition("orders", "Ready", "True", "Sampling");
    let began = || operated.highwater.log().matches("sampling monitor=").count();
    assert_eq!(began(), 1, "{}", operated.highwater.log());

    for n in 1..=20 {
        operated.apply(
            "orders",
            &often(&format!("  output: {{ file: {{ path: {n}.json }} }}\n  slo: {{ maxLagRecords: {n} }}\n")),
        );
    }
    let file = |n: u32| operated.highwater.file(&format!("{}/{n}", operated.namespace));
    eventually("the last file alone is there", PATIENCE, || file(20).exists() && (1..20).all(|n| !file(n).exists()));
    operated.apply("orders", &often(&format!("  clusterName: {prefix}\n")));
    eventually("the series have the new name", PATIENCE, || {
        operated.highwater.get("/metrics").1.contains(&format!("cluster_name=\"{prefix}\""))
    });
    eventually("the file is gone", PATIENCE, || !file(20).exists());
    assert_eq!(began(), 1, "the connection did not change:\n{}", operated.highwater.log());

    operated.apply("orders", &often("  properties: { client.dns.lookup: use_all_dns_ips }\n"));
    eventually("a new connection starts it anew", PATIENCE, || began() == 2);

    let dead = often("").replace(&single().bootstrap, "127.0.0.1:9");
    operated.apply("orders", &dead);
    let generation = operated.resource("orders")["metadata"]["generation"].clone();
    eventually("nothing of the former connection is told of the new one", PATIENCE, || {
        let resource = operated.resource("orders");
        let connected = condition_of(&resource, "Connected");
        assert!(connected["observedGeneration"] != generation || connected["status"] != "True", "{resource:#}");
        connected["reason"] == "Unreachable"
    });

    operated.apply("orders", &often("  suspend: true\n"));
    operated.condition("orders", "Ready", "False", "Suspended");
    assert!(!operated.highwater.get("/metrics").1.contains("cluster_name="), "nothing that nobody renews is shown");
    let kept = operated.resource("orders");
    assert_eq!(kept["status"]["lagRecords"], 3, "the last figures stay: {kept:#}");
    operated.apply("orders", &often(""));
    operated.condition("orders", "Ready", "True", "Sampling");
}

#[test]
fn a_config_map_of_somebody_else_is_left_alone() {
    let (prefix, operated) = (stage("foreign"), Operated::start("foreign", &[]));
    operated.kubectl(&["create", "configmap", "taken", "--from-literal=a=b"]);
    let before = operated.kubectl(&["get", "configmap", "taken", "--output=yaml"]);
    let output = |name: &str| spec(&prefix, &format!("{SELDOM}  output: {{ configMap: {{ name: {name} }} }}\n"));
    operated.apply("orders", &output("taken"));
    let resource = operated.condition("orders", "Ready", "False", "ConfigMapTaken");
    let message = condition_of(&resource, "Published")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("taken") && message.contains("spec.output.configMap.name"), "{message}");
    assert_eq!(operated.kubectl(&["get", "configmap", "taken", "--output=yaml"]), before);
    assert!(operated.events("orders").iter().any(|(reason, _)| reason == "ConfigMapTaken"));

    operated.apply("orders", &output("own"));
    operated.condition("orders", "Ready", "True", "Sampling");
    assert_eq!(operated.config_map("own").unwrap()["detail"], "Group");
    operated.apply("orders", &output("other"));
    eventually("the former ConfigMap goes", PATIENCE, || {
        operated.config_map("own").is_none() && operated.config_map("other").is_some()
    });
    operated.apply("orders", &spec(&prefix, SELDOM));
    eventually("an output that is off leaves none", PATIENCE, || operated.config_map("other").is_none());
    assert_eq!(operated.kubectl(&["get", "configmap", "taken", "--output=yaml"]), before);
}

#[test]
fn the_older_of_two_keeps_a_name() {
    let (prefix, operated) = (stage("named"), Operated::start("named", &[]));
    let named = spec(&prefix, &format!("{SELDOM}  clusterName: {prefix}\n"));
    operated.apply("first", &named);
    operated.condition("first", "Ready", "True", "Sampling");
    // Creation times are whole seconds, and between equals the name decides.
    operated.apply("second", &named);
    let second = operated.condition("second", "Ready", "False", "NameTaken");
    let message = condition_of(&second, "Ready")["message"].as_str().unwrap();
    let holder = format!("{}/first", operated.namespace);
    assert!(message.starts_with("spec.clusterName: ") && message.contains(&holder), "{message}");
    assert_eq!(condition_of(&second, "Connected")["status"], "Unknown");
    operated.condition("first", "Ready", "True", "Sampling");
    operated.kubectl(&["delete", "lm/first"]);
    operated.condition("second", "Ready", "True", "Sampling");

    // An older one that asks for the name later gets it.
    operated.apply("third", &spec(&prefix, SELDOM));
    operated.condition("third", "Ready", "True", "Sampling");
    operated.apply("third", &spec(&prefix, &format!("{SELDOM}  clusterName: fourth\n")));
    operated.condition("third", "Ready", "True", "Sampling");
    operated.apply("second", &spec(&prefix, &format!("{SELDOM}  clusterName: fourth\n")));
    operated.condition("second", "Ready", "True", "Sampling");
    operated.condition("third", "Ready", "False", "NameTaken");
    assert_eq!(
        operated.highwater.get("/metrics").1.matches("highwater_monitor_info{cluster_name=\"fourth\"").count(),
        1
    );
}

#[test]
fn a_dead_cluster_disturbs_nobody() {
    let (prefix, operated) = (stage("dead"), Operated::start("dead", &[]));
    operated.apply("dead", "  brokers: [\"127.0.0.1:9\"]\n  sampling: { interval: 1s }\n");
    operated.apply("living", &spec(&prefix, "  sampling: { interval: 1s }\n"));
    operated.condition("living", "Ready", "True", "Sampling");
    let dead = operated.condition("dead", "Connected", "False", "Unreachable");
    let message = condition_of(&dead, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("nothing listens at the brokers' addresses"), "{message}");
    assert!(operated.events("dead").iter().any(|(reason, _)| reason == "Unreachable"));
    let before = operated.highwater.report(&format!("{}/living", operated.namespace));
    assert_eq!(before, None, "it writes no file");
    assert_eq!(operated.highwater.get("/readyz").0, 200);
}

#[test]
fn one_of_two_operators_writes() {
    let (prefix, leader) = (stage("leading"), Operated::start("leading", &["--identity", "leader"]));
    leader.apply("orders", &spec(&prefix, "  sampling: { interval: 1s }\n"));
    leader.condition("orders", "Ready", "True", "Sampling");
    let standby = leader.another("standby");
    eventually("it stands by", PATIENCE, || standby.get("/readyz").1.contains("another operator holds the Lease"));
    assert_eq!(leader.resource("orders")["status"]["sampledBy"], "leader");
    assert!(!standby.get("/metrics").1.contains("cluster_name="), "it samples nothing");

    let Operated { mut highwater, namespace } = leader;
    assert_eq!(highwater.stop("TERM").0, Some(0));
    eventually("the other one takes over at once", PATIENCE, || {
        resource(cluster(), &namespace, "orders")["status"]["sampledBy"] == "standby"
    });
    assert_eq!(standby.get("/readyz").0, 200);
}
