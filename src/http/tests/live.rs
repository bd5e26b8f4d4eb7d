//! Watching a group over a socket: snapshots, events, refusals, and the end of who does not listen.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{self, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::connections::STALLED;
use super::*;
use crate::lag::reason::{Failure, Reason, Scope};
use crate::lag::report::{AlertKind, Report, State, Timestamp};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_secs(20);
const PATH: &str = "ws/consumers/groups/orders-shipper/live";

async fn sampled() -> Server {
    let server = start(None).await;
    post(&server, 0, |_| {});
    server
}

/// Posts the sample, `seconds` later and changed.
fn post(server: &Server, seconds: i64, change: impl FnOnce(&mut Report)) {
    let mut report = sample::report();
    report.generated_at = Timestamp(sample::NOW + seconds * 1_000);
    change(&mut report);
    let pulse = Pulse { cluster_name: report.cluster.name.clone(), ..Pulse::default() };
    server.board.post(&sample::monitor(), report.into(), pulse);
}

async fn open(server: &Server, path: &str, origin: Option<&str>) -> Result<Socket, (u16, String)> {
    let mut request = format!("ws://{}/{path}", server.address).into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let answer: http::Response<Option<Vec<u8>>> = *answer;
            let body = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
            Err((answer.status().as_u16(), body))
        }
        Err(error) => panic!("{error}"),
    }
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("something is said").unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The types of what is said until a snapshot comes, and that snapshot.
async fn until_snapshot(socket: &mut Socket) -> (Vec<String>, Value) {
    let mut words = Vec::new();
    loop {
        let said = next(socket).await;
        match said["type"].as_str().unwrap() {
            "snapshot" => return (words, said),
            word => words.push(word.to_owned()),
        }
    }
}

#[tokio::test]
async fn a_snapshot_comes_at_once_and_with_each_report_after_what_has_happened() {
    let server = sampled().await;
    let mut socket = open(&server, PATH, None).await.unwrap();
    let (words, first) = until_snapshot(&mut socket).await;
    assert_eq!((words.len(), &first["group"]["group_id"]), (0, &Value::from("orders-shipper")));
    assert_eq!(first["group"]["topics"][0]["partitions"].as_array().unwrap().len(), 2);

    post(&server, 60, |report| {
        let group = &mut report.groups[1];
        let members = group.members.as_mut().unwrap();
        members[1].member_id = "m-3".into();
        group.state = Some(State::Offline);
        group.health.alerts = vec![sample::alert("orders-shipper", AlertKind::StuckPartitions)];
        let topic = &mut group.topics.as_mut().unwrap()[1];
        topic.total_lag_records = Some(9_000);
    });
    let (words, second) = until_snapshot(&mut socket).await;
    let expected = [
        "consumer.rebalanced",
        "consumer.member_joined",
        "consumer.member_left",
        "consumer.state_changed",
        "consumer.lag_spike",
        "consumer.alert_started",
        "consumer.slo_restored",
    ];
    assert_eq!(words, expected);
    assert_eq!(second["generated_at"], "2026-03-01T12:01:00.000Z");

    post(&server, 120, |report| drop(report.groups.remove(1)));
    let (words, third) = until_snapshot(&mut socket).await;
    assert_eq!((words, &third["group"]), (vec!["consumer.gone".to_owned()], &Value::Null));
    post(&server, 180, |_| {});
    assert_eq!(until_snapshot(&mut socket).await.0, ["consumer.back"]);

    let trouble = Failure::new(Scope::Cluster, "", Reason::Timeout, "it hangs".into());
    server.board.post_pulse(&sample::monitor(), Pulse { trouble: Some(trouble), ..Pulse::default() });
    let silent = next(&mut socket).await;
    assert_eq!((&silent["type"], &silent["reason"]), (&Value::from("cluster.silent"), &Value::from("Timeout")));
    post(&server, 240, |_| {});
    assert_eq!(until_snapshot(&mut socket).await.0, ["cluster.answers"]);
}

#[tokio::test]
async fn with_an_interval_snapshots_come_by_the_clock_and_events_at_once() {
    let server = sampled().await;
    let begun = std::time::Instant::now();
    let mut socket = open(&server, &format!("{PATH}?interval=1&cluster_id=abc"), None).await.unwrap();
    until_snapshot(&mut socket).await;
    post(&server, 60, |report| report.groups[1].state = Some(State::Offline));
    assert_eq!(next(&mut socket).await["type"], "consumer.state_changed");
    for _ in 0..2 {
        assert_eq!(until_snapshot(&mut socket).await.0.len(), 0);
    }
    assert!((1.5..6.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_before_the_upgrade() {
    let server = sampled().await;
    for (path, status, words) in [
        ("ws/consumers/groups/nobody/live", 404, "there is no consumer group"),
        ("ws/consumers/groups/orders-shipper/live?interval=0", 422, "whole seconds, 1 to 3600"),
        ("ws/consumers/groups/orders-shipper/live?interval=1.5", 422, "whole seconds, 1 to 3600"),
        ("ws/consumers/groups/orders-shipper/live?cluster_id=x", 404, "there is no cluster"),
    ] {
        let (found, body) = open(&server, path, None).await.unwrap_err();
        assert!(found == status && body.contains(words), "{path}: {found} {body}");
    }
    let foreign = open(&server, PATH, Some("https://elsewhere.example.org")).await.unwrap_err();
    assert_eq!(foreign.0, 403, "{}", foreign.1);
    open(&server, PATH, Some(&format!("http://{}", server.address))).await.unwrap();
    let (head, body) = ask(&server, &format!("GET /{PATH}")).await;
    assert!(head.starts_with("http/1.0 422") && body.contains("ask for this as a WebSocket"), "{head} {body}");
}

#[tokio::test]
async fn pings_are_answered_and_the_stop_is_told() {
    let server = sampled().await;
    let mut socket = open(&server, PATH, None).await.unwrap();
    next(&mut socket).await;
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    let pong = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    server.stop.cancel();
    let Message::Close(Some(close)) = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap() else {
        panic!("a reason is given")
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, "the server stops"));
    timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_listen_is_dropped_with_a_reason() {
    let server = sampled().await;
    let mut socket = open(&server, PATH, None).await.unwrap();
    next(&mut socket).await;
    // Far more than the buffers of both ends hold, and nobody reads.
    let padding = "x".repeat(8_000_000);
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        loop {
            match timeout(PATIENCE, socket.next()).await.expect("it ends") {
                Some(Ok(Message::Close(close))) => return close,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    for n in 1..=4 {
        post(&server, n, |report| report.groups[1].health.recommendation = Some(padding.clone()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let close = timeout(PATIENCE, task).await.unwrap().unwrap().expect("a reason is given");
    assert!(u16::from(close.code) == 1008 && close.reason.starts_with("too slow"), "{close:?}");
}

#[tokio::test]
async fn events_stream_as_lines_that_curl_shows() {
    let server = sampled().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let path = "/api/v1/consumers/groups/orders-shipper/live?interval=1";
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut all = TcpStream::connect(server.address).await.unwrap();
    all.write_all(b"GET /api/v1/live HTTP/1.0\r\n\r\n").await.unwrap();
    let said = async |stream: &mut TcpStream, words: &str, count: usize| {
        let (mut text, mut some) = (String::new(), [0; 4_096]);
        while text.matches(words).count() < count {
            let read = timeout(PATIENCE, stream.read(&mut some)).await.unwrap_or_else(|_| panic!("{words}: {text}"));
            text.push_str(&String::from_utf8_lossy(&some[..read.unwrap()]));
        }
        text
    };
    let text = said(&mut stream, "event: snapshot\ndata: {\"type\":\"snapshot\"", 3).await;
    assert!(text.contains("content-type: text/event-stream") && text.contains("cache-control: no-store"), "{text}");
    said(&mut all, "event: report", 1).await;
    post(&server, 60, |report| report.groups[1].state = Some(State::Offline));
    let text = said(&mut all, "event: report", 1).await;
    assert!(text.contains("event: consumer.state_changed"), "{text}");
}

#[tokio::test]
async fn a_cluster_answers_once_something_comes_of_it() {
    let server = sampled().await;
    let mut all = TcpStream::connect(server.address).await.unwrap();
    all.write_all(b"GET /api/v1/live HTTP/1.0\r\n\r\n").await.unwrap();
    let failure = || Failure::new(Scope::Cluster, "orders", Reason::Unreachable, "nobody answers".into());
    // Its LagMonitor is edited in between, and begins anew.
    for trouble in [Some(failure()), None, Some(failure())] {
        server.board.post_pulse(&sample::monitor(), Pulse { trouble, ..Pulse::default() });
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    post(&server, 60, |_| {});
    let (mut text, mut some) = (String::new(), [0; 4_096]);
    while text.matches("event: report").count() < 2 {
        let read = timeout(PATIENCE, all.read(&mut some)).await.unwrap_or_else(|_| panic!("{text}"));
        text.push_str(&String::from_utf8_lossy(&some[..read.unwrap()]));
    }
    let counts = ["cluster.silent", "cluster.answers"].map(|word| text.matches(&format!("event: {word}\n")).count());
    assert_eq!(counts, [1, 1], "{text}");
}

#[tokio::test]
async fn who_does_not_take_events_is_cut_off() {
    let server = sampled().await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(b"GET /api/v1/consumers/groups/orders-shipper/live HTTP/1.0\r\n\r\n").await.unwrap();
    let mut some = [0; 4_096];
    assert!(deaf.read(&mut some).await.unwrap() > 0);
    assert_eq!(server.board.watchers(), 1);
    // Far more than the buffers of both ends hold, and nobody reads.
    let padding = "x".repeat(8_000_000);
    for n in 1..=4 {
        post(&server, n, |report| report.groups[1].health.recommendation = Some(padding.clone()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = std::time::Instant::now();
    while server.board.watchers() > 0 {
        assert!(begun.elapsed() < STALLED + PATIENCE, "it is still followed for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() > STALLED / 2, "a short pause is no reason: {:?}", begun.elapsed());
}

#[tokio::test]
async fn who_takes_a_little_now_and_then_is_not_followed_for_any_longer() {
    let server = sampled().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /api/v1/consumers/groups/orders-shipper/live HTTP/1.0\r\n\r\n").await.unwrap();
    let padding = "x".repeat(8_000_000);
    for n in 1..=4 {
        post(&server, n, |report| report.groups[1].health.recommendation = Some(padding.clone()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (begun, mut some) = (std::time::Instant::now(), [0; 1_024]);
    while server.board.watchers() > 0 {
        assert!(begun.elapsed() < PATIENCE, "it is still followed for");
        assert!(slow.read(&mut some).await.unwrap() > 0, "the connection lasts");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_no_more_until_one_ends() {
    let bare = super::answers::Bare::new(&[]);
    bare.post("orders", sample::report());
    let open = async || {
        let request = axum::extract::Request::get("/api/v1/live").body(axum::body::Body::empty()).unwrap();
        tower::ServiceExt::oneshot(bare.router.clone(), request).await.unwrap()
    };
    let mut all = Vec::new();
    for _ in 0..2_000 {
        all.push(open().await);
    }
    assert!(all.iter().all(|answer| answer.status() == StatusCode::OK));
    let refused = open().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let body = axum::body::to_bytes(refused.into_body(), usize::MAX).await.unwrap();
    assert_eq!(body, r#"{"detail":"2000 connections that last are open for this client: close some"}"#);
    assert_eq!(bare.get("/api/v1/clusters").await.status, 200, "who watches may still ask");
    all.pop();
    assert_eq!(open().await.status(), StatusCode::OK);
}
