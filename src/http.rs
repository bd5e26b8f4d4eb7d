//! Probes, metrics, the page, and the API with its document, from the board. Never calls Kafka, so that nothing here ever waits for it.
//!
//! What was kept of the past is read from `store`. Every path is relative to where a proxy puts this server.

mod answer;
mod api;
mod cache;
mod client;
mod connections;
mod document;
mod limit;
mod listing;
mod live;
mod metrics;
mod page;
mod places;
mod query;
mod readiness;
mod refusal;
#[cfg(test)]
mod tests;
mod tls;
mod view;
mod viewer;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::api::Api;
use self::connections::Connections;
use self::limit::Limit;
pub use self::readiness::Readiness;
use self::refusal::Refusal;
pub use self::tls::{Certificate, CertificateError};
use self::view::Views;
use crate::access::{Access, Thing};
use crate::board::Board;
use crate::clock::Clock;
use crate::lag::report::Detail;
use crate::store::Store;

/// How long open connections may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// What is served, and from what.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Where the latest reports stand.
    pub board: Board,
    /// Where history is kept.
    pub store: Arc<Store>,
    /// The time to go by.
    pub clock: Clock,
    /// Whether the process is ready.
    pub readiness: Readiness,
    /// How deep the metrics go; `None` leaves that to the number of series.
    pub detail: Option<Detail>,
    /// How many partitions of each group and topic the metrics show at topic detail: those whose data is the oldest.
    pub top_partitions: usize,
    /// Who may see what.
    pub access: Access,
    /// Whether the metrics are served by another listener only.
    pub metrics_elsewhere: bool,
    /// The origins whose pages may read the API, besides its own; `*` stands for every one.
    pub origins: Vec<HeaderValue>,
    /// What stands before all that.
    pub edge: Edge,
}

/// What stands before everything that is served.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// The certificate of every connection; without it they are in the clear.
    pub certificate: Option<Certificate>,
    /// How many requests a second one client may make of page and API; `None` for no limit.
    pub requests_a_second: Option<NonZeroU32>,
}

/// Serves the listener until `stop` is cancelled; then open requests may end, for two seconds at most.
///
/// # Errors
/// Those of the listener.
pub async fn serve(listener: TcpListener, serving: Serving, stop: CancellationToken) -> std::io::Result<()> {
    connections::open_many();
    let connections = Connections::new(listener, serving.edge.certificate.clone());
    connections.serve(router(serving, &stop), stop, GRACE).await;
    Ok(())
}

/// Serves probes and metrics alone, likewise.
///
/// # Errors
/// Those of the listener.
pub async fn serve_metrics(listener: TcpListener, serving: Serving, stop: CancellationToken) -> std::io::Result<()> {
    let metrics = metrics::Metrics::new(serving.board.clone(), serving.detail, serving.top_partitions);
    let router = closed(probes(serving.readiness.clone()).merge(scraped(metrics, serving.access)));
    Connections::new(listener, serving.edge.certificate).serve(router, stop, GRACE).await;
    Ok(())
}

/// Reads a certificate's files again and again, until the stop.
pub async fn follow_certificate(certificate: Certificate, stop: CancellationToken) {
    tokio::select! {
        () = certificate.follow() => {}
        () = stop.cancelled() => {}
    }
}

fn router(serving: Serving, stop: &CancellationToken) -> Router {
    let metrics = metrics::Metrics::new(serving.board.clone(), serving.detail, serving.top_partitions);
    let Serving { board, store, clock, readiness, access, metrics_elsewhere, origins, edge, .. } = serving;
    let api = Api {
        views: Arc::new(Views::new(board)),
        readiness: readiness.clone(),
        store,
        clock,
        frames: Arc::default(),
        seats: Arc::default(),
        access: access.clone(),
        origins: origins.clone().into(),
        secure: edge.certificate.is_some(),
        stop: stop.clone(),
    };
    let answered = || {
        let lasting = api::routes().route_layer(from_fn_with_state(api.clone(), cache::validate));
        lasting.merge(api::advice()).merge(live::streams())
    };
    // Other methods are answered before the layers, so that a browser may ask with OPTIONS what it may ask for.
    let shown = document::documented(answered)
        .method_not_allowed_fallback(only_get)
        .layer(CompressionLayer::new())
        .layer(cors(origins))
        .merge(live::sockets())
        .route("/login", post(viewer::login).fallback(only_post))
        .route("/logout", post(viewer::logout).fallback(only_post))
        .with_state(api.clone());
    let mut shown = shown.merge(page::routes().layer(CompressionLayer::new()));
    if let Some(a_second) = edge.requests_a_second {
        shown = shown.layer(from_fn_with_state(Limit::new(a_second, access.clone()), limit::limit));
    }
    let metrics = if metrics_elsewhere { moved() } else { scraped(metrics, access) };
    closed(probes(readiness).merge(metrics).merge(shown))
}

fn probes(readiness: Readiness) -> Router {
    Router::new().route("/livez", get("ok\n")).route("/readyz", get(move || async move { readiness.respond() }))
}

fn scraped(metrics: metrics::Metrics, access: Access) -> Router {
    let scrape = move |headers: HeaderMap, extensions: Extensions| async move {
        match access.may(&viewer::asker(&headers, &extensions), Thing::Metrics).await {
            Ok(_) => metrics.respond(&headers),
            Err(refused) => Refusal::from(refused).into_response(),
        }
    };
    Router::new().route("/metrics", get(scrape))
}

fn moved() -> Router {
    Router::new().route(
        "/metrics",
        get(async || failure(StatusCode::NOT_FOUND, "metrics have an address of their own: --metrics-listen")),
    )
}

/// Answers everything else too, and tells browsers to be careful with every answer.
fn closed(router: Router) -> Router {
    router.fallback(unknown_path).method_not_allowed_fallback(only_get).layer(map_response(careful))
}

async fn only_get() -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed")
}

async fn only_post() -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed")
}

async fn careful(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Lets pages of these origins read the API, with a token of their own; without any, browsers keep it to its own pages.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let any = origins.iter().any(|origin| origin == "*");
    let origins = if any { AllowOrigin::any() } else { AllowOrigin::list(origins) };
    CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::AUTHORIZATION])
        .allow_origin(origins)
        .expose_headers([header::ETAG])
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
