//! The Lease that lets one operator alone write to the API server: whoever does not hold it goes on sampling, and waits
//! to be told that it may write.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the Lease holds without being renewed, in seconds.
const DURATION: u64 = 15;

/// How long before that it is renewed, in seconds.
const GRACE: u64 = 5;

/// How long to wait after the API server refused to tell of the Lease.
const PAUSE: Duration = Duration::from_secs(5);

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
    manager: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Lease {
    /// Begins to wait for the Lease, as soon as the API server tells of it. A holder of the same identity is this one
    /// before it was started again.
    pub(super) async fn wait_for(client: &Client, place: &Place, identity: &str) -> Self {
        let Place { namespace, name } = place;
        loop {
            let manager = LeaseManagerBuilder::new(client.clone(), name)
                .with_namespace(namespace)
                .with_identity(identity)
                .with_field_manager(format!("highwater-{identity}"))
                .with_duration(DURATION)
                .with_grace(GRACE);
            match manager.build().await {
                Ok(manager) => {
                    let (held, manager) = manager.watch().await;
                    return Self { held, manager };
                }
                Err(LeaseManagerError::KubeError(kube::Error::Api(answer))) if answer.is_forbidden() => {
                    let advice = "let the operator's ServiceAccount get, create and patch leases there";
                    tracing::warn!(namespace, name, reason = "LeaseForbidden", "the Lease can't be had: {advice}");
                }
                Err(error) => {
                    tracing::warn!(namespace, name, reason = "KubernetesApi", "the Lease can't be had: {error}")
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives the Lease back, so that the next holder need not wait until it ends.
    pub(super) async fn release(self) {
        drop(self.held);
        if tokio::time::timeout(RELEASE, self.manager).await.is_err() {
            tracing::warn!("the Lease could not be given back: it ends by itself in {DURATION} s");
        }
    }
}
