//! REST: what stands on the board, and what the store has kept of it, by the routes of `/api/v1`.
//!
//! Handlers borrow from the board's reports and write JSON from there; they compute no figure and never wait for Kafka.

pub(super) mod alerts;
pub(super) mod clusters;
pub(super) mod groups;
pub(super) mod health;
pub(super) mod history;
pub(super) mod rows;
pub(super) mod scale;
pub(super) mod teams;
pub(super) mod topics;

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::client::Seats;
use super::live::Frames;
use super::readiness::Readiness;
use super::refusal::Refusal;
use super::view::{View, Views};
use crate::access::Access;
use crate::clock::Clock;
use crate::store::Store;

/// What the handlers look at.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) views: Arc<Views>,
    pub(super) readiness: Readiness,
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) frames: Arc<Frames>,
    /// Connections that last.
    pub(super) seats: Arc<Seats>,
    /// Who may see what.
    pub(super) access: Access,
    /// The origins whose pages may read what is shown, besides its own.
    pub(super) origins: Arc<[HeaderValue]>,
    /// Whether connections are encrypted.
    pub(super) secure: bool,
    pub(super) stop: CancellationToken,
}

impl Api {
    /// The board as it is now.
    ///
    /// # Errors
    /// [`Refusal::NotReady`] while it is empty for the process is not ready.
    pub(super) fn view(&self) -> Result<Arc<View>, Refusal> {
        let view = self.views.latest();
        match self.readiness.reason().filter(|_| view.monitors.is_empty()) {
            Some(reason) => Err(Refusal::NotReady(reason)),
            None => Ok(view),
        }
    }
}

/// Which cluster is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// The cluster: the name given to it, or Kafka's own id.
    pub(super) cluster_id: Option<String>,
}

/// The group in the path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GroupPath {
    /// The consumer group's id; a `/` in it is written `%2F`.
    pub(super) group_id: String,
}

/// The topic in the path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TopicPath {
    /// The topic's name.
    pub(super) topic_name: String,
}

/// Every route of the API that is answered once, and the same until the next sample.
pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route(
            "/api/v1/clusters",
            get_with(clusters::list, told("clusters", "The clusters, each with its monitor")),
        )
        .api_route("/api/v1/totals", get_with(teams::totals, told("totals", "All groups together")))
        .api_route("/api/v1/teams", get_with(teams::list, told("teams", "The teams, each with its groups together")))
        .api_route("/api/v1/alerts", get_with(alerts::list, told("alerts", "What is not all right at present")))
        .api_route("/api/v1/consumers/groups", get_with(groups::list, told("groups", "The consumer groups")))
        .api_route(
            "/api/v1/consumers/groups/{group_id}",
            get_with(groups::one, told("group", "One consumer group, with members and partitions")),
        )
        .api_route(
            "/api/v1/consumers/groups/{group_id}/health",
            get_with(health::health, told("group_health", "How one group stands against its objective")),
        )
        .api_route(
            "/api/v1/consumers/groups/{group_id}/history",
            get_with(history::one, told("group_history", "The ages and the members of one group over time")),
        )
        .api_route(
            "/api/v1/consumers/history",
            get_with(history::several, told("histories", "The ages of several groups over time, coarsely")),
        )
        .api_route("/api/v1/consumers/topics", get_with(topics::list, told("topics", "The topics")))
        .api_route(
            "/api/v1/consumers/topics/{topic_name}/consumers",
            get_with(topics::consumers, told("topic_consumers", "The groups of one topic")),
        )
        .api_route(
            "/api/v1/consumers/topics/{topic_name}/detail",
            get_with(topics::detail, told("topic_detail", "One topic, with the health of its groups")),
        )
}

/// The advice to autoscalers: it ages, and who gets it need not see anything else.
pub(super) fn advice() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/api/v1/scale/{namespace}/{monitor}/{group_id}",
        get_with(scale::scale, told("scale", "How many replicas would do, for KEDA's metrics-api trigger")),
    )
}

/// What an operation is called, and what it answers.
pub(super) fn told(
    id: &'static str,
    summary: &'static str,
) -> impl for<'t> FnOnce(TransformOperation<'t>) -> TransformOperation<'t> {
    move |operation| operation.id(id).summary(summary)
}
