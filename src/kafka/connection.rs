//! How a client reaches a cluster: addresses, TLS and SASL with every secret already fetched.
//!
//! Plain data. Where it comes from (a resource, a properties file, a flag) is left to others.

use std::collections::BTreeMap;

/// Everything that is needed to connect to one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// The bootstrap servers, `host:port` each.
    pub brokers: Vec<String>,
    /// TLS settings; `None` speaks plaintext.
    pub tls: Option<Tls>,
    /// SASL settings; `None` does not authenticate by SASL.
    pub sasl: Option<Sasl>,
    /// Further librdkafka properties, checked by whoever filled them in.
    pub properties: BTreeMap<String, String>,
}

/// TLS settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Certificates to trust, PEM; `None` trusts the system's roots.
    pub ca_pem: Option<String>,
    /// The client's certificate, for mutual TLS.
    pub client: Option<ClientCertificate>,
    /// Leaves the broker's host name unchecked (`ssl.endpoint.identification.algorithm=`).
    pub skip_hostname_check: bool,
}

/// A client certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Certificate chain, PEM.
    pub certificate_pem: String,
    /// Private key, PEM.
    pub key_pem: Secret,
    /// Password of the key, where it has one.
    pub key_password: Option<Secret>,
}

/// SASL settings, by mechanism.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    Password {
        /// Kafka's name of the mechanism.
        mechanism: PasswordMechanism,
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// `OAUTHBEARER` with tokens fetched by the client credentials grant (RFC 6749 §4.4).
    OauthBearer(Oauth),
}

/// A SASL mechanism with username and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMechanism {
    /// `PLAIN` (RFC 4616).
    Plain,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
}

/// Where OAuth tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oauth {
    /// URL of the token endpoint.
    pub token_endpoint: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The scope to ask for.
    pub scope: Option<String>,
}

/// A value that never shows itself in logs, errors or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
