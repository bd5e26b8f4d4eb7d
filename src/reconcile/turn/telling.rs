//! What one LagMonitor is told in its turn: Events, and its status.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Resource};
use serde_json::json;

use super::{Turn, TurnError};
use crate::clock::Clock;
use crate::crd::API_VERSION;
use crate::crd::status::LagMonitorStatus;
use crate::reconcile::conditions::{Facts, STARTING, conditions};
use crate::reconcile::notices::Notice;
use crate::reconcile::publish::Publication;
use crate::reconcile::status::{self, Due, Places, Written};
use crate::reconcile::watched::Guarded;

/// Who writes the status and tells Events.
const NAME: &str = "highwater";

/// How long the first status waits for the first sample.
const FIRST: Duration = Duration::from_secs(3);

impl Turn<'_> {
    /// Tells an Event. Each stands for itself: a new recorder has no other of the same reason to count it under.
    pub(super) async fn tell(&self, notice: Notice) {
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
    pub(super) async fn write_status(
        &mut self,
        facts: Facts<'_>,
        told: &LagMonitorStatus,
    ) -> Result<Option<Duration>, TurnError> {
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
