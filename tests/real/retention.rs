//! How long a topic keeps its records, in the answer about it: with the right to ask Kafka for that, and without.

use serde_json::{Value, json};

use crate::client::unique;
use crate::kafka::secure;
use crate::login::Login;
use crate::monitor::{Monitor, PATIENCE};
use crate::traced::{document, secret};
use crate::wait::{eventually, eventually_some};

const ACLS: &str = "org.apache.kafka.tools.AclCommand";

/// What is said of a topic's settings, once Kafka was asked.
fn config(monitor: &Monitor, topic: &str) -> Value {
    eventually_some("Kafka was asked", PATIENCE, || {
        let (status, body) = monitor.get(&format!("/api/v1/consumers/topics/{topic}/detail"));
        let detail: Value = serde_json::from_str(&body).unwrap();
        let asked =
            status == 200 && !detail["config"]["reason"].as_str().is_some_and(|why| why.contains("not been asked"));
        asked.then(|| detail["config"].clone())
    })
}

#[test]
fn retention_is_told_where_the_right_exists_and_else_why_not() {
    let client = secure().client();
    let topic = unique("retention");
    let settings = [("retention.ms", "123456"), ("retention.bytes", "7890123"), ("cleanup.policy", "compact,delete")];
    client.create(&topic, 1, &settings);
    client.produce(&topic, 0, [crate::client::now()]);
    client.commit(&topic, &topic, &[(0, 0)]);
    let login = Login::password("observer", "SCRAM-SHA-512", "observer", "observer-secret");
    let mut fields = login.spec.clone();
    fields["brokers"] = json!([login.brokers]);
    fields["groups"] = json!({ "include": [topic] });
    fields["topics"] = json!({ "include": [topic] });
    let secrets: Vec<String> =
        login.secrets.iter().map(|(name, key, value)| format!("---\n{}\n", secret(name, key, value))).collect();
    let own = document("own", &fields).to_string();
    let mut monitor = Monitor::start(&[("own.yaml", &own), ("secrets.yaml", &secrets.concat())], &[]);

    let denied = config(&monitor, &topic);
    assert!(denied["reason"].as_str().unwrap().contains("lacks DescribeConfigs"), "{denied:#}");
    assert_eq!([&denied["retention_ms"], &denied["retention_bytes"], &denied["cleanup_policy"]], [&Value::Null; 3]);
    let report = monitor.report("own").unwrap();
    assert_eq!((&report["errors"], &report["sampling"]["coverage"]), (&json!([]), &json!(1.0)), "{report:#}");

    let allow = ["--add", "--allow-principal=User:observer", "--operation", "DescribeConfigs", "--topic", &topic];
    secure().tool(ACLS, &allow);
    eventually("a new start asks anew", 2 * PATIENCE, || {
        monitor.stop("INT");
        monitor.restart();
        config(&monitor, &topic)["reason"].is_null()
    });
    let known = config(&monitor, &topic);
    let expected = json!({ "retention_ms": 123_456, "retention_bytes": 7_890_123, "cleanup_policy": "compact,delete", "reason": null });
    assert_eq!(known, expected);
}
