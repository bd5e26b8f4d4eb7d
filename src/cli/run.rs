//! `highwater run`: the monitors of LagMonitor documents, without Kubernetes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::arguments::{ReadyWhen, Run};
use super::{GOOD, REFUSED, screen, signals};
use crate::board::Board;
use crate::clock::Clock;
use crate::http::{self, Readiness};
use crate::monitor::House;
use crate::reconcile::files::Files;
use crate::reconcile::fleet::Fleet;
use crate::reconcile::local::{Local, Wanted};
use crate::store::Store;

/// How often documents and Secrets are read again.
const LOOK: Duration = Duration::from_secs(2);

/// How long changed files must stay as they are before they count.
const SETTLE: Duration = Duration::from_millis(300);

/// Runs until it is stopped.
pub(super) async fn run(arguments: Run) -> anyhow::Result<u8> {
    let mut files = Files::read(&arguments.filename, arguments.secrets_dir.as_deref());
    let mut local = Local::new()?;
    let wanted = local.load(&files);
    if wanted.plans.is_empty() {
        for refusal in &wanted.refused {
            screen::complain(&refusal.to_string());
        }
        if wanted.refused.is_empty() {
            screen::complain("no LagMonitor in the files of -f");
        }
        return Ok(REFUSED);
    }
    let data_dir = match &arguments.data_dir {
        Some(folder) => folder.clone(),
        None => default_data_dir()?,
    };
    let stop = signals::stop_on_signal()?;
    let opened = Store::open(&data_dir).with_context(|| format!("--data-dir {}", data_dir.display()))?;
    if let Some((file, error)) = &opened.set_aside {
        tracing::warn!(reason = error.reason(), file = %file.display(), "the database was set aside: {error}");
    }
    if let Some(file_system) = opened.network_file_system {
        tracing::warn!("the data folder lies on {file_system}: slower, and only as safe as its locks");
    }
    let house = House { board: Board::default(), store: Arc::new(opened.store), clock: Clock::wall() };
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("--listen {}", arguments.listen))?;
    tracing::info!(address = %listener.local_addr()?, data_dir = %data_dir.display(), "serving probes and metrics");
    let readiness = Readiness::waiting_for("the documents");
    let detail = arguments.metrics_detail.map(Into::into);
    let server = tokio::spawn(http::serve(listener, house.board.clone(), readiness.clone(), detail, stop.clone()));
    let watcher = tokio::spawn(keep_ready(arguments.ready_when, house.board.clone(), readiness, stop.clone()));
    let output_dir = arguments.output_dir.clone().unwrap_or_else(|| data_dir.join("output"));
    let mut fleet = Fleet::new(house, output_dir);
    apply(&mut fleet, wanted).await;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        // A file that is being written looks different a moment later.
        let now = Files::read(&arguments.filename, arguments.secrets_dir.as_deref());
        if now != files {
            tokio::time::sleep(SETTLE).await;
            if now == Files::read(&arguments.filename, arguments.secrets_dir.as_deref()) {
                apply(&mut fleet, local.load(&now)).await;
                files = now;
            }
        }
    }
    fleet.stop().await;
    let _ = tokio::join!(server, watcher);
    Ok(GOOD)
}

async fn apply(fleet: &mut Fleet, wanted: Wanted) {
    for refusal in &wanted.refused {
        let file = refusal.file.display();
        tracing::error!(%file, line = refusal.line, field = refusal.field, reason = "InvalidSpec", "{refusal}");
    }
    fleet.board().refuse(wanted.refused.iter().map(|refusal| refusal.file.display().to_string()));
    let whole = wanted.refused.is_empty();
    fleet.apply(wanted.plans, &wanted.keep).await;
    if whole {
        fleet.forget_others();
    }
}

/// `$XDG_STATE_HOME/highwater`, else `~/.local/state/highwater`.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    Ok(state.context("--data-dir: write a folder, for neither XDG_STATE_HOME nor HOME is set")?.join("highwater"))
}

/// Keeps /readyz at what `--ready-when` asks for.
async fn keep_ready(when: ReadyWhen, board: Board, readiness: Readiness, stop: CancellationToken) {
    if when == ReadyWhen::Serving {
        return readiness.ready();
    }
    let mut posts = board.watch();
    loop {
        let silent = posts.borrow_and_update().iter().find_map(|(name, posted)| {
            posted.pulse.coverage.is_none_or(|coverage| coverage == 0.0).then(|| name.to_string())
        });
        match silent {
            Some(name) => readiness.not_ready(&format!("{name} has not reached its cluster")),
            None => readiness.ready(),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = posts.changed() => if changed.is_err() { return },
        }
    }
}
