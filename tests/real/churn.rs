//! Many LagMonitors created, edited and deleted while the API server goes and comes back: nothing stays behind. Prints
//! what that cost the API server, and what staying as it is costs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{now, unique};
use crate::cluster::Cluster;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::{condition_of, document};
use crate::wait::{eventually, eventually_none};

/// How many LagMonitors, for how long, and how long they are left in peace then.
fn scale() -> (usize, Duration, Duration) {
    let (few, many) = ((20, 12, 60), (200, 120, 600));
    let (count, busy, quiet) = if std::env::var_os("HIGHWATER_TEST_FULL").is_some() { many } else { few };
    (count, Duration::from_secs(busy), Duration::from_secs(quiet))
}

/// Creates, edits and deletes while the API server is restarted once; returns the next revision.
fn disturb(cluster: &mut Cluster, namespace: &str, prefix: &str) -> usize {
    let (count, busy, _) = scale();
    let (begun, mut revision, mut restarted) = (Instant::now(), 0, false);
    while begun.elapsed() < busy || !restarted {
        cluster.apply(&documents(namespace, prefix, revision));
        revision += 1;
        let gone: Vec<String> = (0..count).filter(|n| n % 5 == revision % 5).map(|n| format!("m{n}")).collect();
        let names: Vec<&str> = gone.iter().map(String::as_str).collect();
        cluster.kubectl(&[&["delete", "lagmonitor", "--wait=false", "--namespace", namespace], &names[..]].concat());
        if !restarted && begun.elapsed() > busy / 2 {
            cluster.kill_api_server();
            cluster.start_api_server();
            restarted = true;
        }
    }
    revision
}

/// All of them in one revision.
fn documents(namespace: &str, prefix: &str, revision: usize) -> String {
    let documents = (0..scale().0).map(|n| document(namespace, &format!("m{n}"), &fields(prefix, n, revision)));
    documents.collect::<Vec<_>>().join("---\n")
}

#[test]
fn nothing_stays_behind() {
    let (count, busy, quiet) = scale();
    let mut cluster = Cluster::start();
    let (client, prefix) = (single().client(), unique("churn"));
    client.create(&prefix, 1, &[]);
    client.produce(&prefix, 0, (0..10).map(|_| now()));
    client.commit(&prefix, &prefix, &[(0, 7)]);
    let namespace = cluster.namespace("churn");
    let kubeconfig = cluster.operator_kubeconfig(&namespace).to_string_lossy().into_owned();
    let mut operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    eventually("it has listed the LagMonitors", PATIENCE, || operator.get("/readyz").0 == 200);
    let (threads, memory) = (operator.threads(), operator.resident());

    let revision = disturb(&mut cluster, &namespace, &prefix);
    // In every third revision some have a dead cluster.
    cluster.apply(&documents(&namespace, &prefix, revision + usize::from(revision.is_multiple_of(3))));
    eventually_none("not ready in the end", 4 * PATIENCE, || not_ready(&cluster, &namespace, count));
    let (busy_threads, busy_memory) = (operator.threads(), operator.resident());

    // Settled: what is left to do is to sample and to tell.
    let (etcd, requests, since) = (cluster.etcd_bytes(), requests(&operator), Instant::now());
    std::thread::sleep(quiet);
    let minutes = since.elapsed().as_secs_f64() / 60.0;
    let asked = (self::requests(&operator) - requests) / minutes / count as f64;
    let grown = (cluster.etcd_bytes() as f64 - etcd as f64) / minutes;
    println!("{count} LagMonitors, {revision} revisions in {busy:?}, the API server restarted once");
    println!("| requests to the API server, a monitor and minute | {asked:.2} |");
    println!("| etcd, bytes a monitor and minute | {:.0} |", grown / count as f64);
    println!("| reconcile, 99 of 100 within | {} s |", within(&operator, 0.99));
    println!("| threads, at the start, with all, | {threads}, {busy_threads} |");
    println!("| resident MiB, at the start, with all | {memory}, {busy_memory} |");

    cluster.kubectl(&["delete", "lagmonitor", "--all", "--wait=false", "--namespace", &namespace]);
    eventually("no series, no file", PATIENCE, || {
        !operator.get("/metrics").1.contains("cluster_name=")
            && (0..count).all(|n| !operator.file(&format!("{namespace}/m{n}")).exists())
    });
    eventually("no thread more than at the start", PATIENCE, || operator.threads() <= threads + 2);
    println!("| resident MiB, at the end | {} |", operator.resident());
    eventually("no ConfigMap", PATIENCE, || {
        let left = cluster.kubectl(&["get", "configmaps", "--namespace", &namespace, "--output=name"]);
        left.lines().all(|name| name == "configmap/kube-root-ca.crt")
    });
    let (code, took) = operator.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
    assert_eq!(operator.remembered(), Vec::<String>::new());
}

/// The LagMonitors that are not ready, and what they say of it.
fn not_ready(cluster: &Cluster, namespace: &str, count: usize) -> Vec<String> {
    let all = cluster.kubectl(&["get", "lagmonitors", "--namespace", namespace, "--output=json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    let items = all["items"].as_array().unwrap();
    let told = |item: &Value| {
        let ready = condition_of(item, "Ready");
        format!("{}: {} {} {}", item["metadata"]["name"], ready["status"], ready["reason"], ready["message"])
    };
    let missing = (items.len()..count).map(|_| "one that is missing".to_owned());
    items.iter().filter(|item| condition_of(item, "Ready")["status"] != "True").map(told).chain(missing).collect()
}

/// A spec that differs from revision to revision in one thing or another; one in ten monitors has a dead cluster first.
fn fields(prefix: &str, n: usize, revision: usize) -> String {
    let brokers = if n.is_multiple_of(10) && revision.is_multiple_of(3) && revision > 0 {
        "127.0.0.1:9"
    } else {
        &single().bootstrap
    };
    let interval = 10 + (n + revision) % 3;
    format!(
        "  brokers: [\"{brokers}\"]\n  groups: {{ include: [\"{prefix}*\"] }}\n  topics: {{ include: [\"{prefix}*\"] }}\n  \
         sampling: {{ interval: {interval}s }}\n  slo: {{ maxLagRecords: {revision} }}\n  \
         output: {{ file: {{ path: m{n}.json }}, configMap: {{ name: m{n} }} }}\n"
    )
}

/// Requests that the operator has sent to the API server.
fn requests(operator: &Monitor) -> f64 {
    values(&operator.get("/metrics").1, "highwater_kubernetes_api_requests_total{").map(|(_, value)| value).sum()
}

/// The bucket below which this share of the turns lies, in seconds.
fn within(operator: &Monitor, share: f64) -> String {
    let metrics = operator.get("/metrics").1;
    let buckets: Vec<(String, f64)> = values(&metrics, "highwater_reconcile_duration_seconds_bucket{").collect();
    let all = buckets.last().unwrap().1;
    let bucket = buckets.into_iter().find(|(_, count)| *count >= all * share).unwrap().0;
    bucket.split('"').nth(1).unwrap().to_owned()
}

fn values<'a>(metrics: &'a str, begin: &'a str) -> impl Iterator<Item = (String, f64)> + 'a {
    let lines = metrics.lines().filter(move |line| line.starts_with(begin));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
}
