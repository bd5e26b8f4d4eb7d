//! Whether the process is ready to be relied on, and why not.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::sync::watch;

/// A flag with a reason. Cheap to clone; clones are the same flag.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<Option<String>>>);

impl Readiness {
    /// Not ready yet, for a reason that a person understands.
    pub fn waiting_for(reason: &str) -> Self {
        Self(Arc::new(watch::Sender::new(Some(reason.into()))))
    }

    /// Ready from now on.
    pub fn ready(&self) {
        self.0.send_replace(None);
    }

    /// Not ready from now on.
    pub fn not_ready(&self, reason: &str) {
        self.0.send_replace(Some(reason.into()));
    }

    /// Why it is not ready; `None` while it is.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    pub(super) fn respond(&self) -> Response {
        match &*self.0.borrow() {
            None => (StatusCode::OK, "ok\n").into_response(),
            Some(reason) => super::failure(StatusCode::SERVICE_UNAVAILABLE, reason),
        }
    }
}
