//! LagMonitors from a Kubernetes API server: watched, brought about one by one, and forgotten when they are gone.
//!
//! Level-triggered and without finalizers: after each listing and each deletion, everything whose LagMonitor no longer
//! exists is removed. What one turn does for one LagMonitor is in `turn`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, ready};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use super::guard::Guards;
use super::plan::{Claims, Invalid, history, name_of};
use super::publish::budget::Budget;
use super::turn::{Ledger, TurnError, turn};
use crate::board::{Board, Posted, Snapshot};
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;

/// A LagMonitor, or why it could not be read as one: that stops nobody else.
pub(super) type Guarded = DeserializeGuard<LagMonitor>;

/// LagMonitors that are brought about at the same time.
const CONCURRENCY: u16 = 16;

/// How long a LagMonitor waits after a turn that the API server spoilt.
const PAUSE: Duration = Duration::from_secs(10);

/// How long turns that have begun may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// How the operator works.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The namespaces to watch; none for all.
    pub namespaces: Vec<String>,
    /// Which targets LagMonitors may name.
    pub guards: Guards,
    /// Who this is, in status and events: the pod's name.
    pub identity: String,
}

/// How the operator talks to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For watches, which are silent for long.
    pub watch: Client,
    /// For everything else, which is answered soon.
    pub call: Client,
}

/// What all turns share.
pub(super) struct Operator {
    pub(super) settings: Settings,
    pub(super) client: Client,
    pub(super) board: Board,
    pub(super) fleet: tokio::sync::Mutex<Fleet>,
    stores: Vec<Store<Guarded>>,
    pub(super) budget: Budget,
    ledgers: Mutex<HashMap<MonitorName, Ledger>>,
    /// Asks for a look at what is gone.
    gone: Notify,
}

/// Runs until `stop`. Calls `listed` once every LagMonitor is known.
pub async fn run(clients: Clients, settings: Settings, fleet: Fleet, listed: impl FnOnce(), stop: CancellationToken) {
    let apis: Vec<Api<Guarded>> = match settings.namespaces.as_slice() {
        [] => vec![Api::all(clients.watch.clone())],
        some => some.iter().map(|namespace| Api::namespaced(clients.watch.clone(), namespace)).collect(),
    };
    let writers: Vec<Writer<Guarded>> = apis.iter().map(|_| Writer::default()).collect();
    let operator = Arc::new(Operator {
        settings,
        client: clients.call,
        board: fleet.board().clone(),
        fleet: tokio::sync::Mutex::new(fleet),
        stores: writers.iter().map(Writer::as_reader).collect(),
        budget: Budget::new(Instant::now()),
        ledgers: Mutex::default(),
        gone: Notify::new(),
    });
    let controllers = apis.into_iter().zip(writers).map(|(api, writer)| control(api, writer, operator.clone(), &stop));
    let controllers: Vec<_> = controllers.collect();
    let sweeps = async {
        for store in &operator.stores {
            // A writer lives as long as its controller.
            let _ = store.wait_until_ready().await;
        }
        listed();
        loop {
            operator.sweep().await;
            operator.gone.notified().await;
        }
    };
    let grace_is_over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = join_all(controllers) => {}
        () = sweeps => {}
        () = grace_is_over => {}
    }
    if let Some(operator) = Arc::into_inner(operator) {
        operator.fleet.into_inner().stop().await;
    }
}

/// Watches one API for LagMonitors, and gives each its turn when it changes or has something new to tell.
fn control(
    api: Api<Guarded>,
    writer: Writer<Guarded>,
    operator: Arc<Operator>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let store = writer.as_reader();
    let (watching, posts) = (operator.clone(), posts(operator.board.watch(), store.clone()));
    let changes = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .inspect(move |event| watching.look_at(event))
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(deleted),
            PredicateConfig::default(),
        );
    Controller::for_stream(changes, store)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(posts)
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(turn, |_, error, operator| operator.spoilt(error), operator)
        .for_each(|_| ready(()))
}

/// Whether a LagMonitor is about to go.
fn deleted(object: &Guarded) -> Option<u64> {
    Some(u64::from(object.meta().deletion_timestamp.is_some()))
}

/// The LagMonitors of a store for which something new stands on the board.
fn posts(board: watch::Receiver<Snapshot>, store: Store<Guarded>) -> impl Stream<Item = ObjectRef<Guarded>> {
    unfold((board, Snapshot::default()), async |(mut board, before)| {
        board.changed().await.ok()?;
        let now = board.borrow_and_update().clone();
        let news: Vec<_> = now
            .iter()
            .filter(|(name, posted)| before.get(*name).is_none_or(|before| differs(before, posted)))
            .map(|(name, _)| reference(name))
            .collect();
        Some((futures_util::stream::iter(news), (board, now)))
    })
    .flatten()
    .filter(move |reference| ready(store.get(reference).is_some()))
}

fn differs(before: &Posted, now: &Posted) -> bool {
    let report = |posted: &Posted| posted.report.as_ref().map(Arc::as_ptr);
    report(before) != report(now) || before.file != now.file || !Arc::ptr_eq(&before.pulse, &now.pulse)
}

fn reference(name: &MonitorName) -> ObjectRef<Guarded> {
    ObjectRef::new(&name.name).within(&name.namespace)
}

impl Operator {
    fn look_at(&self, event: &Result<watcher::Event<Guarded>, watcher::Error>) {
        match event {
            Ok(watcher::Event::InitDone | watcher::Event::Delete(_)) => self.gone.notify_one(),
            Ok(_) => {}
            Err(error) => {
                let missing = matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(s)) if s.code == 404);
                let advice =
                    if missing { ": apply the CustomResourceDefinition, as `highwater crd` prints it" } else { "" };
                tracing::warn!(reason = "KubernetesApi", "LagMonitors can't be watched, trying again{advice}: {error}");
                self.board.account(|account| account.failed("Watch"));
            }
        }
    }

    fn spoilt(&self, error: &TurnError) -> Action {
        tracing::warn!(reason = error.reason(), "{error}");
        Action::requeue(PAUSE)
    }

    /// Ends and forgets every LagMonitor that no longer exists.
    async fn sweep(&self) {
        let objects: Vec<_> = self.stores.iter().flat_map(Store::state).collect();
        let present: BTreeMap<MonitorName, Option<&str>> =
            objects.iter().map(|object| (name_of(object.meta()), object.meta().uid.as_deref())).collect();
        let kept: BTreeSet<String> = present.iter().map(|(name, uid)| history(name, *uid)).collect();
        let mut fleet = self.fleet.lock().await;
        fleet.retain(|plan| kept.contains(&plan.history())).await;
        fleet.forget_others(&kept);
        drop(fleet);
        self.ledgers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|name, ledger| present.get(name).is_some_and(|uid| *uid == ledger.uid.as_deref()));
    }

    /// What is known of a LagMonitor since its last turn; nothing when it was created again.
    pub(super) fn ledger(&self, meta: &ObjectMeta) -> Ledger {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ledgers.remove(&name_of(meta)).filter(|ledger| ledger.uid == meta.uid);
        known.unwrap_or_else(|| Ledger::new(meta.uid.clone()))
    }

    pub(super) fn keep(&self, name: MonitorName, ledger: Ledger) {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).insert(name, ledger);
    }

    /// Refuses what an older LagMonitor has: a cluster's name, or a file of its namespace.
    pub(super) fn taken(&self, monitor: &LagMonitor) -> Result<(), Invalid> {
        let mut others: Vec<Arc<Guarded>> = self.stores.iter().flat_map(Store::state).collect();
        others.retain(|other| other.meta().deletion_timestamp.is_none() && older(other.meta(), &monitor.metadata));
        others.sort_by_key(|other| age(other.meta()));
        let holders: Vec<_> = others.iter().filter_map(|other| other.0.as_ref().ok()).map(Claims::of).collect();
        Claims::of(monitor).against(holders.iter())
    }
}

type Age = (Option<i64>, MonitorName);

/// Sorts the oldest first; creation times are whole seconds, so names decide between equals.
fn age(meta: &ObjectMeta) -> Age {
    (meta.creation_timestamp.as_ref().map(|time| time.0.as_second()), name_of(meta))
}

fn older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    age(one) < age(other)
}
