//! Groups of Kafka's newer protocols: seen as they are, or named as what cannot be asked.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::highwater::{Outcome, highwater};
use crate::kafka::single;
use crate::streams;
use crate::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// A look at one group. A filter by topic leaves out groups that are not known to read it.
fn look(group: &str, topic: Option<&str>) -> Outcome {
    let (group, topic) = (format!("{group}*"), topic.map(|topic| format!("{topic}*")));
    let mut command = vec!["consumer-lag", "--brokers", &single().bootstrap, "-o", "json", "--group", &group];
    command.extend(topic.iter().flat_map(|topic| ["--topic", topic]));
    highwater(&command)
}

fn group(outcome: &Outcome) -> Value {
    outcome.json()["groups"].get(0).cloned().unwrap_or_default()
}

#[test]
fn a_group_of_the_consumer_protocol_is_seen_with_its_members() {
    let client = single().client();
    let (topic, name) = (client.topic("assigned", 4, &[]), unique("newer"));
    client.produce(&topic, 0, [now() - 600_000; 1000]);
    let mut config = client.config();
    config.set("group.protocol", "consumer");
    // Of the four partitions each gets two; one has 1000 records, of which it reads a few.
    let members = ["a", "b"].map(|id| LiveConsumer::start(config.clone().set("client.id", id), &name, &topic, 10));
    let is_stable = |group: &Value| group["group_state"] == "Stable" && shares(group) == [2, 2];
    eventually("both have joined", PATIENCE, || is_stable(&group(&look(&name, Some(&topic)))));
    eventually("some is read", PATIENCE, || members.iter().any(|member| member.read() >= 10));

    let outcome = look(&name, Some(&topic));
    let seen = group(&outcome);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!((&seen["type"], &seen["assignor"]), (&json!("consumer"), &json!("uniform")), "{seen:#}");
    assert_eq!(seen["state"], "ONLINE", "members are at work: {seen:#}");
    let committed = client.committed(&name, &topic, 1)[0].1;
    let lag = seen["total_lag_records"].as_i64().unwrap();
    assert!((1000 - committed..1000).contains(&lag), "{lag} is behind a commit of at most {committed}");
    let age = seen["max_lag_seconds"].as_f64().unwrap();
    assert!((600.0..700.0).contains(&age), "{age}");
    let owners = seen["topics"][0]["partitions"].as_array().unwrap().iter().map(|row| &row["member_id"]);
    assert!(owners.into_iter().all(Value::is_string), "each partition has its member: {seen:#}");
}

#[test]
fn a_group_on_its_way_to_a_new_assignment_is_reconciling() {
    let client = single().client();
    let (topic, name) = (client.topic("reconciled", 4, &[]), unique("moving"));
    client.produce(&topic, 0, [now(); 10]);
    let mut config = client.config();
    config.set("group.protocol", "consumer");
    let holder: BaseConsumer =
        config.clone().set("group.id", &name).set("auto.offset.reset", "earliest").create().unwrap();
    holder.subscribe(&[&topic]).unwrap();
    eventually("the first has all", PATIENCE, || {
        holder.poll(PATIENCE / 100);
        holder.assignment().unwrap().count() == 4
    });
    // The first does not give anything back before it is polled again.
    let _second = LiveConsumer::start(config.set("client.id", "second"), &name, &topic, 10);
    let mut seen = Value::Null;
    eventually("the second waits", PATIENCE, || {
        seen = group(&look(&name, Some(&topic)));
        seen["group_state"] == "Reconciling" && shares(&seen).len() == 2
    });
    assert_eq!((&seen["type"], &seen["assignor"]), (&json!("consumer"), &json!("uniform")), "{seen:#}");
    assert!(shares(&seen).iter().sum::<usize>() <= 4, "{seen:#}");
    eventually("each has its own", PATIENCE, || {
        holder.poll(PATIENCE / 100);
        let seen = group(&look(&name, Some(&topic)));
        seen["group_state"] == "Stable" && shares(&seen) == [2, 2]
    });
}

/// The partitions of each member, by client id.
fn shares(group: &Value) -> Vec<usize> {
    let members = group["members"].as_array().into_iter().flatten();
    let mut shares: Vec<(&str, usize)> = members
        .map(|member| {
            let assigned = member["assigned"].as_array().unwrap().iter();
            (member["client_id"].as_str().unwrap(), assigned.map(|a| a["partitions"].as_array().unwrap().len()).sum())
        })
        .collect();
    shares.sort_unstable();
    shares.into_iter().map(|(_, count)| count).collect()
}

#[test]
fn a_share_group_is_named_and_never_shown_as_dead() {
    let client = single().client();
    let (topic, name) = (client.topic("shared", 1, &[]), unique("sharing"));
    client.produce(&topic, 0, [now(); 10]);
    let class = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";
    let program = single().program(class, &["--topic", &topic, "--group", &name]);
    let mut outcome = look(&name, None);
    eventually("the share group is there", PATIENCE, || {
        assert!(program.runs(), "{}", program.log());
        outcome = look(&name, None);
        !outcome.json()["groups"].as_array().unwrap().is_empty()
    });
    let seen = group(&outcome);
    assert_eq!(seen["group_id"], name.as_str());
    // Share, or streams without an offset yet: librdkafka leaves out which.
    assert_eq!(seen["type"], "unknown", "{seen:#}");
    for unknown in ["group_state", "state", "members", "max_lag_seconds", "total_lag_records"] {
        assert!(seen[unknown].is_null(), "{unknown}: {seen:#}");
    }
    let error = &outcome.json()["errors"][0];
    assert_eq!((&error["reason"], &error["name"]), (&json!("UnsupportedByClient"), &json!(name)), "{error}");
    assert!(error["message"].as_str().unwrap().contains("share or streams group"), "{error}");
    assert_eq!(outcome.code, Some(0), "nothing can be done about it: {}", outcome.stderr);
}

#[test]
fn a_streams_group_is_known_by_its_offsets_and_has_its_ages() {
    let client = single().client();
    let (topic, name) = (client.topic("streamed", 2, &[]), unique("streaming"));
    client.produce(&topic, 0, (0..10).map(|n| now() - 600_000 + n * 1_000));
    // A fresh coordinator is waited for.
    client.committed(&name, &topic, 0);
    streams::visit(&single().bootstrap, &name, &topic);
    client.commit(&name, &topic, &[(0, 4)]);
    let outcome = look(&name, Some(&topic));
    let seen = group(&outcome);
    assert_eq!((&seen["type"], &seen["total_lag_records"]), (&json!("streams"), &json!(6)), "{seen:#}");
    assert!(seen["max_lag_seconds"].as_f64().is_some_and(|age| (595.0..640.0).contains(&age)), "{seen:#}");
    for unknown in ["group_state", "members", "assignor"] {
        assert!(seen[unknown].is_null(), "{unknown}: {seen:#}");
    }
    let error = &outcome.json()["errors"][0];
    assert_eq!((&error["reason"], &error["name"]), (&json!("UnsupportedByClient"), &json!(name)), "{error}");
    assert_eq!(outcome.code, Some(0), "nothing can be done about it: {}", outcome.stderr);
}
