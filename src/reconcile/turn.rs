//! One LagMonitor's turn: what it asks for is brought about, and what came of it is told, in its ConfigMap, its status
//! and Events. References, then the plan, then the fleet, then what is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Resource};
use serde_json::json;

use super::conditions::{Facts, Published, STARTING, Standing, conditions};
use super::notices::{Notice, Seen};
use super::operator::{Guarded, Operator};
use super::plan::{Invalid, Plan, Problem, name_of, plan, references};
use super::publish::error::PublishError;
use super::publish::{Next, Owner, Publication};
use super::references::{FetchError, References};
use super::status::{self, Due, Places, Written};
use crate::board::Posted;
use crate::clock::Clock;
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
    written: Option<Written>,
    seen: Option<Seen>,
    since: Instant,
    /// When Kafka last refused what the references hold, and in which report it said so.
    refused: Option<(Instant, i64)>,
}

impl Ledger {
    /// Nothing is known yet of the LagMonitor of this uid.
    pub(super) fn new(uid: Option<String>) -> Self {
        Self {
            uid,
            references: References::default(),
            publication: None,
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
            Self::Status { .. } => "StatusNotWritten",
        }
    }
}

/// One turn of one LagMonitor.
pub(super) async fn turn(object: Arc<Guarded>, operator: Arc<Operator>) -> Result<Action, TurnError> {
    let begun = Instant::now();
    let name = name_of(object.meta());
    let mut ledger = operator.ledger(object.meta());
    let turned = Turn { operator: &operator, object: &object, name: &name, ledger: &mut ledger }.take().await;
    operator.keep(name, ledger);
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
        let standing = self.settle().await;
        let running = self.operator.fleet.lock().await.plan(self.name).cloned();
        let posted = self.operator.board.latest().get(self.name).cloned();
        let (published, come_back) = match &running {
            Some(plan) => self.publish(plan, posted.as_ref()).await,
            None => (Published::Waiting, None),
        };
        let facts = Facts {
            generation: self.object.meta().generation,
            standing: &standing,
            posted: posted.as_ref(),
            published: &published,
            objective: running.as_ref().map(|plan| &plan.objective),
        };
        let told = self.object.0.as_ref().ok().and_then(|monitor| monitor.status.clone()).unwrap_or_default();
        let seen = self.ledger.seen.get_or_insert_with(|| Seen::left(&told.conditions));
        for notice in seen.notice(facts) {
            self.tell(notice).await;
        }
        let due = self.write_status(facts, &told).await?;
        let wait = [
            self.ledger.references.due(),
            come_back,
            due,
            matches!(standing, Standing::Refused { .. }).then_some(REFUSED),
        ];
        Ok(Action::requeue(wait.into_iter().flatten().min().unwrap_or(LONGEST)))
    }

    /// Makes the running monitor what the spec says.
    async fn settle(&mut self) -> Standing {
        let planned = match &self.object.0 {
            Ok(monitor) => self.plan(monitor).await,
            Err(unreadable) => Err(Refusal {
                reason: "InvalidSpec",
                message: format!("the LagMonitor can't be read: {}", unreadable.error),
                ends: false,
            }),
        };
        let mut fleet = self.operator.fleet.lock().await;
        match planned {
            Ok(plan) if plan.suspend => {
                fleet.set(plan).await;
                Standing::Suspended
            }
            Ok(plan) => {
                fleet.set(plan).await;
                Standing::Accepted
            }
            Err(refusal) => {
                if refusal.ends {
                    fleet.end(self.name).await;
                }
                let goes_on = fleet.plan(self.name).is_some();
                Standing::Refused { reason: refusal.reason, message: refusal.message, goes_on }
            }
        }
    }

    async fn plan(&mut self, monitor: &LagMonitor) -> Result<Plan, Refusal> {
        self.operator.settings.guards.check(&monitor.spec)?;
        self.operator.taken(monitor)?;
        let refused = self.refused();
        let wanted = references(&monitor.spec);
        let (client, namespace) = (&self.operator.client, &self.name.namespace);
        let resolved = self.ledger.references.fresh(client, namespace, wanted, refused).await?;
        Ok(plan(monitor, resolved).inspect_err(|_| self.ledger.references.expire())?)
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
    async fn publish(&mut self, plan: &Plan, posted: Option<&Posted>) -> (Published, Option<Duration>) {
        let file = match (&plan.output_file, posted.and_then(|posted| posted.file.as_ref())) {
            (None, _) => Published::StatusOnly,
            (Some(_), None) => Published::Waiting,
            (Some(_), Some(Ok(()))) => Published::Done,
            (Some(_), Some(Err(message))) => Published::Failed { reason: "OutputFile", message: message.clone() },
        };
        match self.publish_config_map(plan, posted).await {
            Ok(None) => (file, None),
            Ok(Some((published, wait))) if matches!(file, Published::StatusOnly | Published::Done) => (published, wait),
            Ok(Some((_, wait))) => (file, wait),
            Err(error) => {
                self.operator.board.account(|account| account.failed(error.reason()));
                (Published::Failed { reason: error.reason(), message: error.to_string() }, Some(TRY_AGAIN))
            }
        }
    }

    /// Brings the ConfigMap up to date, or takes it away; `None` when the spec asks for none.
    async fn publish_config_map(
        &mut self,
        plan: &Plan,
        posted: Option<&Posted>,
    ) -> Result<Option<(Published, Option<Duration>)>, PublishError> {
        let Some(reference) = self.object.controller_owner_ref(&()) else { return Ok(None) };
        let api = Api::<ConfigMap>::namespaced(self.operator.client.clone(), &self.name.namespace);
        let owner = Owner { api: &api, monitor: self.name, reference: &reference };
        let status = self.object.0.as_ref().ok().and_then(|monitor| monitor.status.as_ref());
        let recalled = || Publication::recalled(status.and_then(|status| status.config_map.clone()));
        let publication = self.ledger.publication.get_or_insert_with(recalled);
        let Some(output) = &plan.config_map else {
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
        let patch = json!({
            "apiVersion": API_VERSION,
            "kind": "LagMonitor",
            // The uid makes sure that a namesake created meanwhile is not told of this one.
            "metadata": { "name": self.name.name, "uid": self.object.meta().uid },
            "status": status,
        });
        let api = Api::<LagMonitor>::namespaced(self.operator.client.clone(), &self.name.namespace);
        match api.patch_status(&self.name.name, &PatchParams::apply(NAME).force(), &Patch::Apply(patch)).await {
            Ok(_) => Ok(()),
            // It is gone: nobody is left to tell.
            Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
            Err(source) => Err(TurnError::Status { monitor: self.name.clone(), source: Box::new(source) }),
        }
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
