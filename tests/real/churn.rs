//! Many LagMonitors created, edited and deleted while the API server goes and comes back: nothing stays behind. Prints
//! what that cost the API server, and what staying as it is costs, and holds both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{now, unique};
use crate::cluster::{Cluster, Hand};
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

/// Of each monitor and minute in peace: a status, a ConfigMap, and a look at it now and then.
const MOST_REQUESTS: f64 = 6.0;
/// Bytes by which etcd grows for each monitor and minute in peace; both objects have some 4 KiB.
const MOST_GROWTH: f64 = 64.0 * 1024.0;
/// Threads of one monitor: those of its client of Kafka.
const MOST_THREADS: u64 = 8;
/// Files and connections of one monitor.
const MOST_HANDLES: usize = 32;
/// MiB of one monitor of one group.
const MOST_MEMORY: f64 = 2.0;
/// MiB of a monitor that the second time may leave behind more than the first one did: what the allocator keeps of many
/// threads is kept once.
const MOST_LEFT: f64 = 0.2;

/// What a process has of what can leak.
#[derive(Debug, Clone, Copy)]
struct Held {
    threads: u64,
    handles: usize,
    tasks: usize,
    memory: u64,
}

impl Held {
    fn by(operator: &Monitor) -> Self {
        let tasks = values(&operator.get("/metrics").1, "highwater_tasks ").map(|(_, value)| value as usize).sum();
        let (threads, handles, memory) = (operator.threads(), operator.handles(), operator.resident());
        Self { threads, handles, tasks, memory }
    }
}

/// Creates, edits and deletes, whether the API server is there or not, until `end`; returns the next revision.
fn disturb(hand: &Hand, namespace: &str, prefix: &str, end: &AtomicBool) -> usize {
    let (count, mut revision) = (scale().0, 0);
    while !end.load(Ordering::Relaxed) {
        hand.apply(&documents(namespace, prefix, revision));
        revision += 1;
        let gone: Vec<String> = (0..count).filter(|n| n % 5 == revision % 5).map(|n| format!("m{n}")).collect();
        let names: Vec<&str> = gone.iter().map(String::as_str).collect();
        hand.may(&[&["delete", "lagmonitor", "--wait=false", "--namespace", namespace], &names[..]].concat());
    }
    revision
}

/// All of them in one revision.
fn documents(namespace: &str, prefix: &str, revision: usize) -> String {
    let documents = (0..scale().0).map(|n| document(namespace, &format!("m{n}"), &fields(prefix, n, revision)));
    documents.collect::<Vec<_>>().join("---\n")
}

/// The busy time, in whose middle the API server is killed and started again; returns the next revision.
fn busy(cluster: &mut Cluster, namespace: &str, prefix: &str) -> usize {
    let (half, end, hand) = (scale().1 / 2, AtomicBool::new(false), cluster.hand());
    thread::scope(|scope| {
        let disturbing = scope.spawn(|| disturb(&hand, namespace, prefix, &end));
        thread::sleep(half);
        cluster.kill_api_server();
        // Some of what is asked for now is refused, and some is asked for while it starts.
        thread::sleep(Duration::from_secs(2));
        cluster.start_api_server();
        thread::sleep(half);
        end.store(true, Ordering::Relaxed);
        disturbing.join().unwrap()
    })
}

#[test]
fn nothing_stays_behind() {
    let count = scale().0;
    let mut cluster = Cluster::start();
    let (client, prefix) = (single().client(), unique("churn"));
    client.create(&prefix, 1, &[]);
    client.produce(&prefix, 0, (0..10).map(|_| now()));
    client.commit(&prefix, &prefix, &[(0, 7)]);
    let namespace = cluster.namespace("churn");
    let kubeconfig = cluster.operator_kubeconfig(&namespace).to_string_lossy().into_owned();
    let mut operator = Monitor::operator(&["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"]);
    eventually("it has listed the LagMonitors", PATIENCE, || operator.get("/readyz").0 == 200);
    let start = Held::by(&operator);

    let revision = busy(&mut cluster, &namespace, &prefix);
    // In every third revision some have a dead cluster.
    cluster.apply(&documents(&namespace, &prefix, revision + usize::from(revision.is_multiple_of(3))));
    eventually_none("not ready in the end", 4 * PATIENCE, || not_ready(&cluster, &namespace, count));
    println!("{count} LagMonitors, {revision} revisions in {:?}, the API server restarted once", scale().1);
    let all = in_peace(&cluster, &operator);
    println!("at the start {start:?}, with all {all:?}");
    assert!(all.threads <= start.threads + MOST_THREADS * count as u64, "{start:?} {all:?}");
    assert!(all.handles <= start.handles + MOST_HANDLES * count, "{start:?} {all:?}");
    assert!(all.memory as f64 <= start.memory as f64 + 32.0 + MOST_MEMORY * count as f64, "{start:?} {all:?}");
    assert_eq!(maps(&cluster, &namespace), count, "a ConfigMap each");

    let once = emptied(&cluster, &operator, &namespace, start);
    cluster.apply(&documents(&namespace, &prefix, 1));
    eventually_none("not ready again", 4 * PATIENCE, || not_ready(&cluster, &namespace, count));
    let twice = emptied(&cluster, &operator, &namespace, start);
    println!("at the end {once:?}, and once more {twice:?}");
    assert!(twice.memory as f64 <= once.memory as f64 + 8.0 + MOST_LEFT * count as f64, "{once:?} {twice:?}");
    let (code, took) = operator.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
    assert_eq!(operator.remembered(), Vec::<String>::new());
}

/// Deletes all of them; returns what the process has then, which is hardly more than at the start.
fn emptied(cluster: &Cluster, operator: &Monitor, namespace: &str, start: Held) -> Held {
    cluster.kubectl(&["delete", "lagmonitor", "--all", "--wait=false", "--namespace", namespace]);
    eventually("no series, no file, no folder", 4 * PATIENCE, || {
        !operator.get("/metrics").1.contains("cluster_name=") && operator.output().is_empty()
    });
    let mut end = start;
    eventually("nothing more than at the start", PATIENCE, || {
        end = Held::by(operator);
        end.threads <= start.threads + 2 && end.handles <= start.handles + 4 && end.tasks <= start.tasks + 4
    });
    eventually("no ConfigMap", 4 * PATIENCE, || maps(cluster, namespace) == 0);
    end
}

/// What it costs to stay as it is: what is left to do is to sample and to tell. Returns what the process has then.
fn in_peace(cluster: &Cluster, operator: &Monitor) -> Held {
    let (count, _, quiet) = scale();
    let (before, etcd, requests, since) =
        (Held::by(operator), cluster.etcd_bytes(), requests(operator), Instant::now());
    thread::sleep(quiet);
    let (minutes, after) = (since.elapsed().as_secs_f64() / 60.0, Held::by(operator));
    let asked = (self::requests(operator) - requests) / minutes / count as f64;
    let grown = (cluster.etcd_bytes() as f64 - etcd as f64) / minutes / count as f64;
    println!("| requests to the API server, a monitor and minute | {asked:.2} |");
    println!("| etcd, bytes a monitor and minute, over {minutes:.1} min | {grown:.0} |");
    println!("| reconcile, 99 of 100 within | {} s |", within(operator, 0.99));
    assert!((0.5..=MOST_REQUESTS).contains(&asked), "{asked} requests a monitor and minute");
    assert!(grown <= MOST_GROWTH, "{grown} bytes a monitor and minute");
    let most = if std::env::var_os("HIGHWATER_TEST_FULL").is_some() { 1.0 } else { 5.0 };
    assert!(within(operator, 0.99) <= most, "{} s", within(operator, 0.99));
    // A connection more or less for some of them.
    assert!(after.tasks <= before.tasks + 16 && after.handles <= before.handles + 16, "{before:?} {after:?}");
    assert!(after.threads <= before.threads + 8 && after.memory <= before.memory + 32, "{before:?} {after:?}");
    after
}

/// How many ConfigMaps of Highwater there are.
fn maps(cluster: &Cluster, namespace: &str) -> usize {
    let all = ["get", "configmaps", "--namespace", namespace, "--output=name"];
    cluster.kubectl(&[&all[..], &["--selector=app.kubernetes.io/managed-by=highwater"]].concat()).lines().count()
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
fn within(operator: &Monitor, share: f64) -> f64 {
    let metrics = operator.get("/metrics").1;
    let buckets: Vec<(String, f64)> = values(&metrics, "highwater_reconcile_duration_seconds_bucket{").collect();
    let all = buckets.last().unwrap().1;
    let bucket = buckets.into_iter().find(|(_, count)| *count >= all * share).unwrap().0;
    match bucket.split('"').nth(1).unwrap() {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().unwrap(),
    }
}

fn values<'a>(metrics: &'a str, begin: &'a str) -> impl Iterator<Item = (String, f64)> + 'a {
    let lines = metrics.lines().filter(move |line| line.starts_with(begin));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
}
