//! A Highwater in a cluster, asked through the API server's proxy to its Service, with the rights of a kubeconfig.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use http::Request;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::client::Body;
use kube::{Api, Client};
use regex::Regex;
use tokio::time::timeout;

use super::{Answered, Error, Token};

/// The audience that Highwater wants tokens to be for.
const AUDIENCE: &str = "highwater";

/// How long a token lives that is made for one command: the shortest that Kubernetes gives.
const LIFE: i64 = 600;

/// A Service, written `NAMESPACE/NAME`, with `https:` before it where it wants TLS and `:PORT` behind it where its port
/// is not called `http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    tls: bool,
    namespace: String,
    name: String,
    port: Option<String>,
}

impl FromStr for Service {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str =
            "write NAMESPACE/NAME, NAMESPACE/NAME:PORT or https:NAMESPACE/NAME, such as highwater/highwater";
        let name = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
        let pattern = Regex::new(&format!("^(?<tls>https:)?(?<space>{name})/(?<name>{name})(:(?<port>{name}))?$"));
        let found = pattern.ok().and_then(|pattern| pattern.captures(text)).ok_or(WRONG)?;
        let part = |part: &str| found.name(part).map(|part| part.as_str().to_owned());
        Ok(Self {
            tls: found.name("tls").is_some(),
            namespace: part("space").ok_or(WRONG)?,
            name: part("name").ok_or(WRONG)?,
            port: part("port"),
        })
    }
}

impl Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", if self.tls { "https:" } else { "" }, self.namespace, self.name)?;
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))
    }
}

impl Service {
    /// The path of the proxy to it at the API server.
    fn proxy(&self) -> String {
        let Self { tls, namespace, name, port } = self;
        let scheme = if *tls { "https" } else { "http" };
        let port = port.as_deref().unwrap_or("http");
        format!("/api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy")
    }
}

/// A Highwater behind the API server of a cluster.
pub struct Proxied {
    client: Client,
    service: Service,
    token: Option<Token>,
    patience: Duration,
}

impl fmt::Debug for Proxied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxied").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Proxied {
    /// Behind the API server of this client, who needs `get` on `services/proxy`.
    pub fn new(client: Client, service: Service, token: Option<Token>, patience: Duration) -> Self {
        Self { client, service, token, patience }
    }

    /// The same as a ServiceAccount, with a token of ten minutes that is made now.
    ///
    /// # Errors
    /// Where the API server does not make one: `create` on `serviceaccounts/token` is wanted.
    pub async fn as_account(self, namespace: &str, name: &str) -> Result<Self, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let spec = TokenRequestSpec {
            audiences: Some(vec![AUDIENCE.to_owned()]),
            expiration_seconds: Some(LIFE),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let params = PostParams::default();
        let made = self.within(accounts.create_token_request(name, &params, &request)).await?;
        let token = made.status.and_then(|status| Token::new(&status.token?));
        match token {
            Some(token) => Ok(Self { token: Some(token), ..self }),
            None => Err(Error::Token(format!("the API server gave no token for {namespace}/{name}"))),
        }
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answered, Error> {
        let mut request = Request::get(format!("{}/{path}", self.service.proxy()));
        if let Some(Token(token)) = &self.token {
            // The API server keeps the header Authorization for itself.
            request = request.header(http::header::COOKIE, format!("highwater={token}"));
        }
        let request = request.body(Body::empty()).map_err(|error| self.failed(&error))?;
        let answer = self.within(self.client.send(request)).await?;
        let status = answer.status().as_u16();
        let body = self.within(answer.into_body().collect_bytes()).await?;
        Ok((status, body.to_vec()))
    }

    async fn within<T>(&self, asking: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
        match timeout(self.patience, asking).await {
            Ok(answer) => answer.map_err(|error| match error {
                kube::Error::Api(status) => Error::Token(status.message.clone()),
                other => self.failed(&other),
            }),
            Err(_) => Err(self.failed(&format!("no answer within {} s", self.patience.as_secs_f64()))),
        }
    }

    fn failed(&self, why: &dyn Display) -> Error {
        Error::Unreachable { at: self.service.to_string(), why: why.to_string() }
    }
}
