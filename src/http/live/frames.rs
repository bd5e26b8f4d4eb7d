//! Snapshots of groups, written once for every client that wants the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::board::Pulse;
use crate::http::api::groups::Whole;
use crate::http::view::Monitor;
use crate::lag::reason::Failure;
use crate::lag::report::{MonitorName, Report, Timestamp};

/// What is written already, of the latest report of each monitor.
#[derive(Debug, Default)]
pub(in crate::http) struct Frames(Mutex<HashMap<MonitorName, Written>>);

#[derive(Debug)]
struct Written {
    report: Arc<Report>,
    pulse: Arc<Pulse>,
    groups: HashMap<String, Arc<str>>,
}

/// A snapshot, but for its type and time.
#[derive(Serialize)]
struct Snapshot<'a> {
    cluster_name: &'a str,
    cluster_id: Option<&'a str>,
    generated_at: Option<Timestamp>,
    trouble: Option<&'a Failure>,
    group: Option<Whole<'a>>,
}

impl Frames {
    /// The snapshot of a group, but for its opening brace, type and time.
    pub(super) fn snapshot(&self, monitor: &Monitor, group_id: &str) -> Arc<str> {
        let Some(told) = monitor.told() else { return write(monitor, None) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Written { report: told.report.clone(), pulse: monitor.pulse.clone(), groups: HashMap::new() };
        let written = all.entry(monitor.name.clone()).or_insert_with(fresh);
        if !Arc::ptr_eq(&written.report, told.report) || !Arc::ptr_eq(&written.pulse, &monitor.pulse) {
            *written = fresh();
        }
        if let Some(known) = written.groups.get(group_id) {
            return known.clone();
        }
        let group = told.report.group(group_id);
        let text = write(monitor, group.map(|group| Whole::of(told, group)));
        written.groups.insert(group_id.to_owned(), text.clone());
        text
    }

    /// Forgets what was written of monitors that are not on the board any more.
    pub(super) fn keep(&self, monitors: &[Monitor]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > monitors.len() {
            all.retain(|name, _| monitors.iter().any(|monitor| monitor.name == *name));
        }
    }
}

fn write(monitor: &Monitor, group: Option<Whole<'_>>) -> Arc<str> {
    let snapshot = Snapshot {
        cluster_name: monitor.cluster_name(),
        cluster_id: monitor.cluster_id(),
        generated_at: monitor.report.as_ref().map(|report| report.generated_at),
        trouble: monitor.pulse.trouble.as_ref(),
        group,
    };
    let text = serde_json::to_string(&snapshot).unwrap_or_default();
    text.strip_prefix('{').unwrap_or(&text).into()
}
