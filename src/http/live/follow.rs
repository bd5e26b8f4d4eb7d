//! Followers: each remembers the report that it told last, and says what is new since then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::Message;
use crate::http::api::Api;
use crate::http::view::{Monitor, View};
use crate::lag::event::{Event, events};
use crate::lag::reason::Reason;
use crate::lag::report::{MonitorName, Report, Timestamp, Totals};

/// Something to follow.
pub(super) trait Follow: Send + 'static {
    /// What to say first.
    fn first(&mut self) -> Vec<Message>;
    /// What has happened since it was asked last.
    fn news(&mut self) -> Vec<Message>;
    /// What to say when an interval is over.
    fn again(&mut self) -> Vec<Message>;
    /// Whether there is more to see than was judged when it began: who asks anew is judged anew.
    fn is_outgrown(&self) -> bool {
        false
    }
}

/// Something that happened, with when and where.
#[derive(Serialize, JsonSchema)]
struct Happened<'a> {
    #[serde(flatten)]
    what: What<'a>,
    time: Timestamp,
    cluster_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum What<'a> {
    Event(&'a Event),
    Cluster(ClusterEvent<'a>),
}

/// Something that happened to a whole cluster.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type")]
enum ClusterEvent<'a> {
    #[serde(rename = "report")]
    Report { cluster_id: Option<&'a str>, generated_at: Timestamp, totals: &'a Totals },
    #[serde(rename = "cluster.silent")]
    Silent { reason: Reason, message: &'a str },
    #[serde(rename = "cluster.answers")]
    Answers {},
}

/// What was told last of one monitor.
#[derive(Debug, Default)]
struct Seen {
    report: Option<Arc<Report>>,
    silent: bool,
}

impl Seen {
    fn of(monitor: &Monitor) -> Self {
        Self { report: monitor.report.clone(), silent: monitor.pulse.trouble.is_some() }
    }

    /// What has happened to the monitor since; and whether there is a new report.
    fn advance(&mut self, monitor: &Monitor, only: Option<&str>, now: Timestamp, messages: &mut Vec<Message>) -> bool {
        let before = std::mem::replace(self, Self::of(monitor));
        let fresh = match (&before.report, &monitor.report) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            (_, after) => after.is_some(),
        };
        // One that begins anew has not answered yet.
        self.silent |= before.silent && !fresh;
        let place = (now, monitor.cluster_name());
        match &monitor.pulse.trouble {
            Some(trouble) if !before.silent => {
                let event = ClusterEvent::Silent { reason: trouble.reason, message: &trouble.message };
                messages.extend(message("cluster.silent", What::Cluster(event), place, None));
            }
            None if before.silent && !self.silent => {
                messages.extend(message("cluster.answers", What::Cluster(ClusterEvent::Answers {}), place, None));
            }
            _ => {}
        }
        let Some(after) = monitor.report.as_ref() else { return false };
        if let Some(before) = before.report.filter(|_| fresh) {
            let place = (after.generated_at, monitor.cluster_name());
            for (group, event) in events(&before, after, only) {
                messages.extend(message(event.word(), What::Event(&event), place, Some(&group)));
            }
        }
        fresh
    }
}

fn message(
    word: &'static str,
    what: What<'_>,
    (time, cluster_name): (Timestamp, &str),
    group_id: Option<&str>,
) -> Option<Message> {
    let json = serde_json::to_string(&Happened { what, time, cluster_name, group_id }).ok()?;
    Some(Message { word, json: json.into() })
}

/// Follows one group of one monitor.
pub(super) struct OneGroup {
    api: Api,
    monitor: MonitorName,
    group: String,
    seen: Seen,
    /// Whether a snapshot comes with every report.
    each: bool,
}

impl OneGroup {
    pub(super) fn new(api: Api, monitor: &Monitor, group: String, each: bool) -> Self {
        Self { api, monitor: monitor.name.clone(), group, seen: Seen::of(monitor), each }
    }

    fn snapshot(&self, view: &View) -> Option<Message> {
        let monitor = view.monitors.iter().find(|monitor| monitor.name == self.monitor)?;
        let rest = self.api.frames.snapshot(monitor, &self.group);
        let time = Timestamp(self.api.clock.now());
        let json = format!("{{\"type\":\"snapshot\",\"time\":\"{time}\",{rest}");
        Some(Message { word: "snapshot", json: json.into() })
    }
}

impl Follow for OneGroup {
    fn first(&mut self) -> Vec<Message> {
        self.again()
    }

    fn news(&mut self) -> Vec<Message> {
        let (view, now, mut messages) = (self.api.views.latest(), Timestamp(self.api.clock.now()), Vec::new());
        let Some(monitor) = view.monitors.iter().find(|monitor| monitor.name == self.monitor) else {
            return messages;
        };
        let fresh = self.seen.advance(monitor, Some(&self.group), now, &mut messages);
        messages.extend(self.snapshot(&view).filter(|_| fresh && self.each));
        messages
    }

    fn again(&mut self) -> Vec<Message> {
        let view = self.api.views.latest();
        self.api.frames.keep(&view.monitors);
        self.snapshot(&view).into_iter().collect()
    }
}

/// Follows every group, of all clusters or of one.
pub(super) struct Everything {
    api: Api,
    only: Option<MonitorName>,
    /// What was judged by namespace; `None` where everything may be seen.
    judged: Option<Judged>,
    seen: BTreeMap<MonitorName, Seen>,
}

/// The namespaces that had LagMonitors when it began, and those of them that may be seen.
pub(super) struct Judged {
    pub(super) all: BTreeSet<String>,
    pub(super) seen: BTreeSet<String>,
}

impl Everything {
    pub(super) fn new(api: Api, only: Option<MonitorName>, judged: Option<Judged>) -> Self {
        Self { api, only, judged, seen: BTreeMap::new() }
    }

    fn wants(&self, name: &MonitorName) -> bool {
        self.only.as_ref().is_none_or(|only| name == only)
            && self.judged.as_ref().is_none_or(|judged| judged.seen.contains(&name.namespace))
    }
}

impl Follow for Everything {
    fn first(&mut self) -> Vec<Message> {
        self.news()
    }

    fn news(&mut self) -> Vec<Message> {
        let (view, now, mut messages) = (self.api.views.latest(), Timestamp(self.api.clock.now()), Vec::new());
        self.seen.retain(|name, _| view.monitors.iter().any(|monitor| monitor.name == *name));
        for monitor in &view.monitors {
            if !self.wants(&monitor.name) {
                continue;
            }
            let seen = self.seen.entry(monitor.name.clone()).or_default();
            if !seen.advance(monitor, None, now, &mut messages) {
                continue;
            }
            let Some(report) = &monitor.report else { continue };
            let (cluster_id, generated_at) = (report.cluster.id.as_deref(), report.generated_at);
            let event = ClusterEvent::Report { cluster_id, generated_at, totals: &report.totals };
            messages.extend(message("report", What::Cluster(event), (generated_at, monitor.cluster_name()), None));
        }
        messages
    }

    fn again(&mut self) -> Vec<Message> {
        Vec::new()
    }

    fn is_outgrown(&self) -> bool {
        let view = self.api.views.latest();
        let is_new =
            |judged: &Judged| view.monitors.iter().any(|monitor| !judged.all.contains(&monitor.name.namespace));
        self.judged.as_ref().is_some_and(is_new)
    }
}
