//! The page at `/`: an index, and the files that it names, which are part of the program. Figures are the API's.
//!
//! The index is asked for anew each time; a file's name changes with its bytes, so that it may be kept for ever.

mod files;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::files::{FILES, INDEX, INDEX_ETAG};
use super::query::Path;
use super::{cache, failure};

/// What the page may load: its own files and answers, nothing from elsewhere, nothing written into the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What `/` says to those who do not ask for HTML: people with curl.
const PLAIN: &str = "Highwater: how old is the data that each of your Kafka consumer groups is working on?\n\n\
                     docs       the API, to browse\n\
                     metrics    Prometheus text format 0.0.4, or OpenMetrics 1.0 by Accept\n\
                     livez      200 while the process works\n\
                     readyz     200 once it is ready, 503 with the reason before\n\n\
                     A browser shows the page here.\n";

/// The index at `/`, its files below `/page`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(index)).route("/page/{name}", get(file))
}

async fn index(headers: HeaderMap) -> Response {
    if !wants_html(&headers) {
        return ([(header::VARY, "accept")], PLAIN).into_response();
    }
    // Those of a 304 take the place of what the browser has kept, so that it has to have them all.
    let marks = [
        (header::ETAG, INDEX_ETAG),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    if cache::known(&headers, INDEX_ETAG) {
        return (StatusCode::NOT_MODIFIED, marks).into_response();
    }
    (marks, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], INDEX).into_response()
}

fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

async fn file(Path(name): Path<String>) -> Response {
    let Some((_, kind, bytes)) = FILES.iter().find(|(served, ..)| *served == name) else {
        return failure(
            StatusCode::NOT_FOUND,
            "the page has no such file: load it again, for it may be of an older Highwater",
        );
    };
    let kept = if name == "licences.txt" { "no-cache" } else { "public, max-age=31536000, immutable" };
    ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, kept)], *bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    async fn ask(path: &str, known: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path).header(header::ACCEPT, "text/html,*/*;q=0.8");
        if let Some(etag) = known {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let answer = routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, String::from_utf8_lossy(&body).into_owned())
    }

    /// Every address that the index asks for, as it stands there.
    fn asked_for() -> Vec<&'static str> {
        let parts = INDEX.split(['"', ' ']).filter(|part| part.starts_with("page/"));
        parts.collect()
    }

    #[tokio::test]
    async fn every_file_that_the_index_asks_for_is_there_and_may_be_kept() {
        assert!(asked_for().len() >= 4, "{INDEX}");
        for path in asked_for() {
            let (status, headers, body) = ask(&format!("/{path}"), None).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{path}");
            assert!(!body.is_empty());
        }
        let (status, _, body) = ask("/page/app-000000000000.js", None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("load it again"), "{body}");
    }

    #[tokio::test]
    async fn the_index_is_checked_each_time_and_guarded() {
        let (status, headers, body) = ask("/", None).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, INDEX));
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        let etag = headers[header::ETAG].to_str().unwrap();
        let (status, again, _) = ask("/", Some(etag)).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED);
        assert_eq!(again[header::CONTENT_SECURITY_POLICY], headers[header::CONTENT_SECURITY_POLICY]);
        assert_eq!(ask("/", Some("\"other\"")).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn who_does_not_ask_for_html_is_told_in_text() {
        let request = Request::get("/").header(header::ACCEPT, "*/*").body(Body::empty()).unwrap();
        let answer = routes::<()>().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[header::VARY], "accept");
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&body), PLAIN);
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere_and_nothing_from_the_root() {
        for (name, _, bytes) in FILES {
            let text = String::from_utf8_lossy(bytes);
            // The name space of SVG is an address that nobody asks for; a licence may name its home.
            let names = text.replace("http://www.w3.org/", "");
            assert!(name == "licences.txt" || !names.contains("://"), "{name} names an address");
        }
        assert!(!INDEX.contains("=\"/") && !INDEX.contains("://") && !INDEX.contains(" style="), "{INDEX}");
    }
}
