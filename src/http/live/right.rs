//! The right to listen: it ends with the verdict that it stands on, unless it is judged anew.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::access::Thing;
use crate::http::refusal::Refusal;
use crate::http::viewer::Guard;

/// Somebody's right to listen to what happens in some namespaces.
#[derive(Debug)]
pub(super) struct Right {
    guard: Guard,
    namespaces: BTreeSet<String>,
    until: Instant,
}

impl Right {
    /// The right of who asks, which is yet to be judged.
    pub(super) fn new(guard: Guard, namespaces: BTreeSet<String>) -> Self {
        Self { guard, namespaces, until: Instant::now() }
    }

    /// Makes sure of the right before something is said, anew where its verdict does not count any more.
    ///
    /// # Errors
    /// Where it is gone, or nobody can judge.
    pub(super) async fn check(&mut self) -> Result<(), Refusal> {
        if Instant::now() < self.until {
            return Ok(());
        }
        let mut until = self.guard.may(Thing::Nothing).await?;
        for namespace in &self.namespaces {
            until = until.min(self.guard.may(Thing::Reports(namespace)).await?);
        }
        self.until = until;
        Ok(())
    }

    /// Waits until it has to be judged anew.
    pub(super) async fn ends(&self) {
        tokio::time::sleep_until(self.until.into()).await;
    }
}
