//! The API server is away for a while: what happens meanwhile is told when it is back, and nobody asks it all the time.

use std::time::{Duration, Instant};

use crate::client::{now, unique};
use crate::cluster::Cluster;
use crate::consumer::LiveConsumer;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::{answered, condition_of, document, events, resource};
use crate::wait::eventually;

#[test]
fn what_happens_meanwhile_is_told_later() {
    let mut cluster = Cluster::start();
    let (client, name) = (single().client(), unique("outage"));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, (0..100).map(|_| now()));
    let consumer = LiveConsumer::start(&client.config(), &name, &name, 1_000);
    let namespace = cluster.namespace("outage");
    let kubeconfig = cluster.operator_kubeconfig(&namespace).to_string_lossy().into_owned();
    let operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    let brokers = &single().bootstrap;
    let fields = format!(
        "  brokers: [\"{brokers}\"]\n  groups: {{ include: [{name}] }}\n  topics: {{ include: [{name}] }}\n  \
         sampling: {{ interval: 1s, offlineAfterSamples: 2, offlineAfter: 2s }}\n  output: {{ file: {{ path: orders.json }} }}\n"
    );
    cluster.apply(&document(&namespace, "orders", &fields));
    eventually("it is sampled", PATIENCE, || {
        condition_of(&resource(&cluster, &namespace, "orders"), "Ready")["status"] == "True"
    });
    client.committed(&name, &name, 1);

    let state = || operator.report(&format!("{namespace}/orders")).map(|report| report["groups"][0]["state"].clone());
    eventually("the group keeps up", PATIENCE, || state() == Some("ONLINE".into()));
    cluster.kill_api_server();
    let (away, unanswered) = (Instant::now(), answered(&operator, 0));
    consumer.stop();
    client.produce(&name, 0, [now()]);
    eventually("an Event can't be told", PATIENCE, || operator.log().contains("EventNotTold"));
    eventually("samples go on", PATIENCE, || state() == Some("OFFLINE".into()));
    // Longer than one pause, while a sample is taken every second.
    std::thread::sleep(Duration::from_secs(12).saturating_sub(away.elapsed()));
    let log = operator.log();
    let failed = ["EventNotTold", "StatusNotWritten"].map(|reason| log.matches(reason).count());
    let (asked, away) = (answered(&operator, 0) - unanswered, away.elapsed());
    assert!(failed.iter().all(|failed| *failed as u64 <= 2 + away.as_secs() / 10), "{failed:?} in {away:?}: {log}");
    assert!(
        asked <= 5.0 * away.as_secs_f64(),
        "{asked} requests in {away:?}, most of them for the Lease and the watch"
    );
    cluster.start_api_server();
    eventually("the Event is told", 2 * PATIENCE, || {
        let told = events(&cluster, &namespace, "orders");
        told.iter().any(|(reason, note)| reason == "GroupsOffline" && note.contains(&name))
    });
    eventually("and the status", PATIENCE, || {
        resource(&cluster, &namespace, "orders")["status"]["groups"]["offline"] == 1
    });
}
