//! Probes and metrics over HTTP, from the board. Never calls Kafka, so that nothing here ever waits for it.

mod metrics;
mod readiness;

use std::future::IntoFuture;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::readiness::Readiness;
use crate::board::Board;
use crate::lag::report::Detail;

/// How long open connections may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

const INDEX: &str = "Highwater: how old is the data that each of your Kafka consumer groups is working on?\n\n\
                     /metrics  Prometheus text format 0.0.4, or OpenMetrics 1.0 by Accept\n\
                     /livez    200 while the process works\n\
                     /readyz   200 once it is ready, 503 with the reason before\n";

/// Serves the listener until `stop` is cancelled; then open requests may end, for two seconds at most.
///
/// `detail` is how deep the metrics go; `None` leaves that to the number of series.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    board: Board,
    readiness: Readiness,
    detail: Option<Detail>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let server =
        axum::serve(listener, router(board, readiness, detail)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let grace_is_over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = server.into_future() => served,
        () = grace_is_over => Ok(()),
    }
}

fn router(board: Board, readiness: Readiness, detail: Option<Detail>) -> Router {
    let metrics = metrics::Metrics::new(board, detail);
    Router::new()
        .route("/", get(INDEX))
        .route("/livez", get("ok\n"))
        .route("/readyz", get(move || async move { readiness.respond() }))
        .route("/metrics", get(move |headers| async move { metrics.respond(&headers) }))
        .fallback(unknown_path)
        .method_not_allowed_fallback(async || failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed"))
}

async fn unknown_path(uri: Uri) -> Response {
    let detail = format!("there is nothing at {:?}; / says what is here", uri.path());
    failure(StatusCode::NOT_FOUND, &detail)
}

/// The body of every failure: `{"detail": …}`.
fn failure(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({ "detail": detail }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
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
    }

    async fn start(detail: Option<Detail>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (board, stop) = (Board::default(), CancellationToken::new());
        let readiness = Readiness::waiting_for("waiting for the first spec");
        let task = tokio::spawn(serve(listener, board.clone(), readiness.clone(), detail, stop.clone()));
        Server { address, board, readiness, stop, task }
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
        assert!(ask(&server, "GET /").await.1.contains("/metrics"));
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
}
