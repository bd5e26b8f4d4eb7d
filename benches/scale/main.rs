//! What a sample costs, and how that grows: CPU and wall seconds of each phase, requests, memory, bytes in the database.
//!
//! On a simulated cluster of three sizes, and with `--broker=ADDRESS`, `--kafka=VERSION` and `--yardstick=PROGRAM` on a real
//! Kafka, which it fills. What is measured is a process of its own, and so is the simulated cluster. `--short` is a tenth of
//! it; `--write` writes docs/benchmarks.md; `--only=tenth|one|ten|real` measures one size.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement that cannot go on should stop"
)]

mod fixture;
mod page;
mod peers;
mod program;
mod sampled;
mod sampler;
mod scrape;
mod wanted;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fixture::Size;
use sampled::{Cost, Measured, Sampled};

/// Samples whose memory counts as that of the start.
const FIRST: usize = 6;

/// Samples at the end of these that are averaged.
const AVERAGED: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if let Some(size) = value("--simulate") {
        return fixture::simulate(size.parse().unwrap());
    }
    if let Some(brokers) = value("--sample") {
        return sampler::run(brokers);
    }
    let only = |name: &str| value("--only").is_none_or(|only| only == name);
    let mut all = Vec::new();
    for (name, size) in [("tenth", Size::TENTH), ("one", Size::ONE), ("ten", Size::TEN)] {
        if only(name) && (!has("--short") || size == Size::TENTH) {
            all.push(simulated(size));
            page::tell(&all[all.len() - 1..]);
        }
    }
    if let Some(broker) = value("--broker").filter(|_| only("real")) {
        let size = if has("--short") { Size::TENTH } else { Size::ONE };
        fixture::fill(broker, size);
        let measured = measure(format!("{}, real Kafka", size.name()), size, broker, || None);
        let yardstick = value("--yardstick").expect("--yardstick=PROGRAM beside --broker");
        all.push(Measured { program: Some(program::measure(broker, yardstick, size.commits())), ..measured });
        page::tell(&all[all.len() - 1..]);
    }
    if has("--write") {
        page::write(&all, value("--kafka").unwrap_or("of an unknown version"));
    }
    page::judge(&all);
}

/// Measures on a simulated cluster of that size.
fn simulated(size: Size) -> Measured {
    let mut cluster = Other::start(&format!("--simulate={}", size.name()));
    let brokers = cluster.line();
    measure(format!("{}, simulated", size.name()), size, &brokers, || {
        cluster.say("count");
        cluster.line().parse().ok()
    })
}

fn measure(name: String, size: Size, brokers: &str, mut requests: impl FnMut() -> Option<u64>) -> Measured {
    let mut sampler = Other::start(&format!("--sample={brokers}"));
    let address = sampler.line();
    let mut sample = |sampler: &mut Other| {
        let before = requests();
        sampler.say("sample");
        let mut sampled: Sampled = serde_json::from_str(&sampler.line()).unwrap();
        sampled.requests = requests().zip(before).map(|(after, before)| after - before);
        sampled.scrape = scraped(sampler, &address, &mut sampled);
        sampled
    };
    let first: Vec<Sampled> = (0..FIRST).map(|_| sample(&mut sampler)).collect();
    sampler.say("fill");
    sampler.line();
    let full: Vec<Sampled> = (0..AVERAGED).map(|_| sample(&mut sampler)).collect();
    Measured { name, size, first, full, program: None }
}

/// One scrape with partition detail, over HTTP: what it costs the process that answers.
fn scraped(sampler: &mut Other, address: &str, sampled: &mut Sampled) -> Cost {
    sampler.say("cpu");
    let (begun, before) = (Instant::now(), sampler.line().parse::<f64>().unwrap());
    let answer = scrape::get(address);
    let wall = begun.elapsed().as_secs_f64();
    sampler.say("cpu");
    let cpu = sampler.line().parse::<f64>().unwrap() - before;
    sampled.aged = scrape::ages(&answer);
    sampled.series = scrape::lags(&answer);
    sampled.scraped_bytes = answer.len();
    Cost { wall, cpu }
}

/// This program, as another process that is told lines and tells lines.
struct Other {
    child: Child,
    told: ChildStdin,
    tells: BufReader<ChildStdout>,
}

impl Other {
    fn start(argument: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (told, tells) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, told, tells }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.told, "{line}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.tells.read_line(&mut line).unwrap() > 0, "the other process has ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a whole measurement may wait for something that takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
