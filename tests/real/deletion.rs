//! Deletions that nobody holds up: of a namespace and of the resource itself, while no operator runs. What was kept of
//! them goes when the operator comes back.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::document;
use crate::wait::eventually;

#[test]
fn deletions_complete_while_no_operator_runs() {
    let cluster = Cluster::start();
    let kubeconfig = cluster.operator_kubeconfig("default").to_string_lossy().into_owned();
    let fields = |file: &str| {
        format!(
            "  brokers: [\"127.0.0.1:9\"]\n  sampling: {{ interval: 1s }}\n  output: {{ file: {{ path: {file}.json }} }}\n"
        )
    };
    let namespaces = ["first", "second", "third"].map(|name| cluster.namespace(name));
    for namespace in &namespaces {
        cluster.apply(&document(namespace, "orders", &fields("orders")));
    }
    let mut operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    let file = |operator: &Monitor, namespace: &str| operator.file(&format!("{namespace}/orders"));
    eventually("all write their files", PATIENCE, || namespaces.iter().all(|name| file(&operator, name).exists()));
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

    operator.stop("TERM");
    let remembered = operator.remembered();
    assert_eq!(remembered.len(), 2, "{remembered:?}");
    cluster.kubectl(&["delete", "customresourcedefinition", "lagmonitors.highwater.dev", &wait]);
    operator.restart();
    eventually("it says what is missing", PATIENCE, || operator.log().contains("highwater crd"));
    let (code, body) = operator.get("/readyz");
    assert!(code == 503 && body.contains("LagMonitors"), "{code} {body}");
    cluster.apply(&highwater::crd::yaml().unwrap());
    eventually("it goes on once it is there", Duration::from_secs(60), || operator.get("/readyz").0 == 200);
    operator.stop("TERM");
    assert_eq!(operator.remembered(), Vec::<String>::new(), "nothing is left of what was");
}
