//! What `run` and `operator` have in common: the database, the board, and the server before them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Usage;
use super::arguments::{Auth, Keeping};
use super::kubeconfig::config;
use crate::access::{Access, Reviewer, TokenFile};
use crate::board::Board;
use crate::clock::Clock;
use crate::http::{self, Readiness};
use crate::monitor::House;
use crate::reconcile::fleet::Fleet;
use crate::store::{self, Store};

/// A process that serves, and is about to sample.
pub(super) struct Serving {
    pub(super) fleet: Fleet,
    pub(super) readiness: Readiness,
    pub(super) server: JoinHandle<std::io::Result<()>>,
}

/// Opens the database and begins to serve, not ready yet for want of `awaited`. `api_server` judges who may see what,
/// where it is to; without it, that of $KUBECONFIG or ~/.kube/config, else that of the pod.
pub(super) async fn serve(
    keeping: &Keeping,
    listen: SocketAddr,
    awaited: &str,
    api_server: Option<kube::Client>,
    stop: &CancellationToken,
) -> anyhow::Result<Serving> {
    let (access, certificate) = (access(keeping, api_server).await?, certificate(keeping)?);
    let data_dir = match &keeping.data_dir {
        Some(folder) => folder.clone(),
        None => default_data_dir()?,
    };
    let opened = Store::open(&data_dir).map_err(|error| unopened(&data_dir, error))?;
    if let Some((file, error)) = &opened.set_aside {
        tracing::warn!(reason = error.reason(), file = %file.display(), "the database was set aside: {error}");
    }
    if let Some(file_system) = opened.network_file_system {
        tracing::warn!("the data folder lies on {file_system}: slower, and only as safe as its locks");
    }
    let house = House { board: Board::default(), store: Arc::new(opened.store), clock: Clock::wall() };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("--listen {listen}"))?;
    tracing::info!(address = %listener.local_addr()?, data_dir = %data_dir.display(), "serving probes and metrics");
    let readiness = Readiness::waiting_for(awaited);
    let detail = keeping.metrics_detail.map(Into::into);
    let metrics = metrics_listener(keeping).await?;
    let serving = http::Serving {
        board: house.board.clone(),
        store: house.store.clone(),
        clock: house.clock.clone(),
        readiness: readiness.clone(),
        detail,
        top_partitions: keeping.metrics_top_partitions,
        access,
        metrics_elsewhere: metrics.is_some(),
        origins: keeping.origins.cors_allow_origin.clone(),
        edge: http::Edge { certificate, requests_a_second: NonZeroU32::new(keeping.rate_limit) },
    };
    let stop = stop.clone();
    if let Some(certificate) = serving.edge.certificate.clone() {
        tokio::spawn(http::follow_certificate(certificate, stop.clone()));
    }
    let server = tokio::spawn(async move {
        let Some(metrics) = metrics else { return http::serve(listener, serving, stop).await };
        let scraped = http::serve_metrics(metrics, serving.clone(), stop.clone());
        tokio::try_join!(http::serve(listener, serving, stop), scraped).map(|_| ())
    });
    let output_dir = keeping.output_dir.clone().unwrap_or_else(|| data_dir.join("output"));
    Ok(Serving { fleet: Fleet::new(house, output_dir), readiness, server })
}

/// What is no folder never will be by itself; anything else may be better the next time.
fn unopened(data_dir: &Path, error: store::Error) -> anyhow::Error {
    let flag = format!("--data-dir {}", data_dir.display());
    match error {
        store::Error::Folder { ref source, .. }
            if matches!(source.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
        {
            Usage::of(flag, error).into()
        }
        error => anyhow::Error::new(error).context(flag),
    }
}

/// Who may see what, as `--auth` has it.
async fn access(keeping: &Keeping, api_server: Option<kube::Client>) -> anyhow::Result<Access> {
    Ok(match (keeping.auth, &keeping.auth_token_file) {
        (Auth::None, None) => Access::Open,
        (Auth::Token, Some(file)) => {
            let token = TokenFile::open(file).map_err(|error| {
                Usage(format!("--auth-token-file {}: {error}; write a file that holds the token", file.display()))
            })?;
            Access::Token(Arc::new(token))
        }
        (Auth::Kubernetes, None) => {
            let client = match api_server {
                Some(client) => client,
                None => kube::Client::try_from(config(None, None).await.context("--auth kubernetes")?)?,
            };
            Access::Kubernetes(Arc::new(Reviewer::new(client)))
        }
        (Auth::Token, None) => {
            return Err(Usage("--auth token: write the file of the token as --auth-token-file".into()).into());
        }
        (_, Some(_)) => return Err(Usage("--auth-token-file is for --auth token alone".into()).into()),
    })
}

/// What connections are encrypted with, as `--tls-cert` and `--tls-key` have it.
fn certificate(keeping: &Keeping) -> anyhow::Result<Option<http::Certificate>> {
    let (Some(certificate), Some(key)) = (&keeping.tls_cert, &keeping.tls_key) else { return Ok(None) };
    let loaded = http::Certificate::load(certificate.clone(), key.clone());
    Ok(Some(loaded.map_err(|error| Usage::of("--tls-cert, --tls-key", error))?))
}

async fn metrics_listener(keeping: &Keeping) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = keeping.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("--metrics-listen {address}"))?;
    tracing::info!(metrics_address = %listener.local_addr()?, "serving the metrics apart");
    Ok(Some(listener))
}

/// `$XDG_STATE_HOME/highwater`, else `~/.local/state/highwater`.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    Ok(state.context("--data-dir: write a folder, for neither XDG_STATE_HOME nor HOME is set")?.join("highwater"))
}
