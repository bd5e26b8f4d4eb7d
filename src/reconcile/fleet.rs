//! The running monitors: starts, changes and stops them so that they are those of the plans.
//!
//! Only what a new plan changes is touched: its orders reach the running monitor, a new connection starts it anew, and
//! its history stays. What one monitor does never disturbs another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::plan::{Claims, Plan};
use crate::board::{Board, Pulse};
use crate::lag::Millis;
use crate::lag::report::MonitorName;
use crate::monitor::sample::Task;
use crate::monitor::{self, House, Job, Orders};
use crate::output;
use crate::output::file::{FileError, ReportFile};

/// How long history is kept of what is not named any more: a file may be away for a moment, or a flag be wrong.
pub const KEPT: Millis = 24 * 3_600_000;

/// The monitors of one process.
#[derive(Debug)]
pub struct Fleet {
    house: House,
    output_dir: PathBuf,
    running: BTreeMap<MonitorName, Running>,
}

#[derive(Debug)]
struct Running {
    plan: Plan,
    orders: watch::Sender<Orders>,
    sampler: Worker,
    writer: Option<(ReportFile, Worker)>,
}

/// A task that ends when it is told to.
#[derive(Debug)]
struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Fleet {
    /// A fleet without monitors, whose report files go below `output_dir`.
    pub fn new(house: House, output_dir: PathBuf) -> Self {
        Self { house, output_dir, running: BTreeMap::new() }
    }

    /// Makes the running monitors those of `plans`. Monitors in `keep` go on as they are, planned or not.
    pub async fn apply(&mut self, plans: Vec<Plan>, keep: &BTreeSet<MonitorName>) {
        let planned: BTreeSet<MonitorName> = plans.iter().map(|plan| plan.monitor.clone()).collect();
        // What goes makes room, for a file's name or a cluster's, before others come.
        self.retain(|plan| planned.contains(&plan.monitor) || keep.contains(&plan.monitor)).await;
        for plan in plans {
            self.set(plan).await;
        }
    }

    /// Ends the monitors whose plan is not to go on.
    pub async fn retain(&mut self, goes_on: impl Fn(&Plan) -> bool) {
        let gone: Vec<_> = self.running.values().filter(|running| !goes_on(&running.plan)).collect();
        let gone: Vec<MonitorName> = gone.into_iter().map(|running| running.plan.monitor.clone()).collect();
        for name in gone {
            self.end(&name).await;
        }
    }

    /// Makes one monitor what its plan says.
    pub async fn set(&mut self, plan: Plan) {
        let goes_on = |former: &Plan| former.connection == plan.connection && former.history() == plan.history();
        match self.running.get(&plan.monitor).map(|running| &running.plan) {
            Some(former) if *former == plan => {}
            Some(former) if goes_on(former) => self.change(plan).await,
            _ => self.start(plan).await,
        }
    }

    /// Gives a monitor that goes on its new orders, and its report another file where the plan says so.
    async fn change(&mut self, plan: Plan) {
        let Some(running) = self.running.get_mut(&plan.monitor) else { return };
        tell_unused(&plan);
        running.orders.send_if_modified(|orders| {
            let former = std::mem::replace(orders, orders_of(&plan));
            former != *orders
        });
        let former = std::mem::replace(&mut running.plan, plan.clone());
        if former.output_file == plan.output_file {
            return;
        }
        let writer = running.writer.take();
        self.house.board.forget_file(&plan.monitor);
        self.release(&former, writer, false).await;
        let writer = self.start_writer(&plan);
        if let Some(running) = self.running.get_mut(&plan.monitor) {
            running.writer = writer;
        }
    }

    /// Starts a monitor, in place of the one that runs under its name. The series of that, and its file if it is this
    /// one's too, stay until they are written anew.
    async fn start(&mut self, plan: Plan) {
        if let Some(former) = self.running.remove(&plan.monitor) {
            former.sampler.end(&plan.monitor).await;
            let again = plan.output_file == former.plan.output_file;
            self.release(&former.plan, former.writer, again).await;
            if former.plan.history() == plan.history() {
                // What was found over the former connection says nothing about this one.
                let pulse = Pulse { cluster_name: plan.cluster_name.clone(), ..Pulse::default() };
                self.house.board.post_pulse(&plan.monitor, pulse);
            } else {
                self.house.board.remove(&plan.monitor);
            }
        }
        tell_unused(&plan);
        tracing::info!(monitor = %plan.monitor, brokers = plan.connection.brokers.join(","), "sampling");
        let (orders, receiver) = watch::channel(orders_of(&plan));
        let job = Job {
            name: plan.monitor.clone(),
            history: plan.history(),
            connection: plan.connection.clone(),
            orders: receiver,
        };
        let house = self.house.clone();
        let sampler = Worker::start(|stop| monitor::run(job, house, stop));
        let writer = self.start_writer(&plan);
        self.running.insert(plan.monitor.clone(), Running { plan, orders, sampler, writer });
    }

    /// Ends one monitor; its series and its file go with it, its history stays.
    pub async fn end(&mut self, name: &MonitorName) {
        self.close(name, false).await;
    }

    /// Ends one monitor for a while: its file, and its history, stay as they are.
    pub async fn suspend(&mut self, name: &MonitorName) {
        self.close(name, true).await;
    }

    async fn close(&mut self, name: &MonitorName, file_stays: bool) {
        let Some(running) = self.running.remove(name) else { return };
        running.sampler.end(name).await;
        self.house.board.remove(name);
        self.release(&running.plan, running.writer, file_stays).await;
    }

    /// Stops every monitor, and waits until what they know is stored. Files stay.
    pub async fn stop(self) {
        for running in self.running.values() {
            running.sampler.stop.cancel();
        }
        for (name, running) in self.running {
            running.sampler.end(&name).await;
            if let Some((_, writer)) = running.writer {
                writer.end(&name).await;
            }
        }
    }

    /// The monitors that run with what a plan claims for itself, and its field that says so.
    pub fn clashing(&self, plan: &Plan) -> Vec<(MonitorName, &'static str)> {
        let claims = Claims::of_plan(plan);
        let others = self.running.values().filter(|other| other.plan.monitor != plan.monitor);
        let clash = |other: &Running| {
            let (field, _) = claims.clash(&Claims::of_plan(&other.plan))?;
            Some((other.plan.monitor.clone(), field))
        };
        others.filter_map(clash).collect()
    }

    /// The plan of a monitor that runs.
    pub fn plan(&self, name: &MonitorName) -> Option<&Plan> {
        self.running.get(name).map(|running| &running.plan)
    }

    /// The board on which the monitors post.
    pub fn board(&self) -> &Board {
        &self.house.board
    }

    /// Removes what is kept of every monitor that is `gone`, told by the name of its history: its report file, and its
    /// rows when it was last sampled before `since`.
    pub fn forget(&self, gone: impl Fn(&str) -> bool, since: Millis) {
        let store = &self.house.store;
        let forgotten = tokio::task::block_in_place(|| {
            for (name, path) in store.files()?.into_iter().filter(|(name, _)| gone(name)) {
                match self.remove(&path) {
                    Ok(()) => store.note_file(&name, None)?,
                    Err(error) => tracing::warn!(monitor = name, reason = "OutputFile", "{error}"),
                }
            }
            let old = store.monitors()?.into_iter().filter(|(name, sampled)| gone(name) && *sampled < since);
            old.map(|(name, _)| store.forget(&name).map(|()| name)).collect::<Result<Vec<_>, _>>()
        });
        match forgotten {
            Ok(names) => names.iter().for_each(|monitor| tracing::info!(%monitor, "removed, with its history")),
            Err(error) => tracing::warn!(reason = error.reason(), "{error}"),
        }
    }

    /// Removes a report file, unless another monitor writes it by now.
    fn remove(&self, path: &Path) -> Result<(), FileError> {
        let mut written = self.running.values().flat_map(|running| &running.writer);
        match written.any(|(file, _)| file.path() == path) {
            true => Ok(()),
            false => output::file::remove(path, &self.output_dir),
        }
    }

    fn start_writer(&self, plan: &Plan) -> Option<(ReportFile, Worker)> {
        let name = plan.monitor.clone();
        let file = plan.output_file.as_ref().map(|path| ReportFile::new(&self.output_dir, &name.namespace, path));
        let file =
            file.transpose().inspect_err(|error| tracing::error!(monitor = %name, reason = "OutputFile", "{error}"));
        let file = file.ok().flatten();
        self.remove_former_file(plan, file.as_ref().map(ReportFile::path));
        let file = file?;
        self.note_file(&plan.history(), file.path().to_str());
        let (written, board) = (file.clone(), self.house.board.clone());
        Some((file, Worker::start(|stop| write_file(name, written, board, stop))))
    }

    /// Removes the file that a plan had while nobody looked, when it is not the one that it has now.
    fn remove_former_file(&self, plan: &Plan, now: Option<&Path>) {
        let history = plan.history();
        let noted = tokio::task::block_in_place(|| self.house.store.files());
        let noted = noted.inspect_err(|error| tracing::warn!(reason = error.reason(), "{error}")).unwrap_or_default();
        for (_, path) in noted.into_iter().filter(|(name, path)| *name == history && Some(path.as_path()) != now) {
            match self.remove(&path) {
                Ok(()) => self.note_file(&history, None),
                Err(error) => tracing::warn!(monitor = %plan.monitor, reason = "OutputFile", "{error}"),
            }
        }
    }

    fn note_file(&self, history: &str, path: Option<&str>) {
        if let Err(error) = tokio::task::block_in_place(|| self.house.store.note_file(history, path)) {
            tracing::warn!(reason = error.reason(), "{error}");
        }
    }

    /// Ends the writer of a plan's file, and takes the file away unless it stays.
    async fn release(&self, plan: &Plan, writer: Option<(ReportFile, Worker)>, stays: bool) {
        let Some((file, worker)) = writer else { return };
        worker.end(&plan.monitor).await;
        if stays {
            return;
        }
        match self.remove(file.path()) {
            Ok(()) => self.note_file(&plan.history(), None),
            Err(error) => tracing::warn!(monitor = %plan.monitor, reason = "OutputFile", "{error}"),
        }
    }
}

impl Worker {
    fn start<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(work(stop.clone())), stop }
    }

    async fn end(self, monitor: &MonitorName) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%monitor, "{error}");
        }
    }
}

fn tell_unused(plan: &Plan) {
    for field in &plan.unused {
        tracing::warn!(monitor = %plan.monitor, field, "this version does nothing with {field} yet");
    }
}

fn orders_of(plan: &Plan) -> Orders {
    let task = Task {
        monitor: Some(plan.monitor.clone()),
        team: plan.team.clone(),
        cluster_name: plan.cluster_name.clone(),
        selection: plan.selection.clone(),
        policy: plan.policy.clone(),
        objective: Some(plan.objective.clone()),
    };
    Orders { task, sample_now: plan.sample_now.clone() }
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
            if let Err(error) = &result {
                tracing::warn!(monitor = %name, reason = "OutputFile", "{error}");
            }
            board.post_file(&name, result.map_err(|error| error.to_string()));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = posts.changed() => if changed.is_err() { return },
        }
    }
}
