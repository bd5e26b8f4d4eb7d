//! What the other tests take for granted of the control plane, and what a real API server makes of LagMonitors.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use crate::cluster::{Cluster, cluster};
use crate::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where `kubectl explain` breaks lines.
const WIDTH: usize = 80;

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
    let ragged = ragged(&explained);
    assert!(ragged.is_empty(), "{ragged:?}\n{explained}");
}

/// Lines that end though the next word had room on them.
fn ragged(text: &str) -> Vec<&str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<_> = text.lines().collect();
    let broken = lines.windows(2).filter(|pair| {
        let [line, next] = pair else { return false };
        let goes_on = indent(line) == indent(next) && indent(line) > 0 && !line.ends_with(['.', '>']);
        let word = next.trim_start().split(' ').next().unwrap_or_default();
        goes_on && !word.is_empty() && line.chars().count() + 1 + word.chars().count() <= WIDTH
    });
    broken.map(|pair| pair[0]).collect()
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
            text.lines().find_map(|line| line.strip_prefix(&mark))
        };
        // What a rule says is the same everywhere; to what a bound says `highwater run` adds what the field is.
        let says = header("api").or_else(|| header("says")).unwrap();
        assert!(refusal.contains(header("field").unwrap()) && refusal.contains(says), "{refusal}\n{text}");
        assert!(!refusal.contains("should match") && !refusal.contains("evaluating rule"), "{refusal}");
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
        "secrets [] [] [get]",
        "subjectaccessreviews.authorization.k8s.io [] [] [create]",
        "tokenreviews.authentication.k8s.io [] [] [create]",
    ];
    assert_eq!(rights(&[&kubeconfig]), needed);
    let at_home: Vec<_> = rights(&[&kubeconfig, "--namespace=highwater"]);
    let more: Vec<_> = at_home.iter().filter(|right| !needed.contains(&&***right)).collect();
    let at_home =
        ["leases.coordination.k8s.io [] [] [create]", "leases.coordination.k8s.io [] [highwater] [get patch]"];
    assert_eq!(more, at_home);

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

/// What somebody may do, but for what every ServiceAccount may, as sorted lines `resource [paths] [names] [verbs]`; what is
/// at a path is no resource.
pub(crate) fn rights(who: &[&str]) -> Vec<String> {
    static EVERYBODYS: LazyLock<Vec<String>> =
        LazyLock::new(|| listed(&["--as=system:serviceaccount:default:without-a-binding"]));
    let mut rights = listed(who);
    rights.retain(|right| !EVERYBODYS.contains(right));
    rights.sort_unstable();
    rights
}

fn listed(who: &[&str]) -> Vec<String> {
    let listed = cluster().kubectl(&[&["auth", "can-i", "--list", "--no-headers"], who].concat());
    listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
