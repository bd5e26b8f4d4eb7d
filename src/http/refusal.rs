//! Why a request is not answered, as a status and `{"detail": …}`: one sentence that says what is allowed.

use std::time::Duration;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented, StatusCode as Code};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Why a request is not answered, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is no such thing: look up what there is.
    #[error("{0}")]
    Unknown(String),
    /// The request is wrong: write what is allowed.
    #[error("{0}")]
    Wrong(String),
    /// Nothing is known yet, or not well enough: ask again later.
    #[error("{0}")]
    NotReady(String),
    /// Nobody known asks: send a good token.
    #[error("{0}")]
    Stranger(String),
    /// Who asks may not: get the right, or allow the origin of the page.
    #[error("{0}")]
    Forbidden(String),
    /// The client asks too much: ask again after this time.
    #[error("{what}: ask again in {} s, and less often", whole(*.wait))]
    TooMany {
        /// What is too much.
        what: &'static str,
        /// The time.
        wait: Duration,
    },
    /// As many connections are open as may be: close some.
    #[error("{0}")]
    Crowded(String),
}

/// A wait in whole seconds, of which there is at least one.
fn whole(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl Refusal {
    /// The status that says so.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stranger(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooMany { .. } | Self::Crowded(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// The body of every failure.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refused")]
pub(super) struct Detail {
    /// What is wrong, and what is allowed.
    pub(super) detail: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let answer = (status, Json(Detail { detail: self.to_string() }));
        match self {
            // Browsers would ask for a password with another scheme.
            Self::Stranger(_) => ([(header::WWW_AUTHENTICATE, "Bearer")], answer).into_response(),
            Self::TooMany { wait, .. } => ([(header::RETRY_AFTER, whole(wait).to_string())], answer).into_response(),
            _ => answer.into_response(),
        }
    }
}

impl OperationOutput for Refusal {
    type Inner = Detail;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<Code>, Documented)> {
        let mut of = |code, description: &str| {
            let body = <Json<Detail> as OperationOutput>::operation_response(ctx, operation).unwrap_or_default();
            (Some(Code::Code(code)), Documented { description: description.into(), ..body })
        };
        vec![
            of(401, "A token is wanted, and there is none, or no good one."),
            of(403, "The token does not allow this."),
            of(404, "There is no such thing."),
            of(422, "The request is wrong; `detail` says what is allowed."),
            of(
                429,
                "The client asks too much, for which `Retry-After` says when to ask again, or has too many connections.",
            ),
            of(503, "Nothing is known yet, or not well enough."),
        ]
    }
}
