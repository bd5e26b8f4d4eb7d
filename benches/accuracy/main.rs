//! The accuracy benchmark: how far ages are from the truth, beside what users would pick instead.
//!
//! `cargo bench --bench accuracy` runs a week of virtual time in some minutes and fails where a promise is not kept.
//! `-- --short` looks at a tenth of the samples, `-- --write` writes `docs/accuracy.md` and its plot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on should stop")]

mod brokers;
mod live;
mod log;
mod page;
mod peers;
mod plot;
mod promises;
mod readers;
mod sampler;
mod simulated;
mod tally;
mod traffic;
mod week;

use std::path::Path;
use std::process::ExitCode;

use fastrand::Rng;
use rdkafka::util::get_rdkafka_version;

use promises::{Kind, Run};
use sampler::Setting;
use traffic::{Producer, Shape};
use week::{Length, Outcome};

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Asked {
    short: bool,
    write: bool,
    seed: u64,
    broker: Option<brokers::Broker>,
    /// The broker's version, for the page.
    kafka: String,
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(unknown) => {
            println!(
                "accuracy: '{unknown}' is none of --short, --write, --seed=NUMBER, --broker=HOST:PORT[,PROCESS], \
                 --kafka=VERSION"
            );
            return ExitCode::from(2);
        }
    };
    let runs = runs(&asked);
    let simulated = simulated::run(asked.short);
    tell("on the simulated cluster", &simulated);
    let real = asked.broker.as_ref().map(|broker| brokers::run(broker, asked.seed));
    real.iter().for_each(|real| {
        tell("on a real Kafka", &real.still);
        tell("the same while it is written to, CreateTime", &real.live.created);
        tell("the same while it is written to, LogAppendTime", &real.live.appended);
        println!("{}", real.part);
    });
    let mut promises = promises::all(&runs);
    promises.push(promises::whole_way("the same through the real client, on the simulated cluster", &simulated));
    promises.extend(real.iter().flat_map(|real| {
        [promises::whole_way("the same on a real Kafka, by timestamps", &real.still), promises::live(&real.live)]
    }));
    println!();
    for promise in &promises {
        let reached = if promise.reached { "reached" } else { "NOT REACHED" };
        println!("{reached:11}  {}: {}", promise.text, promise.measured);
    }
    if asked.write {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let mut together = Outcome::default();
        page::of(&runs, Kind::Week, Setting::REFINED).for_each(|run| together.merge(&run.outcome));
        let simulated = page::simulated(&simulated);
        let heading = heading([simulated].into_iter().chain(real.map(|real| real.part)).collect(), &asked.kafka);
        std::fs::create_dir_all(&docs).unwrap();
        std::fs::write(docs.join("accuracy.md"), page::page(&runs, &promises, &heading)).unwrap();
        std::fs::write(docs.join("accuracy.svg"), plot::plot(&together)).unwrap();
    }
    if promises.iter().all(|promise| promise.reached) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { seed: 1, ..Asked::default() };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        match (name, value.parse()) {
            ("--short", _) => asked.short = true,
            ("--write", _) => asked.write = true,
            ("--seed", Ok(seed)) => asked.seed = seed,
            ("--kafka", _) => asked.kafka = format!(", Kafka {value}"),
            ("--broker", _) => {
                let (bootstrap, process) = value.split_once(',').unwrap_or((value, ""));
                asked.broker = Some(brokers::Broker { bootstrap: bootstrap.to_owned(), process: process.parse().ok() });
            }
            // Cargo says so of itself.
            ("--bench", _) => {}
            _ => return Err(argument),
        }
    }
    Ok(asked)
}

fn runs(asked: &Asked) -> Vec<Run> {
    let length = |interval| match asked.short {
        true => Length { every: 600_000 / interval as usize, first_looks: 30 },
        false => Length { every: 1, first_looks: 200 },
    };
    let mut runs = Vec::new();
    let mut add = |kind, producer: Producer, shape, settings: &[Setting]| {
        let log = producer.log(shape, &mut Rng::with_seed(asked.seed));
        for &setting in settings {
            let (length, mut rng) = (length(setting.interval), Rng::with_seed(asked.seed + 1));
            let outcome = match kind {
                Kind::Week => week::run(&log, setting, length, &mut rng),
                Kind::FirstLook => week::first_looks(&log, setting, length, &mut rng),
            };
            let run = Run { kind, producer, shape, setting, outcome };
            tell(&format!("{kind:?} {}, {setting:?}", run.name()), &run.outcome);
            runs.push(run);
        }
    };
    for shape in Shape::ALL {
        add(Kind::Week, Producer::Prompt, shape, &Setting::ALL);
        add(Kind::FirstLook, Producer::Prompt, shape, &[Setting::REFINED]);
    }
    for producer in Producer::AWKWARD {
        for shape in [Shape::Wave, Shape::Bursts, Shape::Batch, Shape::Trickle] {
            add(Kind::Week, producer, shape, &[Setting::REFINED]);
        }
    }
    runs
}

/// One line of progress, and where a number was silently wrong the worst one.
fn tell(name: &str, outcome: &Outcome) {
    let [p50, p95, p99, max] = outcome.errors[0].quantiles().unwrap_or_default().map(page::length);
    let probes = outcome.probes as f64 / outcome.samples.max(1) as f64;
    let (held, narrow) = (outcome.bounds.held(), outcome.bounds.narrow.value());
    println!(
        "{name}: p50 {p50}, p95 {p95}, p99 {p99}, max {max}; {} of {} bounds held, {:.2} % narrow; \
         {probes:.1} probes a sample",
        held.good,
        held.of,
        narrow * 100.0
    );
    if let Some((_, worst)) = &outcome.bounds.worst {
        println!("    silently wrong: {worst}");
    }
}

fn heading(clusters: Vec<String>, kafka: &str) -> page::Heading {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let machine = format!("{cores} × {model}, Linux {}", read("/proc/sys/kernel/osrelease").trim());
    let today = jiff::Timestamp::now().to_string();
    page::Heading {
        machine,
        date: today.split('T').next().unwrap_or_default().to_owned(),
        version: format!("Highwater {}, librdkafka {}{kafka}", env!("CARGO_PKG_VERSION"), get_rdkafka_version().1),
        clusters,
    }
}
