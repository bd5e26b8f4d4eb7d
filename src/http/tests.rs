//! What is served, asked over a socket as clients ask it.

mod answers;
mod encrypted;
mod live;
mod monitors;
mod parameters;
mod past;
mod teams;

use super::*;
use crate::board::Pulse;
use crate::output::sample;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

struct Server {
    address: std::net::SocketAddr,
    board: Board,
    readiness: Readiness,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

async fn start(detail: Option<Detail>) -> Server {
    start_behind(detail, Edge::default()).await
}

async fn start_behind(detail: Option<Detail>, edge: Edge) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (board, stop) = (Board::default(), CancellationToken::new());
    let readiness = Readiness::waiting_for("waiting for the first spec");
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving {
        board: board.clone(),
        store: Arc::new(Store::open(folder.path()).unwrap().store),
        clock: Clock::stepped(sample::NOW),
        readiness: readiness.clone(),
        detail,
        top_partitions: 0,
        access: Access::Open,
        metrics_elsewhere: false,
        origins: vec![],
        edge,
    };
    let task = tokio::spawn(serve(listener, serving, stop.clone()));
    Server { address, board, readiness, stop, task, _folder: folder }
}

/// Head and body of the answer, by HTTP/1.0, where the end of the connection is the end of the body.
async fn ask(server: &Server, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    stream.write_all(format!("{line} HTTP/1.0\r\n{headers}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.into())
}

#[tokio::test]
async fn probes_tell_life_from_readiness() {
    let server = start(None).await;
    let (head, body) = ask(&server, "GET /readyz").await;
    assert!(head.starts_with("http/1.0 503"), "{head}");
    assert_eq!(body, r#"{"detail":"waiting for the first spec"}"#);
    assert!(ask(&server, "GET /livez").await.0.starts_with("http/1.0 200"));
    server.readiness.ready();
    assert!(ask(&server, "GET /readyz").await.0.starts_with("http/1.0 200"));
    server.readiness.not_ready("the file is gone");
    assert_eq!(ask(&server, "GET /readyz").await.1, r#"{"detail":"the file is gone"}"#);
}

#[tokio::test]
async fn metrics_come_in_the_format_asked_for() {
    let server = start(None).await;
    server.board.post(&sample::monitor(), sample::report().into(), Pulse::default());
    let (head, text) = ask(&server, "GET /metrics").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(text.contains("\nkafka_consumergroup_group_lag_seconds{"));
    let (head, open) = ask(&server, "GET /metrics\nAccept: application/openmetrics-text; version=1.0.0").await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n") && !text.contains("# EOF"));
    let (head, body) = ask(&server, "HEAD /metrics").await;
    assert!(head.starts_with("http/1.0 200") && body.is_empty());
}

#[tokio::test]
async fn detail_is_as_asked() {
    let server = start(Some(Detail::Topic)).await;
    server.board.post(&sample::monitor(), sample::report().into(), Pulse::default());
    let (_, text) = ask(&server, "GET /metrics").await;
    assert!(!text.contains("partition=\"") && text.contains("highwater_metrics_detail{detail=\"topic\"} 1"));
}

#[tokio::test]
async fn what_is_not_here_is_said_in_json() {
    let server = start(None).await;
    let (head, body) = ask(&server, "GET /api/v9?x=%22").await;
    assert!(head.starts_with("http/1.0 404") && head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["detail"], "there is nothing at \"/api/v9\"; / says what is here");
    let (head, body) = ask(&server, "POST /metrics").await;
    assert!(head.starts_with("http/1.0 405") && body.starts_with("{\"detail\":"), "{head} {body}");
    assert!(ask(&server, "GET /").await.1.contains("docs"));
    let (head, page) = ask(&server, "GET /\nAccept: text/html").await;
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff") && page.starts_with("<!doctype html>"), "{head}");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_stop() {
    let server = start(None).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 64];
    assert!(idle.read(&mut some).await.unwrap() > 0);
    server.stop.cancel();
    tokio::time::timeout(GRACE / 2, server.task).await.expect("stops at once").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
