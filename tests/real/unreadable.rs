//! A LagMonitor that can't be read, because an older schema let it pass: it says so, and stops nobody else.

use crate::cluster::Cluster;
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::{condition_of, document, events, resource};
use crate::resource::{spec, stage};
use crate::wait::eventually;

/// The resource without what its spec may be.
fn loose() -> String {
    let mut definition = serde_json::to_value(highwater::crd::definition()).unwrap();
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"] =
        serde_json::json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    definition.to_string()
}

#[test]
fn one_that_cannot_be_read_says_so_and_keeps_its_figures_and_its_neighbour_goes_on() {
    let cluster = Cluster::start();
    cluster.apply(&loose());
    let (prefix, namespace) = (stage("unreadable"), cluster.namespace("unreadable"));
    let kubeconfig = cluster.operator_kubeconfig(&namespace).to_string_lossy().into_owned();
    let mut operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    let good = |file: &str| {
        spec(&prefix, &format!("  sampling: {{ interval: 1s }}\n  output: {{ file: {{ path: {file}.json }} }}\n"))
    };
    for name in ["orders", "neighbour"] {
        cluster.apply(&document(&namespace, name, &good(name)));
    }
    let ready = |name: &str, status: &str, reason: &str| {
        eventually(&format!("{name} is {status}, {reason}"), 2 * PATIENCE, || {
            let resource = resource(&cluster, &namespace, name);
            let ready = condition_of(&resource, "Ready");
            ready["status"] == status && ready["reason"] == reason
        });
        resource(&cluster, &namespace, name)
    };
    ready("orders", "True", "Sampling");
    ready("neighbour", "True", "Sampling");

    cluster.apply(&document(&namespace, "orders", "  brokers: 7\n"));
    let told = ready("orders", "False", "InvalidSpec");
    let message = condition_of(&told, "Ready")["message"].as_str().unwrap();
    for words in ["spec: ", "integer `7`", "highwater crd", "until then it is sampled as it was written before"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(told["status"]["lagRecords"], 3, "{told:#}");
    let warned = || events(&cluster, &namespace, "orders").iter().any(|(reason, _)| reason == "InvalidSpec");
    eventually("an Event says it", PATIENCE, warned);

    // A process that has never read it any other way writes its status more than once.
    operator.stop("TERM");
    operator.restart();
    let is_ended = || {
        let message = resource(&cluster, &namespace, "orders")["status"]["conditions"][0]["message"].to_string();
        !message.contains("until then")
    };
    eventually("it is no longer sampled", PATIENCE, is_ended);
    cluster.apply(&document(&namespace, "orders", "  brokers: \"kafka:9092\"\n"));
    eventually("what is wrong now is said", PATIENCE, || {
        let resource = resource(&cluster, &namespace, "orders");
        condition_of(&resource, "Ready")["observedGeneration"] == resource["metadata"]["generation"]
    });
    let told = resource(&cluster, &namespace, "orders");
    assert_eq!((&told["status"]["lagRecords"], &told["status"]["groups"]["total"]), (&3.into(), &2.into()), "{told:#}");
    operator.sampled_after(&format!("{namespace}/neighbour"), crate::client::now());
    ready("neighbour", "True", "Sampling");

    cluster.apply(&document(&namespace, "orders", &good("orders")));
    ready("orders", "True", "Sampling");
}
