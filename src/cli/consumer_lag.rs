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
use crate::output::{Format, json, render};

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
    let task = Task {
        monitor: None,
        team: None,
        cluster_name: connection.brokers.join(","),
        selection,
        policy: policy(&arguments),
        objective: None,
    };
    let mut memory = Memory::default();
    let deadline = Duration::from_millis(arguments.timeout.millis().unsigned_abs());
    let Some(pause) = arguments.watch else {
        let (report, _) = sample(&cluster, &mut memory, &task, deadline, &clock).await;
        let shown = shown(&report, &arguments);
        screen::print(&render(&shown, arguments.output, screen::colours())?)?;
        complaints(&report, &shown, &arguments).for_each(|text| screen::complain(&text));
        return Ok(verdict(&report, &shown, &arguments));
    };
    let stop = signals::stop_on_signal()?;
    let mut frames = Frames::default();
    let mut first = true;
    loop {
        let (report, _) = sample(&cluster, &mut memory, &task, deadline, &clock).await;
        let shown = shown(&report, &arguments);
        let (text, complaints) =
            (part(&shown, arguments.output, first)?, complaints(&report, &shown, &arguments).collect::<Vec<_>>());
        if table(arguments.output) {
            frames.draw(&text, &complaints)?;
        } else {
            screen::print(&text)?;
            complaints.iter().for_each(|text| screen::complain(text));
        }
        first = false;
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
    screen::complain(&screen::told(error));
    Ok(REFUSED)
}

fn connection(arguments: &ConsumerLag) -> anyhow::Result<Connection> {
    let mut connection = match &arguments.command_config {
        Some(file) => {
            let read = properties::load(file).with_context(|| format!("--command-config {}", file.display()))?;
            for key in &read.ignored {
                screen::complain(&format!("warning: --command-config: {key} has no effect here"));
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
        with_topics: !arguments.topic.is_empty(),
        states: &arguments.state,
        min_lag_seconds: arguments.min_lag.map(|age| age.millis() as f64 / 1e3),
    };
    filtered(report, &filter)
}

fn table(format: Format) -> bool {
    matches!(format, Format::Table | Format::Wide)
}

/// One of many reports, such that all of them together can be read by whoever reads the format.
fn part(report: &Report, format: Format, first: bool) -> anyhow::Result<String> {
    if table(format) && screen::is_terminal() {
        return Ok(screen::frame(report, format)?);
    }
    let text = || render(report, format, screen::colours());
    Ok(match format {
        Format::Json => {
            let mut line = Vec::new();
            json::write(report, &mut line)?;
            String::from_utf8(line)?
        }
        Format::Yaml if !first => format!("---\n{}", text()?),
        Format::Csv if !first => text()?.split_once('\n').map_or_else(String::new, |(_, rows)| rows.to_owned()),
        _ => text()?,
    })
}

/// What could not be read, and that there is nothing to check.
fn complaints(report: &Report, shown: &Report, arguments: &ConsumerLag) -> impl Iterator<Item = String> {
    let nothing = unchecked(report, arguments).then(|| "--fail-over: no group that matches has an age".to_owned());
    unread(shown, arguments.output).into_iter().chain(nothing)
}

/// What could not be read. A table that is empty without such a reason says so.
fn unread(shown: &Report, format: Format) -> Vec<String> {
    match shown.groups.is_empty() && shown.errors.is_empty() && table(format) {
        true => vec!["no group matches".to_owned()],
        false => shown.errors.iter().map(|failure| failure.message.to_string()).collect(),
    }
}

/// Whether an age is to be checked and there is none: a group that was moved away must not pass.
fn unchecked(report: &Report, arguments: &ConsumerLag) -> bool {
    arguments.fail_over.is_some() && report.groups.iter().all(|group| group.max_lag_seconds.is_none())
}

/// The exit code: some age over the limit, something unreadable or nothing to check, or all well.
fn verdict(report: &Report, shown: &Report, arguments: &ConsumerLag) -> u8 {
    let limit = arguments.fail_over.map_or(f64::INFINITY, |age| age.millis() as f64 / 1e3);
    let over = shown.groups.iter().any(|group| group.max_lag_seconds.is_some_and(|age| age > limit));
    let unreadable = shown.errors.iter().any(|failure| failure.reason != Reason::UnsupportedByClient);
    match (over, unreadable || unchecked(report, arguments)) {
        (true, _) => OVER,
        (_, true) => FAILED,
        _ => GOOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn the_reports_of_a_watch_can_be_read_one_by_one() {
        let report = sample::report();
        let twice = |format| part(&report, format, true).unwrap() + &part(&report, format, false).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        let lines: Vec<serde_json::Value> =
            twice(Format::Json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [json.clone(), json.clone()]);
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&twice(Format::Yaml)).unwrap();
        assert_eq!(documents, [json.clone(), json]);
        let rows = twice(Format::Csv);
        assert_eq!(csv::Reader::from_reader(rows.as_bytes()).records().map(Result::unwrap).count(), 2 * 7);
        assert_eq!(rows.matches("cluster_name").count(), 1);
    }

    #[test]
    fn only_an_empty_table_without_an_error_says_that_nothing_matches() {
        let nothing = Report { groups: Vec::new(), errors: Vec::new(), ..sample::report() };
        assert_eq!(unread(&nothing, Format::Wide), ["no group matches"]);
        assert!(unread(&nothing, Format::Json).is_empty());
        assert_eq!(unread(&Report { groups: Vec::new(), ..sample::report() }, Format::Table).len(), 1);
    }
}
