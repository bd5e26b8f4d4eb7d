//! Who asks, by a token in a header or in a cookie, and what of the board they may see.
//!
//! A token is never taken from a URL, which others log. A browser gets its cookie from `POST login`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use aide::OperationInput;
use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::api::Api;
use super::client::{Client, Seat};
use super::connections::Peer;
use super::refusal::Refusal;
use super::view::View;
use crate::access::{Access, Asker, Refused, Thing, Token};

const COOKIE: &str = "highwater";

/// What of the board may be seen by who asks.
#[derive(Debug, Clone)]
pub(super) struct Shown(pub(super) Arc<View>);

impl OperationInput for Shown {}

impl FromRequestParts<Api> for Shown {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let view = api.view()?;
        if api.access.is_open() {
            return Ok(Self(view));
        }
        let seen = Guard::of(api, parts).namespaces(&view).await?;
        // Who sees everything shares what was sorted for others.
        let all = view.monitors.iter().all(|monitor| seen.contains(&monitor.name.namespace));
        Ok(Self(if all { view } else { Arc::new(view.only(&seen)) }))
    }
}

/// Who asks, to be asked after again while a connection lasts.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    access: Access,
    asker: Asker,
}

impl OperationInput for Guard {}

impl FromRequestParts<Api> for Guard {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        Ok(Self::of(api, parts))
    }
}

impl Guard {
    fn of(api: &Api, parts: &Parts) -> Self {
        Self { access: api.access.clone(), asker: asker(&parts.headers, &parts.extensions) }
    }

    /// Whether something may be seen, and until when that counts for a connection that lasts.
    ///
    /// # Errors
    /// The refusal that says why not.
    pub(super) async fn may(&self, thing: Thing<'_>) -> Result<Instant, Refusal> {
        Ok(self.access.may(&self.asker, thing).await?)
    }

    /// A place for a connection that lasts.
    ///
    /// # Errors
    /// Where there are too many.
    pub(super) async fn seat(&self, api: &Api) -> Result<Seat, Refusal> {
        api.seats.take(Client::of(&self.access, &self.asker).await)
    }

    /// The namespaces on the board that may be seen.
    ///
    /// # Errors
    /// Where there are some, and none may; and for who is not known.
    pub(super) async fn namespaces(&self, view: &View) -> Result<BTreeSet<String>, Refusal> {
        self.may(Thing::Nothing).await?;
        let all: BTreeSet<&str> = view.monitors.iter().map(|monitor| monitor.name.namespace.as_str()).collect();
        let (mut seen, mut forbidden) = (BTreeSet::new(), None);
        for namespace in all {
            match self.may(Thing::Reports(namespace)).await {
                Ok(_) => drop(seen.insert(namespace.to_owned())),
                Err(refusal @ Refusal::Forbidden(_)) => drop(forbidden.get_or_insert(refusal)),
                Err(refusal) => return Err(refusal),
            }
        }
        match forbidden.filter(|_| seen.is_empty()) {
            Some(refusal) => Err(refusal),
            None => Ok(seen),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Anonymous | Refused::Unknown => Self::Stranger(text),
            Refused::Forbidden(_) => Self::Forbidden(text),
            Refused::Away(_) => Self::NotReady(text),
            Refused::TooMany(wait) => {
                Self::TooMany { what: "too many tokens from this address that are no good", wait }
            }
        }
    }
}

/// Who sends a request: the token is that of the header, else that of the cookie.
pub(super) fn asker(headers: &HeaderMap, extensions: &Extensions) -> Asker {
    Asker::new(token(headers), address(extensions))
}

/// Where a request comes from.
fn address(extensions: &Extensions) -> IpAddr {
    extensions.get().map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(Peer(address))| *address)
}

fn token(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // Another scheme is that of a proxy before Highwater.
    let bearer =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if let Some((_, token)) = bearer {
        return Some(Token::new(token.trim()));
    }
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, token)| Token::new(token))
}

/// Refuses pages of other sites, which a browser lets send requests and open WebSockets to everywhere. `allowed` are the
/// origins that may all the same; `None` where none ever may.
///
/// Where a proxy does not pass on the name that the page knows, the browser's word counts: no page can write it.
pub(super) fn own_page(headers: &HeaderMap, allowed: Option<&[HeaderValue]>) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let text = origin.to_str().unwrap_or_default();
    let host = text.split_once("://").map(|(_, host)| host);
    let hosts = [header::HOST.as_str(), "x-forwarded-host"].map(|name| headers.get(name).and_then(|h| h.to_str().ok()));
    let own = host.is_some_and(|host| hosts.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(host)))
        || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    match own || allowed.into_iter().flatten().any(|allowed| allowed == "*" || allowed == origin) {
        true => Ok(()),
        false => {
            let more = allowed.map_or("", |_| "; --cors-allow-origin allows pages of others");
            Err(Refusal::Forbidden(format!(
                "pages of {text} may not do this; a proxy before Highwater has to pass on Host or X-Forwarded-Host{more}"
            )))
        }
    }
}

/// The token that a person pastes into the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    token: String,
}

/// Keeps a good token in a cookie that no script can read and no other site can send.
pub(super) async fn login(
    State(api): State<Api>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Result<Json<Login>, axum::extract::rejection::JsonRejection>,
) -> Result<impl IntoResponse, Refusal> {
    own_page(&headers, None)?;
    let Json(Login { token }) = body.map_err(|error| Refusal::Wrong(format!("send {{\"token\": …}}: {error}")))?;
    let token = token.trim();
    if !Token::is_word(token.as_bytes()) {
        return Err(Refusal::Wrong("token: write letters, digits and -._~+/= only".into()));
    }
    api.access.may(&Asker::new(Some(Token::new(token)), address(&extensions)), Thing::Nothing).await?;
    Ok(cookie(&headers, api.secure, token, ""))
}

/// Forgets the token.
pub(super) async fn logout(State(api): State<Api>, headers: HeaderMap) -> Result<impl IntoResponse, Refusal> {
    own_page(&headers, Some(&api.origins))?;
    Ok(cookie(&headers, api.secure, "", "; Max-Age=0"))
}

/// Without a path, the cookie counts below the prefix that a proxy has put before `login`.
fn cookie(headers: &HeaderMap, secure: bool, token: &str, more: &str) -> (StatusCode, [(HeaderName, String); 1]) {
    let safe = secure || headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if safe { "; Secure" } else { "" };
    let value = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict{secure}{more}");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, value)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_its_own_by_a_name_of_the_server_or_by_the_word_of_the_browser() {
        let page = |name: &'static str, value: &'static str, allowed: Option<&[HeaderValue]>| {
            // A proxy has written a name of its own.
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", "https://lag.example.org"), ("host", "10.0.0.1:8080"), (name, value)] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            own_page(&headers, allowed).map_err(|refused| refused.to_string())
        };
        for (name, value) in [
            ("host", "lag.example.org"),
            ("x-forwarded-host", "LAG.example.org"),
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://10.0.0.1:8080"),
        ] {
            assert_eq!(page(name, value, None), Ok(()), "{name}: {value}");
        }
        for site in ["same-site", "cross-site", "none", ""] {
            let advice = page("sec-fetch-site", site, None).unwrap_err();
            assert!(advice.contains("X-Forwarded-Host") && !advice.contains("--cors"), "{advice}");
        }
        let advice = page("sec-fetch-site", "cross-site", Some(&[])).unwrap_err();
        assert!(advice.contains("--cors-allow-origin"), "{advice}");
        assert_eq!(page("sec-fetch-site", "cross-site", Some(&[HeaderValue::from_static("*")])), Ok(()));
    }

    const HEADERS: [&str; 6] = ["authorization", "cookie", "origin", "host", "x-forwarded-host", "sec-fetch-site"];

    proptest! {
        #[test]
        fn never_panics(
            values in prop::collection::vec(
                (
                    prop::sample::select(HEADERS.to_vec()),
                    "(Bearer |bearer|highwater|=|;| |\t|https?://|same-origin|[a-z]|:|\\PC){0,8}",
                ),
                0..8,
            ),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                    headers.append(name, value);
                }
            }
            let _ = (token(&headers), own_page(&headers, None), own_page(&headers, Some(&[])));
        }

        #[test]
        fn a_token_is_read_back_from_header_and_cookie(
            word in "[A-Za-z0-9._~+/=-]{1,40}",
            other in "[a-z]{1,8}=[a-z= ]{0,8}",
        ) {
            let expected = Some(Token::new(word.as_str()));
            for (name, value) in [
                (header::AUTHORIZATION, format!("bEARER  {word} ")),
                (header::COOKIE, format!("{other}; highwater={word}")),
                (header::COOKIE, format!("highwater={word};{other}")),
            ] {
                let mut headers = HeaderMap::new();
                headers.insert(name, HeaderValue::from_str(&value).unwrap());
                prop_assert_eq!(&token(&headers), &expected, "{}", value);
            }
        }
    }
}
