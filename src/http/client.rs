//! Who asks, as far as that matters for how much they may: the owner of a good token, else an address.

use std::net::IpAddr;
use std::sync::Arc;

use super::places::{Full, Place, Places};
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
#[derive(Debug)]
pub(super) struct Seats(Arc<Places<Client>>);

/// A connection that lasts.
pub(super) type Seat = Place<Client>;

impl Default for Seats {
    fn default() -> Self {
        Self(Places::new(EACH, ALL))
    }
}

impl Seats {
    /// A place for one more connection of a client.
    ///
    /// # Errors
    /// [`Refusal::Crowded`] where the client has as many as it may, [`Refusal::NotReady`] where all together have.
    pub(super) fn take(&self, client: Client) -> Result<Seat, Refusal> {
        self.0.take(client).map_err(|full| match full {
            Full::Each => {
                Refusal::Crowded(format!("{EACH} connections that last are open for this client: close some"))
            }
            Full::All => Refusal::NotReady(format!("{ALL} connections that last are open: come back later")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_places_and_all_together_have_no_more_than_there_are() {
        let seats = Seats::default();
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
        assert!(seats.0.are_free());
    }
}
