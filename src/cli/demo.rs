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
use crate::board::Board;
use crate::clock::Clock;
use crate::crd::groups::{Groups, Topics};
use crate::crd::sampling::Sampling;
use crate::http::{self, Readiness};
use crate::kafka::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::selection::{Patterns, Selection};
use crate::lag::memory::Memory;
use crate::lag::report::MonitorName;
use crate::monitor::sample::{Task, sample};
use crate::monitor::{House, Job, Orders};
use crate::output::file::ReportFile;
use crate::output::{Format, render};
use crate::reconcile::fleet;
use crate::sim::Sim;
use crate::store::Store;

/// Time between two samples, on the wall clock.
const INTERVAL: Duration = Duration::from_secs(2);

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
    let readiness = Readiness::waiting_for("the first sample");
    readiness.ready();
    let server = tokio::spawn(http::serve(listener, house.board.clone(), readiness, None, stop.clone()));
    let file = ReportFile::new(folder.path(), &name.namespace, "report.json")?;
    let heading = heading(address, file.path(), arguments.speed);
    let writer = tokio::spawn(fleet::write_file(name.clone(), file, house.board.clone(), stop.clone()));
    let (_, orders) = tokio::sync::watch::channel(Orders { task, sample_now: None });
    let job = Job { name: name.clone(), history: name.to_string(), connection, orders };
    let monitor = tokio::spawn(crate::monitor::run(job, house.clone(), stop.clone()));
    show(&name, &house.board, &heading, &stop).await?;
    stop.cancel();
    let _ = tokio::join!(monitor, writer, server);
    Ok(GOOD)
}

fn task(name: &MonitorName, speed: u16) -> anyhow::Result<Task> {
    let (groups, topics) = (Groups::default(), Topics::default());
    let mut policy = crate::reconcile::plan::policy(&Sampling::default());
    policy.interval = i64::try_from(INTERVAL.as_millis())? * i64::from(speed);
    Ok(Task {
        monitor: Some(name.clone()),
        cluster_name: "demo".to_owned(),
        selection: Selection {
            groups: Patterns::new(&groups.include, &groups.exclude)?,
            topics: Patterns::new(&topics.include, &topics.exclude)?,
        },
        policy,
    })
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
         metrics  http://{address}/metrics\n\
         report   {}\n\n",
        file.display()
    )
}

/// Draws the table whenever a new report is posted, until `stop`.
async fn show(name: &MonitorName, board: &Board, heading: &str, stop: &CancellationToken) -> anyhow::Result<()> {
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
        let heading = if told && !screen::is_terminal() { "" } else { heading };
        frames.draw(&format!("{heading}{}", screen::frame(&report, Format::Table)?), &[])?;
        told = true;
    }
}
