//! The Secrets and ConfigMaps that a LagMonitor refers to, from the API server.
//!
//! Each is fetched by `get` alone, by its name: there is no list and no watch of Secrets anywhere. They are fetched
//! again every minute, and at once when Kafka refused what they held.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

use super::resolve::{Data, Kind, Resolved};

/// How old fetched objects may be.
const FRESH: Duration = Duration::from_secs(60);

/// Least time between two fetches when Kafka refuses what was fetched.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one LagMonitor refers to, as it was fetched last.
#[derive(Debug, Default)]
pub struct References {
    wanted: BTreeSet<(Kind, String)>,
    objects: Resolved,
    /// When the API server was last asked for them.
    asked: Option<Instant>,
}

/// Why an object could not be fetched. Never holds its content.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The operator needs a RoleBinding.
    #[error(
        "{kind} {name} can't be read: the operator may not get it in namespace {namespace}. Create a RoleBinding there \
         that gives the operator's ServiceAccount the verb get on {}", plural(*.kind)
    )]
    Forbidden {
        /// The object's kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server has to be looked at.
    #[error("{kind} {name} can't be read: {}", answer(source))]
    Api {
        /// The object's kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the API server says.
        source: Box<kube::Error>,
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
    /// The objects, fetched again when they are not fresh, when others are wanted, or when they were refused since.
    ///
    /// `refused` is when Kafka last refused them. One that does not exist is not among them.
    ///
    /// # Errors
    /// When one can't be fetched. What was fetched before is kept, and the next call tries again.
    pub async fn fresh(
        &mut self,
        client: &Client,
        namespace: &str,
        wanted: BTreeSet<(Kind, String)>,
        refused: Option<Instant>,
    ) -> Result<&Resolved, FetchError> {
        let known = self.asked.is_some() && self.wanted == wanted;
        let asked_since = |refused: Instant| self.asked.is_some_and(|asked| asked > refused);
        let refused = refused.is_some_and(|refused| !asked_since(refused)) && self.since() >= PATIENCE;
        if known && self.since() < FRESH && !refused {
            return Ok(&self.objects);
        }
        match fetch_all(client, namespace, &wanted).await {
            Ok(objects) => *self = Self { wanted, objects, asked: Some(Instant::now()) },
            // What was good a minute ago most likely still is.
            Err(error @ FetchError::Api { .. }) if known => {
                tracing::warn!(namespace, reason = error.reason(), "{error}; what was fetched before goes on");
                self.asked = Some(Instant::now());
            }
            Err(error) => return Err(error),
        }
        Ok(&self.objects)
    }

    /// When to look again; `None` without any reference.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        (self.asked.is_some() && !self.wanted.is_empty()).then(|| FRESH.saturating_sub(self.since()))
    }

    /// Drops what was fetched, for something is wrong with it: the next call fetches it again.
    pub fn expire(&mut self) {
        self.asked = None;
    }

    fn since(&self) -> Duration {
        self.asked.map_or(Duration::MAX, |asked| asked.elapsed())
    }
}

async fn fetch_all(
    client: &Client,
    namespace: &str,
    wanted: &BTreeSet<(Kind, String)>,
) -> Result<Resolved, FetchError> {
    let mut objects = Resolved::default();
    for (kind, name) in wanted {
        if let Some(data) = fetch(client, namespace, *kind, name).await? {
            objects.insert(*kind, name, data);
        }
    }
    Ok(objects)
}

async fn fetch(client: &Client, namespace: &str, kind: Kind, name: &str) -> Result<Option<Data>, FetchError> {
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
    fetched.map_err(|error| match &error {
        kube::Error::Api(status) if status.code == 403 => {
            FetchError::Forbidden { kind, namespace: namespace.to_owned(), name: name.to_owned() }
        }
        _ => FetchError::Api { kind, name: name.to_owned(), source: Box::new(error) },
    })
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

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret => "secrets",
        Kind::ConfigMap => "configmaps",
    }
}
