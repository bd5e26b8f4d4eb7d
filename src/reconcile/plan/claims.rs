//! What no two LagMonitors may share: the name of a cluster in labels and reports, and a file of a namespace.

use super::{Invalid, Problem};
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;

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

    /// Refuses what one of the holders claims too.
    ///
    /// # Errors
    /// The first claim that is taken, and by whom.
    pub fn against<'a>(&self, mut holders: impl Iterator<Item = &'a Self>) -> Result<(), Invalid> {
        holders.try_for_each(|holder| {
            if holder.cluster_name == self.cluster_name {
                return Err(taken("spec.clusterName", "clusterName", &self.cluster_name, &holder.monitor));
            }
            match &self.output_file {
                Some(path) if self.output_file == holder.output_file && self.shares_folder(holder) => {
                    Err(taken("spec.output.file.path", "the output file", path, &holder.monitor))
                }
                _ => Ok(()),
            }
        })
    }

    fn shares_folder(&self, other: &Self) -> bool {
        self.monitor.namespace == other.monitor.namespace
    }
}

fn taken(field: &str, what: &'static str, value: &str, holder: &MonitorName) -> Invalid {
    let problem = Problem::Taken { what, value: value.to_owned(), holder: holder.to_string() };
    Invalid { field: field.to_owned(), problem }
}
