//! The Lease that lets one operator alone sample and write: whoever has not held it yet begins nothing, and whoever lost
//! it goes on sampling and waits to be told that it may write again.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the Lease holds without being renewed, in seconds.
const DURATION: u64 = 15;

/// How long before that it is renewed, in seconds.
const GRACE: u64 = 9;

/// How long the API server may take to take a connection, and again to answer, when it is asked about the Lease: where it
/// is silent, enough of the Lease is left to stop writing before it ends.
pub const ANSWER: Duration = Duration::from_secs(3);

/// How long the Lease is still held for sure when a renewal has failed.
const REST: Duration = Duration::from_secs(2);

/// How often one that stands by looks whether the Lease was given back: a manager would wait until it ends.
const LOOK: Duration = ANSWER;

/// How long to wait after the API server refused to tell of the Lease.
const PAUSE: Duration = Duration::from_secs(1);

/// How long giving the Lease back may take.
const RELEASE: Duration = Duration::from_secs(1);

/// Where the Lease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A Lease that is being held, or waited for.
#[derive(Debug)]
pub(super) struct Lease {
    /// Whether it is held.
    pub(super) held: watch::Receiver<bool>,
    holder: JoinHandle<Result<(), LeaseManagerError>>,
}

impl Lease {
    /// Begins to wait for the Lease, as soon as the API server tells of it. A holder of the same identity is this one
    /// before it was started again. The client waits no longer than [`ANSWER`].
    pub(super) async fn wait_for(client: Client, place: Place, identity: String) -> Self {
        let (says, held) = watch::channel(false);
        let holder = Holder { client, place, identity, says };
        let manager = holder.manager().await;
        Self { held, holder: tokio::spawn(holder.hold(manager)) }
    }

    /// Gives the Lease back, so that the next holder need not wait until it ends.
    pub(super) async fn release(self) {
        drop(self.held);
        match timeout(RELEASE, self.holder).await {
            Ok(Ok(Ok(()))) => {}
            _ => tracing::warn!("the Lease could not be given back: it ends by itself in {DURATION} s"),
        }
    }
}

struct Holder {
    client: Client,
    place: Place,
    identity: String,
    says: watch::Sender<bool>,
}

impl Holder {
    /// Holds the Lease or waits for it until nobody listens any more, and gives it back.
    async fn hold(self, mut manager: LeaseManager) -> Result<(), LeaseManagerError> {
        loop {
            let followed = tokio::select! {
                biased;
                () = self.says.closed() => return manager.release().await,
                followed = self.follow(&manager) => followed,
            };
            if let Err(error) = followed {
                self.tell(&error);
            }
            manager = tokio::select! {
                manager = self.manager_again() => manager,
                () = self.says.closed() => return Ok(()),
            };
        }
    }

    /// What keeps the Lease from now on; whoever was told that it is held is told otherwise before it ends.
    async fn manager_again(&self) -> LeaseManager {
        match timeout(REST, self.manager()).await {
            Ok(manager) => manager,
            Err(_) => {
                self.say(false);
                self.manager().await
            }
        }
    }

    /// Says whether the Lease is held, at every change, until the API server can't be asked, or for as long as nothing
    /// new is to be told to one that stands by.
    async fn follow(&self, manager: &LeaseManager) -> Result<(), LeaseManagerError> {
        loop {
            let held = *self.says.borrow();
            let changed = if held { Ok(manager.changed().await) } else { timeout(LOOK, manager.changed()).await };
            match changed {
                Ok(held) => self.say(held?),
                Err(_) => return Ok(()),
            }
        }
    }

    fn say(&self, held: bool) {
        self.says.send_if_modified(|said| std::mem::replace(said, held) != held);
    }

    /// What keeps the Lease, as soon as the API server tells of it.
    async fn manager(&self) -> LeaseManager {
        let Self { client, place, identity, .. } = self;
        loop {
            let manager = LeaseManagerBuilder::new(client.clone(), &place.name)
                .with_namespace(&place.namespace)
                .with_identity(identity)
                .with_field_manager(format!("highwater-{identity}"))
                .with_duration(DURATION)
                .with_grace(GRACE);
            match manager.build().await {
                Ok(manager) => return manager,
                Err(error) => self.tell(&error),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn tell(&self, error: &LeaseManagerError) {
        let Place { namespace, name } = &self.place;
        if let LeaseManagerError::KubeError(kube::Error::Api(answer)) = error
            && answer.is_forbidden()
        {
            let advice = "let the operator's ServiceAccount get and patch it, and create it where it is not there";
            tracing::warn!(namespace, name, reason = "LeaseForbidden", "the Lease can't be had: {advice}");
        } else {
            tracing::warn!(namespace, name, reason = "KubernetesApi", "the Lease can't be had: {error}");
        }
    }
}
