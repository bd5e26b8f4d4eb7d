//! The Helm chart and its values: what it makes of them is accepted by a real API server, allowed in a namespace that
//! restricts pods, and understood by the binary; which values it refuses, and that each is explained.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cluster::cluster;
use crate::highwater::highwater;
use crate::wait::eventually;

/// What the Prometheus operator has, as far as the chart writes it.
pub(crate) const PROMETHEUS_OPERATOR: [(&str, &str); 2] =
    [("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules")];

/// The folder of the chart.
pub(crate) fn folder() -> String {
    format!("{}/charts/highwater", env!("CARGO_MANIFEST_DIR"))
}

/// The documents of `helm template`, for a release in a namespace.
#[track_caller]
pub(crate) fn rendered(release: &str, namespace: &str, flags: &[&str]) -> Vec<Value> {
    let text = cluster().helm(&[&["template", release, &folder(), "--namespace", namespace], flags].concat());
    let texts = text.split("---\n").filter(|text| !text.trim().is_empty());
    let documents = texts.map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// Documents as one text that `kubectl` takes.
pub(crate) fn together(documents: &[Value]) -> String {
    documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// A definition of somebody else's custom resource, which accepts everything.
pub(crate) fn foreign(group: &str, version: &str, kind: &str, plural: &str) -> String {
    let schema = "schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }";
    let singular = kind.to_lowercase();
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{ name: {plural}.{group} }}\n\
         spec:\n  group: {group}\n  scope: Namespaced\n  names: {{ kind: {kind}, plural: {plural}, singular: {singular} }}\n  \
         versions:\n    - {{ name: {version}, served: true, storage: true, {schema} }}\n"
    )
}

/// Waits until resources of a custom kind can be written.
pub(crate) fn await_served(plural: &str) {
    let path = "jsonpath={.status.conditions[?(@.type==\"Established\")].status}";
    eventually("it is served", crate::monitor::PATIENCE, || {
        cluster().kubectl(&["get", "crd", plural, "-o", path]) == "True"
    });
}

/// The value sets beside the chart.
fn sets() -> Vec<PathBuf> {
    let files = fs::read_dir(format!("{}/ci", folder())).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    files
}

/// The first document of a kind.
pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Option<&'a Value> {
    documents.iter().find(|document| document["kind"] == kind)
}

/// A file of the repository.
pub(crate) fn yaml(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A namespace that takes restricted pods alone, and warns of what would make others.
fn restricted() -> String {
    let namespace = cluster().namespace("restricted");
    let labels = ["enforce", "warn", "audit"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    let labels: Vec<_> = labels.iter().map(String::as_str).collect();
    cluster().kubectl(&[&["label", "namespace", &namespace], &*labels].concat());
    let account = ["get", "serviceaccount", "--namespace", &namespace, "--output=name"];
    eventually("pods can be made in it", crate::monitor::PATIENCE, || cluster().kubectl(&account).contains("default"));
    namespace
}

#[test]
fn every_set_of_values_is_accepted_without_a_warning() {
    for (kind, plural) in PROMETHEUS_OPERATOR {
        cluster().apply(&foreign("monitoring.coreos.com", "v1", kind, plural));
        await_served(&format!("{plural}.monitoring.coreos.com"));
    }
    for name in ["shop", "billing", "789"] {
        cluster().apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: \"{name}\" }}\n"));
    }
    let namespace = restricted();
    let mut kinds = BTreeSet::new();
    for set in sets() {
        let values = format!("--values={}", set.display());
        let told = cluster().helm(&["lint", "--strict", &folder(), &values]);
        assert!(told.contains("0 chart(s) failed") && !told.contains("[WARNING]"), "{told}");

        let documents = rendered("lag", &namespace, &[&values]);
        cluster().check(&together(&documents), &[]);
        let name = |document: &Value| {
            format!("{} {} {}", document["kind"], document["metadata"]["namespace"], document["metadata"]["name"])
        };
        let names: BTreeSet<_> = documents.iter().map(name).collect();
        assert_eq!(names.len(), documents.len(), "{values}: {names:?}");
        kinds.extend(documents.iter().map(|document| document["kind"].as_str().unwrap().to_owned()));
    }
    let expected = "ClusterRole ClusterRoleBinding ConfigMap CustomResourceDefinition Lease NetworkPolicy Pod \
                    PodDisruptionBudget PrometheusRule Role RoleBinding Service ServiceAccount ServiceMonitor StatefulSet";
    assert_eq!(Vec::from_iter(kinds).join(" "), expected, "the sets show all that the chart can make");
}

#[test]
fn the_binary_understands_every_flag() {
    for set in sets() {
        let documents = rendered("lag", "default", &[&format!("--values={}", set.display())]);
        let containers = &of_kind(&documents, "StatefulSet").unwrap()["spec"]["template"]["spec"]["containers"];
        let flags: Vec<_> =
            containers[0]["args"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        // It reads flags, then this file, then begins.
        let outcome = highwater(&[&flags[..], &["--kubeconfig=/nowhere"]].concat());
        assert_eq!(outcome.code, Some(2), "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("--kubeconfig /nowhere"), "{outcome:?}");
    }
}

/// Values, each with what is said of it, or where it stands.
const BAD: &[(&str, &str)] = &[
    ("replica=2", "additional properties 'replica' not allowed"),
    ("image.tga=x", "at '/image': additional properties 'tga' not allowed"),
    ("prometheusRule.lagSeconds.page=1", "additional properties 'page' not allowed"),
    ("replicas=two", "at '/replicas': got string, want integer"),
    ("persistence.enabled=1", "at '/persistence/enabled': got number, want boolean"),
    ("secretAccess=Everywhere", "at '/secretAccess': value must be one of 'Cluster', 'PerNamespace'"),
    ("scope.namespaces={shop,shop}", "at '/scope/namespaces'"),
    ("scope.namespaces=shop", "at '/scope/namespaces': got string, want array"),
    ("prometheusRule.disabled={HighwaterAsleep}", "at '/prometheusRule/disabled/0'"),
    ("prometheusRule.enabled=true,prometheusRule.lagSeconds.critical=9", "write a critical that is not below warning"),
    ("metrics.port=8080", "metrics.port: write another one than http.port"),
    ("auth.mode=token", "auth.tokenSecret: write the name of the Secret with the key token"),
    ("metrics.readers[0].name=prometheus", "at '/metrics/readers/0': missing property 'namespace'"),
    ("serviceAccount.create=false", "serviceAccount.name: write which ServiceAccount to use"),
    // What the API server would refuse.
    ("persistence.size=large", "at '/persistence/size': 'large' does not match"),
    ("persistence.size=0Gi", "at '/persistence/size': '0Gi' does not match"),
    ("files.sizeLimit=0.0Mi", "at '/files/sizeLimit': '0.0Mi' does not match"),
    ("persistence.accessModes={ReadWriteOncePod,ReadWriteOnce}", "at '/persistence/accessModes': maxItems"),
    ("persistence.storageClass=Fast", "at '/persistence/storageClass'"),
    ("startupProbe.successThreshold=2", "at '/startupProbe': additional properties 'successThreshold' not allowed"),
    ("livenessProbe.successThreshold=2", "at '/livenessProbe': additional properties 'successThreshold' not allowed"),
    ("readinessProbe.terminationGracePeriodSeconds=9", "at '/readinessProbe': additional properties"),
    ("serviceAccount.name=Highwater", "at '/serviceAccount/name'"),
    ("tls.secretName=a_b", "at '/tls/secretName'"),
    ("auth.tokenSecret=-a", "at '/auth/tokenSecret'"),
    ("metrics.readers[0].name=A,metrics.readers[0].namespace=a", "at '/metrics/readers/0/name'"),
    ("metrics.readers[0].name=a,metrics.readers[0].namespace=A", "at '/metrics/readers/0/namespace'"),
    ("imagePullSecrets[0].name=A", "at '/imagePullSecrets/0/name'"),
    ("priorityClassName=High", "at '/priorityClassName'"),
    ("fullnameOverride=1st", "at '/fullnameOverride': '1st' does not match"),
    // What the kubelet could not pull, the binary not understand, and Prometheus not read.
    ("image.repository=A b", "at '/image/repository': 'A b' does not match"),
    ("image.tag=-x", "at '/image/tag': '-x' does not match"),
    ("test.image=a b", "at '/test/image'"),
    ("http.address=localhost", "at '/http/address': 'localhost' does not match"),
    ("http.address=10.0.0.256", "at '/http/address'"),
    ("logLevel=loud", "at '/logLevel': 'loud' does not match"),
    ("logLevel=info\\,loud", "at '/logLevel': 'info,loud' does not match"),
    ("serviceMonitor.interval=30s1m", "at '/serviceMonitor/interval': '30s1m' does not match"),
    ("serviceMonitor.scrapeTimeout=soon", "at '/serviceMonitor/scrapeTimeout'"),
    // What is the chart's own, or the operator's.
    ("podLabels.highwater\\.dev/leads=x", "podLabels: leave out highwater.dev/leads, which is set by Highwater"),
    ("podLabels.app\\.kubernetes\\.io/name=x", "podLabels: leave out app.kubernetes.io/name"),
    (
        "dashboard.enabled=true,dashboard.labels.helm\\.sh/chart=x",
        "dashboard.labels: leave out helm.sh/chart, which is set by Highwater",
    ),
];

#[test]
fn bad_values_are_refused_with_what_is_wrong() {
    for (value, said) in BAD {
        let told = cluster().helm_fails(&["template", "lag", &folder(), "--set", value]);
        assert!(told.contains(said), "{value}: {told}");
    }
    for release in ["1st", "lag.shop"] {
        let told = cluster().helm_fails(&["template", release, &folder()]);
        assert!(told.contains("fullnameOverride: write a name that begins with a letter and has no dot"), "{told}");
    }
}

#[test]
fn every_value_is_explained_and_in_the_schema() {
    let (values, schema) = (yaml("charts/highwater/values.yaml"), yaml("charts/highwater/values.schema.json"));
    let unlike = unlike(&values, &schema, "");
    // Helm gives it to charts that are part of another.
    assert_eq!(unlike, ["/global"]);
    assert_eq!(unexplained(&fs::read_to_string(format!("{}/values.yaml", folder())).unwrap()), Vec::<String>::new());
    let samples = "# Of a.\na:\n  # Of b.\n  b: 1\n  c: 2\nlivenessProbe:\n  d: 3\n";
    assert_eq!(unexplained(samples), ["a.c", "livenessProbe"], "a comment speaks of the line below it alone");
}

/// Kubernetes' own types, and dictionaries of labels: what stands in them need not be spelt out.
const FREE: [&str; 7] =
    ["startupProbe", "livenessProbe", "readinessProbe", "resources", "podSecurityContext", "securityContext", "labels"];

/// The values before which no comment stands. What only holds others needs none.
fn unexplained(text: &str) -> Vec<String> {
    let (mut path, mut before, mut found) = (Vec::<&str>::new(), "", Vec::new());
    for line in text.lines() {
        let key = line.trim_start();
        let explained = std::mem::replace(&mut before, key).starts_with("# ");
        let (Some((name, value)), false) = (key.split_once(':'), key.starts_with('#')) else { continue };
        path.truncate((line.len() - key.len()) / 2);
        let inside = path.iter().any(|above| FREE.contains(above));
        path.push(name);
        let is_value = !value.is_empty() || FREE.contains(&name);
        if is_value && !inside && !explained {
            found.push(path.join("."));
        }
    }
    found
}

/// Paths that are in one of values and schema alone, where the schema names all there may be.
fn unlike(values: &Value, schema: &Value, path: &str) -> Vec<String> {
    let closed = schema["additionalProperties"] == false;
    let (Some(known), Some(given), true) = (schema["properties"].as_object(), values.as_object(), closed) else {
        return Vec::new();
    };
    let absent = known.keys().filter(|name| !given.contains_key(*name)).map(|name| format!("{path}/{name}"));
    let unknown = given.keys().filter(|name| !known.contains_key(*name)).map(|name| format!("{path}/{name}"));
    let below = known.iter().filter(|(name, _)| given.contains_key(*name) && !FREE.contains(&name.as_str()));
    let below = below.flat_map(|(name, schema)| unlike(&values[name], schema, &format!("{path}/{name}")));
    absent.chain(unknown).chain(below).collect()
}
