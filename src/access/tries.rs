//! How many tokens that turn out to be no good one address may try: each costs reviews by the API server, which has others
//! to serve.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many at once, and so many more each second.
const AT_ONCE: f64 = 60.0;
const A_SECOND: f64 = 1.0;

/// Addresses that are remembered before those are forgotten that have all their tries again.
const MANY: usize = 1_000;

/// What is left to each address that has tried something.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<HashMap<IpAddr, Left>>);

#[derive(Debug, Clone, Copy)]
struct Left {
    tries: f64,
    at: Instant,
}

impl Left {
    fn now(self, now: Instant) -> f64 {
        let regained = now.saturating_duration_since(self.at).as_secs_f64() * A_SECOND;
        (self.tries + regained).min(AT_ONCE)
    }
}

impl Tries {
    /// Takes a try before a token is reviewed.
    ///
    /// # Errors
    /// Where none is left: the time after which there is one.
    pub(super) fn take(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY && !all.contains_key(&from) {
            all.retain(|_, left| left.now(now) < AT_ONCE);
        }
        let left = all.get(&from).map_or(AT_ONCE, |left| left.now(now));
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / A_SECOND));
        }
        all.insert(from, Left { tries: left - 1.0, at: now });
        Ok(())
    }

    /// Gives back what was taken for a token that is good, or that nobody could judge.
    pub(super) fn give_back(&self, from: IpAddr, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = all.get_mut(&from) {
            *left = Left { tries: left.now(now) + 1.0, at: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_minute_of_tries_at_once_and_then_one_a_second() {
        let (tries, start) = (Tries::default(), Instant::now());
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let after = |seconds: u64| start + Duration::from_millis(seconds * 1_000);
        let taken = |from, now| (0..1_000).take_while(|_| tries.take(from, now).is_ok()).count();
        assert_eq!((taken(one, start), taken(other, start)), (60, 60));
        assert_eq!(tries.take(one, start), Err(Duration::from_secs(1)));
        tries.give_back(one, start);
        assert_eq!((taken(one, start), taken(one, after(5)), taken(one, after(500))), (1, 5, 60));
    }

    #[test]
    fn who_has_all_tries_again_is_forgotten() {
        let (tries, start) = (Tries::default(), Instant::now());
        let address = |n: usize| IpAddr::from((n as u128).to_be_bytes());
        (0..MANY).for_each(|n| tries.take(address(n), start).unwrap());
        tries.take(address(MANY), start + Duration::from_secs(2)).unwrap();
        assert_eq!(tries.0.lock().unwrap().len(), 1);
    }
}
