//! The Secrets and ConfigMaps that a LagMonitor refers to, from the API server.
//!
//! Each is fetched by `get` alone, by its name: there is no list and no watch of Secrets anywhere. They are fetched
//! again every minute, and sooner while they can't be had, are no good, or are refused by Kafka.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

use super::grants::Grants;
use super::plan::Referred;
use super::resolve::{Data, Kind, Resolved};

/// How old fetched objects may be.
const FRESH: Duration = Duration::from_secs(60);

/// How old they may be while something is wrong with them. Turns may come every second.
const DOUBT: Duration = Duration::from_secs(10);

/// What one LagMonitor refers to, as it was fetched last.
#[derive(Debug, Default)]
pub struct References {
    wanted: Referred,
    objects: Resolved,
    /// Why they could not be fetched last time.
    failed: Option<FetchError>,
    /// When the API server was last asked for them.
    asked: Option<Instant>,
    /// How long that holds.
    holds: Duration,
}

/// Where a LagMonitor's objects are, and how to be let at them.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The way to the API server.
    pub client: &'a Client,
    /// The LagMonitor's namespace.
    pub namespace: &'a str,
    /// What to do where the operator may not.
    pub grants: &'a Grants,
}

/// Why an object could not be fetched. Never holds its content.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The operator needs a RoleBinding.
    #[error("{field}: {kind} {name} can't be read: the operator may not get it in namespace {namespace}. {remedy}")]
    Forbidden {
        /// The field that refers to it.
        field: &'static str,
        /// The object's kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// The API server has to be looked at.
    #[error("{field}: {kind} {name} can't be read: {answer}; it is asked again soon")]
    Api {
        /// The field that refers to it.
        field: &'static str,
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the API server says, if anything.
        answer: String,
    },
}

impl FetchError {
    /// The word for it in conditions, events, logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden { kind: Kind::Secret, .. } => "SecretForbidden",
            Self::Forbidden { kind: Kind::ConfigMap, .. } => "ConfigMapForbidden",
            Self::Api { .. } => "KubernetesApi",
        }
    }
}

impl References {
    /// The objects, fetched again when they are old, when others are wanted, or soon while Kafka has `refused` what they
    /// hold. One that does not exist is not among them.
    ///
    /// # Errors
    /// When one can't be fetched, which holds for a while, too. Where nothing but an answer is missing, what was fetched
    /// before goes on.
    pub async fn fresh(&mut self, place: Place<'_>, wanted: Referred, refused: bool) -> Result<&Resolved, FetchError> {
        let good_for = if refused { DOUBT } else { FRESH };
        self.holds = self.holds.min(good_for);
        let known = self.asked.is_some() && self.wanted == wanted;
        if !known || self.since() >= self.holds {
            self.fetch(place, wanted, known, good_for).await;
        }
        self.failed.clone().map_or(Ok(&self.objects), Err)
    }

    async fn fetch(&mut self, place: Place<'_>, wanted: Referred, known: bool, good_for: Duration) {
        match fetch_all(place, &wanted).await {
            Ok(objects) => (self.objects, self.failed, self.holds) = (objects, None, good_for),
            // What was good a minute ago most likely still is.
            Err(error @ FetchError::Api { .. }) if known && self.failed.is_none() => {
                let namespace = place.namespace;
                tracing::warn!(namespace, reason = error.reason(), "{error}; what was fetched before goes on");
                self.holds = good_for;
            }
            Err(error) => (self.failed, self.holds) = (Some(error), DOUBT),
        }
        (self.wanted, self.asked) = (wanted, Some(Instant::now()));
    }

    /// When to look again; `None` without any reference.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        (self.asked.is_some() && !self.wanted.is_empty()).then(|| self.holds.saturating_sub(self.since()))
    }

    /// Something is wrong with what was fetched: it is fetched again soon.
    pub fn doubt(&mut self) {
        self.holds = self.holds.min(DOUBT);
    }

    fn since(&self) -> Duration {
        self.asked.map_or(Duration::MAX, |asked| asked.elapsed())
    }
}

async fn fetch_all(place: Place<'_>, wanted: &Referred) -> Result<Resolved, FetchError> {
    let mut objects = Resolved::default();
    for ((kind, name), field) in wanted {
        if let Some(data) = fetch(place, *kind, name, field).await? {
            objects.insert(*kind, name, data);
        }
    }
    Ok(objects)
}

async fn fetch(place: Place<'_>, kind: Kind, name: &str, field: &'static str) -> Result<Option<Data>, FetchError> {
    let Place { client, namespace, grants } = place;
    let fetched = match kind {
        Kind::Secret => {
            let secret = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await;
            secret.map(|found| found.map(of_secret))
        }
        Kind::ConfigMap => {
            let map = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(name).await;
            map.map(|found| found.map(of_config_map))
        }
    };
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    match fetched {
        Ok(found) => Ok(found),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            let remedy = grants.remedy(client, kind, &namespace).await;
            Err(FetchError::Forbidden { field, kind, namespace, name, remedy })
        }
        Err(error) => Err(FetchError::Api { field, kind, name, answer: answer(&error) }),
    }
}

fn of_secret(secret: Secret) -> Data {
    secret.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)).collect()
}

fn of_config_map(map: ConfigMap) -> Data {
    let texts = map.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
    texts.chain(map.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0))).collect()
}

/// What came instead of an object, without quoting whatever may stand before the API server.
fn answer(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server answers {} {}", status.code, status.reason),
        _ => "the API server does not answer".to_owned(),
    }
}
