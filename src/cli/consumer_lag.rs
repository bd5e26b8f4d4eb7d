//! `highwater consumer-lag`: one look, right at once, without a database.

use std::time::Duration;

use anyhow::Context;

use super::arguments::{ConsumerLag, IsolationLevel};
use super::screen::{self, Frames};
use super::{FAILED, GOOD, OVER, REFUSED, signals};
use crate::clock::Clock;
use crate::crd::groups::{Groups, Topics};
use crate::crd::sampling::Sampling;
use crate::kafka::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::properties;
use crate::kafka::selection::{Patterns, Selection};
use crate::lag::memory::Memory;
use crate::lag::policy::Policy;
use crate::lag::reason::Reason;
use crate::lag::report::Report;
use crate::monitor::sample::{Task, sample};
use crate::output::filter::{Filter, filtered};
use crate::output::{Format, render};

/// Looks once, or again and again with `--watch`.
pub(super) async fn run(arguments: ConsumerLag) -> anyhow::Result<u8> {
    let connection = match connection(&arguments) {
        Ok(connection) => connection,
        Err(error) => return refuse(&error),
    };
    let selection = match selection(&arguments) {
        Ok(selection) => selection,
        Err(error) => return refuse(&error),
    };
    let clock = Clock::wall();
    let cluster = Cluster::connect(&connection, clock.clone())?;
    let task =
        Task { monitor: None, cluster_name: connection.brokers.join(","), selection, policy: policy(&arguments) };
    let mut memory = Memory::default();
    let deadline = Duration::from_millis(arguments.timeout.millis().unsigned_abs());
    let Some(pause) = arguments.watch else {
        let (report, _) = sample(&cluster, &mut memory, &task, deadline, &clock).await;
        let shown = shown(&report, &arguments);
        screen::print(&render(&shown, arguments.output, screen::colours())?)?;
        return Ok(verdict(&report, &shown, &arguments));
    };
    let stop = signals::stop_on_signal()?;
    let mut frames = Frames::default();
    loop {
        let (report, _) = sample(&cluster, &mut memory, &task, deadline, &clock).await;
        let shown = shown(&report, &arguments);
        let text = render(&shown, arguments.output, screen::colours())?;
        if matches!(arguments.output, Format::Table | Format::Wide) {
            frames.draw(&text)?;
        } else {
            screen::print(&text)?;
        }
        let code = verdict(&report, &shown, &arguments);
        if code == OVER {
            return Ok(code);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(code),
            () = tokio::time::sleep(Duration::from_millis(pause.millis().unsigned_abs())) => {}
        }
    }
}

fn refuse(error: &anyhow::Error) -> anyhow::Result<u8> {
    screen::complain(&format!("{error:#}"));
    Ok(REFUSED)
}

fn connection(arguments: &ConsumerLag) -> anyhow::Result<Connection> {
    let mut connection = match &arguments.command_config {
        Some(file) => {
            let read = properties::load(file).with_context(|| format!("--command-config {}", file.display()))?;
            for key in &read.ignored {
                tracing::warn!(key, "--command-config: not needed here, and left out");
            }
            read.connection
        }
        None => Connection::default(),
    };
    if !arguments.brokers.is_empty() {
        connection.brokers.clone_from(&arguments.brokers);
    }
    anyhow::ensure!(!connection.brokers.is_empty(), "--brokers: write the bootstrap servers as host:port");
    Ok(connection)
}

fn selection(arguments: &ConsumerLag) -> anyhow::Result<Selection> {
    let all = Topics::default();
    let (topics, hidden) = match arguments.topic.as_slice() {
        [] => (all.include.as_slice(), all.exclude.as_slice()),
        topics => (topics, &[][..]),
    };
    Ok(Selection {
        groups: Patterns::new(&arguments.group, &Groups::default().exclude).context("--group")?,
        topics: Patterns::new(topics, hidden).context("--topic")?,
    })
}

/// The resource's defaults, with the interval of `--watch`.
fn policy(arguments: &ConsumerLag) -> Policy {
    let mut policy = crate::reconcile::plan::policy(&Sampling::default());
    if let Some(pause) = arguments.watch {
        policy.interval = pause.millis();
    }
    policy.read_committed = arguments.isolation_level == IsolationLevel::ReadCommitted;
    policy
}

fn shown(report: &Report, arguments: &ConsumerLag) -> Report {
    let filter = Filter {
        group: &|_| true,
        topic: None,
        states: &arguments.state,
        min_lag_seconds: arguments.min_lag.map(|age| age.millis() as f64 / 1e3),
    };
    filtered(report, &filter)
}

/// The exit code: some age over the limit, something unreadable, or all well. Errors go to standard error.
fn verdict(report: &Report, shown: &Report, arguments: &ConsumerLag) -> u8 {
    for failure in &report.errors {
        screen::complain(&failure.message);
    }
    let limit = arguments.fail_over.map_or(f64::INFINITY, |age| age.millis() as f64 / 1e3);
    let over = shown.groups.iter().any(|group| group.max_lag_seconds.is_some_and(|age| age > limit));
    let unreadable = report.errors.iter().any(|failure| failure.reason != Reason::UnsupportedByClient);
    match (over, unreadable) {
        (true, _) => OVER,
        (_, true) => FAILED,
        _ => GOOD,
    }
}
