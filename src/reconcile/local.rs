//! LagMonitors from files: what `run -f` samples, and what it refuses.
//!
//! A document that turned bad does not stop the monitor that it described while it was good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::documents::{Documents, INVALID, Refusal};
use super::files::Files;
use super::plan::{Claims, Plan, plan};
use super::schema::SchemaError;
use crate::lag::report::MonitorName;

/// Turns files into plans, again and again.
#[derive(Debug)]
pub struct Local {
    documents: Documents,
    good: BTreeMap<PathBuf, BTreeSet<MonitorName>>,
}

/// What one reading of the files asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The monitors to run.
    pub plans: Vec<Plan>,
    /// Monitors of an earlier reading whose file has something bad in it now: they go on as they are.
    pub keep: BTreeSet<MonitorName>,
    /// Everything that is wrong, in the order of the files.
    pub refused: Vec<Refusal>,
}

impl Local {
    /// Prepares for reading.
    ///
    /// # Errors
    /// When the schema of the resources does not compile.
    pub fn new() -> Result<Self, SchemaError> {
        Ok(Self { documents: Documents::new()?, good: BTreeMap::new() })
    }

    /// Files that held monitors and hold nothing at all now: most likely they are being written.
    fn emptied(&self, files: &Files) -> Vec<Refusal> {
        let empty = files.documents.iter().filter(|(_, text)| text.as_ref().is_ok_and(|text| text.trim().is_empty()));
        empty
            .filter(|(file, _)| self.good.contains_key(file))
            .map(|(file, _)| Refusal {
                file: file.clone(),
                line: 1,
                field: String::new(),
                reason: INVALID,
                message: "is empty: its monitors go on; remove the file to end them".to_owned(),
            })
            .collect()
    }

    /// Makes plans of what the files hold.
    pub fn load(&mut self, files: &Files) -> Wanted {
        let loaded = self.documents.load(files);
        let mut wanted = Wanted { refused: loaded.refused, ..Wanted::default() };
        let mut sources = BTreeMap::new();
        let mut claimed: Vec<Claims> = Vec::new();
        for source in &loaded.monitors {
            let namespace = source.value.metadata.namespace.clone().unwrap_or_default();
            let claims = Claims::of(&source.value);
            let planned = plan(&source.value, &loaded.objects.of(&namespace))
                .and_then(|plan| claims.against(claimed.iter()).map(|()| plan));
            match planned {
                Ok(plan) => {
                    claimed.push(claims);
                    sources.insert(plan.monitor.clone(), source);
                    wanted.plans.push(plan);
                }
                Err(invalid) => wanted.refused.push(source.refusal(&invalid)),
            }
        }
        wanted.refused.extend(self.emptied(files));
        let bad: BTreeSet<&PathBuf> = wanted.refused.iter().map(|refusal| &refusal.file).collect();
        self.good.retain(|file, _| bad.contains(file));
        for (name, source) in sources {
            self.good.entry(source.file.clone()).or_default().insert(name);
        }
        let planned: BTreeSet<&MonitorName> = wanted.plans.iter().map(|plan| &plan.monitor).collect();
        wanted.keep = self.good.values().flatten().filter(|name| !planned.contains(name)).cloned().collect();
        wanted
    }
}
