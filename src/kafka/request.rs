//! A request under way: how long it may take, and what becomes of it when nobody waits any more.

use std::ffi::{CString, c_char, c_int};
use std::time::Duration;

use tokio::sync::oneshot;

use super::admin::Admin;
use super::answers::{Code, Reply};
use crate::lag::{Millis, Name, Offset, Partition};

/// The longest time that librdkafka takes, in milliseconds.
const FOREVER: c_int = 3_600_000;

/// The error that says that some brokers answered, and others did not.
pub(super) const PARTIAL: c_int = -158;

/// Asks for the end of the log.
pub(super) const LATEST: Offset = -1;

/// Asks for its start.
pub(super) const EARLIEST: Offset = -2;

/// Asks for the record with the largest timestamp.
pub(super) const MAX_TIMESTAMP: Offset = -3;

/// The offset of a partition of which librdkafka got no answer, without an error beside it.
pub(super) const NOT_ANSWERED: Offset = -1001;

/// A partition, and an offset or what is asked for in its place.
pub(super) type Place = (Name, Partition, Offset);

/// How a request is made.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) timeout: Duration,
    pub(super) read_committed: bool,
    /// The broker to ask, where it matters.
    pub(super) broker: Option<i32>,
    /// Whether a group's coordinator is asked. librdkafka ends the process when a coordinator comes up after such a
    /// request has timed out (confluentinc/librdkafka#4605): so it never does, and is left behind with its client.
    pub(super) coordinator: bool,
}

impl Ask {
    pub(super) fn within(timeout: Duration) -> Self {
        Self { timeout, read_committed: false, broker: None, coordinator: false }
    }

    /// What librdkafka is told: less than we wait, so that what some brokers answered still comes in time.
    pub(super) fn native_timeout(&self) -> c_int {
        if self.coordinator { FOREVER } else { native(self.timeout.mul_f32(0.9)) }
    }
}

/// A request under way. The order of the fields is that in which they must go: an event before its client.
pub(super) struct Pending<E> {
    receiver: oneshot::Receiver<(E, Millis)>,
    sent: Millis,
    timeout: Duration,
    answered: bool,
    admin: Admin,
}

impl<E> Pending<E> {
    pub(super) fn new(receiver: oneshot::Receiver<(E, Millis)>, sent: Millis, timeout: Duration, admin: Admin) -> Self {
        Self { receiver, sent, timeout, answered: false, admin }
    }

    /// Waits for the answer, and reads it; on the way, passes on those of others that have come.
    pub(super) async fn reply<T>(mut self, read: impl FnOnce(&E) -> Result<T, Code>) -> Result<Reply<T>, Code> {
        let answer = async {
            loop {
                tokio::select! {
                    biased;
                    answer = &mut self.receiver => return answer,
                    () = self.admin.hub().arrived.notified() => self.admin.pass_on(),
                }
            }
        };
        let in_time = tokio::time::timeout(self.timeout, answer).await;
        let answer = match in_time {
            Ok(answer) => answer.ok(),
            Err(_) => {
                // It may have come while nobody had the time to pass it on.
                self.admin.pass_on();
                self.receiver.try_recv().ok()
            }
        };
        let Some((event, replied)) = answer else { return Err(Code::TIMED_OUT) };
        self.answered = true;
        Ok(Reply { value: read(&event)?, sent: self.sent, replied })
    }
}

impl<E> Drop for Pending<E> {
    fn drop(&mut self) {
        if !self.answered {
            self.admin.hub().leave_behind();
        }
    }
}

/// A timeout in librdkafka's milliseconds and bounds.
pub(super) fn native(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX).clamp(1, FOREVER)
}

/// A C length.
pub(super) fn count(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// A name with a zero byte in it, which Kafka has none of, becomes the empty name, which librdkafka refuses.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// Names, and pointers to them that are good as long as the names are there.
pub(super) fn c_strings(names: &[Name]) -> (Vec<CString>, Vec<*const c_char>) {
    let names: Vec<_> = names.iter().map(|name| c_string(name)).collect();
    let pointers = names.iter().map(|name| name.as_ptr()).collect();
    (names, pointers)
}
