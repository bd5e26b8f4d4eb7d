//! `highwater run`: the monitors of LagMonitor documents, without Kubernetes.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::arguments::{ReadyWhen, Run};
use super::{GOOD, REFUSED, screen, serving, signals};
use crate::board::Board;
use crate::clock::Clock;
use crate::http::Readiness;
use crate::lag::report::MonitorName;
use crate::reconcile::files::Files;
use crate::reconcile::fleet::{Fleet, KEPT};
use crate::reconcile::local::{Local, Wanted};
use crate::reconcile::plan::{Plan, of_cluster};
use crate::reconcile::speaker::{Speakers, speak};

/// How often documents and Secrets are read again.
const LOOK: Duration = Duration::from_secs(2);

/// How long changed files must stay as they are before they count.
const SETTLE: Duration = Duration::from_millis(300);

/// Runs until it is stopped.
pub(super) async fn run(arguments: Run) -> anyhow::Result<u8> {
    if let Some(folder) = arguments.secrets_dir.as_deref().filter(|folder| !folder.is_dir()) {
        screen::complain(&format!("--secrets-dir {}: write a folder that exists", folder.display()));
        return Ok(REFUSED);
    }
    let mut files = Files::read(&arguments.filename, arguments.secrets_dir.as_deref());
    let mut local = Local::new()?;
    let wanted = local.load(&files);
    if wanted.plans.is_empty() && wanted.suspended.is_empty() {
        for refusal in &wanted.refused {
            screen::complain(&refusal.to_string());
        }
        if wanted.refused.is_empty() {
            screen::complain("no LagMonitor in the files of -f");
        }
        return Ok(REFUSED);
    }
    let stop = signals::stop_on_signal()?;
    let serving = serving::serve(&arguments.keeping, arguments.listen, "the documents", None, &stop).await?;
    let (mut fleet, readiness) = (serving.fleet, serving.readiness);
    let (speakers, heard) = watch::channel(Speakers::default());
    let speaking = tokio::spawn(speak(heard, fleet.board().clone(), Clock::wall(), stop.clone()));
    apply(&mut fleet, &speakers, wanted).await;
    // Every monitor is on the board from now on, with nothing sampled yet.
    let watcher = tokio::spawn(keep_ready(arguments.ready_when, fleet.board().clone(), readiness, stop.clone()));
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
                apply(&mut fleet, &speakers, local.load(&now)).await;
                files = now;
            }
        }
    }
    fleet.stop().await;
    let _ = tokio::join!(serving.server, watcher, speaking);
    Ok(GOOD)
}

async fn apply(fleet: &mut Fleet, speakers: &watch::Sender<Speakers>, wanted: Wanted) {
    for refusal in &wanted.refused {
        let file = refusal.file.display();
        tracing::error!(%file, line = refusal.line, field = refusal.field, reason = refusal.reason, "{refusal}");
    }
    fleet.board().refuse(wanted.refused.iter().map(|refusal| refusal.file.display().to_string()));
    let others = wanted.keep.iter().chain(&wanted.suspended).map(MonitorName::to_string);
    let known: BTreeSet<String> = wanted.plans.iter().map(Plan::history).chain(others).collect();
    for name in &wanted.suspended {
        fleet.suspend(name).await;
    }
    fleet.apply(wanted.plans, &wanted.keep).await;
    speakers.send_replace(wanted.speakers);
    if wanted.refused.is_empty() {
        // What an operator keeps in the same folder is not this command's to judge.
        let gone = |history: &str| of_cluster(history).is_none() && !known.contains(history);
        fleet.forget(gone, Clock::wall().now() - KEPT);
    }
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
