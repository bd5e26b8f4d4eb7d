//! Asks a Highwater that runs elsewhere what its API says: over HTTP, or through a Kubernetes API server.
//!
//! A token goes into a header, never into a URL. What an answer means, and how it is shown, is left to others.

mod direct;
mod proxied;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub use direct::Direct;
pub use proxied::{Proxied, Service};

/// The largest answer that is taken.
const LARGEST: u64 = 256 << 20;

/// The most items that a page of a list can have.
const PAGE: &str = "1000";

/// What stands for itself in a URL (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why there is no answer, by what a person can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers: check the address, and that it runs.
    #[error("{at} does not answer ({why}): is Highwater running there?")]
    Unreachable {
        /// Whom was asked.
        at: String,
        /// What went wrong.
        why: String,
    },
    /// Something else answers: check the address.
    #[error("{0} answers, but not as Highwater does")]
    Stranger(String),
    /// The token is missing, not good, or its owner lacks a right: send another one.
    #[error("{0}")]
    Token(String),
    /// What was asked for is wrong: write what is allowed.
    #[error("{0}")]
    Wrong(String),
    /// There is no such thing, or nothing is known of it yet.
    #[error("{0}")]
    Refused(String),
}

/// A secret that shows who asks.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token, without the space around it; `None` for what a header cannot hold.
    pub fn new(text: &str) -> Option<Self> {
        let token = text.trim();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        (!token.is_empty() && token.bytes().all(plain)).then(|| Self(token.to_owned()))
    }
}

/// A Highwater that can be asked.
#[derive(Debug)]
pub enum Server {
    /// At a URL.
    Direct(Direct),
    /// Behind the API server of a cluster.
    Proxied(Proxied),
}

/// The status and the body of an answer.
type Answered = (u16, Vec<u8>);

impl Server {
    /// What stands at a path, which is relative to the server's root.
    ///
    /// # Errors
    /// [`Error`] says what to do.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let path = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
        let (status, body) = match self {
            Self::Direct(direct) => direct.get(&path).await?,
            Self::Proxied(proxied) => proxied.get(&path).await?,
        };
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        let detail = || said.as_ref().and_then(|said| said["detail"].as_str()).map(str::to_owned);
        match (status, &said) {
            (200, Some(_)) => said.ok_or_else(|| Error::Stranger(self.name())),
            (401 | 403, _) if detail().is_some() => Err(Error::Token(detail().unwrap_or_default())),
            (422, _) if detail().is_some() => Err(Error::Wrong(detail().unwrap_or_default())),
            _ => Err(detail().map_or_else(|| self.told(status, said.as_ref()), Error::Refused)),
        }
    }

    /// Every item of a list, page by page.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Error> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            match page["items"].take() {
                Value::Array(some) => items.extend(some),
                _ => return Err(Error::Stranger(self.name())),
            }
            match page["next_cursor"].take() {
                Value::String(next) => cursor = Some(next),
                _ => return Ok(items),
            }
        }
    }

    /// What an answer without Highwater's own words means: a Status of the API server has some too.
    fn told(&self, status: u16, said: Option<&Value>) -> Error {
        match said.filter(|said| said["kind"] == "Status").and_then(|said| said["message"].as_str()) {
            Some(why) => Error::Unreachable { at: self.name(), why: why.to_owned() },
            None if (502..=504).contains(&status) => {
                Error::Unreachable { at: self.name(), why: format!("a proxy before it says {status}") }
            }
            None => Error::Stranger(self.name()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Direct(direct) => direct.url().to_owned(),
            Self::Proxied(proxied) => proxied.service().to_string(),
        }
    }
}

/// A name as one segment of a path, or a value in a query.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        assert_eq!(Token::new(" abc.d-e_f~+/=\n").unwrap().0, "abc.d-e_f~+/=");
        for bad in ["", " \n", "a b", "a\r\nCookie: x", "é", "a;b"] {
            assert!(Token::new(bad).is_none(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(…)");
    }

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("a-b_c.d~e"), "a-b_c.d~e");
        assert_eq!(segment("a/b ?é&=#%"), "a%2Fb%20%3F%C3%A9%26%3D%23%25");
    }

    #[test]
    fn a_service_is_written_as_it_is_read() {
        for text in ["highwater/highwater", "ops/lag:8080", "https:ops/lag:http"] {
            assert_eq!(text.parse::<Service>().unwrap().to_string(), text);
        }
        for bad in ["", "highwater", "a/b/c", "A/b", "http:a/b", "a/b:", "/b", "a/"] {
            assert!(bad.parse::<Service>().is_err_and(|error| error.contains("NAMESPACE/NAME")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_service_that_is_taken_is_written_as_it_was(
            text in "(https:)?[a-z0-9-]{1,4}/[a-z0-9-]{1,4}(:[a-z0-9-]{0,3})?\\PC?",
        ) {
            if let Ok(service) = text.parse::<Service>() {
                prop_assert_eq!(service.to_string(), text);
            }
        }

        #[test]
        fn a_token_that_is_taken_fits_into_a_header(text in "\\s?[A-Za-z0-9._~+/=-]{0,20}(\\PC|\r|\n|\0)?\\s?") {
            if let Some(Token(token)) = Token::new(&text) {
                prop_assert_eq!(&token, text.trim());
                prop_assert!(http::HeaderValue::from_str(&token).is_ok());
            }
        }
    }
}
