//! Collects what could not be read, each with one sentence that says what to do.

use crate::lag::reason::{Failure, Reason, Scope};

/// The failures of one pass.
#[derive(Default)]
pub(super) struct Failures(Vec<Failure>);

impl Failures {
    /// Adds one; `what` is the beginning of its sentence, to which the advice is added.
    pub(super) fn add(&mut self, scope: Scope, name: &str, reason: Reason, what: &str) {
        self.say(scope, name, reason, format!("{what}: {}", reason.advice()));
    }

    /// Adds one with a sentence of its own.
    pub(super) fn say(&mut self, scope: Scope, name: &str, reason: Reason, message: String) {
        self.0.push(Failure::new(scope, name, reason, message));
    }

    /// All of them.
    pub(super) fn list(self) -> Vec<Failure> {
        self.0
    }
}
