//! `security.protocol` and the families `ssl.*` and `sasl.*`: each property is taken, known to be harmless, or refused.

use super::{Properties, PropertiesError, jaas, stores, value};
use crate::kafka::connection::{Oauth, PasswordMechanism, Sasl, Secret, Tls};

/// What a connection speaks.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    tls: bool,
    sasl: bool,
}

const SSL_KEYS: [&str; 13] = [
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

const SASL_KEYS: [&str; 7] = [
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.mechanism",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
];

/// Settings of Java's token refresh; ours follows the token's lifetime.
const REFRESH: [&str; 2] = ["sasl.login.refresh.", "sasl.login.retry."];

const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const OAUTH_HANDLER: &str = "OAuthBearerLoginCallbackHandler";

/// What `security.protocol` says; without it plaintext, as Kafka has it. Refuses properties that are not known.
pub(super) fn protocol(properties: &mut Properties) -> Result<Protocol, PropertiesError> {
    for key in properties.keys() {
        let family: &[&str] = match key.split_once('.') {
            Some(("ssl", _)) => &SSL_KEYS,
            Some(("sasl", _)) => &SASL_KEYS,
            _ => continue,
        };
        if !family.contains(&key.as_str()) && !REFRESH.iter().any(|refresh| key.starts_with(refresh)) {
            return Err(PropertiesError::Unsupported { key: key.clone(), allowed: family.join(", ") });
        }
    }
    let written = properties.remove("security.protocol").unwrap_or_else(|| "PLAINTEXT".into());
    match written.to_uppercase().as_str() {
        "PLAINTEXT" => Ok(Protocol { tls: false, sasl: false }),
        "SSL" => Ok(Protocol { tls: true, sasl: false }),
        "SASL_PLAINTEXT" => Ok(Protocol { tls: false, sasl: true }),
        "SASL_SSL" => Ok(Protocol { tls: true, sasl: true }),
        _ => Err(value("security.protocol", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")),
    }
}

/// The TLS settings, where the protocol has TLS.
pub(super) fn tls(properties: &mut Properties, protocol: Protocol) -> Result<Option<Tls>, PropertiesError> {
    if !protocol.tls {
        return Ok(None);
    }
    let is_version = |version: &str| matches!(version.trim(), "TLS" | "TLSv1.2" | "TLSv1.3");
    for key in ["ssl.protocol", "ssl.enabled.protocols"] {
        let versions = properties.remove(key);
        if versions.is_some_and(|versions| !versions.split(',').all(is_version)) {
            return Err(value(key, "TLSv1.2 or TLSv1.3; older ones are not spoken"));
        }
    }
    let skip_hostname_check = match properties.remove("ssl.endpoint.identification.algorithm").as_deref() {
        None => false,
        Some("") => true,
        Some(written) if written.eq_ignore_ascii_case("https") => false,
        Some(_) => {
            return Err(value(
                "ssl.endpoint.identification.algorithm",
                "https, or nothing to skip the check of the host name",
            ));
        }
    };
    let (ca_pem, client) = (stores::truststore(properties)?, stores::keystore(properties)?);
    Ok(Some(Tls { ca_pem, client, skip_hostname_check }))
}

/// The SASL settings, where the protocol has SASL.
pub(super) fn sasl(properties: &mut Properties, protocol: Protocol) -> Result<Option<Sasl>, PropertiesError> {
    if !protocol.sasl {
        return Ok(None);
    }
    let allowed = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";
    // Kafka's own default is GSSAPI, which is not spoken here.
    let mechanism = match properties.remove("sasl.mechanism").unwrap_or_default().as_str() {
        "PLAIN" => Some(PasswordMechanism::Plain),
        "SCRAM-SHA-256" => Some(PasswordMechanism::ScramSha256),
        "SCRAM-SHA-512" => Some(PasswordMechanism::ScramSha512),
        "OAUTHBEARER" => None,
        _ => return Err(value("sasl.mechanism", allowed)),
    };
    let module = properties.remove("sasl.jaas.config").map(|text| login_module(&text, mechanism)).transpose()?;
    match mechanism {
        Some(mechanism) => {
            let hint = "write one login module with username and password";
            let mut module = module.ok_or(PropertiesError::Missing { key: "sasl.jaas.config", hint })?;
            let mut option = |name: &str| {
                let found = module.options.remove(name).filter(|text| !text.is_empty());
                found.ok_or_else(|| value("sasl.jaas.config", "username=\"…\" and password=\"…\" in the login module"))
            };
            let (username, password) = (option("username")?, Secret(option("password")?));
            Ok(Some(Sasl::Password { mechanism, username, password }))
        }
        None => oauth(properties, module).map(Some),
    }
}

fn login_module(text: &str, mechanism: Option<PasswordMechanism>) -> Result<jaas::LoginModule, PropertiesError> {
    let module = jaas::parse(text).ok_or_else(|| value("sasl.jaas.config", jaas::SHAPE))?;
    let expected = match mechanism {
        Some(PasswordMechanism::Plain) => "PlainLoginModule",
        Some(_) => "ScramLoginModule",
        None => "OAuthBearerLoginModule",
    };
    if module.class != expected {
        return Err(value("sasl.jaas.config", format!("{expected} for this sasl.mechanism")));
    }
    if module.options.get("tokenauth").is_some_and(|tokens| tokens == "true") {
        return Err(value(
            "sasl.jaas.config",
            "the login module without tokenauth: delegation tokens are not supported",
        ));
    }
    Ok(module)
}

fn oauth(properties: &mut Properties, module: Option<jaas::LoginModule>) -> Result<Sasl, PropertiesError> {
    let handler = properties.remove("sasl.login.callback.handler.class");
    if handler.is_some_and(|class| class.rsplit('.').next() != Some(OAUTH_HANDLER)) {
        let allowed = format!("org.apache.kafka.common.security.oauthbearer.{OAUTH_HANDLER}, or nothing");
        return Err(value("sasl.login.callback.handler.class", allowed));
    }
    let hint = "OAUTHBEARER needs the URL from which tokens are fetched";
    let token_endpoint = properties.remove(ENDPOINT).ok_or(PropertiesError::Missing { key: ENDPOINT, hint })?;
    if !token_endpoint.starts_with("https://") && !token_endpoint.starts_with("http://") {
        return Err(value(ENDPOINT, "a URL that begins with https:// or http://"));
    }
    // Newer clients have properties of their own for what older ones put into the login module.
    let mut options = module.map(|module| module.options).unwrap_or_default();
    let mut either = |property: &str, option: &str| {
        let property = properties.remove(property);
        property.or_else(|| options.remove(option)).filter(|text| !text.is_empty())
    };
    let client_id = either("sasl.oauthbearer.client.credentials.client.id", "clientId");
    let client_secret = either("sasl.oauthbearer.client.credentials.client.secret", "clientSecret");
    let scope = either("sasl.oauthbearer.scope", "scope");
    let (client_id, client_secret) = client_id.zip(client_secret).ok_or_else(|| {
        value("sasl.jaas.config", "clientId=\"…\" and clientSecret=\"…\" in the OAuthBearerLoginModule")
    })?;
    Ok(Sasl::OauthBearer(Oauth { token_endpoint, client_id, client_secret: Secret(client_secret), scope }))
}
