//! Who may see what: everybody, who has the one token, or whom the Kubernetes API server lets.
//!
//! A verdict is kept for less than a minute where it allows and for ten seconds where it denies, under a hash of the token.
//! While nobody can judge, nobody is let in.

mod asker;
mod review;
mod token_file;
mod tries;
mod verdicts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::memcmp;
use openssl::sha::sha256;

pub use asker::{Asker, Token};
pub use review::Reviewer;
pub use token_file::{TokenFile, TokenFileError};

/// Who may see what.
#[derive(Debug, Clone, Default)]
pub enum Access {
    /// Everybody may see everything.
    #[default]
    Open,
    /// Who has the token in this file may see everything. The file is read anew each time.
    Token(Arc<TokenFile>),
    /// Whom the Kubernetes API server lets.
    Kubernetes(Arc<Reviewer>),
}

/// What somebody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing<'a> {
    /// What does not depend on a namespace: being known is enough.
    Nothing,
    /// The reports of a namespace: `get` on `lagmonitors/report` there.
    Reports(&'a str),
    /// The advice to autoscalers on groups of a namespace: the same right as to its reports.
    Advice(&'a str),
    /// The metrics: `get` on `/metrics`.
    Metrics,
}

/// Why somebody may not see something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no token: send one.
    #[error("send a token, as `Authorization: Bearer …`")]
    Anonymous,
    /// The token is not, or no longer, good: get another one.
    #[error("the token is not good here; get one for the audience highwater")]
    Unknown,
    /// The right is missing: ask for it.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody can judge at present: ask again later.
    #[error("who may see this cannot be judged at present: {0}")]
    Away(String),
    /// Too many tokens from the same address were no good: ask again after this time.
    #[error("too many tokens that are no good")]
    TooMany(Duration),
}

impl Access {
    /// Whether everybody may see everything.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Who owns a token, where that is known without asking anybody.
    pub async fn known(&self, token: &Token) -> Option<String> {
        match self {
            Self::Open => None,
            Self::Token(file) => is_in(file, token).await.is_ok().then(String::new),
            Self::Kubernetes(reviewer) => reviewer.known(token),
        }
    }

    /// Whether somebody may see something, and until when that counts for a connection that lasts.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub async fn may(&self, asker: &Asker, thing: Thing<'_>) -> Result<Instant, Refused> {
        match (self, &asker.token) {
            (Self::Open, _) => Ok(Instant::now() + verdicts::ALLOWED),
            (_, None) => Err(Refused::Anonymous),
            (Self::Token(file), Some(token)) => is_in(file, token).await,
            (Self::Kubernetes(reviewer), Some(token)) => reviewer.may(token, asker.from, thing).await,
        }
    }
}

/// Whether a token is the one in the file. Hashes of one length are compared, in the time that equal ones take.
async fn is_in(file: &TokenFile, token: &Token) -> Result<Instant, Refused> {
    let asked = Instant::now();
    let known = file.read().await.map_err(|error| Refused::Away(error.to_string()))?;
    match memcmp::eq(&sha256(&known), &sha256(token.text().as_bytes())) {
        true => Ok(asked + verdicts::ALLOWED),
        false => Err(Refused::Unknown),
    }
}
