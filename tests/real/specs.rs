//! LagMonitors that the schema lets pass and that can't be sampled: a condition says what to do, in the very sentence
//! that `highwater run` uses.

use std::fs;

use tempfile::TempDir;

use crate::highwater::highwater;
use crate::monitor::PATIENCE;
use crate::operated::{Operated, condition_of, document};
use crate::wait::eventually;

/// A name, the reason, what the sentence must say, and the fields of the spec.
const REFUSED: [(&str, &str, &str, &str); 12] = [
    (
        "ca-secret-absent",
        "SecretNotFound",
        "spec.tls.ca.secretRef: Secret absent does not exist in namespace",
        "  brokers: [\"kafka:9093\"]\n  tls: { ca: { secretRef: { name: absent, key: ca.crt } } }\n",
    ),
    (
        "ca-map-absent",
        "ConfigMapNotFound",
        "spec.tls.ca.configMapRef: ConfigMap absent does not exist in namespace",
        "  brokers: [\"kafka:9093\"]\n  tls: { ca: { configMapRef: { name: absent, key: ca.crt } } }\n",
    ),
    (
        "ca-key-absent",
        "KeyMissing",
        "spec.tls.ca.secretRef: Secret words has no key ca.crt: it has ",
        "  brokers: [\"kafka:9093\"]\n  tls: { ca: { secretRef: { name: words, key: ca.crt } } }\n",
    ),
    (
        "ca-is-no-certificate",
        "InvalidContent",
        "spec.tls.ca.secretRef: key password of Secret words is not a PEM certificate",
        "  brokers: [\"kafka:9093\"]\n  tls: { ca: { secretRef: { name: words, key: password } } }\n",
    ),
    (
        "client-certificate-absent",
        "SecretNotFound",
        "spec.tls.clientSecretRef: Secret absent does not exist",
        "  brokers: [\"kafka:9093\"]\n  tls: { clientSecretRef: { name: absent } }\n",
    ),
    (
        "client-certificate-without-keys",
        "KeyMissing",
        "spec.tls.clientSecretRef: Secret words has no key tls.crt",
        "  brokers: [\"kafka:9093\"]\n  tls: { clientSecretRef: { name: words } }\n",
    ),
    (
        "password-absent",
        "SecretNotFound",
        "spec.sasl.passwordSecretRef: Secret absent does not exist",
        "  brokers: [\"kafka:9093\"]\n  tls: {}\n  sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: absent, key: password } }\n",
    ),
    (
        "password-key-absent",
        "KeyMissing",
        "spec.sasl.passwordSecretRef: Secret words has no key pass: it has ",
        "  brokers: [\"kafka:9093\"]\n  tls: {}\n  sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: words, key: pass } }\n",
    ),
    (
        "token-secret-absent",
        "SecretNotFound",
        "spec.sasl.oauth.clientSecretRef: Secret absent does not exist",
        "  brokers: [\"kafka:9093\"]\n  tls: {}\n  sasl: { mechanism: OAUTHBEARER, oauth: { tokenEndpoint: \"https://idp/token\", clientID: me, clientSecretRef: { name: absent, key: a } } }\n",
    ),
    (
        "group-pattern",
        "InvalidPattern",
        "spec.groups.include[1]: ",
        "  brokers: [\"kafka:9092\"]\n  groups: { include: [a, \"/[/\"] }\n",
    ),
    (
        "topic-pattern",
        "InvalidPattern",
        "spec.topics.exclude[0]: ",
        "  brokers: [\"kafka:9092\"]\n  topics: { exclude: [\"/(/\"] }\n",
    ),
    (
        "override-pattern",
        "InvalidPattern",
        "spec.slo.overrides[0].group: ",
        "  brokers: [\"kafka:9092\"]\n  slo: { overrides: [{ group: \"/*/\", maxLag: 1m }] }\n",
    ),
];

#[test]
fn a_condition_says_what_to_do() {
    let operated = Operated::start("specs", &[]);
    operated.kubectl(&["create", "secret", "generic", "words", "--from-literal=password=s3cret"]);
    for (name, _, _, fields) in REFUSED {
        operated.apply(name, fields);
    }
    let dir = TempDir::new().unwrap();
    for (name, reason, says, fields) in REFUSED {
        let resource = operated.condition(name, "Ready", "False", reason);
        let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
        assert!(told.starts_with(says), "{name}: {told}");
        assert!(!told.contains("s3cret"), "{name}: {told}");

        let file = dir.path().join(format!("{name}.yaml"));
        let secret = format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: words, namespace: {} }}\nstringData: {{ password: s3cret }}\n",
            operated.namespace
        );
        fs::write(&file, document(&operated.namespace, name, fields) + &secret).unwrap();
        let run = highwater(&[
            "run",
            "-f",
            &file.to_string_lossy(),
            "--data-dir",
            &dir.path().join("data").to_string_lossy(),
        ]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(told), "{name}: the condition says\n{told}\nand run says\n{}", run.stderr);
    }
    let events = operated.events("ca-secret-absent");
    assert!(events.iter().any(|(reason, note)| reason == "SecretNotFound" && note.contains("absent")), "{events:?}");
}

#[test]
fn targets_are_limited_by_the_operators_flags() {
    let flags = ["--allow-bootstrap=*.kafka.svc:9093", "--allow-token-endpoint=idp.example.com"];
    let operated = Operated::start("targets", &flags);
    operated.kubectl(&["create", "secret", "generic", "idp", "--from-literal=secret=s3cret"]);
    let oauth = |host: &str| {
        format!(
            "  brokers: [\"a.kafka.svc:9093\"]\n  tls: {{}}\n  sasl: {{ mechanism: OAUTHBEARER, oauth: {{ tokenEndpoint: \
             \"https://{host}/token\", clientID: me, clientSecretRef: {{ name: idp, key: secret }} }} }}\n"
        )
    };
    operated.apply("elsewhere", "  brokers: [\"a.kafka.svc:9093\", \"169.254.169.254:80\"]\n");
    operated.apply("idp-elsewhere", &oauth("10.0.0.1"));
    operated.apply("allowed", &oauth("idp.example.com"));
    for (name, field, flag) in [
        ("elsewhere", "spec.brokers[1]: ", "--allow-bootstrap"),
        ("idp-elsewhere", "spec.sasl.oauth.tokenEndpoint: ", "--allow-token-endpoint"),
    ] {
        let resource = operated.condition(name, "Ready", "False", "TargetNotAllowed");
        let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
        assert!(told.starts_with(field) && told.contains(flag), "{told}");
    }
    eventually("the allowed one is tried", PATIENCE, || {
        let resource = operated.resource("allowed");
        let connected = condition_of(&resource, "Connected");
        connected["status"] == "False" && connected["reason"] != "NotSampled"
    });
}
