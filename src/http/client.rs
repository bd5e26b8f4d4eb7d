//! Who asks, as far as that matters for how much they may: the owner of a good token, else an address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::refusal::Refusal;
use crate::access::{Access, Asker};

/// How many connections that last one client may have open, and how many there may be: each costs some 20 KiB, and a little
/// time with every sample.
const EACH: usize = 2_000;
const ALL: usize = 10_000;

/// One client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// The owner of a token that is known to be good.
    Known(String),
    /// Whoever asks from an address: an invented token is no way to be somebody else.
    At(IpAddr),
}

impl Client {
    /// The client that asks.
    pub(super) async fn of(access: &Access, asker: &Asker) -> Self {
        let known = match &asker.token {
            Some(token) => access.known(token).await,
            None => None,
        };
        known.map_or(Self::At(asker.from), Self::Known)
    }
}

/// The connections that last, of each client.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<Client, usize>>);

/// A connection that lasts; its place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    of: Arc<Seats>,
    client: Client,
}

impl Seats {
    /// A place for one more connection of a client.
    ///
    /// # Errors
    /// [`Refusal::Crowded`] where the client has as many as it may, [`Refusal::NotReady`] where all together have.
    pub(super) fn take(self: &Arc<Self>, client: Client) -> Result<Seat, Refusal> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&client).is_some_and(|own| *own >= EACH) {
            return Err(Refusal::Crowded(format!("{EACH} connections that last are open for this client: close some")));
        }
        if taken.values().sum::<usize>() >= ALL {
            return Err(Refusal::NotReady(format!("{ALL} connections that last are open: come back later")));
        }
        *taken.entry(client.clone()).or_default() += 1;
        Ok(Seat { of: self.clone(), client })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_places_and_all_together_have_no_more_than_there_are() {
        let seats = Arc::new(Seats::default());
        let client = |n: usize| Client::Known(n.to_string());
        let mut taken = Vec::new();
        let mut take = |n: usize| seats.take(client(n)).map(|seat| taken.push(seat));
        for n in 0..ALL / EACH {
            assert!((0..EACH).all(|_| take(n).is_ok()));
        }
        let full = take(0).unwrap_err();
        assert_eq!(full.to_string(), "2000 connections that last are open for this client: close some");
        let full = take(99).unwrap_err();
        assert_eq!(full.to_string(), "10000 connections that last are open: come back later");
        taken.truncate(ALL - 1);
        let last = seats.take(client(99)).unwrap();
        assert!(matches!(seats.take(client(99)), Err(Refusal::NotReady(_))));
        drop((taken, last));
        assert!(seats.0.lock().unwrap().is_empty());
    }
}
