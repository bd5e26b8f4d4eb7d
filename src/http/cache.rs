//! Validators of answers: an ETag for as long as the board says the same, and 304 for who knows it already.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Api;
use super::viewer::Shown;

/// How long an answer may be used without asking again.
const FRESH: HeaderValue = HeaderValue::from_static("private, max-age=1");

/// Marks every good answer, and says 304 instead where the board says what it said before. Only what is answered can be
/// unchanged: a question that is wrong, or about nothing that is there, is told so each time.
pub(super) async fn validate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let etag = match Shown::from_request_parts(&mut parts, &api).await {
        Ok(Shown(view)) => view.etag.clone(),
        Err(refusal) => return refusal.into_response(),
    };
    let unchanged = known(&parts.headers, &etag);
    let answer = next.run(Request::from_parts(parts, body)).await;
    let value = HeaderValue::from_str(&etag).ok().filter(|_| answer.status() == StatusCode::OK);
    let Some(value) = value else { return answer };
    let marks = [(header::ETAG, value), (header::CACHE_CONTROL, FRESH)];
    if unchanged { (StatusCode::NOT_MODIFIED, marks).into_response() } else { (marks, answer).into_response() }
}

/// Whether `If-None-Match` has the ETag, compared weakly as RFC 9110 wants it for this header.
pub(super) fn known(headers: &HeaderMap, etag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let all = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || strong(tag) == strong(etag))
}
