//! What no two LagMonitors may share: the name of a cluster in labels and reports, and a file of a namespace.

use super::{Invalid, Plan, Problem};
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;

const CLUSTER_NAME: &str = "spec.clusterName";
const FILE: &str = "spec.output.file.path";

/// What one LagMonitor claims for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    monitor: MonitorName,
    cluster_name: String,
    output_file: Option<String>,
}

impl Claims {
    /// What a LagMonitor claims.
    #[must_use]
    pub fn of(monitor: &LagMonitor) -> Self {
        let spec = &monitor.spec;
        let name = super::name_of(&monitor.metadata);
        Self {
            cluster_name: spec.cluster_name.clone().unwrap_or_else(|| name.to_string()),
            output_file: spec.output.file.as_ref().map(|file| file.path.clone()),
            monitor: name,
        }
    }

    /// What a plan has claimed.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let (monitor, cluster_name) = (plan.monitor.clone(), plan.cluster_name.clone());
        Self { monitor, cluster_name, output_file: plan.output_file.clone() }
    }

    /// Refuses what one of the holders claims too.
    ///
    /// # Errors
    /// The first claim that is taken, and by whom.
    pub fn against<'a>(&self, mut holders: impl Iterator<Item = &'a Self>) -> Result<(), Invalid> {
        holders.try_for_each(|holder| match self.clash(holder) {
            Some((field, problem)) => Err(Invalid { field: field.to_owned(), problem }),
            None => Ok(()),
        })
    }

    /// The field of what both claim, and what is wrong with it.
    pub(in crate::reconcile) fn clash(&self, holder: &Self) -> Option<(&'static str, Problem)> {
        let taken = |what, value: &str| {
            let (value, holder) = (value.to_owned(), holder.monitor.to_string());
            Problem::Taken { what, value, holder }
        };
        if self.cluster_name == holder.cluster_name {
            return Some((CLUSTER_NAME, taken("clusterName", &self.cluster_name)));
        }
        let same_folder = self.monitor.namespace == holder.monitor.namespace;
        let (path, other) = self.output_file.as_ref().zip(holder.output_file.as_ref()).filter(|_| same_folder)?;
        if path == other {
            return Some((FILE, taken("the output file", path)));
        }
        let holder = holder.monitor.to_string();
        let folder = Problem::Folder { path: path.clone(), other: other.clone(), holder };
        (is_below(path, other) || is_below(other, path)).then_some((FILE, folder))
    }
}

/// Whether a file is in the folder that another would be.
fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
}
