//! `highwater demo`: the main job on a simulated cluster, with nothing installed and nothing left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::arguments::Demo;
use super::screen::{self, Frames};
use super::{GOOD, signals};
use crate::access::Access;
use crate::board::Board;
use crate::clock::Clock;
use crate::crd;
use crate::crd::groups::{Groups, Topics};
use crate::crd::sampling::Sampling;
use crate::crd::slo::Slo;
use crate::http::{self, Readiness};
use crate::kafka::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::selection::{Patterns, Selection};
use crate::lag::memory::Memory;
use crate::lag::report::MonitorName;
use crate::monitor::objective::Objective;
use crate::monitor::sample::{Task, sample};
use crate::monitor::{House, Job, Orders};
use crate::output::file::ReportFile;
use crate::output::{Format, render};
use crate::reconcile::conditions::Standing;
use crate::reconcile::fleet;
use crate::reconcile::speaker::{self, Speaker, Speakers};
use crate::sim::Sim;
use crate::store::Store;

/// Time between two samples, on the wall clock.
const INTERVAL: Duration = Duration::from_secs(2);

/// The largest age that is all right.
const MAX_LAG: crd::duration::Duration = crd::duration::Duration::minutes(10);

/// How long the first sample may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs the demo until it is stopped, or prints one table with `--once`.
pub(super) async fn run(arguments: Demo) -> anyhow::Result<u8> {
    let clock = match arguments.speed {
        1 => Clock::wall(),
        speed => Clock::scaled(Clock::wall().now(), speed.into()),
    };
    let sim =
        Sim::start(crate::sim::stories::demo(clock.now()), clock.clone()).await.context("the simulated cluster")?;
    let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
    let name = MonitorName { namespace: "default".to_owned(), name: "demo".to_owned() };
    let task = task(&name, arguments.speed)?;
    if arguments.once {
        let cluster = Cluster::connect(&connection, clock.clone())?;
        let (report, _) = sample(&cluster, &mut Memory::default(), &task, DEADLINE, &clock).await;
        screen::print(&render(&report, Format::Table, screen::colours())?)?;
        return Ok(GOOD);
    }
    let folder = tempfile::Builder::new().prefix("highwater-demo-").tempdir()?;
    let path = folder.path().to_owned();
    // What cannot be removed then is the system's to clean.
    let stop = signals::stop_on_signal_or(move || drop(std::fs::remove_dir_all(path)))?;
    let house = House { board: Board::default(), store: Arc::new(Store::open(folder.path())?.store), clock };
    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr()?;
    let readiness = Readiness::waiting_for("the first sample has not been taken yet");
    let serving = http::Serving {
        board: house.board.clone(),
        store: house.store.clone(),
        clock: house.clock.clone(),
        readiness: readiness.clone(),
        detail: None,
        top_partitions: 0,
        access: Access::Open,
        metrics_elsewhere: false,
        origins: arguments.origins.cors_allow_origin,
        edge: http::Edge::default(),
    };
    let server = tokio::spawn(http::serve(listener, serving, stop.clone()));
    let file = ReportFile::new(folder.path(), &name.namespace, "report.json")?;
    let heading = heading(address, file.path(), arguments.speed);
    let writer = tokio::spawn(fleet::write_file(name.clone(), file, house.board.clone(), stop.clone()));
    let (_speakers, heard) = tokio::sync::watch::channel(speakers(&name, &task));
    let speaking = tokio::spawn(speaker::speak(heard, house.board.clone(), house.clock.clone(), stop.clone()));
    let (_, orders) = tokio::sync::watch::channel(Orders { task, sample_now: None });
    let job = Job { name: name.clone(), history: name.to_string(), connection, orders };
    let monitor = tokio::spawn(crate::monitor::run(job, house.clone(), stop.clone()));
    show(&name, &house.board, &heading, &readiness, &stop).await?;
    stop.cancel();
    let _ = tokio::join!(monitor, writer, server, speaking);
    Ok(GOOD)
}

fn task(name: &MonitorName, speed: u16) -> anyhow::Result<Task> {
    let (groups, topics) = (Groups::default(), Topics::default());
    let mut policy = crate::reconcile::plan::policy(&Sampling::default());
    policy.interval = i64::try_from(INTERVAL.as_millis())? * i64::from(speed);
    Ok(Task {
        monitor: Some(name.clone()),
        team: None,
        cluster_name: "demo".to_owned(),
        selection: Selection {
            groups: Patterns::new(&groups.include, &groups.exclude)?,
            topics: Patterns::new(&topics.include, &topics.exclude)?,
        },
        policy,
        objective: Some(Objective::new(&objective()).map_err(|(_, error)| error)?),
    })
}

/// The one monitor of the demo, which says of itself what a LagMonitor would.
fn speakers(name: &MonitorName, task: &Task) -> Speakers {
    let speaker = Speaker {
        cluster_name: task.cluster_name.clone(),
        team: task.team.clone(),
        standing: Standing::Accepted,
        objective: task.objective.clone(),
        has_file: true,
    };
    Arc::new([(name.clone(), speaker)].into())
}

/// The defaults bound what waits by records alone, and `audit` has few: hours old, it would be all right.
fn objective() -> Slo {
    Slo { max_lag: Some(MAX_LAG), ..Slo::default() }
}

/// The address asked for, or a free port when it is taken.
async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(TcpListener::bind(SocketAddr::new(address.ip(), 0)).await?)
        }
        listener => listener.with_context(|| format!("--listen {address}")),
    }
}

fn heading(address: SocketAddr, file: &Path, speed: u16) -> String {
    let speed = if speed == 1 { String::new() } else { format!(", {speed} times as fast as the clock") };
    format!(
        "How old is the data that each group is working on? A simulated cluster{speed}. Ctrl-C ends it.\n\
         page     http://{address}/\n\
         API      http://{address}/docs\n\
         metrics  http://{address}/metrics\n\
         report   {}\n\n",
        file.display()
    )
}

/// Draws the table whenever a new report is posted, until `stop`; ready from the first one on.
async fn show(
    name: &MonitorName,
    board: &Board,
    heading: &str,
    readiness: &Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut frames = Frames::default();
    let mut posts = board.watch();
    let mut told = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = posts.changed() => changed?,
        }
        let report = posts.borrow_and_update().get(name).and_then(|posted| posted.report.clone());
        let Some(report) = report else { continue };
        readiness.ready();
        let heading = if told && !screen::is_terminal() { "" } else { heading };
        frames.draw(&format!("{heading}{}", screen::frame(&report, Format::Table)?), &[])?;
        told = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::report::AlertKind;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newcomer_sees_an_objective_that_is_missed_with_its_alert_and_what_to_do() {
        let clock = Clock::stepped(1_790_000_000_000);
        let sim = Sim::start(crate::sim::stories::demo(clock.now()), clock.clone()).await.unwrap();
        let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
        let cluster = Cluster::connect(&connection, clock.clone()).unwrap();
        let name = MonitorName { namespace: "default".to_owned(), name: "demo".to_owned() };
        let task = task(&name, 1).unwrap();
        let (report, _) = sample(&cluster, &mut Memory::default(), &task, DEADLINE, &clock).await;
        let met = |id: &str| report.group(id).unwrap().health.slo.as_ref().unwrap().met;
        assert_eq!((met("checkout"), met("audit")), (Some(true), Some(false)));
        let alerts = &report.group("audit").unwrap().health.alerts;
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.kind, AlertKind::SloViolated);
        assert!(alert.advice.starts_with("Start its members"), "{}", alert.advice);
    }
}
