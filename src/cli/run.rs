//! `highwater run`: the monitors of LagMonitor documents, without Kubernetes.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::arguments::{ReadyWhen, Run};
use super::{GOOD, REFUSED, screen, serving, signals};
use crate::board::Board;
use crate::http::Readiness;
use crate::lag::report::MonitorName;
use crate::reconcile::files::Files;
use crate::reconcile::fleet::Fleet;
use crate::reconcile::local::{Local, Wanted};
use crate::reconcile::plan::{Plan, of_cluster};

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
    let stop = signals::stop_on_signal()?;
    let serving = serving::serve(&arguments.keeping, arguments.listen, "the documents", &stop).await?;
    let (mut fleet, readiness) = (serving.fleet, serving.readiness);
    let watcher = tokio::spawn(keep_ready(arguments.ready_when, fleet.board().clone(), readiness, stop.clone()));
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
    let _ = tokio::join!(serving.server, watcher);
    Ok(GOOD)
}

async fn apply(fleet: &mut Fleet, wanted: Wanted) {
    for refusal in &wanted.refused {
        let file = refusal.file.display();
        tracing::error!(%file, line = refusal.line, field = refusal.field, reason = refusal.reason, "{refusal}");
    }
    fleet.board().refuse(wanted.refused.iter().map(|refusal| refusal.file.display().to_string()));
    let planned: BTreeSet<String> =
        wanted.plans.iter().map(Plan::history).chain(wanted.keep.iter().map(MonitorName::to_string)).collect();
    fleet.apply(wanted.plans, &wanted.keep).await;
    if wanted.refused.is_empty() {
        // What an operator keeps in the same folder is not this command's to judge.
        fleet.forget(|history| of_cluster(history).is_none() && !planned.contains(history));
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
