//! The report of one monitor in its ConfigMap: created, kept, and taken away again, without ever touching a ConfigMap
//! that belongs to somebody else. What the report looks like there is `output`'s, when to come back is the caller's.

pub mod budget;
pub mod error;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};

use crate::crd::output::{self, ConfigMapOutput};
use crate::lag::report::{Detail, MonitorName, Report, Timestamp};
use crate::output::config_map::{self, KEY, Limits};
use budget::Budget;
use error::{PublishError, Verb};

/// A report whose figures did not change is written again when the one in the ConfigMap is as old as this (or as
/// `minInterval`, when that is longer), for its `generated_at` is how a reader tells an idle cluster from a dead
/// Highwater.
pub const REFRESH: Duration = Duration::from_secs(600);

/// The label that says who writes a ConfigMap, and what it says on ours.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "highwater");

/// The least time between two writes of one ConfigMap, whatever has changed: the least `minInterval`.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// How often a write is tried again at once when somebody else was faster.
const ATTEMPTS: usize = 3;

const FIELD_MANAGER: &str = "highwater";

/// The LagMonitor that owns a ConfigMap, and the way to the ConfigMaps of its namespace.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// The ConfigMaps of the monitor's namespace.
    pub api: &'a Api<ConfigMap>,
    /// Its name.
    pub monitor: &'a MonitorName,
    /// The controller reference to it, without `blockOwnerDeletion`, which would take further rights.
    pub reference: &'a OwnerReference,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is in the ConfigMap.
    Written,
    /// The ConfigMap says the same already.
    Unchanged,
    /// It is too early: come back with the latest report after this time.
    In(Duration),
}

/// What is known of the ConfigMap of one monitor. A default one knows nothing, which costs one write.
#[derive(Debug, Default)]
pub struct Publication {
    /// The ConfigMap that holds the report, as far as is known.
    name: Option<String>,
    /// The ConfigMaps that may be the monitor's: all but the one that the report goes to are taken away.
    left: BTreeSet<String>,
    owner: Option<String>,
    page: Page,
}

/// What is known of the one ConfigMap that the report goes to.
#[derive(Debug, Default)]
struct Page {
    name: String,
    resource_version: Option<String>,
    written: Option<Written>,
    checked: Option<Instant>,
}

#[derive(Debug)]
struct Written {
    at: Instant,
    detail: output::Detail,
    generated_at: Timestamp,
    digest: u64,
    text: u64,
}

impl Publication {
    /// What a process begins with: the name of the ConfigMap that the monitor's status says it was written to.
    pub fn recalled(name: Option<String>) -> Self {
        Self { left: name.iter().cloned().collect(), name, ..Self::default() }
    }

    /// The name of the ConfigMap that holds the report: what belongs into the monitor's status.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether this process has written what this output asks for, at whatever time.
    pub fn shows(&self, output: &ConfigMapOutput) -> bool {
        self.page.name == output.name
            && self.page.written.as_ref().is_some_and(|written| written.detail == output.detail)
    }

    /// Brings the ConfigMap to say what the report says, at most once per `minInterval` and as the budget allows.
    /// One that the monitor had under another name is deleted once this one is there. A ConfigMap that was deleted or
    /// changed by hand is noticed when the report changes, or within `minInterval`.
    ///
    /// Dropping the future is safe.
    ///
    /// # Errors
    /// [`PublishError`]: nothing is written then, unless somebody else came in between, or the former one is still there.
    pub async fn publish(
        &mut self,
        owner: Owner<'_>,
        output: &ConfigMapOutput,
        report: &Report,
        budget: &Budget,
        now: Instant,
    ) -> Result<Next, PublishError> {
        // A monitor that was deleted and created again owns nothing of its former self.
        if self.owner.as_ref().is_some_and(|known| *known != owner.reference.uid) {
            *self = Self::default();
        }
        self.owner = Some(owner.reference.uid.clone());
        if self.page.name != output.name {
            self.page = Page { name: output.name.clone(), ..Page::default() };
            self.left.insert(output.name.clone());
        }
        let next = self.page.bring(owner, output, report, budget, now).await?;
        if self.page.written.is_some() {
            self.name = Some(output.name.clone());
            self.clear(owner, Some(&output.name)).await?;
        }
        Ok(next)
    }

    /// Deletes the ConfigMap that was written, if there is one and it is still the monitor's. Does nothing when nothing
    /// was written. Deleting the LagMonitor itself does not need this: Kubernetes collects what it owned.
    ///
    /// # Errors
    /// [`PublishError`]; the name is remembered then, so that the next call tries again.
    pub async fn withdraw(&mut self, owner: Owner<'_>) -> Result<(), PublishError> {
        self.clear(owner, None).await?;
        *self = Self::default();
        Ok(())
    }

    /// Deletes every ConfigMap that may be the monitor's, but for one.
    async fn clear(&mut self, owner: Owner<'_>, but: Option<&str>) -> Result<(), PublishError> {
        while let Some(name) = self.left.iter().find(|name| Some(name.as_str()) != but).cloned() {
            owner.delete(&name).await?;
            self.left.remove(&name);
        }
        Ok(())
    }
}

impl Page {
    async fn bring(
        &mut self,
        owner: Owner<'_>,
        output: &ConfigMapOutput,
        report: &Report,
        budget: &Budget,
        now: Instant,
    ) -> Result<Next, PublishError> {
        let interval = Duration::from_millis(output.min_interval.millis().unsigned_abs());
        // Who asks for another detail need not wait for the next day.
        let pause =
            |written: &Written| if written.detail == output.detail { interval } else { interval.min(LEAST_PAUSE) };
        if let Some(wait) = self.written.as_ref().and_then(|written| remaining(written.at, pause(written), now)) {
            return Ok(Next::In(wait));
        }
        let rendered = config_map::rendered(report, depth(output.detail), Limits::default())?;
        if self.says(report, output.detail, rendered.digest, interval.max(REFRESH), now) {
            if self.checked.is_some_and(|checked| remaining(checked, interval, now).is_some()) {
                return Ok(Next::Unchanged);
            }
            if self.stands(owner).await? {
                self.checked = Some(now);
                return Ok(Next::Unchanged);
            }
        }
        if let Err(wait) = budget.take(rendered.json.len(), now) {
            return Ok(Next::In(wait));
        }
        let text = hash(&rendered.json);
        self.write(owner, rendered.json).await?;
        let (generated_at, digest) = (report.generated_at, rendered.digest);
        self.written = Some(Written { at: now, detail: output.detail, generated_at, digest, text });
        self.checked = Some(now);
        Ok(Next::Written)
    }

    /// Whether the last writing of this process says the same, and is `young` enough to say that Highwater is alive.
    fn says(&self, report: &Report, detail: output::Detail, digest: u64, young: Duration, now: Instant) -> bool {
        self.written.as_ref().is_some_and(|written| {
            let is_young = remaining(written.at, young, now).is_some();
            (written.detail, written.digest) == (detail, digest)
                && (is_young || written.generated_at == report.generated_at)
        })
    }

    /// Whether the ConfigMap is still there as it was written. Only what Highwater writes counts, so that another
    /// controller's annotation does not make two programs write against each other.
    async fn stands(&mut self, owner: Owner<'_>) -> Result<bool, PublishError> {
        let name = &self.name;
        let found = owner.look(name).await?;
        let version = found.and_then(|found| found.resource_version);
        if version.is_none() || version == self.resource_version {
            return Ok(version.is_some());
        }
        self.resource_version = None;
        let Some(found) = owner.api.get_opt(name).await.map_err(|error| owner.refused(Verb::Get, name, error))? else {
            return Ok(false);
        };
        let text = found.data.as_ref().and_then(|data| data.get(KEY)).map(hash);
        let label = found.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY.0));
        let same = text == self.written.as_ref().map(|written| written.text)
            && label.is_some_and(|label| label == MANAGED_BY.1)
            && owner.owns(&found.metadata);
        if same {
            self.resource_version = found.metadata.resource_version;
        }
        Ok(same)
    }

    async fn write(&mut self, owner: Owner<'_>, json: String) -> Result<(), PublishError> {
        let name = &self.name;
        let wanted = owner.config_map(name, json);
        for _ in 0..ATTEMPTS {
            // Taken, so that a failure on the way leads to another look.
            let known = match self.resource_version.take() {
                Some(version) => Some(version),
                None => owner.look(name).await?.and_then(|found| found.resource_version),
            };
            let written = match known {
                Some(version) => owner.update(name, &wanted, version).await,
                None => owner.create(name, &wanted).await,
            };
            match written {
                Ok(found) => {
                    self.resource_version = found.resource_version;
                    return Ok(());
                }
                Err(Failed::Raced) => {}
                Err(Failed::Refused(error)) => return Err(error),
            }
        }
        Err(owner.contended(name))
    }
}

/// Why a request changed nothing.
enum Failed {
    /// What was known is out of date: look again.
    Raced,
    /// For good.
    Refused(PublishError),
}

impl Owner<'_> {
    /// The metadata of the ConfigMap when it is this monitor's; `None` when there is none. What is in it is not read.
    async fn look(self, name: &str) -> Result<Option<ObjectMeta>, PublishError> {
        let found = self.api.get_metadata_opt(name).await.map_err(|error| self.refused(Verb::Get, name, error))?;
        match found {
            Some(found) if self.owned_before(&found.metadata) => {
                // Kubernetes collects it soon, or, when it missed the deletion, never.
                self.delete_as_seen(name, found.metadata).await?;
                Ok(None)
            }
            Some(found) if !self.owns(&found.metadata) => Err(PublishError::Taken {
                config_map: self.config_map_name(name),
                holder: error::holder(&found.metadata, self.reference),
            }),
            found => Ok(found.map(|found| found.metadata)),
        }
    }

    /// Whether the controller of an object is this monitor: of the same group, in whatever version, kind and uid.
    fn owns(self, found: &ObjectMeta) -> bool {
        self.controls(found, |controller| controller.uid == self.reference.uid)
    }

    /// Whether it is a former LagMonitor of the name, which is gone, for this one has the name now.
    fn owned_before(self, found: &ObjectMeta) -> bool {
        self.controls(found, |controller| {
            controller.name == self.reference.name && controller.uid != self.reference.uid
        })
    }

    fn controls(self, found: &ObjectMeta, is: impl Fn(&OwnerReference) -> bool) -> bool {
        let group = |reference: &OwnerReference| reference.api_version.split('/').next().map(str::to_owned);
        let kind = |other: &OwnerReference| other.kind == self.reference.kind && group(other) == group(self.reference);
        found.owner_references.iter().flatten().any(|other| other.controller == Some(true) && kind(other) && is(other))
    }

    fn config_map(self, name: &str, json: String) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.monitor.namespace.clone()),
                labels: Some([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into()),
                owner_references: Some(vec![self.reference.clone()]),
                ..ObjectMeta::default()
            },
            data: Some([(KEY.to_owned(), json)].into()),
            ..ConfigMap::default()
        }
    }

    async fn create(self, name: &str, wanted: &ConfigMap) -> Result<ObjectMeta, Failed> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.api.create(&params, wanted).await {
            Ok(created) => Ok(created.metadata),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Err(Failed::Raced),
            Err(error) => Err(Failed::Refused(self.refused(Verb::Create, name, error))),
        }
    }

    /// Puts what Highwater writes into the ConfigMap of that version; what others added to it stays.
    async fn update(self, name: &str, wanted: &ConfigMap, version: String) -> Result<ObjectMeta, Failed> {
        let metadata = serde_json::json!({ "resourceVersion": version, "labels": wanted.metadata.labels });
        let patch = Patch::Merge(serde_json::json!({ "metadata": metadata, "data": wanted.data }));
        match self.api.patch_metadata(name, &PatchParams::apply(FIELD_MANAGER), &patch).await {
            Ok(updated) => Ok(updated.metadata),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Err(Failed::Raced),
            Err(error) => Err(Failed::Refused(self.refused(Verb::Patch, name, error))),
        }
    }

    /// Deletes the ConfigMap as it was last seen; one that is not there, or not this monitor's, is left.
    async fn delete(self, name: &str) -> Result<(), PublishError> {
        for _ in 0..ATTEMPTS {
            let found = match self.look(name).await {
                Ok(Some(found)) => found,
                Ok(None) | Err(PublishError::Taken { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.delete_as_seen(name, found).await? {
                return Ok(());
            }
        }
        Err(self.contended(name))
    }

    /// Deletes the very ConfigMap that was seen; says whether it is gone.
    async fn delete_as_seen(self, name: &str, seen: ObjectMeta) -> Result<bool, PublishError> {
        let as_seen = Preconditions { uid: seen.uid, resource_version: seen.resource_version };
        match self.api.delete(name, &DeleteParams::background().preconditions(as_seen)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(false),
            Err(error) => Err(self.refused(Verb::Delete, name, error)),
        }
    }

    fn config_map_name(self, name: &str) -> error::Name {
        error::Name { namespace: self.monitor.namespace.clone(), name: name.to_owned() }
    }

    fn refused(self, verb: Verb, name: &str, error: kube::Error) -> PublishError {
        PublishError::refused(verb, self.config_map_name(name), error)
    }

    fn contended(self, name: &str) -> PublishError {
        PublishError::Contended { config_map: self.config_map_name(name) }
    }
}

/// What is left of a length of time that began at `since`; `None` when it is over.
fn remaining(since: Instant, length: Duration, now: Instant) -> Option<Duration> {
    length.checked_sub(now.saturating_duration_since(since)).filter(|left| !left.is_zero())
}

fn hash(text: &String) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn depth(detail: output::Detail) -> Detail {
    match detail {
        output::Detail::Group => Detail::Group,
        output::Detail::Topic => Detail::Topic,
        output::Detail::Partition => Detail::Partition,
    }
}

#[cfg(test)]
mod tests;
