//! What `run` and `operator` have in common: the database, the board, and the server before them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::arguments::Keeping;
use crate::board::Board;
use crate::clock::Clock;
use crate::http::{self, Readiness};
use crate::monitor::House;
use crate::reconcile::fleet::Fleet;
use crate::store::Store;

/// A process that serves, and is about to sample.
pub(super) struct Serving {
    pub(super) fleet: Fleet,
    pub(super) readiness: Readiness,
    pub(super) server: JoinHandle<std::io::Result<()>>,
}

/// Opens the database and begins to serve, not ready yet for want of `awaited`.
pub(super) async fn serve(
    keeping: &Keeping,
    listen: SocketAddr,
    awaited: &str,
    stop: &CancellationToken,
) -> anyhow::Result<Serving> {
    let data_dir = match &keeping.data_dir {
        Some(folder) => folder.clone(),
        None => default_data_dir()?,
    };
    let opened = Store::open(&data_dir).with_context(|| format!("--data-dir {}", data_dir.display()))?;
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
    let server = tokio::spawn(http::serve(listener, house.board.clone(), readiness.clone(), detail, stop.clone()));
    let output_dir = keeping.output_dir.clone().unwrap_or_else(|| data_dir.join("output"));
    Ok(Serving { fleet: Fleet::new(house, output_dir), readiness, server })
}

/// `$XDG_STATE_HOME/highwater`, else `~/.local/state/highwater`.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    Ok(state.context("--data-dir: write a folder, for neither XDG_STATE_HOME nor HOME is set")?.join("highwater"))
}
