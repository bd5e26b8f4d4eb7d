//! Secrets of a namespace, in the shape that Strimzi gives them: used as they are, taken up when they change, and never
//! shown; and what is said where the operator may not read them.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

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
fn secret(operated: &Operated, name: &str, data: &[(&str, &str)]) {
    let data: BTreeMap<_, _> = data.iter().copied().collect();
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": operated.namespace }, "stringData": data,
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
    let ca = fs::read_to_string(kafka.tls.join("ca.crt")).unwrap();
    secret(&operated, "kafka-cluster-ca-cert", &[("ca.crt", &ca)]);
    secret(&operated, &user, &[("password", OLD)]);
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
    secret(&operated, &user, &[("password", NEW)]);
    let changed = Instant::now();
    eventually("the new password is taken up", PATIENCE, || {
        condition_of(&operated.resource("orders"), "Connected")["status"] == "True"
    });
    // The ordinary reading is every minute; the condition is written ten seconds after the last one at the earliest.
    assert!(changed.elapsed() < Duration::from_secs(25), "after {:?}", changed.elapsed());
    let told =
        operated.highwater.log() + &operated.highwater.get("/metrics").1 + &operated.resource("orders").to_string();
    assert!(!told.contains(OLD) && !told.contains(NEW), "a secret is shown");
    let events: Vec<String> = operated.events("orders").into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(events, ["SamplingStarted", "AuthenticationFailed", "Connected"]);
}

#[test]
fn strimzis_certificates_work_as_they_are() {
    let (kafka, sight, operated) = (secure(), sight(), Operated::start("certificates", &[]));
    let of = |file: &str| fs::read_to_string(kafka.tls.join(file)).unwrap();
    secret(&operated, "kafka-cluster-ca-cert", &[("ca.crt", &of("ca.crt"))]);
    secret(&operated, "orders-observer", &[("user.crt", &of("client.crt")), ("user.key", &of("client.key"))]);
    operated.apply(
        "orders",
        &format!(
            "  brokers: [\"{}\"]\n  tls: {{ ca: {{ secretRef: {{ name: kafka-cluster-ca-cert, key: ca.crt }} }}, \
             clientSecretRef: {{ name: orders-observer }} }}\n  groups: {{ include: [{}] }}\n  topics: {{ include: [{}] }}\n",
            kafka.ssl, sight.stopped, sight.topic
        ),
    );
    let resource = operated.condition("orders", "Ready", "True", "Sampling");
    assert_eq!(resource["status"]["lagRecords"], 40, "{resource:#}");
}

#[test]
fn a_secret_that_changes_is_taken_up_within_a_minute_though_nobody_refuses_the_old_one() {
    let operated = Operated::start("rotated", &[]);
    secret(&operated, "words", &[("password", OLD)]);
    operated.apply("orders", &format!("  brokers: [\"127.0.0.1:9\"]\n{WORDS}"));
    let began = || operated.highwater.log().matches("sampling monitor=").count();
    eventually("it is sampled", PATIENCE, || began() == 1);
    secret(&operated, "words", &[("password", NEW)]);
    let changed = Instant::now();
    eventually("it is sampled anew", 3 * PATIENCE, || began() == 2);
    assert!(changed.elapsed() < Duration::from_secs(65), "after {:?}", changed.elapsed());
}

/// What refers to the Secret `words`.
const WORDS: &str =
    "  tls: {}\n  sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: words, key: password } }\n";

#[test]
fn a_secret_that_may_not_be_read_names_the_command_that_allows_it() {
    let operated = Operated::start_limited("forbidden");
    secret(&operated, "words", &[("password", OLD)]);
    operated.apply("orders", &format!("  brokers: [\"127.0.0.1:9\"]\n{WORDS}"));
    let resource = operated.condition("orders", "Ready", "False", "SecretForbidden");
    let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
    assert!(told.starts_with("spec.sasl.passwordSecretRef: Secret words can't be read: "), "{told}");
    let (_, command) = told.split_once("Allow it with: ").unwrap();
    cluster().paste(command);
    operated.condition("orders", "Connected", "False", "Unreachable");

    operated.kubectl(&["delete", "rolebinding", "highwater-secrets"]);
    eventually("the next reading, a minute later, is refused", 3 * PATIENCE, || {
        condition_of(&operated.resource("orders"), "Ready")["reason"] == "SecretForbidden"
    });
    let told = condition_of(&operated.resource("orders"), "Ready")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("until then it is sampled as it was written before"), "{told}");
}

#[test]
fn what_cannot_be_had_or_is_no_good_is_not_asked_for_with_every_sample() {
    let (kafka, sight, operated) = (secure(), sight(), Operated::start_limited("seldom"));
    let account = format!("--serviceaccount={}:highwater", operated.namespace);
    operated.kubectl(&["create", "role", "secrets", "--verb=get", "--resource=secrets"]);
    operated.kubectl(&["create", "rolebinding", "secrets", "--role=secrets", &account]);
    let ca = fs::read_to_string(kafka.tls.join("ca.crt")).unwrap();
    secret(&operated, "observer", &[("ca.crt", &ca), ("password", "observer-secret")]);
    let fields = |key: &str, more: &str| {
        format!(
            "  brokers: [\"{}\"]\n  tls: {{ ca: {{ secretRef: {{ name: observer, key: ca.crt }} }}{more} }}\n  \
             sasl: {{ mechanism: SCRAM-SHA-512, passwordSecretRef: {{ name: observer, key: {key} }} }}\n  \
             groups: {{ include: [{}] }}\n  topics: {{ include: [{}] }}\n  sampling: {{ interval: 1s }}\n",
            kafka.sasl_ssl, sight.stopped, sight.topic
        )
    };
    operated.apply("orders", &fields("password", ""));
    operated.condition("orders", "Ready", "True", "Sampling");
    // Two readings, ten seconds apart, and what is told of the first.
    let asks_seldom = |code: u16| {
        let (before, begun) = (operated.answered(code), Instant::now());
        sleep(Duration::from_secs(12));
        let asked = operated.answered(code) - before;
        assert!(asked <= 5.0, "{asked} answers of {code} in {:?}", begun.elapsed());
    };
    operated.apply("orders", &fields("nothing", ""));
    operated.condition("orders", "Ready", "False", "KeyMissing");
    asks_seldom(200);

    operated.kubectl(&["delete", "rolebinding", "secrets"]);
    // Another Secret besides, so that all are read at once.
    operated.apply("orders", &fields("password", ", clientSecretRef: { name: observer-mtls }"));
    let resource = operated.condition("orders", "Ready", "False", "SecretForbidden");
    let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
    assert!(told.ends_with("until then it is sampled as it was written before"), "{told}");
    assert_eq!(condition_of(&resource, "Connected")["status"], "True", "samples go on: {resource:#}");
    asks_seldom(403);
    asks_seldom(200);
}
