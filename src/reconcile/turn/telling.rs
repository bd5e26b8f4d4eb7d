//! The status of one LagMonitor in its turn: written when it differs, and not too often.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;

use super::{Turn, TurnError};
use crate::clock::Clock;
use crate::crd::API_VERSION;
use crate::crd::status::LagMonitorStatus;
use crate::reconcile::conditions::{Facts, STARTING, conditions, said};
use crate::reconcile::publish::Publication;
use crate::reconcile::status::{self, Due, LEAST_PAUSE, Places, Written};
use crate::reconcile::watched::Guarded;

/// Who writes the status and tells Events.
pub(super) const NAME: &str = "highwater";

/// How long the first status waits for the first sample.
const FIRST: Duration = Duration::from_secs(3);

impl Turn<'_> {
    /// Writes the status when it is due; says when it will be. `told` is what the API server had when it was last heard
    /// of, where that can be read.
    pub(super) async fn write_status(
        &mut self,
        facts: Facts<'_>,
        told: Option<&LagMonitorStatus>,
    ) -> Result<Option<Duration>, TurnError> {
        let nothing = LagMonitorStatus::default();
        let former = self.ledger.written.as_ref().map(|written| &written.status);
        let previous = former.or(told).unwrap_or(&nothing);
        let config_map = self.ledger.publication.as_ref().and_then(Publication::name);
        let places = Places { pod: Some(&self.operator.settings.identity), config_map };
        let conditions = conditions(facts, &previous.conditions, Clock::wall().now());
        self.ledger.conditions = said(&conditions);
        let wanted = status::status(conditions, facts, places, previous);
        let first = self.ledger.written.is_none() && facts.standing.samples();
        if first
            && let Some(wait) = FIRST.checked_sub(self.ledger.since.elapsed())
            && starting(&wanted)
        {
            return Ok(Some(wait));
        }
        if let Some(wait) = self.ledger.unwritten.and_then(|at| LEAST_PAUSE.checked_sub(at.elapsed())) {
            return Ok(Some(wait));
        }
        match status::due(self.ledger.written.as_ref(), told, &wanted, Instant::now()) {
            Due::Never => Ok(None),
            Due::In(wait) => Ok(Some(wait)),
            Due::Now => {
                self.ledger.unwritten = Some(Instant::now());
                let stored = self.patch_status(&wanted).await?;
                self.ledger.unwritten = None;
                self.ledger.written = Some(Written { status: wanted, stored, at: Instant::now() });
                Ok(None)
            }
        }
    }

    /// Writes a status; returns it as the API server has stored it.
    async fn patch_status(&self, status: &LagMonitorStatus) -> Result<LagMonitorStatus, TurnError> {
        // The uid makes sure that a namesake created meanwhile is not told of this one.
        let metadata = json!({ "name": self.name.name, "uid": self.object.meta().uid });
        let patch = json!({ "apiVersion": API_VERSION, "kind": "LagMonitor", "metadata": metadata, "status": status });
        let written = match &self.object.0 {
            Ok(_) => self.patch(&PatchParams::apply(NAME).force(), &Patch::Apply(patch)).await,
            // The figures of one that can't be read are not known here: what is not written stays.
            Err(_) => {
                let params = PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
                self.patch(&params, &Patch::Merge(patch)).await
            }
        };
        match written {
            // It is gone: nobody is left to tell.
            Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(status.clone()),
            Err(kube::Error::Api(answer)) if answer.is_forbidden() => {
                Err(TurnError::Forbidden { monitor: self.name.clone() })
            }
            Err(source) => Err(TurnError::Status { monitor: self.name.clone(), source: Box::new(source) }),
            Ok(stored) => Ok(stored),
        }
    }

    async fn patch(
        &self,
        params: &PatchParams,
        patch: &Patch<serde_json::Value>,
    ) -> Result<LagMonitorStatus, kube::Error> {
        // Read as what it was asked for, the answer would fail for one that can't be read.
        let api = Api::<Guarded>::namespaced(self.operator.client.clone(), &self.name.namespace);
        let answer = api.patch_status(&self.name.name, params, patch).await?;
        Ok(answer.0.ok().and_then(|monitor| monitor.status).unwrap_or_default())
    }
}

/// Whether something is still to come from the first sample.
fn starting(status: &LagMonitorStatus) -> bool {
    status.conditions.iter().any(|condition| condition.reason == STARTING)
}
