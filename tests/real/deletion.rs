//! Deletions that nobody holds up: of a namespace and of the resource itself, while no operator runs. What was kept of
//! them goes when the operator comes back.

use std::time::Duration;

use crate::cluster::{Cluster, cluster};
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::{document, lease};
use crate::resource::{spec, stage};
use crate::wait::eventually;

/// Whether there is a ConfigMap.
fn has_map(cluster: &Cluster, namespace: &str, name: &str) -> bool {
    let found = ["get", "configmap", name, "--namespace", namespace, "--ignore-not-found", "--output=name"];
    !cluster.kubectl(&found).is_empty()
}

#[test]
fn deletions_complete_while_no_operator_runs() {
    let (cluster, prefix) = (Cluster::start(), stage("deletion"));
    let kubeconfig = cluster.operator_kubeconfig("default").to_string_lossy().into_owned();
    let fields = |file: &str| {
        let output = format!("{{ file: {{ path: {file}.json }}, configMap: {{ name: {file} }} }}");
        spec(&prefix, &format!("  sampling: {{ interval: 1s }}\n  output: {output}\n"))
    };
    let namespaces = ["first", "second", "third"].map(|name| cluster.namespace(name));
    for namespace in &namespaces {
        cluster.apply(&document(namespace, "orders", &fields("orders")));
    }
    let mut operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    let file = |operator: &Monitor, namespace: &str| operator.file(&format!("{namespace}/orders"));
    let map = |namespace: &str, name: &str| has_map(&cluster, namespace, name);
    eventually("all write their files and ConfigMaps", PATIENCE, || {
        namespaces.iter().all(|name| file(&operator, name).exists() && map(name, "orders"))
    });
    operator.stop("KILL");
    let remembered = || operator.remembered();
    assert_eq!(remembered().len(), 3, "{:?}", remembered());

    let wait = format!("--timeout={}s", Duration::from_secs(60).as_secs());
    cluster.kubectl(&["delete", "namespace", &namespaces[0], &wait]);
    cluster.kubectl(&["delete", "lagmonitor", "orders", "--namespace", &namespaces[1], &wait]);
    // Created again under its name, it is another one.
    cluster.apply(&document(&namespaces[1], "orders", &fields("renamed")));
    operator.restart();
    eventually("what is gone is forgotten", PATIENCE, || {
        !file(&operator, &namespaces[0]).exists()
            && !file(&operator, &namespaces[1]).exists()
            && operator.file(&format!("{}/renamed", namespaces[1])).exists()
    });
    assert!(file(&operator, &namespaces[2]).exists(), "what is there still is not");
    let folder = |namespace: &str| operator.output().iter().any(|path| path.ends_with(namespace));
    assert!(!folder(&namespaces[0]) && folder(&namespaces[2]), "{:?}", operator.output());
    eventually(
        "Kubernetes has collected the ConfigMap of the former life, and there is one of the new",
        PATIENCE,
        || !map(&namespaces[1], "orders") && map(&namespaces[1], "renamed"),
    );
    assert!(map(&namespaces[2], "orders"));

    operator.stop("TERM");
    let remembered = operator.remembered();
    assert_eq!(remembered.len(), 2, "{remembered:?}");
    cluster.kubectl(&["delete", "customresourcedefinition", "lagmonitors.highwater.dev", &wait]);
    eventually("their ConfigMaps go with them", 2 * PATIENCE, || {
        !map(&namespaces[1], "renamed") && !map(&namespaces[2], "orders")
    });
    operator.restart();
    eventually("it says what is missing", PATIENCE, || operator.log().contains("highwater crd"));
    let (code, body) = operator.get("/readyz");
    assert!(code == 503 && body.contains("LagMonitors"), "{code} {body}");
    cluster.apply(&highwater::crd::yaml().unwrap());
    eventually("it goes on once it is there", Duration::from_secs(60), || operator.get("/readyz").0 == 200);
    operator.stop("TERM");
    assert_eq!(operator.remembered(), Vec::<String>::new(), "nothing is left of what was");
    assert!(operator.output().is_empty(), "{:?}", operator.output());
}

#[test]
fn what_is_no_longer_watched_loses_its_file_and_keeps_its_history() {
    let [stays, goes] = ["stays", "goes"].map(|name| cluster().namespace(name));
    let kubeconfig = cluster().operator_kubeconfig(&stays).to_string_lossy().into_owned();
    cluster().apply(&lease(&stays, "highwater"));
    let place = format!("{stays}/highwater");
    let flags = |namespaces: &str| {
        ["--kubeconfig", &kubeconfig, "--lease", &place, "--namespace", namespaces].map(str::to_owned)
    };
    let fields = spec(&stage("watched"), "  output: { file: { path: orders.json } }\n");
    for namespace in [&stays, &goes] {
        cluster().apply(&document(namespace, "orders", &fields));
    }
    let both = flags(&format!("{stays},{goes}"));
    let mut operator = Monitor::operator(&both.each_ref().map(String::as_str));
    let file = |operator: &Monitor, namespace: &str| operator.file(&format!("{namespace}/orders")).exists();
    eventually("both write their files", PATIENCE, || file(&operator, &stays) && file(&operator, &goes));
    operator.stop("TERM");
    operator.restart_with(&flags(&stays).each_ref().map(String::as_str));
    eventually("the file that nobody renews goes", PATIENCE, || !file(&operator, &goes));
    assert!(file(&operator, &stays));
    operator.stop("TERM");
    assert_eq!(operator.remembered().len(), 2, "it may be watched again tomorrow");
}
