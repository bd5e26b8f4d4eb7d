//! What a client shares with librdkafka's background thread: the clock, the faults, the log, the wish for a token.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};

use rdkafka::client::ClientContext;

use super::faults::Faults;
use crate::clock::Clock;
use crate::lag::Name;

/// Reached from any thread.
pub(super) struct Hub {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    /// The cluster's id, once a broker has told it.
    pub(super) cluster_id: OnceLock<Name>,
    token_wanted: Option<mpsc::Sender<()>>,
    left_behind: AtomicBool,
}

impl ClientContext for Hub {}

impl Hub {
    /// `token_wanted` is told whenever a new OAuth token is due.
    pub(super) fn new(clock: Clock, token_wanted: Option<mpsc::Sender<()>>) -> Self {
        let (faults, cluster_id, left_behind) = (Faults::default(), OnceLock::new(), AtomicBool::new(false));
        Self { clock, faults, cluster_id, token_wanted, left_behind }
    }

    /// Passes on the wish for a new token; without OAuth there is none.
    pub(super) fn refresh_token(&self) {
        if let Some(wanted) = &self.token_wanted {
            let _ = wanted.send(());
        }
    }

    /// A request was given up, while librdkafka goes on with it.
    pub(super) fn leave_behind(&self) {
        self.left_behind.store(true, Ordering::Relaxed);
    }

    /// Whether requests were given up.
    pub(super) fn has_left_behind(&self) -> bool {
        self.left_behind.load(Ordering::Relaxed)
    }

    /// A log line of librdkafka. Its level is syslog's, lowered by one step: a connection that fails is a failure of
    /// the pass, said there with its cause, and no error of this program.
    pub(super) fn log(&self, level: i32, facility: &str, line: &str) {
        if facility == "FAIL" {
            self.faults.record_line(line);
        }
        match level {
            ..=2 => tracing::error!(target: "librdkafka", facility, "{line}"),
            3 | 4 => tracing::info!(target: "librdkafka", facility, "{line}"),
            _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
        }
    }
}
