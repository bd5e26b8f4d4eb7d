//! TLS of a LagMonitor, and references to Secrets and ConfigMaps of its namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{form, object_name, rule};

/// TLS settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The certificates to trust, PEM. Default: the system's roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaSource>,
    /// The Secret with the client's certificate and key, PEM: keys `tls.crt` and `tls.key`, or Strimzi's `user.crt`
    /// and `user.key`. Default: no client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<LocalReference>,
}

/// Where trusted certificates come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.secretRef) != has(self.configMapRef)", "write exactly one of secretRef and configMapRef"),
]))]
pub struct CaSource {
    /// A key of a Secret in the namespace of the LagMonitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyReference>,
    /// A key of a ConfigMap in the namespace of the LagMonitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyReference>,
}

/// An object of the LagMonitor's own namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalReference {
    /// The object's name, 1 to 253 lower case letters, digits, `-` and `.`.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = object_name()))]
    pub name: String,
}

/// One key of an object of the LagMonitor's own namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyReference {
    /// The object's name, 1 to 253 lower case letters, digits, `-` and `.`.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = object_name()))]
    pub name: String,
    /// The key within its data, 1 to 253 letters, digits, `-`, `_` and `.`.
    #[schemars(
        length(max = 253),
        extend("x-kubernetes-validations" = form(
            "^[A-Za-z0-9._-]+$",
            "write a key of letters, digits, ., _ and -, such as ca.crt",
        ))
    )]
    pub key: String,
}
