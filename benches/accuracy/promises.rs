//! What ages must reach, each as one line with what was measured, reached or not.

use crate::live::Live;
use crate::tally::{Share, quantiles};
use crate::traffic::{Producer, Shape};
use crate::week::Outcome;

/// Whether a run follows a log for a week, or looks at it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Week,
    FirstLook,
}

/// One run, and what came of it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    pub(crate) producer: Producer,
    pub(crate) shape: Shape,
    pub(crate) setting: crate::sampler::Setting,
    pub(crate) outcome: Outcome,
}

impl Run {
    pub(crate) fn name(&self) -> String {
        match self.producer {
            Producer::Prompt => self.shape.name().to_owned(),
            producer => format!("{}, {}", producer.name(), self.shape.name()),
        }
    }
}

/// One promise.
#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) text: &'static str,
    pub(crate) reached: bool,
    pub(crate) measured: String,
}

/// Every promise about these runs.
pub(crate) fn all(runs: &[Run]) -> Vec<Promise> {
    let in_order = |run: &&Run| run.producer == Producer::Prompt;
    let week = |run: &&Run| run.kind == Kind::Week;
    let prompt: Vec<&Run> = runs.iter().filter(in_order).collect();
    let refined: Vec<&Run> = prompt.iter().copied().filter(|run| run.setting.refined).collect();
    let minutely: Vec<&Run> = refined.iter().copied().filter(|r| week(r) && r.setting.interval == 60_000).collect();
    let first: Vec<&Run> = refined.iter().copied().filter(|run| run.kind == Kind::FirstLook).collect();
    let unrefined: Vec<&Run> = prompt.iter().copied().filter(|run| !run.setting.refined).collect();
    // The broker's own time is in order by itself.
    let (dated, awkward): (Vec<&Run>, Vec<&Run>) =
        runs.iter().filter(|run| !in_order(run)).partition(|run| run.producer == Producer::LogAppendTime);
    let thinned = unrefined.iter().copied().filter(|run| run.setting.thinned && run.setting.interval == 60_000);
    let smooth: Vec<&Run> = thinned.filter(|run| matches!(run.shape, Shape::Steady | Shape::Wave)).collect();
    vec![
        narrow(&refined),
        append(runs),
        broker_time(&dated),
        right(
            "timestamps in order, refined, every 60 s: p99 of the error ≤ max(1 s, 1 %), every bound holds",
            &minutely,
        ),
        right("the first look at a cluster, up to 7 days back: the same", &first),
        told(&awkward),
        rows(&unrefined),
        six_days(&smooth),
    ]
}

/// The run with the least share.
fn worst(runs: &[&Run], share: impl Fn(&Outcome) -> f64) -> (f64, String) {
    let shares = runs.iter().map(|run| (share(&run.outcome), run.name()));
    shares.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, "no run".to_owned()))
}

/// What a cluster must show that was sampled the whole way.
pub(crate) fn whole_way(text: &'static str, outcome: &Outcome) -> Promise {
    let (right, held) = (outcome.errors[0].right(), outcome.bounds.held());
    Promise {
        text,
        reached: right >= 0.99 && held.is_whole() && held.of > 0,
        measured: format!("{} right; {} of {} bounds hold", percent(right), held.good, held.of),
    }
}

/// What a cluster must show that is written to meanwhile: ages on both clocks, each right by its own truth.
pub(crate) fn live(live: &Live) -> Promise {
    let (created, appended) = (&live.created.bounds, &live.appended.bounds);
    let right = live.created.errors[0].right().min(live.appended.errors[0].right());
    let (mut append, mut producer) = (created.append, created.producer);
    append.merge(appended.append);
    producer.merge(appended.producer);
    let held = created.held().is_whole() && appended.bare.is_whole();
    let both = [created.append, created.producer, appended.append].iter().all(|share| share.of > 0);
    Promise {
        text: "the same on a real Kafka while it is written to, by when records entered and by timestamps",
        reached: right >= 0.99 && held && both,
        measured: format!(
            "{} right at least; {} of {} bounds hold on the append clock, {} of {} on the producer clock, \
             {} of {} where the broker dates records",
            percent(right),
            append.good,
            append.of,
            producer.good,
            producer.of,
            appended.bare.good,
            appended.bare.of
        ),
    }
}

fn narrow(runs: &[&Run]) -> Promise {
    let (share, name) = worst(runs, |outcome| outcome.bounds.narrow.value());
    Promise {
        text: "timestamps in order, refined: the bound is ≤ max(1 s, 1 %) for 95 % of the commits, `at_least` being a miss",
        reached: share >= 0.95,
        measured: format!("{} at least ({name})", percent(share)),
    }
}

fn append(runs: &[Run]) -> Promise {
    let mut held = Share::default();
    runs.iter().for_each(|run| held.merge(run.outcome.bounds.append));
    Promise {
        text: "append clock: every bound holds, whatever the producers do",
        reached: held.is_whole() && held.of > 0,
        measured: format!("{} of {}", held.good, held.of),
    }
}

fn broker_time(runs: &[&Run]) -> Promise {
    let mut held = Share::default();
    runs.iter().for_each(|run| held.merge(run.outcome.bounds.bare));
    let enough = !runs.is_empty() && runs.iter().all(|run| run.outcome.bounds.bare.of > 0);
    let (share, name) = worst(runs, |outcome| outcome.bounds.bare.value());
    let worst = if held.is_whole() { String::new() } else { format!("; worst: {name}, {}", percent(share)) };
    Promise {
        text: "LogAppendTime: every number has a bound that holds, and no flag excuses one",
        reached: held.is_whole() && enough,
        measured: format!("{} of {}{worst}", held.good, held.of),
    }
}

fn right(text: &'static str, runs: &[&Run]) -> Promise {
    let (share, name) = worst(runs, |outcome| outcome.errors[0].right());
    let mut held = Share::default();
    runs.iter().for_each(|run| held.merge(run.outcome.bounds.held()));
    Promise {
        text,
        reached: share >= 0.99 && held.is_whole() && held.of > 0,
        measured: format!("{} right at least ({name}); {} of {} bounds hold", percent(share), held.good, held.of),
    }
}

fn told(runs: &[&Run]) -> Promise {
    let mut told = Share::default();
    runs.iter().for_each(|run| told.merge(run.outcome.bounds.told));
    let (share, name) = worst(runs, |outcome| outcome.bounds.told.value());
    let worst = if told.is_whole() { String::new() } else { format!("; worst: {name}, {}", percent(share)) };
    Promise {
        text: "awkward producers: inside the bound, or `timestamps_ahead`, `timestamps_late` or `record_hidden`; never \
               silently wrong by more",
        reached: told.is_whole() && told.of > 0,
        measured: format!("{} of {}{worst}", told.good, told.of),
    }
}

fn rows(runs: &[&Run]) -> Promise {
    let (share, name) = worst(runs, |outcome| outcome.bounds.rows.value());
    let enough = runs.iter().all(|run| run.outcome.bounds.rows.of > 0);
    Promise {
        text: "not refined: p99 of the error ≤ the distance of the rows around the commit",
        reached: share >= 0.99 && enough,
        measured: format!("{} within it at least ({name})", percent(share)),
    }
}

fn six_days(runs: &[&Run]) -> Promise {
    let of = |run: &&Run| (quantiles(&run.outcome.bounds.six_days, [95]).map_or(0.0, |[p95]| p95), run.name());
    let enough = runs.iter().all(|run| !run.outcome.bounds.six_days.is_empty());
    let (error, name) = runs.iter().map(of).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((1.0, "no run".to_owned()));
    Promise {
        text: "600 rows, not refined: six days back within 0.1 % of the age (p95) on steady and wave traffic",
        reached: error <= 0.001 && enough && !runs.is_empty(),
        measured: format!("{:.4} % at most ({name})", error * 100.0),
    }
}

/// A share in percent; 100 % is only what is whole.
pub(crate) fn percent(share: f64) -> String {
    if share >= 1.0 { "100 %".to_owned() } else { format!("{:.2} %", (share * 1e4).floor() / 1e2) }
}
