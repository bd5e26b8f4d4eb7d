//! Why a report is not in its ConfigMap: what the API server answered, as a sentence that says what to do.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::Status;

use crate::output::RenderError;

/// The longest part of the API server's message that is passed on, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// What `kube` calls an answer that does not come from an API server but from something before it.
const NO_STATUS: &str = "Failed to parse error data";

/// Why a report is not in its ConfigMap.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A ConfigMap of that name is not ours: delete it, or choose another name.
    #[error(
        "ConfigMap {config_map} exists and belongs to {holder}: delete it, or write another name into \
         spec.output.configMap.name"
    )]
    Taken {
        /// The ConfigMap.
        config_map: Name,
        /// Who controls or owns it.
        holder: String,
    },
    /// The ConfigMap was made immutable, which cannot be undone: delete it.
    #[error("ConfigMap {config_map} is immutable, and nobody can change that: delete it, and it is written anew")]
    Immutable {
        /// The ConfigMap.
        config_map: Name,
    },
    /// A right is missing: grant it.
    #[error(
        "Highwater may not {verb} ConfigMap {config_map}: create a RoleBinding in namespace {} that gives its \
         ServiceAccount `get`, `create`, `patch` and `delete` on `configmaps`; `{verb}` is missing",
        config_map.namespace
    )]
    Forbidden {
        /// The verb that is missing.
        verb: Verb,
        /// The ConfigMap.
        config_map: Name,
    },
    /// The namespace may not have more: raise the quota.
    #[error(
        "ConfigMap {config_map} would exceed a quota: raise the ResourceQuota of namespace {}, or remove other \
         ConfigMaps there ({message})",
        config_map.namespace
    )]
    Quota {
        /// The ConfigMap.
        config_map: Name,
        /// The API server's message.
        message: String,
    },
    /// With what others put into the ConfigMap it is too large: take that out.
    #[error(
        "ConfigMap {config_map} would be too large for Kubernetes: take out of it what is not `report.json`, or \
         lower spec.output.configMap.detail"
    )]
    TooLarge {
        /// The ConfigMap.
        config_map: Name,
    },
    /// Somebody else changes the ConfigMap whenever Highwater does: find out who.
    #[error(
        "ConfigMap {config_map} is changed by somebody else whenever Highwater writes it: see by whom with \
         `kubectl get configmap {} -n {} -o yaml --show-managed-fields`",
        config_map.name,
        config_map.namespace
    )]
    Contended {
        /// The ConfigMap.
        config_map: Name,
    },
    /// The API server refuses for another reason, which it says.
    #[error("the API server refuses to {verb} ConfigMap {config_map}: {reason} ({code}){message}")]
    Api {
        /// What was asked.
        verb: Verb,
        /// The ConfigMap.
        config_map: Name,
        /// The reason of its status.
        reason: String,
        /// The HTTP code.
        code: u16,
        /// Its message behind a colon, or nothing.
        message: String,
    },
    /// There was no answer: wait, and see whether the API server is well.
    #[error("the API server did not answer when asked to {verb} ConfigMap {config_map}: it is asked again")]
    NoAnswer {
        /// What was asked.
        verb: Verb,
        /// The ConfigMap.
        config_map: Name,
        /// What went wrong on the way.
        source: Box<kube::Error>,
    },
    /// The report could not be brought into its shape.
    #[error(transparent)]
    Render(#[from] RenderError),
}

impl PublishError {
    /// The word for conditions, Events, log and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "ConfigMapTaken",
            Self::Immutable { .. } => "ConfigMapImmutable",
            Self::Forbidden { .. } => "ConfigMapForbidden",
            Self::Quota { .. } => "ConfigMapQuota",
            Self::TooLarge { .. } | Self::Render(RenderError::TooLarge { .. }) => "ConfigMapTooLarge",
            Self::Contended { .. } => "ConfigMapContended",
            Self::Api { .. } | Self::NoAnswer { .. } => "KubernetesApi",
            Self::Render(_) => "RenderFailed",
        }
    }

    /// What the API server's answer to a request means.
    pub(super) fn refused(verb: Verb, config_map: Name, error: kube::Error) -> Self {
        let status = match error {
            kube::Error::Api(status) => status,
            other => return Self::NoAnswer { verb, config_map, source: Box::new(other) },
        };
        // Admission refuses with the same reason as authorization does; only the message tells them apart.
        if status.is_forbidden() && status.message.contains(" quota") {
            return Self::Quota { config_map, message: shortened(&status.message) };
        }
        if status.is_forbidden() && status.message.contains(&format!("cannot {verb} resource")) {
            return Self::Forbidden { verb, config_map };
        }
        if has_cause(&status, |reason, message| reason == "FieldValueForbidden" && message.contains("immutable")) {
            return Self::Immutable { config_map };
        }
        if status.code == 413
            || status.message.contains("request is too large")
            || has_cause(&status, |reason, _| reason == "FieldValueTooLong")
        {
            return Self::TooLarge { config_map };
        }
        // Whatever stands before the API server is not quoted.
        let (reason, message) = match status.reason.as_str() {
            NO_STATUS => ("not an answer of the API server".to_owned(), String::new()),
            reason => (reason.to_owned(), format!(": {}", shortened(&status.message))),
        };
        Self::Api { verb, config_map, reason, code: status.code, message }
    }
}

fn has_cause(status: &Status, is: impl Fn(&str, &str) -> bool) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| is(&cause.reason, &cause.message))
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// Who a ConfigMap belongs to that is not `ours`.
pub(super) fn holder(found: &ObjectMeta, ours: &OwnerReference) -> String {
    let owners = found.owner_references.as_deref().unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    match controller.or(owners.first()) {
        None => "nobody".to_owned(),
        Some(owner) if owner.uid == ours.uid => "this LagMonitor, but not as its controller".to_owned(),
        Some(owner) => format!("{} {}", owner.kind, owner.name),
    }
}

/// The full name of a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What the API server was asked to do, as RBAC spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read one.
    Get,
    /// Make one.
    Create,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}
