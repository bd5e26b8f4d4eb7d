//! A Highwater at a URL.

use std::time::Duration;

use tokio::task::spawn_blocking;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::{Answered, Error, LARGEST, Token};

/// A Highwater at a URL.
#[derive(Debug)]
pub struct Direct {
    url: String,
    token: Option<Token>,
    agent: ureq::Agent,
}

impl Direct {
    /// At a URL without a query. `ca` are certificates in PEM to trust instead of the system's; `None` where they are
    /// none.
    pub fn new(url: &str, token: Option<Token>, ca: Option<&[u8]>, timeout: Duration) -> Option<Self> {
        let roots = match ca {
            Some(pem) => RootCerts::new_with_certs(&certificates(pem)?),
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // A token is for this server alone.
            .max_redirects(0)
            .tls_config(tls)
            .build()
            .into();
        Some(Self { url: url.trim_end_matches('/').to_owned(), token, agent })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answered, Error> {
        let mut request = self.agent.get(format!("{}/{path}", self.url));
        if let Some(Token(token)) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let asked = spawn_blocking(move || {
            let mut answer = request.call()?;
            let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec()?;
            Ok::<_, ureq::Error>((answer.status().as_u16(), body))
        });
        let failed = |why: String| Error::Unreachable { at: self.url.clone(), why };
        asked.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
    }
}

fn certificates(pem: &[u8]) -> Option<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item.ok()? {
            PemItem::Certificate(certificate) => found.push(certificate),
            _ => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}
