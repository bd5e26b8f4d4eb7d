//! `/metrics`: what stands on the board, streamed in the format that the scraper asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::runtime::Handle;

use crate::board::Board;
use crate::lag::report::Detail;
use crate::output::prometheus::detail::{MOST_PARTITION_SERIES, in_force, partition_series};
use crate::output::prometheus::exposition::exposition;
use crate::output::prometheus::negotiation::Format;

/// The board, and how deep to show it.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    board: Board,
    asked: Option<Detail>,
    top: usize,
    in_force: Arc<Mutex<Detail>>,
}

impl Metrics {
    pub(super) fn new(board: Board, asked: Option<Detail>, top: usize) -> Self {
        Self { board, asked, top, in_force: Arc::new(Mutex::new(asked.unwrap_or(Detail::Partition))) }
    }

    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Format::accepted(&accepts.collect::<Vec<_>>().join(","));
        let board = self.board.latest();
        let pieces = exposition(&board, self.detail(partition_series(&board)), format);
        let pieces = pieces.with_top(self.top).with(self.board.refused(), self.board.accounted(), self.board.said());
        let pieces = pieces.with_tasks(Handle::current().metrics().num_alive_tasks());
        let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
        (headers, Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))).into_response()
    }

    fn detail(&self, series: usize) -> Detail {
        let mut in_force_now = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let detail = in_force(self.asked, series, *in_force_now);
        if detail != *in_force_now {
            tracing::warn!(
                partition_series = series,
                limit = MOST_PARTITION_SERIES,
                "/metrics goes to {detail:?} detail from now on; --metrics-detail overrides"
            );
            *in_force_now = detail;
        }
        detail
    }
}
