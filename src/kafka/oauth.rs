//! Fetches OAuth tokens by the client credentials grant (RFC 6749 §4.4) and gives them to a client when it wants one.
//!
//! librdkafka says when: at the start, after 80 % of a token's life, and ten seconds after a failure. Each client has
//! one thread for it, since fetching blocks; it ends with the client.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::admin::Admin;
use super::connection::Oauth;
use crate::lag::Millis;

/// The whole exchange with the token endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The life of a token whose endpoint states none (RFC 6749 §5.1 leaves it open): refreshed often enough.
const LIFE: i64 = 300;

/// The longest life of a token, in seconds: a year. One that lives longer is asked for again by then, and librdkafka
/// multiplies what it is told.
const LONGEST: i64 = 31_536_000;

#[derive(Deserialize)]
struct Token {
    access_token: String,
    /// A number of seconds, which some endpoints write as a text.
    expires_in: Option<Value>,
}

impl Token {
    /// How long it lives, in seconds.
    fn life(&self) -> i64 {
        let told = self.expires_in.as_ref().and_then(|told| told.as_i64().or_else(|| told.as_str()?.parse().ok()));
        told.filter(|seconds| *seconds > 0).unwrap_or(LIFE).min(LONGEST)
    }
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let expires = Millis::try_from(now.as_millis()).unwrap_or(0).saturating_add(token.life() * 1000);
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;
    use crate::kafka::connection::Secret;

    /// What comes of an endpoint that answers with these bytes, and then closes the connection.
    fn told(answer: Vec<u8>) -> Result<Token, Refusal> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let token_endpoint = format!("http://{}/token", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut some) = (Vec::new(), [0; 1_024]);
            // Closed before everything is read, it would be reset, and the answer lost.
            while !asked.ends_with(b"client_secret=sesame") {
                let read = stream.read(&mut some).unwrap();
                assert!(read > 0, "the form is whole");
                asked.extend_from_slice(&some[..read]);
            }
            stream.write_all(&answer).unwrap();
        });
        let client_secret = Secret("sesame".into());
        fetch(&Oauth { token_endpoint, client_id: "highwater".into(), client_secret, scope: None })
    }

    #[test]
    fn an_answer_holds_a_token_and_may_state_its_life() {
        let none = "the token endpoint's answer holds no access_token";
        let wrong = "the token endpoint answered 401: check client id, client secret and scope";
        for (status, body, expected) in [
            (200, r#"{"access_token":"a.b","expires_in":600,"token_type":"Bearer"}"#, Ok(("a.b", 600))),
            (200, r#"{"access_token":"a","expires_in":"3599"}"#, Ok(("a", 3_599))),
            (200, r#"{"access_token":"a","expires_in":9e99}"#, Ok(("a", LIFE))),
            (200, r#"{"access_token":"a"}"#, Ok(("a", LIFE))),
            (200, r#"{"expires_in":600}"#, Err(none)),
            (200, "", Err(none)),
            (401, r#"{"access_token":"a"}"#, Err(wrong)),
        ] {
            let found = told(format!("HTTP/1.1 {status} Whatever\r\n\r\n{body}").into_bytes());
            let found =
                found.map(|token| (token.access_token.clone(), token.life())).map_err(|error| error.to_string());
            let expected = expected.map(|(token, life)| (token.to_owned(), life)).map_err(str::to_owned);
            assert_eq!(found, expected, "{status} {body}");
        }
    }

    const VALUE: &str = "(null|-?[0-9]{1,25}(e[0-9]{1,3})?|\"\\PC{0,8}\"|\\{\\})";
    const STATUS: &str = "HTTP/1\\.[01] (200|[0-9]{3})( OK)?\r\n";
    const HEADER: &str = "(Content-Length: [0-9]{1,20}|Transfer-Encoding: chunked|Location: \\PC{0,8}|\\PC{0,20})\r\n";

    /// Any bytes, and what begins as an answer in HTTP does, with a body of any bytes or nearly the wanted one.
    fn answer() -> impl Strategy<Value = Vec<u8>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..60);
        let json = (VALUE, VALUE)
            .prop_map(|(token, life)| format!("{{\"access_token\":{token},\"expires_in\":{life}}}").into_bytes());
        let headers = prop::collection::vec(HEADER, 0..3);
        prop_oneof![
            1 => bytes(),
            4 => (STATUS, headers, prop_oneof![bytes(), json]).prop_map(|(status, headers, body)| {
                [status.as_bytes(), headers.concat().as_bytes(), b"\r\n", body.as_slice()].concat()
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

        #[test]
        fn any_answer_is_a_token_or_refused(answer in answer()) {
            match told(answer.clone()) {
                Ok(_) => prop_assert!(answer.get(8..12).is_some_and(|status| status == b" 200")),
                Err(Refusal::Unreachable(why)) => prop_assert!(why != "timeout"),
                Err(Refusal::Status(status)) => prop_assert!(status != 200),
                Err(Refusal::NoToken) => {}
                Err(refusal) => prop_assert!(false, "{refusal}"),
            }
        }
    }
}
