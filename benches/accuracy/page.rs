//! The outcome as a page of Markdown: what was promised, tables of errors, and how to run it again.

use std::fmt::Write as _;

use crate::peers;
use crate::promises::{Kind, Promise, Run, percent};
use crate::sampler::Setting;
use crate::tally::{Bounds, Errors};
use crate::traffic::{Producer, Shape};
use crate::week::Outcome;

/// What stands on the page besides the tables.
#[derive(Debug)]
pub(crate) struct Heading {
    /// Processor and kernel.
    pub(crate) machine: String,
    /// The day of the run, in UTC.
    pub(crate) date: String,
    /// What was run.
    pub(crate) version: String,
    /// What was measured on clusters, as Markdown.
    pub(crate) clusters: Vec<String>,
}

/// The whole page.
pub(crate) fn page(runs: &[Run], promises: &[Promise], heading: &Heading) -> String {
    let mut page = String::from(INTRODUCTION);
    writeln!(page, "{}, {}, {}.\n", heading.version, heading.date, heading.machine).unwrap();
    page.push_str("## What is promised\n\n");
    page.push_str(&promised(promises));
    page.push_str("\n![errors of each method by the true age](accuracy.svg)\n");
    page.push_str("\n## Beside what else there is\n\n");
    page.push_str(METHODS);
    page.push_str(&compared(runs));
    page.push_str("\n## Settings\n\n");
    page.push_str(&settings(runs));
    page.push_str("\n## The first look\n\n");
    page.push_str("Nothing remembered, commits from a second to seven days ago; the peers' methods that need samples have none yet.\n\n");
    page.push_str(&first_looks(runs));
    page.push_str("\n## Awkward producers\n\n");
    page.push_str(&awkward(runs));
    for part in &heading.clusters {
        write!(page, "\n{part}").unwrap();
    }
    page
}

const INTRODUCTION: &str = "\
# How exact the ages are

Written by `tests/bed/accuracy --write`: change the benchmark, not this page. `tests/bed/accuracy --short` looks at a
tenth of the samples and is part of `tests/run`; both fail where a promise is not kept.

A week of virtual time on logs of which every record is known, twelve consumer groups on each: one keeps up, one falls
behind, one stops, one rewinds by two days, eight follow from ten seconds to six days behind. An error is the distance
from the age told to the age of the record by when it entered the log. *Right* is an error of at most 1 s or 1 % of the
age, whichever is more; no number is never right. A bound *held* when the truth was inside it, and is *narrow* when it is
at most that wide.

";

const AWKWARD: &str = "\
Here a bound *held* when the record's entry or its timestamp was inside it; a number without a bound is a miss.
*Flagged* is an age with `timestamps_ahead`, `timestamps_late` or `record_hidden`: nothing else excuses a miss, and on
LogAppendTime these do not either. The widths are of the bounds that there are.

| | p50 | p95 | p99 | max | no number | right | bound held | held or flagged | flagged | flagged or wide \
| bound p50, p95, max |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

const METHODS: &str = "\
Sampling every 60 s, refined, 600 rows; the others on the same samples, each method written anew from its description.
Their quantiles are of the numbers that they give.

";

pub(crate) const COLUMNS: &str = "| | p50 | p95 | p99 | max | no number | right | bound held | bound narrow | bound p50, p95, max |\n|---|---|---|---|---|---|---|---|---|---|\n";

fn promised(promises: &[Promise]) -> String {
    let mut table = String::from("| | reached | measured |\n|---|---|---|\n");
    for promise in promises {
        let reached = if promise.reached { "yes" } else { "**no**" };
        writeln!(table, "| {} | {reached} | {} |", promise.text, promise.measured).unwrap();
    }
    table
}

/// The runs of a kind on producers in order or not.
pub(crate) fn of(runs: &[Run], kind: Kind, setting: Setting) -> impl Iterator<Item = &Run> {
    runs.iter().filter(move |run| run.kind == kind && run.setting == setting && run.producer == Producer::Prompt)
}

fn compared(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in of(runs, Kind::Week, Setting::REFINED) {
        writeln!(
            text,
            "**{}**, {} ages\n\n{COLUMNS}{}",
            run.name(),
            run.outcome.errors[0].count(),
            methods(&run.outcome)
        )
        .unwrap();
    }
    text
}

/// One line for each method.
pub(crate) fn methods(outcome: &Outcome) -> String {
    let mut lines = ours("Highwater", outcome);
    for (name, errors) in peers::NAMES.iter().zip(&outcome.errors[1..]) {
        writeln!(lines, "| {name} | {} | – | – | – |", figures(errors)).unwrap();
    }
    lines
}

/// The line of one run of ours.
pub(crate) fn ours(name: &str, outcome: &Outcome) -> String {
    let bounds = &outcome.bounds;
    let (held, narrow) = (percent(bounds.held().value()), percent(bounds.narrow.value()));
    format!("| {name} | {} | {held} | {narrow} | {} |\n", figures(&outcome.errors[0]), widths(bounds))
}

fn widths(bounds: &Bounds) -> String {
    bounds.widths().map_or("–".to_owned(), |widths| widths.map(length).join(", "))
}

fn figures(errors: &Errors) -> String {
    let quantiles = match errors.quantiles() {
        Some(quantiles) => quantiles.map(length).join(" | "),
        None => ["–"; 4].join(" | "),
    };
    format!("{quantiles} | {} | {}", percent(errors.missing()), percent(errors.right()))
}

fn settings(runs: &[Run]) -> String {
    let mut text = String::new();
    for shape in Shape::ALL {
        writeln!(text, "**{}**\n", shape.name()).unwrap();
        text.push_str(COLUMNS);
        for run in runs.iter().filter(|r| r.kind == Kind::Week && r.producer == Producer::Prompt && r.shape == shape) {
            let Setting { interval, refined, thinned } = run.setting;
            let refined = if refined { "refined" } else { "not refined" };
            let rows = if thinned { "600 thinned rows" } else { "the last 600 rows" };
            text.push_str(&ours(&format!("every {} s, {refined}, {rows}", interval / 1_000), &run.outcome));
        }
        text.push('\n');
    }
    text
}

fn first_looks(runs: &[Run]) -> String {
    let mut all = Outcome::default();
    let mut text = String::from(COLUMNS);
    for run in runs.iter().filter(|run| run.kind == Kind::FirstLook) {
        all.merge(&run.outcome);
        text.push_str(&ours(&format!("Highwater, {}", run.name()), &run.outcome));
    }
    text.push_str(&methods(&all));
    let probes = all.probes as f64 / all.samples.max(1) as f64;
    writeln!(text, "\n{probes:.0} questions by time for twenty commits of one partition, at the average.").unwrap();
    text
}

fn awkward(runs: &[Run]) -> String {
    let mut text = String::from(AWKWARD);
    for run in runs.iter().filter(|run| run.producer != Producer::Prompt) {
        let bounds = &run.outcome.bounds;
        let (held, flagged) = (percent(bounds.bare.value()), percent(bounds.flagged.value()));
        let told = match run.producer {
            Producer::LogAppendTime => "–".to_owned(),
            _ => percent(bounds.told.value()),
        };
        let wide = percent(1.0 - bounds.plain.value());
        let figures = figures(&run.outcome.errors[0]);
        let widths = widths(bounds);
        writeln!(text, "| {} | {figures} | {held} | {told} | {flagged} | {wide} | {widths} |", run.name()).unwrap();
    }
    text
}

/// The part about the simulated cluster.
pub(crate) fn simulated(outcome: &Outcome) -> String {
    let probes = outcome.probes as f64 / outcome.samples.max(1) as f64;
    format!(
        "## On the simulated cluster\n\nThe same groups on six topics, sampled through the real client: {} samples, {probes:.0} \
         questions by time each, at the average.\n\n{COLUMNS}{}",
        outcome.samples,
        ours("Highwater", outcome)
    )
}

/// A length of time with two or three digits and its unit.
pub(crate) fn length(millis: f64) -> String {
    let units = [(864e5, "d"), (36e5, "h"), (6e4, "min"), (1e3, "s")];
    match units.into_iter().find(|(size, _)| millis >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", millis / size),
        None => format!("{millis:.0} ms"),
    }
}
