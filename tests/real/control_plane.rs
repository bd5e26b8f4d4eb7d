//! What the other tests take for granted of the control plane, and what a real API server makes of LagMonitors.

use std::fs;
use std::time::Duration;

use crate::cluster::{Cluster, cluster};
use crate::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

fn monitor(namespace: &str) -> String {
    format!(
        "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\n\
         metadata: {{ name: orders, namespace: {namespace} }}\nspec: {{ brokers: [\"kafka:9092\"] }}\n"
    )
}

#[test]
fn the_resource_is_accepted_and_explained() {
    let conditions = r#"jsonpath={range .status.conditions[*]}{.type}={.status} {end}"#;
    let conditions = cluster().kubectl(&["get", "crd", "lagmonitors.highwater.dev", "-o", conditions]);
    assert_eq!(conditions, "NamesAccepted=True Established=True ");

    let explained = cluster().kubectl(&["explain", "lm.spec"]);
    let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in
        ["brokers <[]string> -required-", "The bootstrap servers of the cluster, `host:port` each, 1 to 32."]
    {
        assert!(words.contains(sentence), "{sentence}: {explained}");
    }
}

#[test]
fn good_samples_are_accepted() {
    let samples = samples("valid");
    let told = cluster().kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "-f", &samples]);
    assert_eq!(told.lines().count(), fs::read_dir(&samples).unwrap().count(), "{told}");
}

#[test]
fn bad_samples_are_refused_for_the_reason_that_they_state() {
    let samples = samples("invalid");
    let told = cluster().kubectl_fails(&["apply", "--dry-run=server", "-f", &samples]);
    for file in fs::read_dir(&samples).unwrap() {
        let file = file.unwrap().path();
        let refusal = told.lines().find(|line| line.contains(&format!("\"{}\"", file.display())));
        let refusal = refusal.unwrap_or_else(|| panic!("accepted: {}", file.display()));
        let text = fs::read_to_string(&file).unwrap();
        let header = |name: &str| {
            let mark = format!("# {name}: ");
            text.lines().find_map(|line| line.strip_prefix(&mark)).unwrap()
        };
        assert!(refusal.contains(header("field")) && refusal.contains(header("says")), "{refusal}\n{text}");
    }
}

/// The folder of the repository's samples, once the namespace of theirs is there.
fn samples(name: &str) -> String {
    cluster().apply("apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n");
    format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_a_monitor_owns_goes_with_it() {
    let namespace = cluster().namespace("owner");
    cluster().apply(&monitor(&namespace));
    let own = |arguments: &[&str]| cluster().kubectl(&[arguments, &["--namespace", &namespace]].concat());
    let uid = own(&["get", "lm", "orders", "-o", "jsonpath={.metadata.uid}"]);
    cluster().apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: owned\n  namespace: {namespace}\n  ownerReferences:\n    \
         - {{ apiVersion: highwater.dev/v1alpha1, kind: LagMonitor, name: orders, uid: {uid} }}\n"
    ));
    assert_eq!(own(&["get", "configmap", "owned", "-o", "name"]), "configmap/owned\n");
    own(&["delete", "lm", "orders"]);
    eventually("the ConfigMap goes", PATIENCE, || !own(&["get", "configmaps", "-o", "name"]).contains("owned"));
}

#[test]
fn objects_outlive_the_api_server() {
    let mut cluster = Cluster::start();
    cluster.apply(&monitor("default"));
    cluster.kill_api_server();
    let told = cluster.kubectl_fails(&["get", "lm", "orders"]);
    assert!(told.contains("refused"), "{told}");
    cluster.start_api_server();
    assert_eq!(cluster.kubectl(&["get", "lm", "orders", "-o", "name"]), "lagmonitor.highwater.dev/orders\n");
}

#[test]
fn etcd_grows_by_what_is_stored() {
    let namespace = cluster().namespace("large");
    let before = cluster().etcd_bytes();
    let document = |name| {
        let line = "x".repeat(900_000);
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: {namespace} }}\ndata: {{ x: {line} }}\n"
        )
    };
    cluster().apply(&["a", "b", "c"].map(document).join("---\n"));
    let grown = || cluster().etcd_bytes() - before;
    eventually("etcd has stored it", PATIENCE, || grown() > 2_700_000);
    assert!(grown() < 10_000_000, "{}", grown());
}

#[test]
fn the_operator_may_what_it_needs_and_no_more() {
    let namespace = cluster().namespace("rights");
    cluster().apply(&monitor(&namespace));
    let kubeconfig = format!("--kubeconfig={}", cluster().operator_kubeconfig(&namespace).display());
    let needed = [
        "configmaps [] [] [get create patch delete]",
        "events.events.k8s.io [] [] [create]",
        "lagmonitors.highwater.dev [] [] [get list watch]",
        "lagmonitors.highwater.dev/status [] [] [patch]",
        "leases.coordination.k8s.io [] [] [get create patch]",
        "secrets [] [] [get]",
    ];
    assert_eq!(rights(&[&kubeconfig]), needed);

    let told = cluster().kubectl_fails(&[&kubeconfig, "get", "secrets"]);
    assert!(told.contains(r#""system:serviceaccount:highwater:highwater" cannot list resource "secrets""#), "{told}");
    let suspend = ["--type=merge", "--patch", r#"{"spec":{"suspend":true}}"#];
    let told = cluster().kubectl_fails(&[&[&kubeconfig, "patch", "lm", "orders"], &suspend[..]].concat());
    assert!(told.contains(r#"cannot patch resource "lagmonitors""#), "{told}");
}

#[test]
fn tenants_may_what_their_role_says() {
    let namespace = cluster().namespace("tenants");
    let all = "lagmonitors.highwater.dev [] [] [create delete deletecollection get list patch update watch]";
    let look = "lagmonitors.highwater.dev [] [] [get list watch]";
    for (role, expected) in [("admin", all), ("edit", all), ("view", look)] {
        let (binding, user) = (format!("--clusterrole={role}"), format!("--user={role}"));
        cluster().kubectl(&["create", "rolebinding", role, "--namespace", &namespace, &binding, &user]);
        eventually(&format!("{role} may: {expected}"), PATIENCE, || {
            rights(&["--namespace", &namespace, "--as", role]).iter().any(|right| right == expected)
        });
    }
}

/// What somebody may do, but for what everybody may, as sorted lines `resource [paths] [names] [verbs]`.
fn rights(who: &[&str]) -> Vec<String> {
    let listed = cluster().kubectl(&[&["auth", "can-i", "--list", "--no-headers"], who].concat());
    let of_everybody = |line: &&str| line.starts_with(' ') || line.starts_with("selfsubject");
    let own = listed.lines().filter(|line| !of_everybody(line));
    let mut rights: Vec<_> = own.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    rights.sort_unstable();
    rights
}
