//! A Kafka client's properties file, as `kafka-consumer-groups --command-config` takes it, becomes a connection.
//!
//! Security settings are taken or refused, never ignored: except where `security.protocol` makes Kafka's own client
//! ignore them. Other settings are mapped where librdkafka has the like, else named as ignored. Messages hold names of
//! properties, never their values.

mod format;
mod jaas;
mod security;
mod stores;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::connection::Connection;

/// A properties file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProperties {
    /// How to connect. `brokers` is empty where the file has no `bootstrap.servers`.
    pub connection: Connection,
    /// The names of the properties that have no effect here, sorted.
    pub ignored: Vec<String>,
}

/// Why a properties file can't be used, by what a person can do about it. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// The file has to be readable.
    #[error("{path} can't be read: {cause}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// A line has to be written otherwise.
    #[error("line {line}: write \\u and four hexadecimal digits")]
    Escape {
        /// The line, from 1.
        line: usize,
    },
    /// A property has to go.
    #[error("{key} is not supported: allowed are {allowed}")]
    Unsupported {
        /// The property.
        key: String,
        /// The properties of its family that are supported.
        allowed: String,
    },
    /// A property has to be added.
    #[error("{key} is missing: {hint}")]
    Missing {
        /// The property.
        key: &'static str,
        /// Why it is needed, and what to write.
        hint: &'static str,
    },
    /// A property needs another value.
    #[error("{key}: write {allowed}")]
    Value {
        /// The property.
        key: String,
        /// What is allowed.
        allowed: String,
    },
    /// A store can't be used.
    #[error("{key}: {path} {problem}", path = path.display())]
    Store {
        /// The property that names it.
        key: &'static str,
        /// The store.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

/// What the file says, each property taken out by whoever understands it.
type Properties = BTreeMap<String, String>;

/// Settings that librdkafka has too: Kafka's name, librdkafka's name, least and most.
const NUMBERS: [(&str, &str, i64, i64); 5] = [
    ("connections.max.idle.ms", "connections.max.idle.ms", 0, 2_147_483_647),
    ("reconnect.backoff.max.ms", "reconnect.backoff.max.ms", 0, 3_600_000),
    ("reconnect.backoff.ms", "reconnect.backoff.ms", 0, 3_600_000),
    ("request.timeout.ms", "socket.timeout.ms", 10, 300_000),
    ("socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.ms", 1_000, 2_147_483_647),
];

/// Reads a file. Stores that it names are read too, relative to the working directory as Kafka's own tools do.
///
/// # Errors
/// The first property that can't be used, with what is allowed.
pub fn load(path: &Path) -> Result<ClientProperties, PropertiesError> {
    parse(&read_text(path)?)
}

/// Reads the text of a file.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<ClientProperties, PropertiesError> {
    let mut properties = format::parse(text)?;
    let protocol = security::protocol(&mut properties)?;
    let (tls, sasl) = (security::tls(&mut properties, protocol)?, security::sasl(&mut properties, protocol)?);
    let brokers = brokers(&mut properties)?;
    let settings = settings(&mut properties)?;
    let connection = Connection { brokers, tls, sasl, properties: settings };
    Ok(ClientProperties { connection, ignored: properties.into_keys().collect() })
}

fn brokers(properties: &mut Properties) -> Result<Vec<String>, PropertiesError> {
    let Some(text) = properties.remove("bootstrap.servers") else { return Ok(vec![]) };
    // A listener name before the address is taken off, as Kafka does.
    let address = |entry: &str| entry.trim().rsplit_once("://").map_or(entry.trim(), |(_, address)| address).to_owned();
    let brokers: Vec<_> = text.split(',').map(address).filter(|entry| !entry.is_empty()).collect();
    let has_port = |broker: &String| {
        broker
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    if brokers.is_empty() || !brokers.iter().all(has_port) {
        return Err(value("bootstrap.servers", "host:port, several with commas between them"));
    }
    Ok(brokers)
}

fn settings(properties: &mut Properties) -> Result<BTreeMap<String, String>, PropertiesError> {
    let mut settings = BTreeMap::new();
    for (name, ours, least, most) in NUMBERS {
        let Some(text) = properties.remove(name) else { continue };
        let number = text.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
        let number = number.ok_or_else(|| value(name, format!("a whole number from {least} to {most}")))?;
        settings.insert(ours.to_owned(), number.to_string());
    }
    if let Some(id) = properties.remove("client.id").filter(|id| !id.is_empty()) {
        settings.insert("client.id".into(), id);
    }
    if let Some(lookup) = properties.remove("client.dns.lookup") {
        if !["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"].contains(&lookup.as_str()) {
            return Err(value("client.dns.lookup", "use_all_dns_ips or resolve_canonical_bootstrap_servers_only"));
        }
        settings.insert("client.dns.lookup".into(), lookup);
    }
    Ok(settings)
}

fn read_text(path: &Path) -> Result<String, PropertiesError> {
    std::fs::read_to_string(path)
        .map_err(|error| PropertiesError::Unreadable { path: path.to_owned(), cause: error.to_string() })
}

fn value(key: impl Into<String>, allowed: impl Into<String>) -> PropertiesError {
    PropertiesError::Value { key: key.into(), allowed: allowed.into() }
}

#[cfg(test)]
mod tests;
