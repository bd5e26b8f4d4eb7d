//! The chart as releases on a real API server: installed, upgraded, rolled back, uninstalled, and what is left; and what
//! `deploy` has for those without Helm. Pods are made, and wait for nodes that this cluster does not have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::chart::{PROMETHEUS_OPERATOR, await_served, folder, foreign};
use crate::cluster::{Cluster, MANIFESTS, cluster};
use crate::monitor::PATIENCE;
use crate::readme;
use crate::testbed::run;
use crate::wait::eventually;

/// A release `highwater` in namespace `highwater` of a cluster that knows nothing of Highwater yet.
struct Released {
    cluster: Cluster,
}

impl Released {
    fn start() -> Self {
        let cluster = Cluster::bare();
        cluster.kubectl(&["create", "namespace", "highwater"]);
        cluster.kubectl(&["label", "namespace", "highwater", "pod-security.kubernetes.io/enforce=restricted"]);
        Self { cluster }
    }

    /// Helm on the release, from this chart or another one.
    fn may_helm(&self, command: &str, chart: &str, flags: &[&str]) -> Result<String, String> {
        self.cluster.may_helm(&[&[command, "highwater", chart, "--namespace=highwater"], flags].concat())
    }

    #[track_caller]
    fn helm(&self, command: &str, flags: &[&str]) -> String {
        self.may_helm(command, &folder(), flags).unwrap()
    }

    #[track_caller]
    fn uninstall(&self) {
        self.cluster.helm(&["uninstall", "highwater", "--namespace=highwater"]);
    }

    #[track_caller]
    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[arguments, &["--namespace=highwater"]].concat())
    }

    /// The flags of the operator in the pod that is there.
    fn flags(&self) -> String {
        let path = "jsonpath={.spec.containers[0].args}";
        self.kubectl(&["get", "pod", "highwater-0", "--ignore-not-found", "-o", path])
    }

    /// The heads of the columns of `kubectl get lagmonitors`.
    fn columns(&self) -> String {
        let path = "jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}";
        self.cluster.kubectl(&["get", CRD, "-o", path])
    }
}

/// Everything that is left of a release in its namespace `highwater` and in the cluster, as `kind/name`, sorted.
pub(crate) fn left(cluster: &Cluster) -> Vec<String> {
    let kinds = cluster.kubectl(&["api-resources", "--namespaced", "--verbs=list", "--output=name"]);
    // LagMonitors are gone when their definition is, and Events tell of what was.
    let kinds = kinds.lines().filter(|kind| !kind.starts_with("events") && !kind.ends_with("highwater.dev"));
    let kinds = kinds.collect::<Vec<_>>().join(",");
    let own = cluster.kubectl(&["get", &kinds, "--namespace=highwater", "--output=name"]);
    let roles = ["clusterrole,clusterrolebinding", "--selector=app.kubernetes.io/name=highwater"];
    let roles = cluster.kubectl(&[&["get", "--output=name"], &roles[..]].concat());
    let definition = cluster.kubectl(&["get", CRD, "--ignore-not-found", "--output=name"]);
    let mut left: Vec<_> = [own, roles, definition].concat().lines().map(str::to_owned).collect();
    // Every namespace has these.
    left.retain(|name| !["serviceaccount/default", "configmap/kube-root-ca.crt"].contains(&name.as_str()));
    left.sort();
    left
}

/// The custom resource's definition.
pub(crate) const CRD: &str = "customresourcedefinition.apiextensions.k8s.io/lagmonitors.highwater.dev";

#[test]
fn a_release_comes_changes_and_goes() {
    let released = Released::start();
    let told = released.helm("install", &["--set", "logFormat=json"]);
    assert!(told.contains("kubectl get lagmonitors --watch"), "{told}");
    eventually("the pod is made, within what restricted pods may", PATIENCE, || released.flags().contains("json"));
    let claim = ["get", "pvc", "data-highwater-0", "-o", "jsonpath={.spec.resources.requests.storage}"];
    assert_eq!(released.kubectl(&claim), "1Gi");
    released.cluster.apply(&fs::read_to_string(sample("minimal")).unwrap());

    // A pod that never got ready does not keep the next version from coming.
    released.helm("upgrade", &["--set", "logLevel=debug", "--reuse-values"]);
    eventually("it is upgraded", PATIENCE, || released.flags().contains("--log-level=debug"));
    released.helm("upgrade", &["--set", "replicas=2", "--reuse-values"]);
    let more = ["persistentvolumeclaim/data-highwater-1", "pod/highwater-1", "poddisruptionbudget.policy/highwater"];
    let count = || left(&released.cluster).iter().filter(|name| more.contains(&name.as_str())).count();
    eventually("another stands by", PATIENCE, || count() == 3);
    released.cluster.helm(&["rollback", "highwater", "1", "--namespace=highwater"]);
    eventually("it is rolled back", PATIENCE, || released.flags().contains("--log-level=info") && count() == 1);

    released.uninstall();
    let kept = [CRD, "persistentvolumeclaim/data-highwater-0", "persistentvolumeclaim/data-highwater-1"];
    eventually("it goes, but for definition and claims", PATIENCE, || left(&released.cluster) == kept);
    assert_eq!(released.cluster.kubectl(&["get", "lm", "orders", "-o", "name"]), "lagmonitor.highwater.dev/orders\n");
}

#[test]
fn a_release_with_everything_goes_with_everything() {
    let released = Released::start();
    for (kind, plural) in PROMETHEUS_OPERATOR {
        released.cluster.apply(&foreign("monitoring.coreos.com", "v1", kind, plural));
        let definition = format!("crd/{plural}.monitoring.coreos.com");
        released.cluster.kubectl(&["wait", "--for=condition=Established", &definition, "--timeout=30s"]);
    }
    let optional = ["networkPolicy", "serviceMonitor", "prometheusRule", "dashboard"];
    let optional = optional.map(|name| format!("{name}.enabled=true")).join(",");
    let goes = "crds.keep=false,persistence.retention.whenDeleted=Delete,replicas=2,secretAccess=PerNamespace";
    released.helm("install", &["--set", goes, "--set", &optional]);
    eventually("the claims are the release's", PATIENCE, || {
        let owners = ["get", "pvc", "-o", "jsonpath={.items[*].metadata.ownerReferences[0].kind}"];
        released.kubectl(&owners) == "StatefulSet StatefulSet"
    });
    let kinds: BTreeSet<_> =
        left(&released.cluster).iter().map(|name| name.split(['/', '.']).next().unwrap().to_owned()).collect();
    let expected = "clusterrole clusterrolebinding configmap controllerrevision customresourcedefinition endpoints \
                    endpointslice lease networkpolicy persistentvolumeclaim pod poddisruptionbudget prometheusrule role \
                    rolebinding secret service serviceaccount servicemonitor statefulset";
    assert_eq!(Vec::from_iter(kinds).join(" "), expected);
    released.uninstall();
    eventually("nothing is left", PATIENCE, || left(&released.cluster).is_empty());
}

/// Storage that grows, and a volume.
const STORAGE: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: grows, annotations: { storageclass.kubernetes.io/is-default-class: \"true\" } }
provisioner: kubernetes.io/no-provisioner
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: data }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteOnce]
  storageClassName: grows
  hostPath: { path: /nowhere }
";

#[test]
fn a_claim_grows_as_the_readme_says() {
    let released = Released::start();
    released.cluster.apply(STORAGE);
    released.helm("install", &["--set", "logLevel=debug"]);
    let claim = |path: &str| released.kubectl(&["get", "pvc", "data-highwater-0", "-o", path]);
    eventually("the claim is bound", PATIENCE, || claim("jsonpath={.status.phase}") == "Bound");
    let uid = |name: &str| released.kubectl(&["get", name, "-o", "jsonpath={.metadata.uid}"]);
    let (pod, set) = (uid("pod/highwater-0"), uid("statefulset/highwater"));

    let admin = released.cluster.dir().join("admin.kubeconfig");
    readme::run("cluster more-space", &released.cluster, &admin).unwrap();
    assert_eq!(claim("jsonpath={.spec.resources.requests.storage}"), "5Gi");
    let template = "jsonpath={.spec.volumeClaimTemplates[0].spec.resources.requests.storage}";
    assert_eq!(released.kubectl(&["get", "statefulset", "highwater", "-o", template]), "5Gi");
    assert_ne!(uid("statefulset/highwater"), set, "it is another one");
    let owner = ["get", "pod", "highwater-0", "-o", "jsonpath={.metadata.ownerReferences[0].uid}"];
    eventually("the pod is the new one's", PATIENCE, || released.kubectl(&owner) == uid("statefulset/highwater"));
    assert_eq!(uid("pod/highwater-0"), pod, "and the same pod");
    assert!(released.flags().contains("--log-level=debug"), "values stay");
}

#[test]
fn the_custom_resource_comes_with_the_release() {
    let released = Released::start();
    let older = TempDir::new().unwrap();
    run(Command::new("cp").args(["-r", &folder()]).arg(older.path()));
    let older = older.path().join("highwater");
    let file = older.join("files/lagmonitors.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name: Max-Lag", "name: Oldest")).unwrap();
    released.may_helm("install", &older.to_string_lossy(), &[]).unwrap();
    let columns = released.columns();
    assert!(columns.contains("Oldest") && !columns.contains("Max-Lag"), "{columns}");
    released.helm("upgrade", &["--reset-then-reuse-values"]);
    assert_eq!(released.columns(), columns.replace("Oldest", "Max-Lag"));
}

#[test]
fn a_custom_resource_that_was_applied_by_hand_joins_the_release() {
    let released = Released::start();
    // One of before.
    released.cluster.apply(&highwater::crd::yaml().unwrap().replace("name: Max-Lag", "name: Oldest"));
    assert!(released.columns().contains("Oldest"), "{}", released.columns());
    let refusal = released.may_helm("install", &folder(), &[]).unwrap_err();
    assert!(refusal.contains("invalid ownership metadata"), "{refusal}");
    released.helm("install", &["--take-ownership", "--force-conflicts"]);
    assert!(released.columns().contains("Max-Lag"), "{}", released.columns());
    let label = "jsonpath={.metadata.labels.app\\.kubernetes\\.io/managed-by}";
    assert_eq!(released.cluster.kubectl(&["get", CRD, "-o", label]), "Helm");
}

#[test]
fn the_manifests_are_those_of_the_chart() {
    // The programs of the bed have to be there.
    cluster();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/manifests");
    let made = Command::new(script).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made = String::from_utf8(made.stdout).unwrap();
    assert!(made == MANIFESTS, "write them again: tests/bed/manifests >deploy/highwater.yaml");
    assert!(!made.to_lowercase().contains("helm"), "{made}");
}

#[test]
fn manifests_and_samples_are_accepted_from_those_who_may() {
    // No pod has to be made of it here.
    cluster().apply(&MANIFESTS.replace("replicas: 1", "replicas: 0"));
    cluster().apply(&foreign("kafka.strimzi.io", "v1", "KafkaUser", "kafkausers"));
    await_served("kafkausers.kafka.strimzi.io");
    let namespace = cluster().namespace("samples");
    for name in ["minimal", "strimzi", "mtls", "plain-over-tls"] {
        cluster().check(&fs::read_to_string(sample(name)).unwrap(), &["--namespace", &namespace]);
    }
    cluster().apply(&foreign("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"));
    cluster().apply(&foreign("keda.sh", "v1alpha1", "TriggerAuthentication", "triggerauthentications"));
    await_served("scaledobjects.keda.sh");
    await_served("triggerauthentications.keda.sh");
    for name in ["keda-metrics-api", "keda-prometheus"] {
        let text = fs::read_to_string(sample(name)).unwrap();
        let text = text.replace("namespace: shop", &format!("namespace: {namespace}"));
        cluster().check(&text, &["--namespace", &namespace]);
    }
    cluster().kubectl(&[
        "create",
        "rolebinding",
        "edit",
        "--clusterrole=edit",
        "--user=someone",
        "--namespace",
        &namespace,
    ]);
    let minimal = ["apply", "--filename", &sample("minimal"), "--as=someone", "--namespace", &namespace];
    eventually("a tenant may", PATIENCE, || cluster().may(&minimal));
}

#[test]
fn the_sidecar_is_added_and_nothing_else_changes() {
    cluster().apply(&MANIFESTS.replace("replicas: 1", "replicas: 0"));
    let before = ["get", "statefulset", "highwater", "--namespace=highwater", "--output=json"];
    let before: Value = serde_json::from_str(&cluster().kubectl(&before)).unwrap();
    let after =
        ["apply", "--server-side", "--dry-run=server", "--field-manager=somebody", "--output=json", "--filename"];
    let told = cluster().kubectl(&[&after[..], &[&sample("sidecar")]].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    let after = told["items"].as_array().unwrap().iter().find(|item| item["kind"] == "StatefulSet").unwrap();
    let containers = |set: &Value| set["spec"]["template"]["spec"]["containers"].as_array().unwrap().clone();
    let names: Vec<_> = containers(after).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["highwater", "reader"]);
    let mut without = after["spec"].clone();
    without["template"]["spec"]["containers"] = Value::Array(vec![containers(after).remove(0)]);
    assert_eq!(without, before["spec"]);
}

fn sample(name: &str) -> String {
    format!("{}/deploy/samples/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}
