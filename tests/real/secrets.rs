//! Secrets of a namespace, in the shape that Strimzi gives them: used as they are, taken up when they change, and never
//! shown; and what is said where the operator may not read them.

use crate::client::unique;
use crate::cluster::cluster;
use crate::kafka::secure;
use crate::monitor::PATIENCE;
use crate::observer::sight;
use crate::operated::{Operated, condition_of};
use crate::wait::eventually;

const OLD: &str = "the-old-word";
const NEW: &str = "the-new-word";

/// Creates or changes a Secret of text.
fn secret(operated: &Operated, name: &str, key: &str, value: &str) {
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": operated.namespace }, "stringData": { key: value },
    });
    cluster().apply(&text.to_string());
}

#[test]
fn strimzis_secrets_work_as_they_are_and_when_they_change() {
    let (kafka, sight, user) = (secure(), sight(), unique("strimzi"));
    let set_password = |password: &str| {
        let credentials = format!("SCRAM-SHA-512=[iterations=4096,password={password}]");
        let arguments = ["--alter", "--entity-type", "users", "--entity-name", &user, "--add-config", &credentials];
        kafka.tool("kafka.admin.ConfigCommand", &arguments);
    };
    set_password(OLD);
    kafka.allow(&[&user], &["--topic", "*", "--group", "*"]);
    let operated = Operated::start("strimzi", &[]);
    let ca = std::fs::read_to_string(kafka.tls.join("ca.crt")).unwrap();
    secret(&operated, "kafka-cluster-ca-cert", "ca.crt", &ca);
    secret(&operated, &user, "password", OLD);
    // A KafkaUser's Secret has the user's name, and no key for it.
    operated.apply(
        "orders",
        &format!(
            "  brokers: [\"{}\"]\n  tls: {{ ca: {{ secretRef: {{ name: kafka-cluster-ca-cert, key: ca.crt }} }} }}\n  \
             sasl: {{ mechanism: SCRAM-SHA-512, passwordSecretRef: {{ name: {user}, key: password }} }}\n  \
             groups: {{ include: [{}] }}\n  topics: {{ include: [{}] }}\n  sampling: {{ interval: 1s }}\n",
            kafka.sasl_ssl, sight.stopped, sight.topic
        ),
    );
    operated.condition("orders", "Ready", "True", "Sampling");

    // Connections that are open stay open: what counts is the next login.
    set_password(NEW);
    operated.kubectl(&[
        "patch",
        "lm",
        "orders",
        "--type=merge",
        "--patch",
        r#"{"spec":{"properties":{"client.dns.lookup":"use_all_dns_ips"}}}"#,
    ]);
    let refused = operated.condition("orders", "Connected", "False", "AuthenticationFailed");
    assert_eq!(refused["status"]["lagRecords"], 40, "the last figures stay: {refused:#}");
    secret(&operated, &user, "password", NEW);
    eventually("the new password is taken up", 2 * PATIENCE, || {
        condition_of(&operated.resource("orders"), "Connected")["status"] == "True"
    });
    let told =
        operated.highwater.log() + &operated.highwater.get("/metrics").1 + &operated.resource("orders").to_string();
    assert!(!told.contains(OLD) && !told.contains(NEW), "a secret is shown");
    let events: Vec<String> = operated.events("orders").into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(events, ["SamplingStarted", "AuthenticationFailed", "Connected"]);
}

#[test]
fn a_secret_that_may_not_be_read_names_the_binding_to_create() {
    let operated = Operated::start_limited("forbidden");
    secret(&operated, "words", "password", OLD);
    let sasl = "sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: words, key: password } }";
    operated.apply("orders", &format!("  brokers: [\"127.0.0.1:9\"]\n  tls: {{}}\n  {sasl}\n"));
    let resource = operated.condition("orders", "Ready", "False", "SecretForbidden");
    let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
    assert!(told.contains("RoleBinding") && told.contains(&operated.namespace) && told.contains("words"), "{told}");

    let account = format!("--serviceaccount={}:highwater", operated.namespace);
    operated.kubectl(&["create", "role", "secrets", "--verb=get", "--resource=secrets"]);
    operated.kubectl(&["create", "rolebinding", "secrets", "--role=secrets", &account]);
    operated.condition("orders", "Connected", "False", "Unreachable");

    operated.kubectl(&["delete", "rolebinding", "secrets"]);
    eventually("the next reading, a minute later, is refused", 3 * PATIENCE, || {
        condition_of(&operated.resource("orders"), "Ready")["reason"] == "SecretForbidden"
    });
    let told = condition_of(&operated.resource("orders"), "Ready")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("until then it is sampled as it was written before"), "{told}");
    let refusals = || -> f64 {
        let metrics = operated.highwater.get("/metrics").1;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(r#"highwater_kubernetes_api_requests_total{code="403"} "#));
        line.unwrap().parse().unwrap()
    };
    let before = refusals();
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert!(refusals() - before <= 2.0, "it asks again and again: {before}, {}", refusals());
}
