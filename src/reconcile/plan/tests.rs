//! Plans from specs and objects: the shapes that credentials come in, and what is said when they don't fit.

use serde_json::json;

use super::*;
use crate::kafka::connection::{ClientCertificate, Oauth, PasswordMechanism, Sasl, Secret, Tls};
use crate::kafka::pem::tests::certificate_pem;
use crate::lag::slo::{Bounds, Objective as _};

fn monitor(name: &str, spec: Value) -> LagMonitor {
    let mut spec = spec;
    spec["brokers"] = json!(["kafka:9093"]);
    let metadata = json!({ "namespace": "shop", "name": name });
    serde_json::from_value(
        json!({ "apiVersion": crate::crd::API_VERSION, "kind": "LagMonitor", "metadata": metadata, "spec": spec }),
    )
    .unwrap()
}

/// An object's kind, name and data.
type Object<'a> = (Kind, &'a str, &'a [(&'a str, &'a str)]);

fn resolved(objects: &[Object<'_>]) -> Resolved {
    let mut resolved = Resolved::default();
    for (kind, name, data) in objects {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        resolved.insert(*kind, *name, data);
    }
    resolved
}

fn plan_of(spec: Value, objects: &[Object<'_>]) -> Result<Plan, Invalid> {
    plan(&monitor("orders", spec), &resolved(objects))
}

fn scram(rest: &Value) -> Value {
    let mut sasl =
        json!({ "mechanism": "SCRAM-SHA-512", "passwordSecretRef": { "name": "observer", "key": "password" } });
    sasl.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    json!({ "sasl": sasl })
}

fn username(plan: &Plan) -> &str {
    match plan.connection.sasl.as_ref().unwrap() {
        Sasl::Password { username, password, mechanism: PasswordMechanism::ScramSha512 } if password.0 == "s3cret" => {
            username
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_minimal_spec_has_the_defaults() {
    let plan = plan_of(json!({}), &[]).unwrap();
    assert_eq!(plan.cluster_name, "shop/orders");
    assert_eq!(plan.connection, Connection { brokers: vec!["kafka:9093".into()], ..Connection::default() });
    assert!(plan.selection.topics.matches("orders") && !plan.selection.topics.matches("__consumer_offsets"));
    assert_eq!(plan.output_file, None);
    let policy = Policy {
        interval: 60_000,
        coarse_interval: 1_800_000,
        offline_after_samples: 5,
        offline_after: 300_000,
        online_threshold: 600_000,
        rows_per_partition: 600,
        precision: 1_000,
        read_committed: false,
    };
    assert_eq!(plan.policy, policy);
}

#[test]
fn settings_are_taken_over() {
    let plan = plan_of(
        json!({
            "clusterName": "main",
            "sampling": { "isolationLevel": "ReadCommitted", "precision": "0s" },
            "output": { "file": { "path": "lag/orders.json" } },
            "properties": { "client.dns.lookup": "use_all_dns_ips", "socket.keepalive.enable": true, "socket.timeout.ms": 5000 },
        }),
        &[],
    );
    let plan = plan.unwrap();
    assert_eq!(plan.cluster_name, "main");
    assert_eq!(plan.output_file.as_deref(), Some("lag/orders.json"));
    assert!(plan.policy.read_committed && plan.policy.precision == 0);
    let expected =
        [("client.dns.lookup", "use_all_dns_ips"), ("socket.keepalive.enable", "true"), ("socket.timeout.ms", "5000")];
    assert_eq!(plan.connection.properties, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
}

#[test]
fn every_limit_and_the_team_reach_the_plan() {
    let slo = json!({
        "maxLagRecords": 5, "maxLag": "1m", "minCompliancePercent": 50, "minRebalanceScore": 1, "rebalanceWindow": "30s",
        "maxRebalances": 2, "maxGiniExcessPercent": 3, "stuckWindow": "10s",
        "overrides": [{ "group": "a", "maxLag": "1h" }],
    });
    let plan = plan_of(json!({ "slo": slo }), &[]).unwrap();
    assert_eq!(plan.unused, [""; 0]);
    assert_eq!(plan.objective.limits("a", "t").max_lag, Some(3_600_000));
    let expected = Bounds {
        min_compliance_percent: 50,
        min_rebalance_score: 1,
        rebalance_window: 30_000,
        max_rebalances: 2,
        max_gini_excess_percent: 3,
        stuck_window: 10_000,
    };
    assert_eq!(plan.objective.bounds(), expected);
    assert_eq!(plan.team, None);
    let mut monitor = LagMonitor::new("orders", serde_json::from_value(json!({ "brokers": ["a:1"] })).unwrap());
    monitor.metadata.labels = Some([(TEAM.to_owned(), "logistics".to_owned())].into());
    assert_eq!(super::plan(&monitor, &Resolved::default()).unwrap().team.as_deref(), Some("logistics"));
}

#[test]
fn the_username_is_written_or_in_the_secret_or_the_secrets_name() {
    let bare: &[_] = &[("password", "s3cret")];
    let with_user: &[_] = &[("password", "s3cret\n"), ("username", "u\n")];
    let plan = |spec, data| plan_of(spec, &[(Kind::Secret, "observer", data)]).unwrap();
    assert_eq!(username(&plan(scram(&json!({ "username": "w" })), with_user)), "w");
    assert_eq!(username(&plan(scram(&json!({})), with_user)), "u");
    assert_eq!(username(&plan(scram(&json!({})), bare)), "observer");
}

#[test]
fn certificates_come_in_both_shapes() {
    let ((ca, _), (crt, key)) = (certificate_pem("ca"), certificate_pem("client"));
    let spec = json!({ "tls": { "ca": { "configMapRef": { "name": "ca", "key": "ca.crt" } }, "clientSecretRef": { "name": "client" } } });
    let ca_map: Object<'_> = (Kind::ConfigMap, "ca", &[("ca.crt", ca.as_str())]);
    let client = ClientCertificate { certificate_pem: crt.clone(), key_pem: Secret(key.clone()), key_password: None };
    let expected = Tls { ca_pem: Some(ca.clone()), client: Some(client), skip_hostname_check: false };
    for (crt_key, key_key) in [("tls.crt", "tls.key"), ("user.crt", "user.key")] {
        let secret: &[_] = &[(crt_key, crt.as_str()), (key_key, key.as_str())];
        let plan = plan_of(spec.clone(), &[ca_map, (Kind::Secret, "client", secret)]).unwrap();
        assert_eq!(plan.connection.tls.as_ref(), Some(&expected));
    }
    assert_eq!(plan_of(json!({ "tls": {} }), &[]).unwrap().connection.tls, Some(Tls::default()));
    let wanted: Vec<_> = references(&monitor("a", spec).spec).into_iter().collect();
    let named = [
        ((Kind::Secret, "client".to_owned()), "spec.tls.clientSecretRef"),
        ((Kind::ConfigMap, "ca".to_owned()), "spec.tls.ca.configMapRef"),
    ];
    assert_eq!(wanted, named);
}

#[test]
fn tokens_are_fetched_with_the_clients_secret() {
    let oauth = json!({ "tokenEndpoint": "https://a/t", "clientID": "me", "clientSecretRef": { "name": "o", "key": "s" }, "scope": "k" });
    let plan = plan_of(
        json!({ "sasl": { "mechanism": "OAUTHBEARER", "oauth": oauth } }),
        &[(Kind::Secret, "o", &[("s", "x")])],
    );
    let expected = Oauth {
        token_endpoint: "https://a/t".into(),
        client_id: "me".into(),
        client_secret: Secret("x".into()),
        scope: Some("k".into()),
    };
    assert_eq!(plan.unwrap().connection.sasl, Some(Sasl::OauthBearer(expected)));
}

#[test]
fn what_an_object_lacks_is_told_by_field_and_reason_and_never_by_content() {
    let (crt, _) = certificate_pem("client");
    let tls = |rest: Value| json!({ "tls": rest });
    let ca = tls(json!({ "ca": { "secretRef": { "name": "s", "key": "ca.crt" } } }));
    let client = tls(json!({ "clientSecretRef": { "name": "s" } }));
    refuses(vec![
        (
            scram(&json!({})),
            &[],
            "SecretNotFound",
            "spec.sasl.passwordSecretRef: Secret observer does not exist in namespace shop: create it, or name another one",
        ),
        (
            ca.clone(),
            &[("tls.crt", "s3cret"), ("x", "s3cret")],
            "KeyMissing",
            "spec.tls.ca.secretRef: Secret s has no key ca.crt: it has tls.crt, x",
        ),
        (
            ca,
            &[("ca.crt", "s3cret")],
            "InvalidContent",
            "spec.tls.ca.secretRef: key ca.crt of Secret s is not a PEM certificate: it begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            client.clone(),
            &[("tls.crt", &crt)],
            "KeyMissing",
            "spec.tls.clientSecretRef: Secret s has no key tls.crt with tls.key, or user.crt with user.key: it has tls.crt",
        ),
        (
            client,
            &[("user.crt", &crt), ("user.key", "s3cret")],
            "InvalidContent",
            "spec.tls.clientSecretRef: key user.key of Secret s is not one unencrypted PEM private key",
        ),
        (
            json!({ "sasl": { "mechanism": "PLAIN", "passwordSecretRef": { "name": "s", "key": "p" } } }),
            &[("p", "s3cret\nx")],
            "InvalidContent",
            "spec.sasl.passwordSecretRef: key p of Secret s is not one line of text",
        ),
    ]);
}

#[test]
fn what_is_no_pattern_is_told_by_field_and_reason() {
    let overrides = json!({ "slo": { "overrides": [{ "group": "a[", "maxLag": "1h" }] } });
    refuses(vec![
        (
            json!({ "groups": { "include": ["a", "/(/"] } }),
            &[],
            "InvalidPattern",
            "spec.groups.include[1]: \"/(/\" is no regular expression",
        ),
        (
            json!({ "topics": { "exclude": ["//"] } }),
            &[],
            "InvalidPattern",
            "spec.topics.exclude[0]: \"//\" matches every name",
        ),
        (overrides, &[], "InvalidPattern", "spec.slo.overrides[0].group: \"a[\" is no glob"),
    ]);
}

type Case<'a> = (Value, &'a [(&'a str, &'a str)], &'a str, &'a str);

fn refuses(cases: Vec<Case<'_>>) {
    for (spec, data, reason, message) in cases {
        let invalid = plan_of(spec, &[(Kind::Secret, "s", data)]).unwrap_err();
        assert!(invalid.to_string().starts_with(message), "{invalid}");
        assert_eq!(invalid.problem.reason(), reason);
        assert!(!format!("{invalid} {invalid:?}").contains("s3cret"));
    }
}

#[test]
fn a_plan_shows_no_secret() {
    let plan = plan_of(scram(&json!({})), &[(Kind::Secret, "observer", &[("password", "s3cret")])]).unwrap();
    assert!(!format!("{plan:?}").contains("s3cret"));
}

#[test]
fn the_first_keeps_a_name_that_two_want() {
    let file = |cluster: &str, path: &str| json!({ "clusterName": cluster, "output": { "file": { "path": path } } });
    let monitors = [
        ("a", file("one", "a.json")),
        ("b", json!({ "clusterName": "one" })),
        ("c", file("two", "a.json")),
        ("d", file("two", "a.json/b")),
        ("e", file("two", "lag/e")),
        ("f", json!({ "clusterName": "two" })),
        ("g", file("three", "lag")),
        ("h", file("three", "lagging")),
    ];
    let (mut held, mut told): (Vec<Claims>, Vec<String>) = (vec![], vec![]);
    for (name, spec) in monitors {
        let claims = Claims::of(&monitor(name, spec));
        match claims.against(held.iter()) {
            Ok(()) => held.push(claims),
            Err(invalid) => told.push(format!("{name}: {invalid}")),
        }
    }
    assert_eq!(held.len(), 3);
    assert_eq!(
        told,
        [
            "b: spec.clusterName: clusterName \"one\" is that of LagMonitor shop/a already: write another one",
            "c: spec.output.file.path: the output file \"a.json\" is that of LagMonitor shop/a already: write another one",
            "d: spec.output.file.path: the output file \"a.json/b\" and \"a.json\", that of LagMonitor shop/a, can't both \
             be there, for one would be the folder of the other: write another one",
            "f: spec.clusterName: clusterName \"two\" is that of LagMonitor shop/e already: write another one",
            "g: spec.output.file.path: the output file \"lag\" and \"lag/e\", that of LagMonitor shop/e, can't both be \
             there, for one would be the folder of the other: write another one",
        ]
    );
}
