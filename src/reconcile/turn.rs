//! One LagMonitor's turn: what it asks for is brought about, and what came of it is told, in its ConfigMap, its status
//! and Events. References, then the plan, then the fleet, then what is published.

mod ledger;
mod outputs;
mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

pub(super) use ledger::Ledger;

use super::conditions::{Facts, Standing};
use super::fleet::Fleet;
use super::notices::Seen;
use super::operator::Operator;
use super::plan::{Invalid, Plan, Problem, SAMPLE_NOW, name_of, plan, references};
use super::publish::Publication;
use super::references::FetchError;
use super::watched::{Guarded, is_older};
use crate::crd::LagMonitor;
use crate::lag::reason::Reason;
use crate::lag::report::MonitorName;

/// When a refused LagMonitor looks again: a name may be free by then, a Secret there.
const REFUSED: Duration = Duration::from_secs(10);

/// The shortest time between two turns that nothing but time asks for.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest time between two turns.
const LONGEST: Duration = Duration::from_secs(300);

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
