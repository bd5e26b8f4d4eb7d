//! Turns a connection's settings into a librdkafka client. Connecting happens later, in the background.

use std::sync::mpsc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::admin::Admin;
use super::connection::{Connection, PasswordMechanism, Sasl, Tls};
use super::hub::Hub;
use super::oauth;
use crate::clock::Clock;
use crate::lag::reason::Reason;

/// Settings from which no client can be made. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The value of a librdkafka property is not allowed.
    #[error("librdkafka does not take the value of {key}: see its documentation for what is allowed")]
    Property {
        /// The property's name.
        key: String,
    },
    /// A certificate or key is unusable.
    #[error(
        "the TLS material cannot be used: CA, client certificate and key have to be PEM, and the key to fit ({cause})"
    )]
    Certificates {
        /// What librdkafka says of it.
        cause: String,
    },
    /// The settings do not go together.
    #[error("no Kafka client can be made of these settings: {cause}")]
    Settings {
        /// What librdkafka says of them.
        cause: String,
    },
}

impl Error {
    /// The word for it in conditions, log fields and metric labels.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Certificates { .. } => Reason::TlsFailed,
            Self::Property { .. } | Self::Settings { .. } => Reason::KafkaError,
        }
    }
}

/// Makes a client; it never waits for the network.
pub(super) fn connect(connection: &Connection, clock: Clock) -> Result<Admin, Error> {
    let config = config(connection);
    let Some(Sasl::OauthBearer(settings)) = &connection.sasl else {
        return Admin::new(&config, Hub::new(clock, None)).map_err(refused);
    };
    let (sender, wanted) = mpsc::channel();
    let admin = Admin::new(&config, Hub::new(clock, Some(sender))).map_err(refused)?;
    oauth::serve(settings.clone(), &admin, wanted).map_err(|error| Error::Settings { cause: error.to_string() })?;
    Ok(admin)
}

fn config(connection: &Connection) -> ClientConfig {
    let mut config = ClientConfig::new();
    // What is shown is decided where log lines are written.
    config.set_log_level(RDKafkaLogLevel::Debug);
    config.set("client.id", "highwater");
    // librdkafka answers a moved coordinator by asking for that of its own group, and crashes where it has none
    // (2.12, `rd_kafka_handle_OffsetFetch`). It joins this one only by a subscription, and there is none.
    config.set("group.id", "highwater");
    config.set("enable.auto.commit", "false");
    config.set("socket.keepalive.enable", "true");
    config.set("socket.connection.setup.timeout.ms", "5000");
    config.set("reconnect.backoff.ms", "100");
    // Not above the patience that waits have with a broken connection.
    config.set("reconnect.backoff.max.ms", "1000");
    for (key, value) in &connection.properties {
        config.set(key, value);
    }
    config.set("bootstrap.servers", connection.brokers.join(","));
    let protocol = match (&connection.tls, &connection.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &connection.tls {
        set_tls(&mut config, tls);
    }
    if let Some(sasl) = &connection.sasl {
        set_sasl(&mut config, sasl);
    }
    config
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) {
    match &tls.ca_pem {
        Some(pem) => config.set("ssl.ca.pem", pem),
        // The OpenSSL that is linked in does not know where this system keeps its roots.
        None => config.set("ssl.ca.location", "probe"),
    };
    if let Some(client) = &tls.client {
        config.set("ssl.certificate.pem", &client.certificate_pem);
        config.set("ssl.key.pem", &client.key_pem.0);
        if let Some(password) = &client.key_password {
            config.set("ssl.key.password", &password.0);
        }
    }
    let check = if tls.skip_hostname_check { "none" } else { "https" };
    config.set("ssl.endpoint.identification.algorithm", check);
}

fn set_sasl(config: &mut ClientConfig, sasl: &Sasl) {
    match sasl {
        Sasl::Password { mechanism, username, password } => {
            let mechanism = match mechanism {
                PasswordMechanism::Plain => "PLAIN",
                PasswordMechanism::ScramSha256 => "SCRAM-SHA-256",
                PasswordMechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            config.set("sasl.mechanisms", mechanism);
            config.set("sasl.username", username);
            config.set("sasl.password", &password.0);
        }
        Sasl::OauthBearer(_) => {
            config.set("sasl.mechanisms", "OAUTHBEARER");
        }
    }
}

/// librdkafka's error repeats the value, which may be a secret: only what cannot hold one is kept.
fn refused(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, _, key, _) if key.ends_with(".pem") || key == "ssl.key.password" => {
            Error::Certificates { cause: key }
        }
        KafkaError::ClientConfig(_, _, key, _) => Error::Property { key },
        KafkaError::ClientCreation(cause) if cause.contains("ssl.") => Error::Certificates { cause },
        KafkaError::ClientCreation(cause) => Error::Settings { cause },
        _ => Error::Settings { cause: "unknown".into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::connection::{ClientCertificate, Secret};

    fn refusal(connection: &Connection) -> Error {
        match connect(connection, Clock::wall()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error,
        }
    }

    #[test]
    fn a_refused_value_is_never_repeated() {
        let properties = [("client.dns.lookup".to_owned(), "hunter2".to_owned())].into();
        let error = refusal(&Connection { brokers: vec!["localhost:1".into()], properties, ..Connection::default() });
        assert!(matches!(&error, Error::Property { key } if key == "client.dns.lookup"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_damaged_key_is_a_matter_of_tls_and_stays_secret() {
        let client = ClientCertificate {
            certificate_pem: "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n".into(),
            key_pem: Secret("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n".into()),
            key_password: None,
        };
        let tls = Some(Tls { client: Some(client), ..Tls::default() });
        let error = refusal(&Connection { brokers: vec!["localhost:1".into()], tls, ..Connection::default() });
        assert_eq!(error.reason(), Reason::TlsFailed, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
