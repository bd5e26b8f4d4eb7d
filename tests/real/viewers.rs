//! Who sees what with `--auth kubernetes`, by the rights that a real API server knows: REST, WebSocket and metrics alike.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::unique;
use crate::cluster::Cluster;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE};
use crate::operated::document;
use crate::wait::eventually;

/// How long a right may go on to count, and what a busy machine takes besides.
const LONGEST: Duration = Duration::from_secs(60 + 5);

/// Somebody with a ServiceAccount, and a token of it.
fn token(cluster: &Cluster, home: &str, name: &str, audience: &[&str]) -> String {
    cluster.kubectl(&[&["create", "token", name, "--namespace", home], audience].concat()).trim().to_owned()
}

/// A token of the ServiceAccount in the sample for KEDA, as KEDA's own gets it with what the sample lets it: without an
/// audience, and so for the API server.
fn as_keda_gets_it(cluster: &Cluster, namespace: &str) -> String {
    let sample = include_str!("../../deploy/samples/keda-metrics-api.yaml");
    let rights: Vec<_> = sample.split("---\n").filter(|document| !document.contains("keda.sh/")).collect();
    assert_eq!(rights.len(), 4, "{sample}");
    cluster.apply(&rights.join("---\n").replace("namespace: shop", &format!("namespace: {namespace}")));
    let keda = ["--as=system:serviceaccount:keda:keda-operator"];
    let get = |name| ["create", "token", name, "--namespace", namespace];
    eventually("KEDA may get the token", PATIENCE, || cluster.may(&[&get("billing-scaler")[..], &keda].concat()));
    cluster.kubectl_fails(&[&get("chief")[..], &keda].concat());
    token(cluster, namespace, "billing-scaler", &keda)
}

/// Status and connection of an attempt to open a WebSocket.
fn watch(highwater: &Monitor, path: &str, token: &str) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(highwater.address().unwrap()).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let request = format!(
        "GET /ws/{path} HTTP/1.1\r\nHost: highwater\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    (String::from_utf8_lossy(&head[9..12]).parse().unwrap(), stream)
}

/// The status of server-sent events, and what is said until they end.
fn listen(highwater: &Monitor, path: &str, token: &str) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(highwater.address().unwrap()).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    (String::from_utf8_lossy(&head[9..12]).parse().unwrap(), stream)
}

/// The path of a group as a WebSocket.
fn socket(of: &str) -> String {
    format!("consumers/groups/{}", of.replace("{}", "/live"))
}

/// The namespaces of the clusters that are shown, once they are sampled.
fn shown(highwater: &Monitor, token: &str) -> Vec<String> {
    let (_, body) = highwater.ask("/api/v1/clusters", Some(token));
    let answer: Value = serde_json::from_str(&body).unwrap();
    let sampled = answer["items"].as_array().into_iter().flatten().filter(|item| item["totals"].is_object());
    sampled.map(|item| item["namespace"].as_str().unwrap().to_owned()).collect()
}

/// The status of every way to look: the list, a group here and there, both while they are watched, the metrics.
fn sees(highwater: &Monitor, token: &str, here: &str, there: &str) -> [u16; 6] {
    let status = |path: &str| highwater.ask(path, Some(token)).0;
    let group = |of: &str| status(&format!("/api/v1/consumers/groups/{}", of.replace("{}", "")));
    let watched = |of: &str| watch(highwater, &socket(of), token).0;
    let list = status("/api/v1/consumers/groups");
    [list, group(here), group(there), watched(here), watched(there), status("/metrics")]
}

/// Two namespaces with a LagMonitor each, and people with rights in none, one or all of them.
fn stage(cluster: &Cluster, group: &str) -> (String, String) {
    let [seen, hidden] = ["seen", "hidden"].map(|name| cluster.namespace(name));
    let fields = format!(
        "  brokers: [\"{}\"]\n  groups: {{ include: [\"{group}\"] }}\n  topics: {{ include: [\"{group}\"] }}\n  \
         sampling: {{ interval: 1s, coarseInterval: 10s, offlineAfter: 1s }}\n",
        single().bootstrap
    );
    for namespace in [&seen, &hidden] {
        cluster.apply(&document(namespace, "orders", &fields));
    }
    for name in ["viewer", "reader", "stranger", "scraper", "chief"] {
        cluster.kubectl(&["create", "serviceaccount", name, "--namespace", &seen]);
    }
    let account = |name| format!("--serviceaccount={seen}:{name}");
    for name in ["viewer", "reader"] {
        cluster.kubectl(&["create", "rolebinding", name, "--namespace", &seen, "--clusterrole=view", &account(name)]);
    }
    for (name, role) in [("scraper", "highwater-metrics-reader"), ("chief", "cluster-admin")] {
        cluster.kubectl(&["create", "clusterrolebinding", name, &format!("--clusterrole={role}"), &account(name)]);
    }
    (seen, hidden)
}

/// An operator for some namespaces that asks the API server who may see what.
fn guarded(cluster: &Cluster, namespaces: &[&str]) -> Monitor {
    let kubeconfig = cluster.operator_kubeconfig(namespaces[0]).to_string_lossy().into_owned();
    let own = ["--kubeconfig", &kubeconfig, "--lease", "highwater/highwater"];
    Monitor::operator(&[&own[..], &["--namespace", &namespaces.join(","), "--auth", "kubernetes"]].concat())
}

/// Who gets the advice for a group of the first namespace, and that it is the same right as to the reports.
fn advice_is_for_who_sees_the_reports(cluster: &Cluster, highwater: &Monitor, [seen, hidden]: [&str; 2], group: &str) {
    let of = |name, audience: &[&str]| token(cluster, seen, name, audience);
    let (meant, scaler) = (["--audience", "highwater"], of("billing-scaler", &[]));
    let status = |token: &str, path: &str| highwater.ask(path, Some(token)).0;
    // The group has no member, and so one is advised; who may not see it does not even learn that.
    let advice = |namespace: &str| format!("/api/v1/scale/{namespace}/orders/{group}");
    eventually("nobody has been there for long enough", PATIENCE, || status(&scaler, &advice(seen)) == 200);
    for (who, token, expected) in [
        ("an autoscaler, with a token for the API server", &scaler, [200, 403]),
        ("the same owner's token for Highwater", &of("billing-scaler", &meant), [200, 403]),
        ("a viewer", &of("viewer", &meant), [200, 403]),
        ("a stranger", &of("stranger", &meant), [403, 403]),
        ("a stranger, with a token for the API server", &of("stranger", &[]), [403, 403]),
        ("a token for something else", &of("viewer", &["--audience", "else"]), [401, 401]),
        ("an invented token", &"x.y.z".to_owned(), [401, 401]),
    ] {
        let told = [seen, hidden].map(|namespace| status(token, &advice(namespace)));
        assert_eq!(told, expected, "the advice for {who}");
    }
    assert_eq!(highwater.ask(&advice(seen), None).0, 401, "the advice for nobody");
    assert_eq!(status(&scaler, &format!("/api/v1/scale/{seen}/nobody/{group}")), 404);
}

#[test]
fn everybody_sees_what_their_rights_allow_for_as_long_as_they_do() {
    let (mut cluster, group) = (Cluster::start(), unique("viewers"));
    let client = single().client();
    client.create(&group, 1, &[]);
    client.commit(&group, &group, &[(0, 0)]);
    let (seen, hidden) = stage(&cluster, &group);
    let highwater = guarded(&cluster, &[&seen, &hidden]);
    let meant = ["--audience", "highwater"];
    let [viewer, stranger, scraper, chief] =
        ["viewer", "stranger", "scraper", "chief"].map(|name| token(&cluster, &seen, name, &meant));
    let elsewhere = token(&cluster, &seen, "chief", &[]);
    let scaler = as_keda_gets_it(&cluster, &seen);
    let status = |token: &str, path: &str| highwater.ask(path, Some(token)).0;
    let groups = "/api/v1/consumers/groups";
    eventually("both are sampled", PATIENCE, || shown(&highwater, &chief).len() == 2);
    // What aggregates into `view` is brought about by a controller.
    eventually("the viewer has the right", PATIENCE, || status(&viewer, groups) == 200);

    let [of_seen, of_hidden] = [&seen, &hidden].map(|namespace| format!("{group}{{}}?cluster_id={namespace}/orders"));
    for (who, token, expected) in [
        ("with a token for the API server, as Prometheus has", &elsewhere, [401, 401, 401, 401, 401, 200]),
        ("with an invented token", &"x.y.z".to_owned(), [401, 401, 401, 401, 401, 401]),
        ("an autoscaler", &scaler, [401, 401, 401, 401, 401, 403]),
        ("a stranger", &stranger, [403, 403, 403, 403, 403, 403]),
        ("who scrapes", &scraper, [403, 403, 403, 403, 403, 200]),
        ("a viewer of one namespace", &viewer, [200, 200, 404, 101, 404, 403]),
        ("the chief", &chief, [200, 200, 200, 101, 101, 200]),
    ] {
        assert_eq!(sees(&highwater, token, &of_seen, &of_hidden), expected, "{who}");
    }
    for (path, expected) in [(groups, 401), ("/metrics", 401), ("/api/v1/live", 401), ("/livez", 200), ("/readyz", 200)]
    {
        assert_eq!(highwater.ask(path, None).0, expected, "{path} for nobody");
    }
    assert_eq!((shown(&highwater, &viewer), shown(&highwater, &chief).len()), (vec![seen.clone()], 2));

    advice_is_for_who_sees_the_reports(&cluster, &highwater, [&seen, &hidden], &group);

    let reader = token(&cluster, &seen, "reader", &meant);
    who_is_revoked_is_out_within_a_minute(&highwater, &socket(&of_seen), [&viewer, &reader], || {
        cluster.kubectl(&["delete", "serviceaccount", "viewer", "--namespace", &seen]);
        cluster.kubectl(&["delete", "rolebinding", "reader", "--namespace", &seen]);
    });
    assert_eq!((status(&viewer, groups), status(&reader, groups)), (401, 403));

    let fresh = token(&cluster, &seen, "chief", &["--audience", "highwater", "--duration", "11m"]);
    cluster.kill_api_server();
    assert_eq!(status(&fresh, groups), 503, "nobody is let in unseen");
    eventually("who was seen long ago is not let in", LONGEST, || status(&chief, groups) == 503);
    assert_eq!((status(&chief, "/metrics"), highwater.get("/livez").0), (503, 200));
    cluster.start_api_server();
    eventually("it judges again", PATIENCE, || status(&chief, groups) == 200);

    let invented: Vec<u16> = (0..80).map(|n| status(&format!("x.{n}.z"), "/metrics")).collect();
    let asked = invented.iter().take_while(|status| **status == 401).count();
    assert!((50..75).contains(&asked) && invented[asked..].contains(&429), "{invented:?}");
    assert_eq!(status(&chief, groups), 200, "at the same address, with a token that is known");
}

/// WebSockets and event streams end within a minute after a token, or a right of its owner, is gone.
fn who_is_revoked_is_out_within_a_minute(highwater: &Monitor, socket: &str, tokens: [&str; 2], revoke: impl FnOnce()) {
    let group = format!("/api/v1/{socket}");
    let ways = |token| {
        [watch(highwater, socket, token), listen(highwater, &group, token), listen(highwater, "/api/v1/live", token)]
    };
    let [one, other] = tokens.map(ways);
    let all: Vec<_> = one.into_iter().chain(other).collect();
    assert_eq!(all.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [101, 200, 200, 101, 200, 200]);
    let revoked = Instant::now();
    revoke();
    let read = |(_, mut stream): (u16, TcpStream)| {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            stream.read_to_end(&mut said).unwrap();
            (String::from_utf8_lossy(&said).into_owned(), revoked.elapsed())
        })
    };
    let reading: Vec<_> = all.into_iter().map(read).collect();
    let ends: Vec<_> = reading.into_iter().map(|end| end.join().unwrap()).collect();
    assert!(ends.iter().all(|(said, after)| !said.is_empty() && *after < LONGEST), "{ends:?}");
    let reason = "the token does not allow this any more";
    assert!(ends[0].0.contains(reason) && ends[3].0.contains(reason), "{ends:?}");
}
