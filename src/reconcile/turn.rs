//! One LagMonitor's turn: what it asks for is brought about, and what came of it is told, in its ConfigMap, its status
//! and Events. References, then the plan, then the fleet, then what is published.

mod events;
mod ledger;
mod outputs;
mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

pub(super) use ledger::Ledger;

use super::conditions::{Facts, Standing};
use super::fleet::Fleet;
use super::notices::Seen;
use super::operator::{Operator, Settings};
use super::plan::{Invalid, Plan, Problem, SAMPLE_NOW, TEAM, name_of, plan, references};
use super::publish::Publication;
use super::references::{FetchError, Place};
use super::watched::{Guarded, is_older};
use crate::crd::LagMonitor;
use crate::lag::reason::Reason;
use crate::lag::report::MonitorName;

/// When a refused LagMonitor looks again: a name may be free by then, a Secret there.
const REFUSED: Duration = Duration::from_secs(10);

/// The shortest time between two turns that nothing but time asks for.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest time between two turns: what others did to the status is mended then.
const LONGEST: Duration = Duration::from_secs(60);

/// What Kafka's refusals of credentials and certificates are called.
const CREDENTIALS: [Reason; 2] = [Reason::AuthenticationFailed, Reason::TlsFailed];

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
    // Who stood by for days was given it as it was days ago, with a status that another operator has written over since.
    let Some(object) = operator.objects.get(&name_of(object.meta())) else { return Ok(Action::await_change()) };
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
        // What can't be read has a status that can't be read either.
        let told = self.object.0.as_ref().ok().map(|monitor| monitor.status.clone().unwrap_or_default());
        let recalled = || Publication::recalled(told.as_ref().and_then(|status| status.config_map.clone()));
        self.ledger.publication.get_or_insert_with(recalled);
        let (published, come_back) = self.publish(running.as_ref(), posted.as_ref()).await;
        let facts = Facts {
            generation: self.object.meta().generation,
            standing: &standing,
            posted: posted.as_ref(),
            published: &published,
            objective: running.as_ref().map(|plan| &plan.objective),
        };
        let left = || Seen::left(told.as_ref().map_or(&[], |status| &status.conditions));
        let news = self.ledger.seen.get_or_insert_with(left).notice(facts);
        let tell_again = self.tell(news).await;
        let due = self.write_status(facts, told.as_ref()).await?;
        let look_again = match standing {
            Standing::Refused { .. } => Some(REFUSED),
            Standing::Accepted => self.ledger.references.due(),
            Standing::Suspended => None,
        };
        let wait = [look_again, come_back, tell_again, due].into_iter().flatten().min().unwrap_or(LONGEST);
        Ok(Action::requeue(wait.clamp(SHORTEST, LONGEST)))
    }

    /// Makes the running monitor what the spec says; `None` when the LagMonitor is gone.
    async fn settle(&mut self) -> Option<Standing> {
        let asked = match &self.object.0 {
            // Whether it could be sampled is not asked before it is to be.
            Ok(monitor) if monitor.spec.suspend => Ok(None),
            Ok(monitor) => self.plan(monitor).await.map(Some),
            Err(unreadable) => Err(Refusal::unreadable(unreadable)),
        };
        let mut fleet = self.operator.fleet.lock().await;
        // What was deleted in the meantime was swept away, and must not come back.
        if !self.operator.objects.has(self.object.meta()) {
            return None;
        }
        let planned = match asked {
            Ok(None) => {
                fleet.suspend(self.name).await;
                return Some(Standing::Suspended);
            }
            Ok(Some(plan)) => self.make_room(&mut fleet, &plan).await.map(|()| plan),
            Err(refusal) => Err(refusal),
        };
        Some(match planned {
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
        })
    }

    /// Ends younger monitors that run with what a plan claims; an older one that still does is waited for.
    async fn make_room(&self, fleet: &mut Fleet, plan: &Plan) -> Result<(), Refusal> {
        for (other, field) in fleet.clashing(plan) {
            let holder = self.operator.objects.get(&other);
            match holder.filter(|holder| is_older(holder.meta(), self.object.meta())) {
                Some(_) => return Err(Refusal::waits_for(&other, field)),
                None => fleet.end(&other).await,
            }
        }
        Ok(())
    }

    async fn plan(&mut self, monitor: &LagMonitor) -> Result<Plan, Refusal> {
        self.operator.settings.guards.check(&monitor.spec)?;
        self.operator.objects.check_claims(monitor)?;
        let refused = self.refused();
        let Operator { client, settings: Settings { grants, .. }, .. } = self.operator;
        let place = Place { client, namespace: &self.name.namespace, grants };
        let resolved = self.ledger.references.fresh(place, references(&monitor.spec), refused).await?;
        // Most turns come for something else, and compiling patterns is not free.
        let marks = [monitor.annotations().get(SAMPLE_NOW).cloned(), monitor.labels().get(TEAM).cloned()];
        let made_of = (monitor.metadata.generation, marks, resolved.clone());
        if let Some((_, plan)) = self.ledger.planned.as_ref().filter(|(former, _)| *former == made_of) {
            return Ok(plan.clone());
        }
        let plan = plan(monitor, &made_of.2).inspect_err(|_| self.ledger.references.doubt())?;
        self.ledger.planned = Some((made_of, plan.clone()));
        Ok(plan)
    }

    /// Whether Kafka refused the credentials in the last sample.
    fn refused(&self) -> bool {
        let latest = self.operator.board.latest();
        let Some(posted) = latest.get(self.name) else { return false };
        let errors = posted.report.iter().flat_map(|report| &report.errors);
        errors.chain(&posted.pulse.trouble).any(|failure| CREDENTIALS.contains(&failure.reason))
    }
}

/// Why a spec is not sampled.
struct Refusal {
    reason: &'static str,
    message: String,
    /// Whether a monitor that ran before has to end.
    ends: bool,
}

impl Refusal {
    /// It can't even be read, which the schema would have prevented.
    fn unreadable(object: &InvalidObject) -> Self {
        let message = format!(
            "spec: this version can't read it: {}. Write it as `kubectl explain lagmonitor.spec` says, and apply the \
             CustomResourceDefinition that `highwater crd` prints: it refuses what can't be read",
            object.error
        );
        Self { reason: "InvalidSpec", message, ends: false }
    }

    /// A name or a file is still in use by another, whose spec no longer claims it.
    fn waits_for(other: &MonitorName, field: &str) -> Self {
        let message = format!(
            "{field}: LagMonitor {other} still runs with this, as it was written before, because what it says now is \
             refused: mend that one, or write something else here"
        );
        Self { reason: "NameTaken", message, ends: true }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        let ends = matches!(invalid.problem, Problem::Taken { .. } | Problem::Folder { .. });
        Self { reason: invalid.problem.reason(), message: invalid.to_string(), ends }
    }
}

impl From<FetchError> for Refusal {
    fn from(error: FetchError) -> Self {
        Self { reason: error.reason(), message: error.to_string(), ends: false }
    }
}
