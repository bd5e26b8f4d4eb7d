//! The properties of the Kafka client that a LagMonitor may set.
//!
//! A closed list: nothing that names a file, a URL or a plugin, nothing that prints secrets, nothing that weakens TLS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::form;

/// Properties of the Kafka client, by librdkafka's names. What is not written keeps librdkafka's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Properties {
    /// Which address families to connect to.
    #[serde(rename = "broker.address.family", skip_serializing_if = "Option::is_none")]
    pub broker_address_family: Option<AddressFamily>,
    /// How host names are looked up.
    #[serde(rename = "client.dns.lookup", skip_serializing_if = "Option::is_none")]
    pub client_dns_lookup: Option<DnsLookup>,
    /// The client's name in the broker's logs and quotas, 1 to 255 letters, digits, `.`, `_` and `-`.
    #[schemars(
        length(max = 255),
        extend("x-kubernetes-validations" = form(
            "^[A-Za-z0-9._-]+$",
            "write a name of letters, digits, ., _ and -, such as highwater-orders",
        ))
    )]
    #[serde(rename = "client.id", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Closes connections that were idle for so long, in milliseconds, from 0 (never) to 2147483647.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    #[serde(rename = "connections.max.idle.ms", skip_serializing_if = "Option::is_none")]
    pub connections_max_idle_ms: Option<i32>,
    /// The longest time between two attempts to connect, in milliseconds, from 0 to 3600000.
    #[schemars(range(min = 0, max = 3_600_000))]
    #[serde(rename = "reconnect.backoff.max.ms", skip_serializing_if = "Option::is_none")]
    pub reconnect_backoff_max_ms: Option<i32>,
    /// The first time between two attempts to connect, in milliseconds, from 0 to 3600000.
    #[schemars(range(min = 0, max = 3_600_000))]
    #[serde(rename = "reconnect.backoff.ms", skip_serializing_if = "Option::is_none")]
    pub reconnect_backoff_ms: Option<i32>,
    /// The longest time for opening a connection with TLS and SASL, in milliseconds, from 1000 to 300000.
    #[schemars(range(min = 1_000, max = 300_000))]
    #[serde(rename = "socket.connection.setup.timeout.ms", skip_serializing_if = "Option::is_none")]
    pub socket_connection_setup_timeout_ms: Option<i32>,
    /// Sends TCP keep-alives.
    #[serde(rename = "socket.keepalive.enable", skip_serializing_if = "Option::is_none")]
    pub socket_keepalive_enable: Option<bool>,
    /// The longest time for a request, in milliseconds, from 10 to 300000.
    #[schemars(range(min = 10, max = 300_000))]
    #[serde(rename = "socket.timeout.ms", skip_serializing_if = "Option::is_none")]
    pub socket_timeout_ms: Option<i32>,
}

/// Which address families to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AddressFamily {
    /// IPv4 and IPv6.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How host names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DnsLookup {
    /// Tries every address of a host in turn.
    UseAllDnsIps,
    /// Resolves every bootstrap server into its canonical host names first, as Kerberos wants it.
    ResolveCanonicalBootstrapServersOnly,
}
