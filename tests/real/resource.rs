//! A LagMonitor from its creation to its end: sampled, told in status, ConfigMap, file, metrics and Events, and gone.

use std::time::Instant;

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
pub(crate) const SELDOM: &str = "  sampling: { interval: 1h, coarseInterval: 1h }\n";

pub(crate) fn spec(prefix: &str, more: &str) -> String {
    let brokers = &single().bootstrap;
    format!(
        "  brokers: [\"{brokers}\"]\n  groups: {{ include: [\"{prefix}*\"] }}\n  topics: {{ include: [\"{prefix}*\"] }}\n{more}"
    )
}

/// A topic of two partitions with a record an hour, and two groups: one hours behind, one that has read everything.
pub(crate) fn stage(name: &str) -> String {
    let (client, prefix) = (single().client(), unique(name));
    let topic = format!("{prefix}-orders");
    client.create(&topic, 2, &[]);
    client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
    client.commit(&format!("{prefix}-behind"), &topic, &[(0, 7), (1, 0)]);
    client.commit(&format!("{prefix}-done"), &topic, &[(0, 10), (1, 0)]);
    prefix
}

/// Every partition's line of a report, with its group and topic.
pub(crate) fn lines(report: &Value) -> Vec<(String, &Value)> {
    let groups = report["groups"].as_array().unwrap().iter();
    let topics = groups.flat_map(|group| group["topics"].as_array().unwrap().iter().map(move |topic| (group, topic)));
    let partitions = |(group, topic): (&Value, &'_ Value)| format!("{} {}", group["group_id"], topic["topic"]);
    topics
        .flat_map(|pair| pair.1["partitions"].as_array().unwrap().iter().map(move |line| (partitions(pair), line)))
        .collect()
}

/// Holds a report against one that was made so many seconds later: the same offsets, and ages equal within the bounds.
#[track_caller]
pub(crate) fn assert_same(report: &Value, later: &Value, between: f64) {
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
    let named = format!("monitor_namespace=\"{}\",monitor=\"orders\"", operated.namespace);
    let ready =
        format!(r#"highwater_lagmonitor_condition{{{named},condition="Ready",status="True",reason="Sampling"}} 1"#);
    assert!(metrics.contains(&ready), "{metrics}");
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
            && ![&cluster_name, &named].iter().any(|label| operated.highwater.get("/metrics").1.contains(*label))
            && operated.config_map("orders-lag").is_none()
    });
    let mut highwater = operated.highwater;
    let (code, took) = highwater.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
    assert_eq!(highwater.remembered(), Vec::<String>::new(), "its rows are gone");
}

/// Seconds of an age as tables have it: `3d2h`, `4m12s`, `2.5s`.
fn seconds(age: &str) -> f64 {
    let (mut sum, mut number) = (0.0, String::new());
    for c in age.chars() {
        let unit = match c {
            'd' => 86_400.0,
            'h' => 3_600.0,
            'm' => 60.0,
            's' => 1.0,
            digit => {
                number.push(digit);
                continue;
            }
        };
        sum += number.parse::<f64>().unwrap() * unit;
        number.clear();
    }
    sum
}

#[test]
fn its_columns_are_those_of_the_report() {
    let (prefix, operated) = (stage("columns"), Operated::start("columns", &[]));
    operated.apply("orders", &spec(&prefix, &format!("{SELDOM}  output: {{ file: {{ path: orders.json }} }}\n")));
    operated.condition("orders", "Ready", "True", "Sampling");
    let report = operated.highwater.report(&format!("{}/orders", operated.namespace)).unwrap();
    let groups = report["groups"].as_array().unwrap();
    let in_state = |state: &str| groups.iter().filter(|group| group["state"] == state).count().to_string();
    let oldest =
        groups.iter().max_by(|a, b| a["max_lag_seconds"].as_f64().partial_cmp(&b["max_lag_seconds"].as_f64()).unwrap());
    let oldest = oldest.unwrap();
    let worst = format!("{} on {prefix}-orders", oldest["group_id"].as_str().unwrap());

    let table = operated.kubectl(&["get", "lagmonitors", "--output=wide"]);
    let [head, row] = &table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    let column = |name: &str| {
        let begin = head.find(name).unwrap_or_else(|| panic!("no {name}: {table}"));
        // Columns are three spaces apart.
        row[begin..].split("   ").next().unwrap().trim()
    };
    for (name, expected) in [
        ("NAME", "orders".to_owned()),
        ("GROUPS", groups.len().to_string()),
        ("OFFLINE", in_state("OFFLINE")),
        ("ONLINE", in_state("ONLINE")),
        ("RECOVERING", in_state("RECOVERING")),
        ("WORST", worst),
        ("SLO", "True".to_owned()),
        ("READY", "True".to_owned()),
    ] {
        assert_eq!(column(name), expected, "{name}\n{table}");
    }
    assert_eq!(column("OFFLINE"), "1", "nobody reads for the one that is hours behind\n{table}");
    let (shown, told) = (seconds(column("MAX-LAG")), oldest["max_lag_seconds"].as_f64().unwrap());
    assert!((0.0..60.0).contains(&(told - shown)), "it is cut to minutes: {shown} {told}\n{table}");
    assert!(seconds(column("SAMPLED")) < 60.0 && seconds(column("AGE")) < 60.0, "{table}");
}

#[test]
fn describe_shows_what_is_and_what_has_happened() {
    let (prefix, operated) = (stage("described"), Operated::start("described", &[]));
    operated.kubectl(&["create", "configmap", "taken", "--from-literal=a=b"]);
    let output = "  output: { configMap: { name: taken } }\n";
    operated.apply("orders", &spec(&prefix, &format!("{SELDOM}{output}")));
    operated.condition("orders", "Ready", "False", "ConfigMapTaken");
    let dead = spec(&prefix, SELDOM).replace(&single().bootstrap, "127.0.0.1:9");
    operated.apply("orders", &dead);
    operated.condition("orders", "Connected", "False", "Unreachable");

    let told = eventually_some("the last Event is there", PATIENCE, || {
        Some(operated.kubectl(&["describe", "lagmonitor", "orders"]))
            .filter(|told| told.matches("Unreachable").count() >= 3)
    });
    let (object, events) = told.split_once("\nEvents:\n").unwrap();
    for words in ["Kind:         LagMonitor", "Connected", "nothing listens at the brokers' addresses", "Lag Records:"]
    {
        assert!(object.contains(words), "{words}\n{told}");
    }
    let rows: Vec<String> =
        events.lines().skip(2).map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let [started, taken, lost] = &rows[..] else { panic!("{told}") };
    let holds = |row: &str, begin: &str, words: &str| {
        assert!(
            row.starts_with(begin) && row.contains(" highwater ") && row.contains(words),
            "{begin} {words}\n{told}"
        );
    };
    holds(started, "Normal SamplingStarted ", "the spec is accepted and sampled");
    holds(taken, "Warning ConfigMapTaken ", "write another name into spec.output.configMap.name");
    holds(lost, "Warning Unreachable ", "nothing listens at the brokers' addresses");
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
    operated.apply("orders", &output("taken"));
    operated.condition("orders", "Published", "False", "ConfigMapTaken");
    assert!(operated.config_map("own").is_some(), "it stays until there is another");
    assert_eq!(operated.resource("orders")["status"]["configMap"], "own");
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

/// What a metric has counted of a monitor so far.
fn count(operated: &Operated, what: &str, name: &str) -> f64 {
    let begin = format!("highwater_monitor_{what}{{cluster_name=\"{}/{name}\"", operated.namespace);
    let metrics = operated.highwater.get("/metrics").1;
    let lines = metrics.lines().filter(|line| line.starts_with(&begin));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[test]
fn who_asks_again_and_again_gets_a_sample_a_second() {
    let (prefix, operated) = (stage("asking"), Operated::start("asking", &[]));
    operated.apply("orders", &spec(&prefix, SELDOM));
    operated.condition("orders", "Ready", "True", "Sampling");
    let (begun, before) = (Instant::now(), count(&operated, "samples_total", "orders"));
    for n in 0..30 {
        operated.kubectl(&["annotate", "--overwrite", "lm/orders", &format!("highwater.dev/sample-now={n}")]);
    }
    eventually("the last asking is answered", PATIENCE, || count(&operated, "samples_total", "orders") > before + 1.0);
    let (taken, seconds) = (count(&operated, "samples_total", "orders") - before, begun.elapsed().as_secs_f64());
    assert!(taken <= seconds + 2.0, "{taken} samples in {seconds} s");
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
    assert_eq!(operated.highwater.get("/readyz").0, 200);
    let count = |what: &str, name: &str| count(&operated, what, name);
    let (begun, samples) = (Instant::now(), count("samples_total", "living"));
    let failures = count("sample_failures_total", "dead");
    eventually("the dead one was asked again and again", PATIENCE, || {
        count("sample_failures_total", "dead") >= failures + 2.0 && begun.elapsed().as_secs() >= 8
    });
    let (taken, seconds) = (count("samples_total", "living") - samples, begun.elapsed().as_secs_f64());
    // Half of them on a machine that is slow.
    assert!((0.4 * seconds - 1.0..=seconds + 1.0).contains(&taken), "{taken} samples in {seconds} s, one a second");
    assert_eq!(count("sample_failures_total", "living"), 0.0);
}

#[test]
fn one_of_two_operators_writes() {
    const PATH: &str = "{.status.sampledBy} {.status.conditions[?(@.type==\"Ready\")].observedGeneration}{\"\\n\"}";
    let (prefix, leader) = (stage("leading"), Operated::start("leading", &["--identity", "leader"]));
    leader.apply("orders", &spec(&prefix, "  sampling: { interval: 1s }\n"));
    leader.condition("orders", "Ready", "True", "Sampling");
    let standby = leader.another("standby");
    eventually("it stands by", PATIENCE, || standby.get("/readyz").1.contains("another operator holds the Lease"));
    assert_eq!(leader.resource("orders")["status"]["sampledBy"], "leader");
    assert!(!standby.get("/metrics").1.contains("cluster_name="), "it samples nothing");
    // What the other one saw when it began is long past when it takes over.
    leader.apply("orders", &spec(&prefix, "  sampling: { interval: 2s }\n"));
    let observed = |resource: Value| condition_of(&resource, "Ready")["observedGeneration"].as_i64();
    eventually("the change is observed", PATIENCE, || observed(leader.resource("orders")) == Some(2));
    let told = cluster().follow(&leader.namespace, "orders", PATH);
    eventually("it is followed", PATIENCE, || told.log().contains("leader 2"));

    let Operated { mut highwater, namespace } = leader;
    assert_eq!(highwater.stop("TERM").0, Some(0));
    eventually("the other one takes over at once", PATIENCE, || {
        resource(cluster(), &namespace, "orders")["status"]["sampledBy"] == "standby"
    });
    assert_eq!(standby.get("/readyz").0, 200);
    eventually("its writing is followed", PATIENCE, || told.log().contains("standby"));
    assert!(told.log().lines().all(|line| line.ends_with(" 2")), "{}", told.log());
}
