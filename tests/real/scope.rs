//! What the operator may do, by the chart's values: in all namespaces or in some, with their Secrets or without.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chart::{folder, rendered, together};
use crate::cluster::cluster;
use crate::control_plane::rights;
use crate::monitor::PATIENCE;
use crate::operated::{Operated, condition_of};
use crate::wait::eventually;

const ITS_WORK: [&str; 4] = [
    "configmaps [] [] [get create patch delete]",
    "events.events.k8s.io [] [] [create]",
    "lagmonitors.highwater.dev [] [] [get list watch]",
    "lagmonitors.highwater.dev/status [] [] [patch]",
];
/// What it may ask of everybody, wherever it works.
const REVIEWS: [&str; 2] =
    ["subjectaccessreviews.authorization.k8s.io [] [] [create]", "tokenreviews.authentication.k8s.io [] [] [create]"];
const SECRETS: &str = "secrets [] [] [get]";

/// The rights of a release that has no pods. Its name is that of its namespace, for some of them are the cluster's.
struct Release(String);

impl Release {
    #[track_caller]
    fn with(values: &str) -> Self {
        let release = Self(cluster().namespace("scope"));
        let only = ["rbac", "serviceaccount", "lease"].map(|name| format!("--show-only=templates/{name}.yaml"));
        let only = only.each_ref().map(String::as_str);
        let named = release.named();
        let flags = [&only[..], &["--set", &named, "--set", values]].concat();
        cluster().apply(&together(&rendered(&release.0, &release.0, &flags)));
        release
    }

    /// The rights to its own Lease, and to make it.
    fn lease(&self) -> [String; 2] {
        let leases = "leases.coordination.k8s.io";
        [format!("{leases} [] [] [create]"), format!("{leases} [] [{}] [get patch]", self.0)]
    }

    fn named(&self) -> String {
        format!("fullnameOverride={},serviceAccount.name=highwater", self.0)
    }

    /// Waits until these are the rights of the operator in a namespace, and no others.
    #[track_caller]
    fn may(&self, namespace: &str, expected: &[&[&str]]) {
        let account = format!("system:serviceaccount:{}:highwater", self.0);
        let mut expected = [&expected.concat()[..], &REVIEWS].concat();
        expected.sort_unstable();
        let mut found = Vec::new();
        eventually(&format!("{expected:?} in {namespace}"), PATIENCE, || {
            found = rights(&["--namespace", namespace, "--as", &account]);
            found == expected
        });
    }
}

#[test]
fn all_namespaces_with_their_secrets() {
    let (release, other) = (Release::with("replicas=1"), cluster().namespace("other"));
    let [makes, holds] = release.lease();
    release.may(&release.0, &[&ITS_WORK, &[SECRETS, &makes, &holds]]);
    release.may(&other, &[&ITS_WORK, &[SECRETS]]);
}

#[test]
fn of_two_their_own_pods_and_no_others() {
    let two = Release::with("replicas=2");
    let [makes, holds] = two.lease();
    let [first, second] = [0, 1].map(|n| format!("pods [] [{}-{n}] [patch]", two.0));
    two.may(&two.0, &[&ITS_WORK, &[SECRETS, &makes, &holds, &first, &second]]);
}

#[test]
fn who_reads_metrics_may_do_nothing_else() {
    let home = cluster().namespace("monitoring");
    let release = Release::with(&format!("metrics.readers[0].name=prometheus,metrics.readers[0].namespace={home}"));
    let account = format!("--as=system:serviceaccount:{home}:prometheus");
    for namespace in [&home, &release.0] {
        let mut found = Vec::new();
        eventually("the metrics, and no more", PATIENCE, || {
            found = rights(&["--namespace", namespace, &account]);
            found == ["[/metrics] [] [get]"]
        });
    }
}

#[test]
fn some_namespaces_and_nothing_beyond() {
    let [shop, billing, other] = ["shop", "billing", "other"].map(|name| cluster().namespace(name));
    let release = Release::with(&format!("scope.namespaces={{{shop},{billing}}}"));
    for namespace in [&shop, &billing] {
        release.may(namespace, &[&ITS_WORK, &[SECRETS]]);
    }
    release.may(&other, &[]);
    let [makes, holds] = release.lease();
    release.may(&release.0, &[&[&makes, &holds]]);
    let account = format!("--as=system:serviceaccount:{}:highwater", release.0);
    let told = cluster().kubectl_fails(&["auth", "can-i", "list", "lagmonitors", "--all-namespaces", &account]);
    assert_eq!(told, "");
}

#[test]
fn some_namespaces_without_their_secrets() {
    let shop = cluster().namespace("shop");
    let release = Release::with(&format!("secretAccess=PerNamespace,scope.namespaces={{{shop}}}"));
    release.may(&shop, &[&ITS_WORK]);
    let [makes, holds] = release.lease();
    release.may(&release.0, &[&[&makes, &holds]]);
}

/// The flag by which a release tells the operator what its owners are to bind.
fn secrets_role(documents: &[Value]) -> String {
    let set = documents.iter().find(|document| document["kind"] == "StatefulSet").unwrap();
    let flags = set["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let flags = flags.iter().map(|flag| flag.as_str().unwrap());
    flags.clone().find(|flag| flag.starts_with("--secrets-role=")).unwrap().to_owned()
}

#[test]
fn a_secret_is_read_once_its_owners_say_so_as_the_notes_tell() {
    let (values, namespace, other) =
        ("secretAccess=PerNamespace", cluster().namespace("owned"), cluster().namespace("other"));
    let release = Release::with(values);
    release.may(&namespace, &[&ITS_WORK]);
    let operated = Operated::serving(
        namespace.clone(),
        &cluster().kubeconfig(&namespace, &release.0),
        &format!("{0}/{0}", release.0),
        &[&secrets_role(&rendered(&release.0, &release.0, &["--set", &release.named(), "--set", values]))],
    );
    operated.kubectl(&["create", "secret", "generic", "words", "--from-literal=password=the-word"]);
    let sasl = "sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: words, key: password } }";
    operated.apply("orders", &format!("  brokers: [\"127.0.0.1:9\"]\n  tls: {{}}\n  {sasl}\n"));
    let resource = operated.condition("orders", "Ready", "False", "SecretForbidden");
    let said = condition_of(&resource, "Ready")["message"].as_str().unwrap();
    let (_, said) = said.split_once("Allow it with: ").unwrap();

    let told = cluster().helm(&[
        "install",
        &release.0,
        &folder(),
        "--namespace",
        &release.0,
        "--dry-run=client",
        "--set",
        &release.named(),
        "--set",
        values,
    ]);
    let command = told.split_once("  kubectl create rolebinding ").unwrap().1.split_once("\n\n").unwrap().0;
    let command = command.replace('\\', " ").replace("NAMESPACE", &namespace);
    let arguments: Vec<_> = command.split_whitespace().collect();
    for argument in arguments.iter().filter(|argument| argument.starts_with("--")) {
        assert!(said.contains(argument), "the condition says the same: {argument}: {said}");
    }
    let begun = Instant::now();
    // Whoever may do everything in the namespace may give that right away.
    let admin = ["create", "rolebinding", "admin", "--clusterrole=admin", "--user=owner"];
    operated.kubectl(&admin);
    eventually("the owner may", PATIENCE, || {
        let held = rights(&["--namespace", &namespace, "--as=owner"]);
        held.iter().any(|right| right.starts_with("rolebindings"))
    });
    cluster().kubectl(&[&["--as=owner", "create", "rolebinding"], &arguments[..]].concat());
    // There is no Kafka at this address; that is another matter.
    operated.condition("orders", "Connected", "False", "Unreachable");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    release.may(&namespace, &[&ITS_WORK, &[SECRETS]]);
    release.may(&other, &[&ITS_WORK]);
}
