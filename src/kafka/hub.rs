//! What a client shares with librdkafka's threads: the clock, the faults, the log, the wish for a token.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use rdkafka::client::ClientContext;
use tokio::sync::{Notify, oneshot};

use super::admin::Event;
use super::faults::Faults;
use crate::clock::Clock;
use crate::lag::Millis;

/// An answer, and when it came.
pub(super) type Arrival = (Event, Millis);

/// Reached from any thread.
pub(super) struct Hub {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    /// Tells one of those who wait that answers have come.
    pub(super) arrived: Notify,
    /// Who waits for the answer to which call. Calls that are never answered go with the client.
    waiting: Mutex<HashMap<usize, oneshot::Sender<Arrival>>>,
    calls: AtomicUsize,
    token_wanted: Option<mpsc::Sender<()>>,
    left_behind: AtomicBool,
}

impl ClientContext for Hub {}

impl Hub {
    /// `token_wanted` is told whenever a new OAuth token is due.
    pub(super) fn new(clock: Clock, token_wanted: Option<mpsc::Sender<()>>) -> Self {
        Self {
            clock,
            faults: Faults::default(),
            arrived: Notify::new(),
            waiting: Mutex::default(),
            calls: AtomicUsize::new(1),
            token_wanted,
            left_behind: AtomicBool::new(false),
        }
    }

    /// A new call, by its number, which is not 0, and where its answer will come.
    pub(super) fn new_call(&self) -> (usize, oneshot::Receiver<Arrival>) {
        let (sender, receiver) = oneshot::channel();
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(call, sender);
        (call, receiver)
    }

    /// Passes on the answer to a call. Whoever asked may have left; the answer ends here then.
    pub(super) fn answered(&self, call: usize, event: Event) {
        let sender = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&call);
        if let Some(sender) = sender {
            let _ = sender.send((event, self.clock.now()));
        }
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
