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
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::beacon::Beacon;
use super::fleet::{Fleet, KEPT};
use super::grants::Grants;
use super::guard::Guards;
use super::lease::{Lease, Place};
use super::plan::{TEAM, history, name_of, of_cluster};
use super::publish::budget::Budget;
use super::turn::{Ledger, TurnError, turn};
use super::watched::{Guarded, Objects, Watched, reference};
use crate::board::said::Said;
use crate::board::{Board, Posted, Snapshot};
use crate::clock::Clock;
use crate::lag::Millis;
use crate::lag::report::MonitorName;

/// LagMonitors that are brought about at the same time.
const CONCURRENCY: u16 = 16;

/// How long a LagMonitor waits after a turn that the API server spoilt.
const PAUSE: Duration = Duration::from_secs(10);

/// How long turns that have begun may go on after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long the first turns wait until every LagMonitor is known, so that the older of two keeps its name.
const GATHER: Duration = Duration::from_secs(10);

/// How the operator works.
#[derive(Debug)]
pub struct Settings {
    /// The namespaces to watch; none for all.
    pub namespaces: BTreeSet<String>,
    /// Which targets LagMonitors may name.
    pub guards: Guards,
    /// How the operator may be let at what they refer to.
    pub grants: Grants,
    /// The Lease that lets one operator write.
    pub lease: Place,
    /// Who this is, in status and events: the pod's name.
    pub identity: String,
    /// The pod that it runs in, in the Lease's namespace, when a Service finds it by its label.
    pub pod: Option<String>,
}

/// Why an operator does not lead.
const STANDING_BY: &str = "another operator holds the Lease, or the API server does not answer";

/// How the operator talks to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For watches, which are silent for long.
    pub watch: Client,
    /// For everything else, which is answered soon.
    pub call: Client,
    /// For the Lease, which does not wait: no answer takes longer than [`lease::ANSWER`](super::lease::ANSWER).
    pub lease: Client,
}

/// What all turns share.
pub(super) struct Operator {
    pub(super) settings: Settings,
    pub(super) client: Client,
    pub(super) board: Board,
    pub(super) fleet: tokio::sync::Mutex<Fleet>,
    pub(super) objects: Objects,
    pub(super) budget: Budget,
    /// Cancelled when every LagMonitor is known, or will not be soon.
    pub(super) gathered: CancellationToken,
    /// Whether this operator holds the Lease.
    pub(super) leads: watch::Receiver<bool>,
    ledgers: Mutex<HashMap<MonitorName, Ledger>>,
    /// Asks for a look at what is gone.
    gone: Notify,
}

/// Runs until `stop`. Tells `ready` why it is not, and with `None` that it is: it knows every LagMonitor, and leads, or
/// stands by in a pod that no Service leads to. A namespace that cannot be listed is no reason while another one can.
pub async fn run(
    clients: Clients,
    settings: Settings,
    fleet: Fleet,
    ready: impl Fn(Option<&str>),
    stop: CancellationToken,
) {
    ready(Some("the Lease has not been had yet"));
    // No two pods are one holder, whatever they are called.
    let holder = settings.pod.as_ref().unwrap_or(&settings.identity).clone();
    let lease = tokio::select! {
        lease = Lease::wait_for(clients.lease.clone(), settings.lease.clone(), holder) => lease,
        () = stop.cancelled() => return fleet.stop().await,
    };
    operate(clients, settings, fleet, ready, stop, lease.held.clone()).await;
    lease.release().await;
}

async fn operate(
    clients: Clients,
    settings: Settings,
    fleet: Fleet,
    ready: impl Fn(Option<&str>),
    stop: CancellationToken,
    leads: watch::Receiver<bool>,
) {
    let mut namespaces: Vec<Option<String>> = settings.namespaces.iter().cloned().map(Some).collect();
    if namespaces.is_empty() {
        namespaces.push(None);
    }
    let (mut writers, mut watched) = (vec![], vec![]);
    for namespace in namespaces {
        let writer = Writer::default();
        watched.push(Arc::new(Watched::new(namespace, &writer)));
        writers.push(writer);
    }
    let operator = Arc::new(Operator {
        settings,
        client: clients.call,
        board: fleet.board().clone(),
        fleet: tokio::sync::Mutex::new(fleet),
        objects: Objects(watched),
        budget: Budget::new(Instant::now()),
        gathered: CancellationToken::new(),
        leads,
        ledgers: Mutex::default(),
        gone: Notify::new(),
    });
    let controllers = operator.objects.0.iter().zip(writers);
    let controllers = controllers.map(|(watched, writer)| control(&clients.watch, watched, writer, &operator, &stop));
    let controllers: Vec<_> = controllers.collect();
    let grace_is_over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = join_all(controllers) => {}
        () = operator.sweep_for_ever() => {}
        () = operator.gather(ready) => {}
        () = grace_is_over => {}
    }
    // A turn that is still at it holds another reference.
    match Arc::into_inner(operator) {
        Some(operator) => operator.fleet.into_inner().stop().await,
        None => tracing::warn!("stopped in the middle of a turn"),
    }
}

/// Watches one API for LagMonitors, and gives each its turn when it changes or has something new to tell.
fn control(
    client: &Client,
    watched: &Arc<Watched>,
    writer: Writer<Guarded>,
    operator: &Arc<Operator>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let api = match &watched.namespace {
        None => Api::all(client.clone()),
        Some(namespace) => Api::namespaced(client.clone(), namespace),
    };
    let (seen, looking) = (watched.clone(), operator.clone());
    let changes = watcher(api, watcher::Config::default())
        .default_backoff()
        // Who has written which field is nobody's question here, and takes memory.
        .modify(|object: &mut Guarded| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect(move |event| looking.look_at(event, &seen))
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(predicates::labels).combine(deleted),
            PredicateConfig::default(),
        );
    Controller::for_stream(changes, watched.store.clone())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(posts(operator.board.watch(), watched.store.clone()))
        // While pages of a listing come, the store still holds what was before.
        .reconcile_all_on(watched.listings())
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(turn, |_, error, operator| operator.spoilt(error), operator.clone())
        .for_each(|_| ready(()))
}

/// Whether a LagMonitor is about to go.
fn deleted(object: &Guarded) -> Option<u64> {
    Some(u64::from(object.meta().deletion_timestamp.is_some()))
}

/// The LagMonitors of a store for which something new stands on the board, or nothing any more: an older one may have taken
/// the name.
fn posts(board: watch::Receiver<Snapshot>, store: Store<Guarded>) -> impl Stream<Item = ObjectRef<Guarded>> {
    unfold((board, Snapshot::default()), async |(mut board, before)| {
        board.changed().await.ok()?;
        let now = board.borrow_and_update().clone();
        let new = now.iter().filter(|(name, posted)| before.get(*name).is_none_or(|before| differs(before, posted)));
        let off = before.keys().filter(|name| !now.contains_key(*name));
        let news: Vec<_> = new.map(|(name, _)| name).chain(off).map(reference).collect();
        Some((futures_util::stream::iter(news), (board, now)))
    })
    .flatten()
    .filter(move |reference| ready(store.get(reference).is_some()))
}

/// Whether something was posted in between.
pub(super) fn differs(before: &Posted, now: &Posted) -> bool {
    let report = |posted: &Posted| posted.report.as_ref().map(Arc::as_ptr);
    report(before) != report(now) || before.file != now.file || !Arc::ptr_eq(&before.pulse, &now.pulse)
}

impl Operator {
    fn look_at(&self, event: &Result<watcher::Event<Guarded>, watcher::Error>, watched: &Watched) {
        match event {
            Ok(watcher::Event::InitDone) => {
                watched.list();
                self.gone.notify_one();
            }
            Ok(watcher::Event::Delete(_)) => self.gone.notify_one(),
            Ok(_) => {}
            Err(error) => {
                let code = match error {
                    watcher::Error::InitialListFailed(kube::Error::Api(status)) => status.code,
                    _ => 0,
                };
                let advice = match code {
                    403 => ": let the operator's ServiceAccount list and watch lagmonitors there",
                    404 => ": apply the CustomResourceDefinition, as `highwater crd` prints it",
                    _ => "",
                };
                let namespace = watched.namespace.as_deref().unwrap_or("all");
                tracing::warn!(namespace, reason = "KubernetesApi", "LagMonitors can't be watched{advice}: {error}");
                self.board.account(|account| account.failed("WatchFailed"));
            }
        }
    }

    fn spoilt(&self, error: &TurnError) -> Action {
        tracing::warn!(reason = error.reason(), "{error}");
        Action::requeue(PAUSE)
    }

    /// Lets turns begin when every LagMonitor is known, or after a while; says so, and whether it leads.
    async fn gather(&self, ready: impl Fn(Option<&str>)) {
        ready(Some("the list of LagMonitors has not been read yet"));
        let late = |unknown: Vec<&str>| {
            tracing::warn!("LagMonitors of {} are not known yet; the others go on", unknown.join(", "));
            self.gathered.cancel();
        };
        self.objects.known(GATHER, late).await;
        self.gathered.cancel();
        let mut leads = self.leads.clone();
        let Settings { lease, pod, .. } = &self.settings;
        let beacon = pod.as_ref().map(|pod| Beacon::new(&self.client, &lease.namespace, pod));
        // The first answer about the Lease is on its way.
        let _ = tokio::time::timeout(PAUSE, leads.wait_for(|leads| *leads)).await;
        loop {
            let leading = *leads.borrow_and_update();
            if leading {
                tracing::info!("this operator holds the Lease");
            } else {
                tracing::warn!("standing by: {STANDING_BY}");
            }
            // While the label may still be there, the Service would lead here too.
            ready((!leading).then_some(STANDING_BY));
            let said = async {
                if let Some(beacon) = &beacon {
                    beacon.say(leading).await;
                    ready(None);
                }
                std::future::pending().await
            };
            tokio::select! {
                changed = leads.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await;
                    }
                }
                () = said => {}
            }
        }
    }

    async fn sweep_for_ever(&self) {
        loop {
            self.gone.notified().await;
            self.sweep().await;
        }
    }

    /// Ends and forgets every LagMonitor that no longer exists. What is not listed yet, or not watched any more, may exist:
    /// of the latter the file goes, which nobody renews, and later the history.
    async fn sweep(&self) {
        let present = self.objects.uids();
        let kept: BTreeSet<String> = present.iter().map(|(name, uid)| history(name, uid.as_deref())).collect();
        let gone = |history: &str| {
            !kept.contains(history) && of_cluster(history).is_some_and(|namespace| self.objects.knows(namespace))
        };
        let mut fleet = self.fleet.lock().await;
        fleet.retain(|plan| !gone(&plan.history())).await;
        fleet.forget(gone, Millis::MAX);
        let watched = &self.settings.namespaces;
        let elsewhere = |history: &str| of_cluster(history).is_some_and(|namespace| !watched.contains(namespace));
        if !watched.is_empty() {
            fleet.forget(elsewhere, Clock::wall().now() - KEPT);
        }
        drop(fleet);
        self.forget_ledgers(&present);
    }

    fn forget_ledgers(&self, present: &BTreeMap<MonitorName, Option<String>>) {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.retain(|name, ledger| present.get(name) == Some(&ledger.uid));
        self.board.unsay(|name| present.contains_key(name));
    }

    /// What is known of a LagMonitor since its last turn; nothing when it was created again.
    pub(super) fn ledger(&self, meta: &ObjectMeta) -> Ledger {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ledgers.remove(&name_of(meta)).filter(|ledger| ledger.uid == meta.uid);
        known.unwrap_or_else(|| Ledger::new(meta.uid.clone()))
    }

    /// Keeps a ledger for the next turn, if there will be one.
    pub(super) fn keep(&self, meta: &ObjectMeta, ledger: Ledger) {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.objects.has(meta) {
            let name = name_of(meta);
            let written = self.objects.get(&name).and_then(|object| object.0.as_ref().ok()?.spec.cluster_name.clone());
            let team = meta.labels.as_ref().and_then(|labels| labels.get(TEAM)).map(|team| team.as_str().into());
            let (cluster_name, conditions) = (written.unwrap_or_else(|| name.to_string()), ledger.conditions.clone());
            self.board.say(&name, Said { cluster_name, team, conditions });
            ledgers.insert(name_of(meta), ledger);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::board::Pulse;

    #[test]
    fn who_is_taken_off_the_board_gets_a_turn_at_once() {
        let (board, mut writer) = (Board::default(), Writer::default());
        let named = |name: &str| MonitorName { namespace: "shop".into(), name: name.into() };
        for name in ["older", "younger"] {
            let object = json!({
                "apiVersion": "highwater.dev/v1alpha1",
                "kind": "LagMonitor",
                "metadata": { "namespace": "shop", "name": name },
                "spec": { "brokers": ["kafka:9092"], "clusterName": "orders" }
            });
            writer.apply_watcher_event(&watcher::Event::Apply(serde_json::from_value(object).unwrap()));
        }
        let mut turns = std::pin::pin!(posts(board.watch(), writer.as_reader()).map(|turn| turn.name));
        let mut next = || turns.next().now_or_never().flatten();
        board.post_pulse(&named("younger"), Pulse::default());
        assert_eq!(next().as_deref(), Some("younger"));
        board.remove(&named("younger"));
        board.post_pulse(&named("gone"), Pulse::default());
        board.post_pulse(&named("older"), Pulse::default());
        assert_eq!([next().as_deref(), next().as_deref()], [Some("older"), Some("younger")]);
        assert_eq!(next(), None);
    }
}
