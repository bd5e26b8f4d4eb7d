//! LagMonitors from files: what `run -f` samples, and what it refuses.
//!
//! A document that turned bad does not stop the monitor that it described while it was good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::documents::{Documents, INVALID, Loaded, Refusal, Sourced};
use super::files::Files;
use super::plan::{Claims, Invalid, Plan, name_of, plan};
use super::schema::SchemaError;
use super::speaker::{Speakers, speakers};
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;

/// Turns files into plans, again and again.
#[derive(Debug)]
pub struct Local {
    documents: Documents,
    good: BTreeMap<PathBuf, BTreeMap<MonitorName, Claims>>,
    speakers: Speakers,
}

/// What one reading of the files asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The monitors to run.
    pub plans: Vec<Plan>,
    /// Those that are not to run for a while. Whether they could is not asked before they are to.
    pub suspended: BTreeSet<MonitorName>,
    /// Monitors of an earlier reading whose file has something bad in it now: they go on as they are.
    pub keep: BTreeSet<MonitorName>,
    /// Everything that is wrong, in the order of the files.
    pub refused: Vec<Refusal>,
    /// Every LagMonitor of the files, running or not, and what became of its spec.
    pub speakers: Speakers,
}

impl Local {
    /// Prepares for reading.
    ///
    /// # Errors
    /// When the schema of the resources does not compile.
    pub fn new() -> Result<Self, SchemaError> {
        Ok(Self { documents: Documents::new()?, good: BTreeMap::new(), speakers: Speakers::default() })
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
                monitor: None,
            })
            .collect()
    }

    /// Makes plans of what the files hold.
    pub fn load(&mut self, files: &Files) -> Wanted {
        let loaded = self.documents.load(files);
        let planned: Vec<Planned<'_>> = loaded.monitors.iter().map(|source| Planned::of(source, &loaded)).collect();
        let unreadable: Vec<Refusal> = loaded.refused.iter().cloned().chain(self.emptied(files)).collect();
        // What goes on as it was goes on claiming what it did: with each that is refused for that, more may go on so.
        let mut kept = BTreeMap::new();
        loop {
            let (accepted, refused) = accept(&planned, &kept);
            let refused: Vec<Refusal> = unreadable.iter().cloned().chain(refused).collect();
            let bad: BTreeSet<&PathBuf> = refused.iter().map(|refusal| &refusal.file).collect();
            let keep = self.held(&bad, &accepted);
            if keep.len() > kept.len() {
                kept = keep;
                continue;
            }
            self.good.retain(|file, _| is_bad(file, &bad));
            let mut wanted = Wanted { keep: kept.into_keys().collect(), refused, ..Wanted::default() };
            for Planned { source, name, claims, plan } in accepted {
                self.good.entry(source.file.clone()).or_default().insert(name.clone(), claims.clone());
                match plan {
                    Ok(Some(plan)) => wanted.plans.push(plan.clone()),
                    _ => drop(wanted.suspended.insert(name.clone())),
                }
            }
            self.speakers = speakers(&loaded.monitors, &wanted, &self.good, &self.speakers);
            return Wanted { speakers: self.speakers.clone(), ..wanted };
        }
    }

    /// The monitors of bad files that are not accepted anew, with what they claim.
    fn held(&self, bad: &BTreeSet<&PathBuf>, accepted: &[&Planned<'_>]) -> BTreeMap<MonitorName, Claims> {
        let names: BTreeSet<&MonitorName> = accepted.iter().map(|planned| &planned.name).collect();
        let of_bad = self.good.iter().filter(|(file, _)| is_bad(file, bad)).flat_map(|(_, monitors)| monitors);
        of_bad.filter(|(name, _)| !names.contains(name)).map(|(name, held)| (name.clone(), held.clone())).collect()
    }
}

/// Whether a file has something bad in it, or is in a folder that can't be read.
fn is_bad(file: &PathBuf, bad: &BTreeSet<&PathBuf>) -> bool {
    bad.contains(file) || file.parent().is_some_and(|folder| bad.iter().any(|path| *path == folder))
}

/// A document, what it claims, and the plan made of it; none of one that is suspended.
struct Planned<'a> {
    source: &'a Sourced<LagMonitor>,
    name: MonitorName,
    claims: Claims,
    plan: Result<Option<Plan>, Invalid>,
}

impl<'a> Planned<'a> {
    fn of(source: &'a Sourced<LagMonitor>, loaded: &Loaded) -> Self {
        let (monitor, name) = (&source.value, name_of(&source.value.metadata));
        let plan = match monitor.spec.suspend {
            true => Ok(None),
            false => plan(monitor, &loaded.objects.of(&name.namespace)).map(Some),
        };
        Self { source, name, claims: Claims::of(monitor), plan }
    }

    /// # Errors
    /// Why it can't be planned, or which of its claims one of the holders has.
    fn against<'b>(&self, holders: impl Iterator<Item = &'b Claims>) -> Result<(), Invalid> {
        match &self.plan {
            Err(invalid) => Err(invalid.clone()),
            Ok(None) => Ok(()),
            Ok(Some(_)) => self.claims.against(holders),
        }
    }
}

/// Those that claim nothing which is taken, in their order, and why the others are refused.
fn accept<'p, 'a>(
    planned: &'p [Planned<'a>],
    kept: &BTreeMap<MonitorName, Claims>,
) -> (Vec<&'p Planned<'a>>, Vec<Refusal>) {
    let (mut accepted, mut refused): (Vec<&Planned<'_>>, Vec<Refusal>) = Default::default();
    for one in planned {
        match one.against(kept.values().chain(accepted.iter().map(|other| &other.claims))) {
            Ok(()) => accepted.push(one),
            Err(invalid) => refused.push(one.source.refusal(&invalid)),
        }
    }
    (accepted, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, cluster: &str) -> String {
        format!(
            "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: {{ name: {name} }}\n\
             spec: {{ brokers: [\"kafka:9092\"], clusterName: {cluster} }}\n"
        )
    }

    /// What comes of the files, each with its text: the clusters that are planned, what is kept, how many are refused.
    fn load(local: &mut Local, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>, usize) {
        let documents = files.iter().map(|(file, text)| (file.into(), Ok((*text).to_owned()))).collect();
        let wanted = local.load(&Files { documents, secrets: BTreeMap::new(), unreadable_secrets: vec![] });
        let plans = wanted.plans.iter().map(|plan| format!("{}={}", plan.monitor.name, plan.cluster_name)).collect();
        (plans, wanted.keep.iter().map(|name| name.name.clone()).collect(), wanted.refused.len())
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_document_that_turned_bad_keeps_its_monitor_and_what_that_claims() {
        let mut local = Local::new().unwrap();
        assert_eq!(load(&mut local, &[("1.yaml", &document("a", "x"))]), (words(&["a=x"]), vec![], 0));
        let files = [("0.yaml", document("b", "x")), ("1.yaml", "spec: [".to_owned())];
        let files = files.each_ref().map(|(file, text)| (*file, text.as_str()));
        assert_eq!(load(&mut local, &files), (vec![], words(&["a"]), 2), "the name is still taken");
        let files = [("0.yaml", document("b", "x")), ("1.yaml", document("a", "y"))];
        let files = files.each_ref().map(|(file, text)| (*file, text.as_str()));
        assert_eq!(load(&mut local, &files), (words(&["b=x", "a=y"]), vec![], 0), "the name is free");
    }

    #[test]
    fn a_folder_that_cannot_be_read_keeps_its_monitors() {
        let mut local = Local::new().unwrap();
        let text = document("a", "x");
        assert_eq!(load(&mut local, &[("etc/1.yaml", &text)]).0, words(&["a=x"]));
        let documents = vec![("etc".into(), Err("Permission denied".to_owned()))];
        let wanted = local.load(&Files { documents, secrets: BTreeMap::new(), unreadable_secrets: vec![] });
        assert_eq!((wanted.plans.len(), wanted.keep.len(), wanted.refused.len()), (0, 1, 1));
        assert_eq!(load(&mut local, &[("etc/1.yaml", &text)]), (words(&["a=x"]), vec![], 0));
    }

    #[test]
    fn one_that_is_refused_goes_on_claiming_what_it_did() {
        let mut local = Local::new().unwrap();
        let (before, c, b) = (document("a", "x"), document("c", "y"), document("b", "x"));
        assert_eq!(load(&mut local, &[("1.yaml", &c), ("2.yaml", &before)]).0, words(&["c=y", "a=x"]));
        // It may not have the name that it wants now, and keeps the one that it has: nobody else gets that.
        let now = document("a", "y");
        let files = [("0.yaml", b.as_str()), ("1.yaml", &c), ("2.yaml", &now)];
        assert_eq!(load(&mut local, &files), (words(&["c=y"]), words(&["a"]), 2));
    }
}
