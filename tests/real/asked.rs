//! `highwater groups`, `group`, `topic` and `alerts`, as people and scripts ask a Highwater that runs.

use std::fs;
use std::net::UdpSocket;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{now, unique};
use crate::cluster::cluster;
use crate::highwater::{Outcome, highwater, highwater_with};
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::operated::Operated;
use crate::shapes::HOUR;
use crate::wait::{eventually, eventually_some};

/// Two groups on a topic of two partitions: one is three hours behind, one has read everything.
fn stage(prefix: &str) -> [String; 3] {
    let client = single().client();
    let topic = format!("{prefix}-topic");
    client.create(&topic, 2, &[]);
    client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
    let [behind, done] = ["behind", "done"].map(|name| format!("{prefix}-{name}"));
    client.commit(&behind, &topic, &[(0, 7), (1, 0)]);
    client.commit(&done, &topic, &[(0, 10), (1, 0)]);
    [behind, done, topic]
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A Highwater that lets in who has the token, and has sampled both groups.
struct Asked {
    monitor: Monitor,
    token: String,
    names: [String; 3],
    prefix: String,
    _dir: TempDir,
}

impl Asked {
    fn start(name: &str) -> Self {
        let (dir, prefix) = (TempDir::new().unwrap(), unique(name));
        let names = stage(&prefix);
        let token = dir.path().join("token");
        fs::write(&token, "very-secret\n").unwrap();
        let token = token.to_string_lossy().into_owned();
        let own = document("own", &single().bootstrap, &prefix);
        let monitor = Monitor::start(&[("own.yaml", &own)], &["--auth", "token", "--auth-token-file", &token]);
        let asked = Self { monitor, token, names, prefix, _dir: dir };
        eventually("both groups are there", PATIENCE, || {
            let found = asked.ask(&["groups", "-o", "json"]);
            found.code == Some(0) && found.json().as_array().unwrap().len() == 2
        });
        asked
    }

    fn url(&self) -> String {
        format!("http://{}", self.monitor.address().unwrap())
    }

    fn ask(&self, arguments: &[&str]) -> Outcome {
        highwater(&[arguments, &["--server", &self.url(), "--token-file", &self.token]].concat())
    }

    /// What it says to a question that is all right.
    #[track_caller]
    fn said(&self, arguments: &[&str]) -> String {
        let outcome = self.ask(arguments);
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{arguments:?}");
        outcome.stdout
    }
}

#[test]
fn a_highwater_that_runs_says_what_its_api_says() {
    let asked = Asked::start("asked");
    let ([behind, done, topic], said) = (&asked.names, |arguments: &[&str]| asked.said(arguments));
    let table = said(&["groups"]);
    let rows: Vec<Vec<&str>> = table.lines().map(words).collect();
    assert_eq!((rows.len(), rows[0][0], rows[1][0], rows[2][0]), (3, "GROUP", &**behind, &**done), "{table}");
    let column = |title: &str| rows[0].iter().position(|found| *found == title).unwrap();
    assert_eq!((rows[1][column("AGE")].starts_with("3h"), rows[1][column("LAG")]), (true, "3"), "{table}");
    let only = said(&["groups", "--search", &behind.to_uppercase(), "--topic", topic, "-o", "csv"]);
    assert!(only.lines().count() == 2 && only.contains(behind), "{only}");
    assert_eq!(said(&["groups", "--sort", "group", "--team", "nobody", "-o", "json"]), "[]\n");

    let whole: Value = serde_json::from_str(&said(&["group", behind, "-o", "json"])).unwrap();
    let (_, body) = asked.monitor.ask(&format!("/api/v1/consumers/groups/{behind}"), Some("very-secret"));
    let told: Value = serde_json::from_str(&body).unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(whole["topics"][0]["partitions"][0]["committed_offset"], 7, "{whole:#}");
    assert_eq!(whole["topics"][0]["partitions"].as_array().unwrap().len(), 2);
    assert_eq!(fields(&whole), fields(&told));
    assert_eq!(said(&["group", behind, "-o", "csv"]).lines().count(), 3);
    let group = said(&["group", behind]);
    let partition = group.lines().find(|line| words(line).starts_with(&[topic, "0"])).map(words);
    assert!(partition.is_some_and(|row| row[2].starts_with("3h") && row[4..6] == ["3", "7"]), "{group}");
    assert!(["STABILITY", "BUDGET", "ADVISED"].iter().all(|title| group.contains(title)), "{group}");
    let detail = said(&["topic", topic]);
    assert!(detail.contains("KEPT") && detail.contains(behind) && detail.contains(done), "{detail}");
    assert_eq!(serde_saphyr::from_str::<Value>(&said(&["alerts", "-o", "yaml"])).unwrap(), json!([]));
}

#[test]
fn the_exit_code_of_a_question_tells_a_script_what_happened() {
    let asked = Asked::start("judged");
    let ([behind, done, topic], url) = (&asked.names, asked.url());
    let (ask, server) = (|arguments: &[&str]| asked.ask(arguments), ["--server", &url]);
    assert_eq!(ask(&["groups", "--fail-over", "1h"]).code, Some(3));
    assert_eq!(ask(&["groups", "--fail-over", "4h"]).code, Some(0));
    assert_eq!(ask(&["group", done, "--fail-over", "1h"]).code, Some(0));
    assert_eq!(ask(&["topic", topic, "--fail-over", "1h"]).code, Some(3));
    let moved = ask(&["groups", "--search", "moved-away", "--fail-over", "1h"]);
    assert!(moved.code == Some(1) && moved.stderr.contains("--fail-over: nothing that matches"), "{moved:?}");
    let held = |outcome: Outcome, code, words: &str| {
        assert!(outcome.code == Some(code) && outcome.stdout.is_empty(), "{outcome:?}");
        assert!(outcome.stderr.contains(words) && !outcome.stderr.contains("very-secret"), "{outcome:?}");
    };
    held(ask(&["group", "nobody"]), 1, "there is no consumer group \"nobody\"");
    held(ask(&["groups", "--cluster", "nowhere"]), 1, "there is no cluster");
    held(highwater(&[&["groups"], &server[..]].concat()), 1, "--token-file");
    held(highwater(&["groups", "--server", "http://127.0.0.1:9"]), 1, "is Highwater running there?");
    held(highwater(&["groups", "--server", "http://user:word@127.0.0.1:9"]), 2, "scheme, host, port");
    held(highwater(&["groups", "--server", &url, "--context", "x"]), 2, "cannot be used with");
    let by_variable = highwater_with(&[("HIGHWATER_TOKEN", "very-secret")], &[&["groups"], &server[..]].concat());
    assert_eq!(by_variable.code, Some(0), "{by_variable:?}");
    held(highwater_with(&[("HIGHWATER_TOKEN", "wrong")], &[&["groups"], &server[..]].concat()), 1, "not good here");

    asked.monitor.write("second.yaml", &document("second", &single().bootstrap, &asked.prefix));
    let several = eventually_some("the group is in two clusters", PATIENCE, || {
        Some(ask(&["group", behind])).filter(|outcome| outcome.code != Some(0))
    });
    held(several, 2, "in more than one cluster");
    assert_eq!(ask(&["group", behind, "--cluster", "default/second"]).code, Some(0));
    assert!(asked.said(&["groups"]).starts_with("CLUSTER"));
}

/// An address of this machine that others reach: an API server sends nobody to 127.0.0.1.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the system only looks up from where it would be.
    socket.connect("192.0.2.1:9").expect("a test of the API server's proxy takes a network other than loopback");
    socket.local_addr().unwrap().ip().to_string()
}

/// What stands for an operator's pod and its Service: the API server sends to the addresses of pods alone.
const SERVICE: &str = "
apiVersion: v1
kind: Pod
metadata: { name: highwater-0, namespace: @SPACE@ }
spec: { containers: [{ name: highwater, image: highwater }] }
---
apiVersion: v1
kind: Service
metadata: { name: highwater, namespace: @SPACE@ }
spec: { ports: [{ name: http, port: 8080, targetPort: @PORT@ }] }
";

/// What a controller makes of a Service whose pods are ready. It is applied by itself, for `kubectl` warns of its age.
const ENDPOINTS: &str = "
apiVersion: v1
kind: Endpoints
metadata: { name: highwater, namespace: @SPACE@ }
subsets:
  - addresses: [{ ip: \"@ADDRESS@\", targetRef: { kind: Pod, name: highwater-0, namespace: @SPACE@ } }]
    ports: [{ name: http, port: @PORT@ }]
";

/// Has the API server lead to an operator at an address.
fn expose(operated: &Operated, address: &str, dir: &TempDir) {
    let served = operated.highwater.address().unwrap();
    let port = served.rsplit_once(':').unwrap().1;
    let [service, endpoints] = [SERVICE, ENDPOINTS]
        .map(|text| text.replace("@SPACE@", &operated.namespace).replace("@ADDRESS@", address).replace("@PORT@", port));
    // A namespace has the ServiceAccount that pods take a moment later.
    eventually("pods can be made", PATIENCE, || {
        cluster().may(&["get", "serviceaccount", "default", "--namespace", &operated.namespace])
    });
    cluster().apply(&service);
    let addresses = format!("{{\"status\": {{\"podIP\": \"{address}\", \"podIPs\": [{{\"ip\": \"{address}\"}}]}}}}");
    operated.kubectl(&["patch", "pod", "highwater-0", "--subresource=status", "--patch", &addresses]);
    let file = dir.path().join("endpoints.yaml");
    fs::write(&file, endpoints).unwrap();
    operated.kubectl(&["create", "-f", &file.to_string_lossy()]);
}

#[test]
fn an_operator_is_asked_through_the_api_server_with_the_rights_of_a_service_account() {
    let (address, prefix) = (own_address(), unique("proxied"));
    let [behind, ..] = stage(&prefix);
    let operated = Operated::start("proxied", &["--auth", "kubernetes", "--listen", &format!("{address}:0")]);
    let space = &operated.namespace;
    let patterns = format!("include: [\"{prefix}*\"]");
    operated.apply(
        "orders",
        &format!("  brokers: [\"{}\"]\n  groups: {{ {patterns} }}\n  topics: {{ {patterns} }}\n", single().bootstrap),
    );
    expose(&operated, &address, &TempDir::new().unwrap());
    for name in ["viewer", "stranger"] {
        operated.kubectl(&["create", "serviceaccount", name]);
    }
    operated.kubectl(&[
        "create",
        "rolebinding",
        "see",
        "--clusterrole=view",
        &format!("--serviceaccount={space}:viewer"),
    ]);

    let admin = cluster().dir().join("admin.kubeconfig").to_string_lossy().into_owned();
    let service = format!("{space}/highwater");
    let ask = |more: &[&str]| {
        highwater(&[&["groups", "--kubeconfig", &admin, "--service", &service, "-o", "json"], more].concat())
    };
    let account = |name: &str| format!("{space}/{name}");
    let found = eventually_some("the viewer sees the groups", PATIENCE, || {
        let found = ask(&["--service-account", &account("viewer")]);
        let groups =
            (found.code == Some(0)).then(|| found.json()).filter(|groups| groups.as_array().unwrap().len() == 2);
        groups.or_else(|| {
            println!("{found:?}");
            None
        })
    });
    assert_eq!((&found[0]["group_id"], &found[0]["namespace"]), (&json!(behind), &json!(space)), "{found:#}");
    for (more, words) in [
        (vec![], "send a token"),
        (vec!["--service-account", &*account("stranger")], "-report-viewer"),
        (vec!["--service-account", &*account("nobody")], "not found"),
    ] {
        let refused = ask(&more);
        assert!(refused.code == Some(1) && refused.stderr.contains(words), "{more:?}: {refused:?}");
    }
    let nowhere = highwater(&["groups", "--kubeconfig", &admin, "--service", &format!("{space}/nothing")]);
    assert!(nowhere.code == Some(1) && nowhere.stderr.contains("nothing"), "{nowhere:?}");
}
