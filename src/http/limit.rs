//! How much one client may ask: so many requests a second, and five seconds' worth of them at once.
//!
//! Probes and metrics are not counted, so that nobody can starve them. Tokens that are no good are, by `access`, wherever
//! they are sent.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::client::Client;
use super::refusal::Refusal;
use super::viewer::asker;
use crate::access::Access;

/// So many seconds' worth of requests may come at once: a page that is opened asks for several things.
const BURST: u32 = 5;

/// How often clients are forgotten that have their whole allowance again.
const TIDY: Duration = Duration::from_secs(60);

/// Counts what clients ask.
#[derive(Clone)]
pub(super) struct Limit(Arc<Counts>);

struct Counts {
    access: Access,
    limiter: DefaultKeyedRateLimiter<Client>,
    clock: DefaultClock,
    tidied: Mutex<Instant>,
}

impl Limit {
    pub(super) fn new(a_second: NonZeroU32, access: Access) -> Self {
        let quota =
            Quota::per_second(a_second).allow_burst(a_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1)));
        let (limiter, tidied) = (RateLimiter::keyed(quota), Mutex::new(Instant::now()));
        Self(Arc::new(Counts { access, limiter, clock: DefaultClock::default(), tidied }))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] with the time after which the client may ask again.
    fn count(&self, client: &Client) -> Result<(), Refusal> {
        let Counts { limiter, clock, tidied, .. } = &*self.0;
        let mut tidied = tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.elapsed() > TIDY {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            *tidied = Instant::now();
        }
        drop(tidied);
        let what = "too many requests";
        limiter.check_key(client).map_err(|until| Refusal::TooMany { what, wait: until.wait_time_from(clock.now()) })
    }
}

/// Refuses a client that asks too much.
pub(super) async fn limit(State(limit): State<Limit>, request: Request, next: Next) -> Response {
    let asker = asker(request.headers(), request.extensions());
    match limit.count(&Client::of(&limit.0.access, &asker).await) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_an_allowance_of_its_own() {
        let limit = Limit::new(NonZeroU32::new(2).unwrap(), Access::Open);
        let [known, here] = [Client::Known("me".into()), Client::At([127, 0, 0, 1].into())];
        let allowed = |client| (0..100).take_while(|_| limit.count(client).is_ok()).count();
        // A slow machine may win one more in the time that this takes.
        assert!((10..=11).contains(&allowed(&known)) && (10..=11).contains(&allowed(&here)));
        match limit.count(&known) {
            Err(Refusal::TooMany { wait, .. }) => assert!(wait <= Duration::from_millis(500), "{wait:?}"),
            other => panic!("{other:?}"),
        }
    }
}
