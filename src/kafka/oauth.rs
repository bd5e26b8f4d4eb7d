//! Fetches OAuth tokens by the client credentials grant (RFC 6749 §4.4) and gives them to a client when it wants one.
//!
//! librdkafka says when: at the start, after 80 % of a token's life, and ten seconds after a failure. Each client has
//! one thread for it, since fetching blocks; it ends with the client.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde::Deserialize;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::admin::Admin;
use super::connection::Oauth;
use crate::lag::Millis;

/// The whole exchange with the token endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The life of a token whose endpoint states none (RFC 6749 §5.1 leaves it open): refreshed often enough.
const LIFE: i64 = 300;

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<i64>,
}

/// Why there is no token. Never bytes from the endpoint.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the token endpoint answered {0}: check client id, client secret and scope")]
    Status(u16),
    #[error("the token endpoint cannot be reached ({0}): check its URL, its certificate and the network")]
    Unreachable(&'static str),
    #[error("the token endpoint's answer holds no access_token")]
    NoToken,
    #[error("librdkafka refuses the token")]
    Unusable,
}

/// Starts the thread that answers each wish for a token.
pub(super) fn serve(settings: Oauth, admin: &Admin, wanted: Receiver<()>) -> std::io::Result<()> {
    let client = admin.handle();
    std::thread::Builder::new().name("oauth".into()).spawn(move || {
        while wanted.recv().is_ok() {
            // Several wishes at once are one.
            while wanted.try_recv().is_ok() {}
            let token = fetch(&settings);
            let Some(admin) = client() else { return };
            let faults = &admin.hub().faults;
            match token.and_then(|token| set(&admin, &token)) {
                Ok(()) => faults.record_token(),
                Err(refusal) => {
                    faults.record_no_token(refusal.to_string());
                    admin.set_no_token();
                }
            }
        }
    })?;
    Ok(())
}

fn set(admin: &Admin, token: &Token) -> Result<(), Refusal> {
    // The library compares this with the machine's own clock.
    let life = token.expires_in.filter(|seconds| *seconds > 0).unwrap_or(LIFE);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let expires = Millis::try_from(now.as_millis()).unwrap_or(0).saturating_add(life.saturating_mul(1000));
    admin.set_token(&token.access_token, expires).map_err(|_| Refusal::Unusable)
}

fn fetch(settings: &Oauth) -> Result<Token, Refusal> {
    // Else the roots of browsers would count, which are compiled in, and none of those that this system trusts besides.
    let roots = RootCerts::PlatformVerifier;
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls)
        .build();
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret.0),
    ];
    form.extend(settings.scope.as_deref().map(|scope| ("scope", scope)));
    let mut answer = ureq::Agent::new_with_config(config)
        .post(&settings.token_endpoint)
        .send_form(form)
        .map_err(|error| Refusal::Unreachable(word(&error)))?;
    match answer.status().as_u16() {
        200 => answer.body_mut().with_config().limit(1 << 20).read_json().map_err(|_| Refusal::NoToken),
        status => Err(Refusal::Status(status)),
    }
}

fn word(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::HostNotFound => "its host is unknown",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "no connection",
        ureq::Error::Timeout(_) => "timeout",
        ureq::Error::BadUri(_) => "its URL is no URL",
        ureq::Error::NativeTls(_) | ureq::Error::Tls(_) => "TLS",
        _ => "the exchange failed",
    }
}
