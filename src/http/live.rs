//! What happens to a group while somebody watches: snapshots and typed events, by WebSocket or as server-sent events.
//!
//! A follower compares the report that it told last with the one on the board, so that nothing is queued for a client
//! besides what happened between those two: one that is slow hears less, and is dropped when it does not take what it was
//! sent. Each client has a task of its own, and waits for no other.

mod follow;
mod frames;
mod right;
mod socket;
mod stream;

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::Router;
use axum::extract::ws::Utf8Bytes;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::{Api, told};
use super::query::Interval;

pub(super) use self::frames::Frames;

/// How long a client may take for one message.
const PATIENCE: Duration = Duration::from_secs(10);

/// One message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    /// What it tells: its `type` in JSON.
    word: &'static str,
    json: Utf8Bytes,
}

/// Which cluster is meant, and how often a snapshot is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Watched {
    /// The cluster: the name given to it, or Kafka's own id.
    cluster_id: Option<String>,
    /// Whole seconds between two snapshots, 1 to 3600; one for every new report without it. Events come at once.
    interval: Option<Interval>,
}

impl Watched {
    fn interval(&self) -> Option<Duration> {
        self.interval.map(|interval| interval.0)
    }
}

/// The routes of server-sent events.
pub(super) fn streams() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route(
            "/api/v1/consumers/groups/{group_id}/live",
            get_with(stream::group, told("group_live", "One group while it is watched, as server-sent events")),
        )
        .api_route(
            "/api/v1/live",
            get_with(stream::all, told("live", "New reports and all events, as server-sent events")),
        )
}

/// The route of the WebSocket.
pub(super) fn sockets() -> Router<Api> {
    Router::new().route("/ws/consumers/groups/{group_id}/live", get(socket::group))
}
