//! SASL of a LagMonitor: mechanism, user, and where the password or the tokens come from.

use kube::core::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tls::KeyReference;
use super::{form, rule};

/// SASL settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "self.mechanism != 'OAUTHBEARER' || has(self.oauth)",
        "mechanism OAUTHBEARER needs oauth: write oauth with tokenEndpoint, clientID and clientSecretRef",
    ).field_path(".oauth").reason(Reason::FieldValueRequired),
    rule(
        "self.mechanism == 'OAUTHBEARER' || !has(self.oauth)",
        "oauth goes with mechanism OAUTHBEARER only: write username and passwordSecretRef instead",
    ).field_path(".oauth"),
    rule(
        "self.mechanism == 'OAUTHBEARER' || has(self.passwordSecretRef)",
        "mechanism PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 needs a password: write passwordSecretRef with name and key",
    ).field_path(".passwordSecretRef").reason(Reason::FieldValueRequired),
    rule(
        "self.mechanism != 'OAUTHBEARER' || !has(self.username)",
        "mechanism OAUTHBEARER takes no username: write oauth.clientID instead",
    ).field_path(".username"),
    rule(
        "self.mechanism != 'OAUTHBEARER' || !has(self.passwordSecretRef)",
        "mechanism OAUTHBEARER takes no passwordSecretRef: write oauth.clientSecretRef instead",
    ).field_path(".passwordSecretRef"),
    rule(
        "!has(self.oauth) || !self.oauth.tokenEndpoint.startsWith('http://') || self.allowPlaintextCredentials",
        "a tokenEndpoint without TLS gets the client's secret in the clear: \
         write an https:// URL or allowPlaintextCredentials: true",
    ).field_path(".oauth.tokenEndpoint"),
]))]
pub struct Sasl {
    /// The mechanism, as Kafka names it.
    pub mechanism: Mechanism,
    /// The user, 1 to 255 characters. Default: key `username` of the Secret in `passwordSecretRef`, else that Secret's
    /// name, as Strimzi has it.
    #[schemars(length(min = 1, max = 255))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The Secret, and the key in it, that holds the password. For PLAIN and SCRAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<KeyReference>,
    /// Where tokens come from. For OAUTHBEARER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<Oauth>,
    /// Allows PLAIN and OAUTHBEARER without TLS, where anybody on the way can read the password or the token.
    /// Default: false.
    #[serde(default)]
    pub allow_plaintext_credentials: bool,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616).
    #[serde(rename = "PLAIN")]
    Plain,
    /// `SCRAM-SHA-256` (RFC 7677).
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// `SCRAM-SHA-512`.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// `OAUTHBEARER` (RFC 7628).
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

/// Where OAuth tokens come from: the client credentials grant (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Oauth {
    /// The URL of the token endpoint, `https://…`, at most 2048 characters.
    #[schemars(
        length(max = 2048),
        extend("x-kubernetes-validations" = form(
            r"^https?://[^\s/?#@]+([/?][^\s#]*)?$",
            "write an https:// URL without user and fragment, such as https://idp.example.com/token",
        ))
    )]
    pub token_endpoint: String,
    /// The client's id, 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// The Secret, and the key in it, that holds the client's secret.
    pub client_secret_ref: KeyReference,
    /// The scope to ask for, 1 to 1024 characters. Default: none.
    #[schemars(length(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}
