//! Asks the Kubernetes API server: whose token is that (TokenReview), and may they see this (SubjectAccessReview)?

use std::net::IpAddr;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use openssl::sha::sha256;
use tokio::time::timeout;

use super::tries::Tries;
use super::verdicts::Verdicts;
use super::{Refused, Thing, Token};

/// For whom a token may be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Audience {
    /// For Highwater, so that it could not be used elsewhere by whoever gets hold of it here.
    Highwater,
    /// For Highwater, or the API server itself, as the ones that Prometheus sends with a scrape and KEDA for its advice.
    Either,
}

const HIGHWATER: &str = "highwater";

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A hash of a token.
type Hash = [u8; 32];

/// Judges with the help of the Kubernetes API server.
pub struct Reviewer {
    tokens: Api<TokenReview>,
    rights: Api<SubjectAccessReview>,
    users: Verdicts<(Hash, Audience), UserInfo>,
    allowed: Verdicts<(Hash, Option<String>), ()>,
    tries: Tries,
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviewer").finish_non_exhaustive()
    }
}

impl Reviewer {
    /// Judges by the API server of this client, which needs `create` on `tokenreviews` and `subjectaccessreviews`.
    pub fn new(client: Client) -> Self {
        Self {
            tokens: Api::all(client.clone()),
            rights: Api::all(client),
            users: Verdicts::new(),
            allowed: Verdicts::new(),
            tries: Tries::default(),
        }
    }

    /// The name of a token's owner, where that was asked for within the last minute.
    pub(super) fn known(&self, token: &Token) -> Option<String> {
        let (hash, now) = (sha256(token.text().as_bytes()), Instant::now());
        let known = |audience| self.users.known(&(hash, audience), now).flatten();
        known(Audience::Highwater).or_else(|| known(Audience::Either))?.username
    }

    /// Whether the owner of a token may see something, and until when that counts: no longer than whose token it is.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub(super) async fn may(&self, token: &Token, from: IpAddr, thing: Thing<'_>) -> Result<Instant, Refused> {
        let hash = sha256(token.text().as_bytes());
        let audience = match thing {
            Thing::Metrics | Thing::Advice(_) => Audience::Either,
            Thing::Nothing | Thing::Reports(_) => Audience::Highwater,
        };
        let review = |was_good: bool| self.user(token, audience, Some(from).filter(|_| !was_good));
        let (user, until) = self.users.of((hash, audience), None, review).await?;
        let user = user.ok_or(Refused::Unknown)?;
        let namespace = match thing {
            Thing::Nothing => return Ok(until),
            Thing::Reports(namespace) | Thing::Advice(namespace) => Some(namespace.to_owned()),
            Thing::Metrics => None,
        };
        let judge = |_| async { Ok(self.judge(&user, thing).await?.then_some(())) };
        let (verdict, until) = self.allowed.of((hash, namespace), Some(until), judge).await?;
        let name = user.username.as_deref().unwrap_or_default();
        verdict.map(|()| until).ok_or_else(|| {
            Refused::Forbidden(match thing {
                Thing::Reports(namespace) | Thing::Advice(namespace) => {
                    format!(
                        "{name} may not get lagmonitors/report in namespace {namespace}; a role with the verb get on this \
                         resource of highwater.dev allows it, as the chart's …-report-viewer"
                    )
                }
                _ => format!("{name} may not get /metrics; a ClusterRole with the verb get on this URL allows it, as the chart's …-metrics-reader"),
            })
        })
    }

    /// Whose token it is. Where it is no good, that costs the address a try that it comes `from`; `None` for a token that was
    /// good until now, whose owner is not to suffer from others at the same address.
    async fn user(&self, token: &Token, audience: Audience, from: Option<IpAddr>) -> Result<Option<UserInfo>, Refused> {
        if let Some(from) = from {
            self.tries.take(from, Instant::now()).map_err(Refused::TooMany)?;
        }
        let user = match (self.owner(token, true).await, audience) {
            (Ok(None), Audience::Either) => self.owner(token, false).await,
            (owner, _) => owner,
        };
        if let Some(from) = from.filter(|_| !matches!(user, Ok(None))) {
            self.tries.give_back(from, Instant::now());
        }
        user
    }

    /// Whose token it is, where it is meant for Highwater, or else for the API server.
    async fn owner(&self, token: &Token, meant_for_highwater: bool) -> Result<Option<UserInfo>, Refused> {
        let audiences = meant_for_highwater.then(|| vec![HIGHWATER.to_owned()]);
        let spec = TokenReviewSpec { token: token.text().to_owned(), audiences };
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = answer(self.tokens.create(&PostParams::default(), &review)).await?.status.unwrap_or_default();
        // An API server that knows no audiences says none, and has not looked.
        let meant = !meant_for_highwater
            || status.audiences.is_some_and(|audiences| audiences.iter().any(|audience| audience == HIGHWATER));
        Ok(status.user.filter(|_| status.authenticated == Some(true) && meant))
    }

    async fn judge(&self, user: &UserInfo, thing: Thing<'_>) -> Result<bool, Refused> {
        let (verb, text) = (Some("get".to_owned()), |text: &str| Some(text.to_owned()));
        let mut spec = SubjectAccessReviewSpec {
            user: user.username.clone(),
            groups: user.groups.clone(),
            uid: user.uid.clone(),
            extra: user.extra.clone(),
            ..SubjectAccessReviewSpec::default()
        };
        match thing {
            Thing::Reports(namespace) | Thing::Advice(namespace) => {
                spec.resource_attributes = Some(ResourceAttributes {
                    group: text("highwater.dev"),
                    resource: text("lagmonitors"),
                    subresource: text("report"),
                    namespace: text(namespace),
                    verb,
                    ..ResourceAttributes::default()
                });
            }
            _ => spec.non_resource_attributes = Some(NonResourceAttributes { path: text("/metrics"), verb }),
        }
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = answer(self.rights.create(&PostParams::default(), &review)).await?.status;
        Ok(status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }
}

/// What the API server says, soon or not at all.
async fn answer<T>(asking: impl Future<Output = kube::Result<T>>) -> Result<T, Refused> {
    match timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(Refused::Away(format!("the API server says {}", status.reason))),
        Ok(Err(_)) => Err(Refused::Away("the API server cannot be reached".into())),
        Err(_) => Err(Refused::Away("the API server does not answer".into())),
    }
}
