//! One LagMonitor's turn: what it asks for is brought about, and what came of it is told, in its ConfigMap, its status
//! and Events. References, then the plan, then the fleet, then what is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::conditions::{Facts, Published, STARTING, Standing, conditions};
use super::fleet::Fleet;
use super::notices::{Notice, Seen};
use super::operator::Operator;
use super::plan::{Invalid, Plan, Problem, SAMPLE_NOW, name_of, plan, references};
use super::publish::error::PublishError;
use super::publish::{Next, Owner, Publication};
use super::references::{FetchError, References};
use super::resolve::Resolved;
use super::status::{self, Due, Places, Written};
use super::watched::{Guarded, is_older};
use crate::board::Posted;
use crate::clock::Clock;
use crate::crd::output::ConfigMapOutput;
use crate::crd::status::LagMonitorStatus;
use crate::crd::{API_VERSION, LagMonitor};
use crate::lag::reason::Reason;
use crate::lag::report::MonitorName;

/// Who writes the status and tells Events.
const NAME: &str = "highwater";

/// When a refused LagMonitor looks again: a name may be free by then, a Secret there.
const REFUSED: Duration = Duration::from_secs(10);

/// When a publication that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// The shortest time between two turns that nothing but time asks for.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest time between two turns.
const LONGEST: Duration = Duration::from_secs(300);

/// How long the first status waits for the first sample.
const FIRST: Duration = Duration::from_secs(3);

/// What Kafka's refusals of credentials and certificates are called.
const CREDENTIALS: [Reason; 2] = [Reason::AuthenticationFailed, Reason::TlsFailed];

/// What is remembered of one LagMonitor between its turns.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Kubernetes' id of this life of the LagMonitor.
    pub(super) uid: Option<String>,
    references: References,
    publication: Option<Publication>,
    /// Why the ConfigMap was not written last time.
    unpublished: Option<Unpublished>,
    /// The plan made last, and of what.
    planned: Option<(Ingredients, Plan)>,
    written: Option<Written>,
    seen: Option<Seen>,
    since: Instant,
    /// When Kafka last refused what the references hold, and in which report it said so.
    refused: Option<(Instant, i64)>,
}

/// What a plan is made of: the generation of the spec, the annotation, and what is referred to.
type Ingredients = (Option<i64>, Option<String>, Resolved);

/// A publication that failed: it is tried again when its time has come, or the spec asks for another.
#[derive(Debug)]
struct Unpublished {
    at: Instant,
    of: Option<ConfigMapOutput>,
    published: Published,
}

impl Ledger {
    /// Nothing is known yet of the LagMonitor of this uid.
    pub(super) fn new(uid: Option<String>) -> Self {
        Self {
            uid,
            references: References::default(),
            publication: None,
            unpublished: None,
            planned: None,
            written: None,
            seen: None,
            since: Instant::now(),
            refused: None,
        }
    }
}

/// Why a turn could not be ended. The LagMonitor has another soon.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    /// The code of a turn has to be mended.
    #[error("a turn broke off: {0}")]
    Fault(tokio::task::JoinError),
    /// The operator needs a right.
    #[error(
        "the status of {monitor} can't be written: let the operator's ServiceAccount patch lagmonitors/status in \
         namespace {}", monitor.namespace
    )]
    Forbidden {
        /// Whose.
        monitor: MonitorName,
    },
    /// The status is not written.
    #[error("the status of {monitor} can't be written: {source}")]
    Status {
        /// Whose.
        monitor: MonitorName,
        /// What the API server says.
        source: Box<kube::Error>,
    },
}

impl TurnError {
    /// The word for it in logs and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Fault(_) => "Fault",
            Self::Forbidden { .. } => "StatusForbidden",
            Self::Status { .. } => "StatusNotWritten",
        }
    }
}

/// One turn of one LagMonitor.
pub(super) async fn turn(object: Arc<Guarded>, operator: Arc<Operator>) -> Result<Action, TurnError> {
    operator.gathered.cancelled().await;
    // Its sender lives until the operator ends.
    let _ = operator.leads.clone().wait_for(|leads| *leads).await;
    // A task of its own: what blocks in one holds up neither the watches nor the other turns.
    let turned = tokio::spawn(count_turn(object, operator)).await;
    turned.unwrap_or_else(|fault| Err(TurnError::Fault(fault)))
}

async fn count_turn(object: Arc<Guarded>, operator: Arc<Operator>) -> Result<Action, TurnError> {
    let begun = Instant::now();
    let name = name_of(object.meta());
    let mut ledger = operator.ledger(object.meta());
    let turned = Turn { operator: &operator, object: &object, name: &name, ledger: &mut ledger }.take().await;
    operator.keep(object.meta(), ledger);
    operator.board.account(|account| {
        account.turns.add(begun.elapsed());
        if let Err(error) = &turned {
            account.failed(error.reason());
        }
    });
    turned
}

struct Turn<'a> {
    operator: &'a Operator,
    object: &'a Guarded,
    name: &'a MonitorName,
    ledger: &'a mut Ledger,
}

impl Turn<'_> {
    async fn take(mut self) -> Result<Action, TurnError> {
        if self.object.meta().deletion_timestamp.is_some() {
            self.operator.fleet.lock().await.end(self.name).await;
            return Ok(Action::await_change());
        }
        let Some(standing) = self.settle().await else { return Ok(Action::await_change()) };
        let running = self.operator.fleet.lock().await.plan(self.name).cloned();
        let posted = self.operator.board.latest().get(self.name).cloned();
        let told = self.object.0.as_ref().ok().and_then(|monitor| monitor.status.clone());
        let recalled = || Publication::recalled(told.as_ref().and_then(|status| status.config_map.clone()));
        self.ledger.publication.get_or_insert_with(recalled);
        let (published, come_back) = self.publish(running.as_ref(), posted.as_ref()).await;
        let told = told.unwrap_or_default();
        let facts = Facts {
            generation: self.object.meta().generation,
            standing: &standing,
            posted: posted.as_ref(),
            published: &published,
            objective: running.as_ref().map(|plan| &plan.objective),
        };
        let seen = self.ledger.seen.get_or_insert_with(|| Seen::left(&told.conditions));
        for notice in seen.notice(facts) {
            self.tell(notice).await;
        }
        let due = self.write_status(facts, &told).await?;
        let look_again = match standing {
            Standing::Refused { .. } => Some(REFUSED),
            Standing::Accepted | Standing::Suspended => self.ledger.references.due(),
        };
        let wait = [look_again, come_back, due].into_iter().flatten().min().unwrap_or(LONGEST);
        Ok(Action::requeue(wait.max(SHORTEST)))
    }

    /// Makes the running monitor what the spec says; `None` when the LagMonitor is gone.
    async fn settle(&mut self) -> Option<Standing> {
        let planned = match &self.object.0 {
            Ok(monitor) => self.plan(monitor).await,
            Err(unreadable) => Err(Refusal {
                reason: "InvalidSpec",
                message: format!("the LagMonitor can't be read: {}", unreadable.error),
                ends: false,
            }),
        };
        let mut fleet = self.operator.fleet.lock().await;
        // What was deleted in the meantime was swept away, and must not come back.
        if !self.operator.objects.has(self.object.meta()) {
            return None;
        }
        let planned = match planned {
            Ok(plan) if !plan.suspend => self.make_room(&mut fleet, &plan).await.map(|()| plan),
            planned => planned,
        };
        Some(match planned {
            Ok(plan) => {
                let standing = if plan.suspend { Standing::Suspended } else { Standing::Accepted };
                fleet.set(plan).await;
                standing
            }
            Err(refusal) => {
                if refusal.ends {
                    fleet.end(self.name).await;
                }
                let goes_on = fleet.plan(self.name).is_some();
                Standing::Refused { reason: refusal.reason, message: refusal.message, goes_on }
            }
        })
    }

    /// Ends younger monitors that run with what a plan claims; an older one that still does is waited for.
    async fn make_room(&self, fleet: &mut Fleet, plan: &Plan) -> Result<(), Refusal> {
        for other in fleet.clashing(plan) {
            let holder = self.operator.objects.get(&other);
            match holder.filter(|holder| is_older(holder.meta(), self.object.meta())) {
                Some(_) => return Err(Refusal::waits_for(&other)),
                None => fleet.end(&other).await,
            }
        }
        Ok(())
    }

    async fn plan(&mut self, monitor: &LagMonitor) -> Result<Plan, Refusal> {
        self.operator.settings.guards.check(&monitor.spec)?;
        self.operator.objects.check_claims(monitor)?;
        let refused = self.refused();
        let wanted = references(&monitor.spec);
        let (client, namespace) = (&self.operator.client, &self.name.namespace);
        let resolved = self.ledger.references.fresh(client, namespace, wanted, refused).await?;
        // Most turns come for something else, and compiling patterns is not free.
        let made_of = (monitor.metadata.generation, monitor.annotations().get(SAMPLE_NOW).cloned(), resolved.clone());
        if let Some((_, plan)) = self.ledger.planned.as_ref().filter(|(former, _)| *former == made_of) {
            return Ok(plan.clone());
        }
        let plan = plan(monitor, &made_of.2).inspect_err(|_| self.ledger.references.expire())?;
        self.ledger.planned = Some((made_of, plan.clone()));
        Ok(plan)
    }

    /// When Kafka last refused the credentials.
    fn refused(&mut self) -> Option<Instant> {
        let posted = self.operator.board.latest().get(self.name).cloned();
        if let Some(report) = posted.as_ref().and_then(|posted| posted.report.as_deref())
            && report.errors.iter().any(|failure| CREDENTIALS.contains(&failure.reason))
            && self.ledger.refused.is_none_or(|(_, told)| told != report.generated_at.0)
        {
            self.ledger.refused = Some((Instant::now(), report.generated_at.0));
        }
        self.ledger.refused.map(|(when, _)| when)
    }

    /// Brings the ConfigMap up to date; says what became of all outputs, and when to come back for them.
    async fn publish(&mut self, plan: Option<&Plan>, posted: Option<&Posted>) -> (Published, Option<Duration>) {
        let Some(plan) = plan else {
            // What is written stays while nothing is sampled, unless the spec no longer asks for it.
            let unwanted = |monitor: &LagMonitor| monitor.spec.suspend && monitor.spec.output.config_map.is_none();
            if self.object.0.as_ref().is_ok_and(unwanted)
                && let Err(error) = self.publish_config_map(None, None).await
            {
                tracing::warn!(monitor = %self.name, reason = error.reason(), "{error}");
            }
            return (Published::Waiting, None);
        };
        let file = match (&plan.output_file, posted.and_then(|posted| posted.file.as_ref())) {
            (None, _) => Published::StatusOnly,
            (Some(_), None) => Published::Waiting,
            (Some(_), Some(Ok(()))) => Published::Done,
            (Some(_), Some(Err(message))) => Published::Failed { reason: "OutputFile", message: message.clone() },
        };
        if let Some(failed) = self.ledger.unpublished.as_ref().filter(|failed| failed.of == plan.config_map)
            && let Some(left) = TRY_AGAIN.checked_sub(failed.at.elapsed())
        {
            return (failed.published.clone(), Some(left));
        }
        self.ledger.unpublished = None;
        match self.publish_config_map(plan.config_map.as_ref(), posted).await {
            Ok(None) => (file, None),
            Ok(Some((published, wait))) if matches!(file, Published::StatusOnly | Published::Done) => (published, wait),
            Ok(Some((_, wait))) => (file, wait),
            Err(error) => {
                self.operator.board.account(|account| account.failed(error.reason()));
                let published = Published::Failed { reason: error.reason(), message: error.to_string() };
                let failed = Unpublished { at: Instant::now(), of: plan.config_map.clone(), published };
                (self.ledger.unpublished.insert(failed).published.clone(), Some(TRY_AGAIN))
            }
        }
    }

    /// Brings the ConfigMap up to date, or takes it away; `None` when the spec asks for none.
    async fn publish_config_map(
        &mut self,
        output: Option<&ConfigMapOutput>,
        posted: Option<&Posted>,
    ) -> Result<Option<(Published, Option<Duration>)>, PublishError> {
        let Some(reference) = self.object.controller_owner_ref(&()) else { return Ok(None) };
        let api = Api::<ConfigMap>::namespaced(self.operator.client.clone(), &self.name.namespace);
        let owner = Owner { api: &api, monitor: self.name, reference: &reference };
        let publication = self.ledger.publication.get_or_insert_default();
        let Some(output) = output else {
            publication.withdraw(owner).await?;
            return Ok(None);
        };
        // Before the first good sample of this process, what stands there is better than what could be written.
        let sampled = posted.filter(|posted| posted.pulse.last_sample.is_some());
        let Some(report) = sampled.and_then(|posted| posted.report.as_deref()) else {
            return Ok(Some((Published::Waiting, None)));
        };
        let wait = match publication.publish(owner, output, report, &self.operator.budget, Instant::now()).await? {
            Next::Written | Next::Unchanged => None,
            Next::In(wait) => Some(wait),
        };
        Ok(Some((Published::Done, wait)))
    }

    /// Tells an Event. Each stands for itself: a new recorder has no other of the same reason to count it under.
    async fn tell(&self, notice: Notice) {
        let reporter =
            Reporter { controller: NAME.to_owned(), instance: Some(self.operator.settings.identity.clone()) };
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason,
            note: Some(notice.note),
            action: notice.action.into(),
            secondary: None,
        };
        let recorder = Recorder::new(self.operator.client.clone(), reporter);
        if let Err(error) = recorder.publish(&event, &self.object.object_ref(&())).await {
            tracing::warn!(monitor = %self.name, reason = "EventNotTold", "{error}");
            self.operator.board.account(|account| account.failed("EventNotTold"));
        }
    }

    /// Writes the status when it is due; says when it will be.
    async fn write_status(&mut self, facts: Facts<'_>, told: &LagMonitorStatus) -> Result<Option<Duration>, TurnError> {
        let previous = self.ledger.written.as_ref().map_or(told, |written| &written.status);
        let config_map = self.ledger.publication.as_ref().and_then(Publication::name);
        let places = Places { pod: Some(&self.operator.settings.identity), config_map };
        let conditions = conditions(facts, &previous.conditions, Clock::wall().now());
        let wanted = status::status(conditions, facts, places, previous);
        let first = self.ledger.written.is_none() && facts.standing.samples();
        if first
            && let Some(wait) = FIRST.checked_sub(self.ledger.since.elapsed())
            && starting(&wanted)
        {
            return Ok(Some(wait));
        }
        match status::due(self.ledger.written.as_ref(), &wanted, Instant::now()) {
            Due::Never => Ok(None),
            Due::In(wait) => Ok(Some(wait)),
            Due::Now => {
                self.patch_status(&wanted).await?;
                self.ledger.written = Some(Written { status: wanted, at: Instant::now() });
                Ok(None)
            }
        }
    }

    async fn patch_status(&self, status: &LagMonitorStatus) -> Result<(), TurnError> {
        // The uid makes sure that a namesake created meanwhile is not told of this one.
        let metadata = json!({ "name": self.name.name, "uid": self.object.meta().uid });
        let written = if self.object.0.is_ok() || self.ledger.written.is_some() {
            let patch =
                json!({ "apiVersion": API_VERSION, "kind": "LagMonitor", "metadata": metadata, "status": status });
            self.patch(&PatchParams::apply(NAME).force(), &Patch::Apply(patch)).await
        } else {
            // The figures of one that can't be read are not known here, and stay.
            let patch = json!({ "metadata": metadata, "status": { "conditions": status.conditions } });
            self.patch(
                &PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() },
                &Patch::Merge(patch),
            )
            .await
        };
        match written {
            // It is gone: nobody is left to tell.
            Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
            Err(kube::Error::Api(answer)) if answer.is_forbidden() => {
                Err(TurnError::Forbidden { monitor: self.name.clone() })
            }
            Err(source) => Err(TurnError::Status { monitor: self.name.clone(), source: Box::new(source) }),
            Ok(()) => Ok(()),
        }
    }

    async fn patch(&self, params: &PatchParams, patch: &Patch<serde_json::Value>) -> Result<(), kube::Error> {
        // Read as what it was asked for, the answer would fail for one that can't be read.
        let api = Api::<Guarded>::namespaced(self.operator.client.clone(), &self.name.namespace);
        api.patch_status(&self.name.name, params, patch).await.map(drop)
    }
}

/// Whether something is still to come from the first sample.
fn starting(status: &LagMonitorStatus) -> bool {
    status.conditions.iter().any(|condition| condition.reason == STARTING)
}

/// Why a spec is not sampled.
struct Refusal {
    reason: &'static str,
    message: String,
    /// Whether a monitor that ran before has to end.
    ends: bool,
}

impl Refusal {
    /// A name or a file is still in use by another, whose spec no longer claims it.
    fn waits_for(other: &MonitorName) -> Self {
        let message = format!("LagMonitor {other} still runs with this clusterName or output file, as it was before");
        Self { reason: "NameTaken", message, ends: true }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        let ends = matches!(invalid.problem, Problem::Taken { .. });
        Self { reason: invalid.problem.reason(), message: invalid.to_string(), ends }
    }
}

impl From<FetchError> for Refusal {
    fn from(error: FetchError) -> Self {
        Self { reason: error.reason(), message: error.to_string(), ends: false }
    }
}
