//! The outputs of one LagMonitor in its turn: what became of its file, and its ConfigMap, brought up to date.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Resource};

use super::Turn;
use super::ledger::Unpublished;
use crate::board::Posted;
use crate::crd::output::ConfigMapOutput;
use crate::reconcile::conditions::Published;
use crate::reconcile::plan::Plan;
use crate::reconcile::publish::error::PublishError;
use crate::reconcile::publish::{Next, Owner};

/// When a publication that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

impl Turn<'_> {
    /// Brings the ConfigMap up to date; says what became of all outputs, and when to come back for them.
    pub(super) async fn publish(
        &mut self,
        plan: Option<&Plan>,
        posted: Option<&Posted>,
    ) -> (Published, Option<Duration>) {
        // What is written stays while nothing is sampled.
        let Some(plan) = plan else { return (Published::Waiting, None) };
        let file = Published::of_file(plan.output_file.is_some(), posted);
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
        let published = if publication.shows(output) { Published::Done } else { Published::Waiting };
        Ok(Some((published, wait)))
    }
}
