//! The LagMonitors that the API server has, as far as they are watched.
//!
//! Each watch has a store of its own. What has not been listed yet is unknown, which is not the same as gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::{join_all, select_all};
use futures_util::stream::unfold;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;

use super::plan::{Claims, Invalid, name_of};
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;

/// A LagMonitor, or why it could not be read as one: that stops nobody else.
pub(super) type Guarded = DeserializeGuard<LagMonitor>;

/// The LagMonitors of one namespace, or of all.
pub(super) struct Watched {
    /// The namespace; `None` for all.
    pub(super) namespace: Option<String>,
    pub(super) store: Store<Guarded>,
    /// How often all of them were listed.
    listed: watch::Sender<u64>,
}

impl Watched {
    /// Nothing is known yet.
    pub(super) fn new(namespace: Option<String>, writer: &Writer<Guarded>) -> Self {
        Self { namespace, store: writer.as_reader(), listed: watch::Sender::new(0) }
    }

    /// Takes note that all of them were listed, once more.
    pub(super) fn list(&self) {
        self.listed.send_modify(|times| *times += 1);
    }

    /// Waits until all of them were listed once.
    async fn known(&self) {
        // The sender lives as long as this.
        let _ = self.listed.subscribe().wait_for(|times| *times > 0).await;
    }

    /// Wakes at each listing.
    pub(super) fn listings(&self) -> impl Stream<Item = ()> + use<> {
        unfold(self.listed.subscribe(), async |mut listed| {
            listed.changed().await.ok()?;
            Some(((), listed))
        })
    }

    fn is_known(&self) -> bool {
        *self.listed.borrow() > 0
    }
}

/// All LagMonitors that are watched.
pub(super) struct Objects(pub(super) Vec<Arc<Watched>>);

impl Objects {
    /// The LagMonitor of a name.
    pub(super) fn get(&self, name: &MonitorName) -> Option<Arc<Guarded>> {
        let reference = reference(name);
        self.0.iter().find_map(|watched| watched.store.get(&reference))
    }

    /// Whether this very life of a LagMonitor still exists.
    pub(super) fn has(&self, meta: &ObjectMeta) -> bool {
        self.get(&name_of(meta)).is_some_and(|object| object.meta().uid == meta.uid)
    }

    /// The uid of every LagMonitor.
    pub(super) fn uids(&self) -> BTreeMap<MonitorName, Option<String>> {
        self.all().map(|object| (name_of(object.meta()), object.meta().uid.clone())).collect()
    }

    /// Whether every LagMonitor of a namespace is known.
    pub(super) fn knows(&self, namespace: &str) -> bool {
        let watches = |watched: &&Arc<Watched>| watched.namespace.as_deref().is_none_or(|own| own == namespace);
        self.0.iter().filter(watches).any(|watched| watched.is_known())
    }

    /// Waits until all LagMonitors are known. After `patience` those of one namespace will do, for another may never be
    /// listed; then `late` is told which have not been.
    pub(super) async fn known(&self, patience: Duration, late: impl FnOnce(Vec<&str>)) {
        let known = || self.0.iter().map(|watched| Box::pin(watched.known()));
        if tokio::time::timeout(patience, join_all(known())).await.is_err() {
            late(self.unknown());
            select_all(known()).await;
        }
    }

    fn unknown(&self) -> Vec<&str> {
        let unknown = self.0.iter().filter(|watched| !watched.is_known());
        unknown.map(|watched| watched.namespace.as_deref().unwrap_or("all namespaces")).collect()
    }

    /// Refuses what an older LagMonitor claims: a cluster's name, or a file of its namespace. An older one that is
    /// refused itself keeps its claims.
    pub(super) fn check_claims(&self, monitor: &LagMonitor) -> Result<(), Invalid> {
        let others = self.all().filter(|other| other.meta().deletion_timestamp.is_none());
        let older = others.filter(|other| is_older(other.meta(), &monitor.metadata));
        let holders: Vec<Claims> = older.filter_map(|other| other.0.as_ref().ok().map(Claims::of)).collect();
        Claims::of(monitor).against(holders.iter())
    }

    fn all(&self) -> impl Iterator<Item = Arc<Guarded>> {
        self.0.iter().flat_map(|watched| watched.store.state())
    }
}

/// How a store knows a LagMonitor.
pub(super) fn reference(name: &MonitorName) -> ObjectRef<Guarded> {
    ObjectRef::new(&name.name).within(&name.namespace)
}

/// Creation times are whole seconds, so names decide between equals.
pub(super) fn is_older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let created = |meta: &ObjectMeta| meta.creation_timestamp.as_ref().map(|time| time.0.as_second());
    let names = |meta: &ObjectMeta| (meta.namespace.clone(), meta.name.clone());
    match created(one).cmp(&created(other)) {
        std::cmp::Ordering::Equal => names(one) < names(other),
        ordering => ordering.is_lt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_namespace_that_is_never_listed_holds_up_no_other() {
        let watched = ["shop", "forbidden"].map(|name| Arc::new(Watched::new(Some(name.into()), &Writer::default())));
        let objects = Objects(watched.to_vec());
        let none = objects.known(Duration::ZERO, |unknown| assert_eq!(unknown, ["shop", "forbidden"]));
        assert!(tokio::time::timeout(Duration::from_millis(50), none).await.is_err(), "of nobody anything is known");
        watched[0].list();
        objects.known(Duration::ZERO, |unknown| assert_eq!(unknown, ["forbidden"])).await;
        watched[1].list();
        objects.known(Duration::from_secs(60), |_| panic!("all are known")).await;
    }
}
