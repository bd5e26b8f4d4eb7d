//! The running monitors: starts, replaces and stops them so that they are those of the plans.
//!
//! A plan that did not change is left alone; what one monitor does never disturbs another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use crate::board::Board;
use crate::lag::report::MonitorName;
use crate::monitor::{self, House, sample::Task};
use crate::output::file::ReportFile;

/// The monitors of one process.
#[derive(Debug)]
pub struct Fleet {
    house: House,
    output_dir: PathBuf,
    running: BTreeMap<MonitorName, Running>,
    planned: BTreeSet<MonitorName>,
}

#[derive(Debug)]
struct Running {
    plan: Plan,
    file: Option<ReportFile>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// A fleet without monitors, whose report files go below `output_dir`.
    pub fn new(house: House, output_dir: PathBuf) -> Self {
        Self { house, output_dir, running: BTreeMap::new(), planned: BTreeSet::new() }
    }

    /// Makes the running monitors those of `plans`. Monitors in `keep` go on as they are, planned or not.
    pub async fn apply(&mut self, plans: Vec<Plan>, keep: &BTreeSet<MonitorName>) {
        let plans: BTreeMap<MonitorName, Plan> = plans.into_iter().map(|plan| (plan.monitor.clone(), plan)).collect();
        self.planned = plans.keys().chain(keep).cloned().collect();
        let others: Vec<MonitorName> = self.running.keys().filter(|name| !keep.contains(name)).cloned().collect();
        for name in others {
            let planned = plans.get(&name);
            if let Some(running) = self.running.remove(&name) {
                if planned == Some(&running.plan) {
                    self.running.insert(name, running);
                } else {
                    self.end(running, planned).await;
                }
            }
        }
        for (name, plan) in plans {
            if !self.running.contains_key(&name) && !plan.suspend {
                tracing::info!(monitor = %name, brokers = plan.connection.brokers.join(","), "sampling");
                for field in &plan.unused {
                    tracing::warn!(monitor = %name, field, "this version does nothing with {field} yet");
                }
                let running = self.start(plan);
                self.running.insert(name, running);
            }
        }
    }

    /// Stops every monitor, and waits until what they know is stored.
    pub async fn stop(self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        for running in self.running.into_values() {
            running.end().await;
        }
    }

    /// The board on which the monitors post.
    pub fn board(&self) -> &Board {
        &self.house.board
    }

    /// Removes the history of every monitor that the last plans did not name.
    pub fn forget_others(&self) {
        let store = &self.house.store;
        let planned: BTreeSet<String> = self.planned.iter().map(MonitorName::to_string).collect();
        let forgotten = tokio::task::block_in_place(|| {
            let others = store.monitors()?.into_iter().filter(|name| !planned.contains(name));
            others.map(|name| store.forget(&name).map(|()| name)).collect::<Result<Vec<_>, _>>()
        });
        match forgotten {
            Ok(names) => names.iter().for_each(|monitor| tracing::info!(%monitor, "removed, with its history")),
            Err(error) => tracing::warn!(reason = error.reason(), "{error}"),
        }
    }

    /// Ends a monitor whose plan changed or is gone. Its series and its file go with it, unless they come again.
    async fn end(&self, running: Running, planned: Option<&Plan>) {
        let (name, file) = (running.plan.monitor.clone(), running.file.clone());
        let goes_on = planned.filter(|plan| !plan.suspend);
        let written_again = goes_on.is_some_and(|plan| plan.output_file == running.plan.output_file);
        running.end().await;
        if goes_on.is_none() {
            self.house.board.remove(&name);
        }
        if !written_again && let Some(Err(error)) = file.map(|file| file.remove()) {
            tracing::warn!(monitor = %name, reason = "OutputFile", "{error}");
        }
    }

    fn start(&self, plan: Plan) -> Running {
        let stop = CancellationToken::new();
        let task = Task {
            monitor: Some(plan.monitor.clone()),
            cluster_name: plan.cluster_name.clone(),
            selection: plan.selection.clone(),
            policy: plan.policy.clone(),
        };
        let name = plan.monitor.clone();
        let mut tasks = vec![tokio::spawn(monitor::run(
            name.clone(),
            task,
            plan.connection.clone(),
            self.house.clone(),
            stop.clone(),
        ))];
        let file = plan.output_file.as_ref().and_then(|path| {
            let file = ReportFile::new(&self.output_dir, &name.namespace, path);
            file.inspect_err(|error| tracing::error!(monitor = %name, reason = "OutputFile", "{error}")).ok()
        });
        if let Some(file) = file.clone() {
            tasks.push(tokio::spawn(write_file(name, file, self.house.board.clone(), stop.clone())));
        }
        Running { plan, file, stop, tasks }
    }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(monitor = %self.plan.monitor, "{error}");
            }
        }
    }
}

/// Writes every new report of a monitor to its file until `stop`.
pub async fn write_file(name: MonitorName, file: ReportFile, board: Board, stop: CancellationToken) {
    let mut posts = board.watch();
    let mut written = None;
    loop {
        let report = posts.borrow_and_update().get(&name).and_then(|posted| posted.report.clone());
        if let Some(report) = report
            && written != Some(report.generated_at)
        {
            written = Some(report.generated_at);
            let result = tokio::task::block_in_place(|| file.write(&report));
            if let Err(error) = result {
                tracing::warn!(monitor = %name, reason = "OutputFile", "{error}");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = posts.changed() => if changed.is_err() { return },
        }
    }
}
