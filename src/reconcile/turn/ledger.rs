//! What is remembered of one LagMonitor between its turns.

use std::time::Instant;

use super::events::Untold;
use crate::board::said::Condition;
use crate::crd::output::ConfigMapOutput;
use crate::reconcile::conditions::Published;
use crate::reconcile::notices::Seen;
use crate::reconcile::plan::Plan;
use crate::reconcile::publish::Publication;
use crate::reconcile::references::References;
use crate::reconcile::resolve::Resolved;
use crate::reconcile::status::Written;

/// What is remembered of one LagMonitor between its turns.
#[derive(Debug)]
pub(in crate::reconcile) struct Ledger {
    /// Kubernetes' id of this life of the LagMonitor.
    pub(in crate::reconcile) uid: Option<String>,
    pub(super) references: References,
    pub(super) publication: Option<Publication>,
    /// Why the ConfigMap was not written last time.
    pub(super) unpublished: Option<Unpublished>,
    /// The plan made last, and of what.
    pub(super) planned: Option<(Ingredients, Plan)>,
    pub(super) written: Option<Written>,
    /// When the status could not be written last time.
    pub(super) unwritten: Option<Instant>,
    /// The conditions that its last turn came to.
    pub(in crate::reconcile) conditions: Vec<Condition>,
    pub(super) seen: Option<Seen>,
    pub(super) untold: Untold,
    pub(super) since: Instant,
}

/// What a plan is made of: the generation of the spec, the annotation and the label, and what is referred to.
pub(super) type Ingredients = (Option<i64>, [Option<String>; 2], Resolved);

/// A publication that failed: it is tried again when its time has come, or the spec asks for another.
#[derive(Debug)]
pub(super) struct Unpublished {
    pub(super) at: Instant,
    pub(super) of: Option<ConfigMapOutput>,
    pub(super) published: Published,
}

impl Ledger {
    /// Nothing is known yet of the LagMonitor of this uid.
    pub(in crate::reconcile) fn new(uid: Option<String>) -> Self {
        Self {
            uid,
            references: References::default(),
            publication: None,
            unpublished: None,
            planned: None,
            written: None,
            unwritten: None,
            conditions: vec![],
            seen: None,
            untold: Untold::default(),
            since: Instant::now(),
        }
    }
}
