//! What was wanted, beside what was measured.

use super::page::{MIB, inexact, most};
use super::program::{LOOK, Program};
use super::sampled::Measured;

/// How far over a limit of time other work on the machine explains.
const SLACK: f64 = 1.25;

/// A limit.
struct Wanted {
    what: &'static str,
    most: f64,
    measured: f64,
    /// Than the machine of the limits.
    slower: f64,
    slack: f64,
}

/// Of memory, of exactness and of ratios: what no machine explains.
fn fixed(what: &'static str, most: f64, measured: f64) -> Wanted {
    Wanted { what, most, measured, slower: 1.0, slack: 1.0 }
}

fn wanted(all: &[Measured]) -> Vec<Wanted> {
    let of = |name: &str| all.iter().find(|measured| measured.name == name);
    let (real, ten) = (of("1, real Kafka"), of("10, simulated"));
    let program = real.and_then(|real| real.program);
    let slower = program.map_or(1.0, |program| program.yardstick.slower());
    let timed = |what, most, measured| Wanted { what, most, measured, slower, slack: SLACK };
    let mut wanted = Vec::new();
    if let Some(program) = program {
        let peak = program.peak as f64 / MIB;
        wanted.extend([
            timed("real Kafka, `highwater run`, a sample and a scrape: CPU s", 0.40, program.cpu),
            fixed("– peak of memory in the first samples, MiB", 90.0, peak),
        ]);
    }
    if let Some(real) = real {
        wanted.extend([
            timed("real Kafka, a sample and a scrape: wall s", 1.0, real.whole().wall),
            timed("– of it the scrape: CPU s", 0.10, real.mean(|sampled| sampled.scrape.cpu)),
            fixed("– resident with full histories, MiB", 200.0, most(&real.full, |sampled| sampled.resident)),
            fixed("– ages less exact than wanted in the sixth sample, %", 5.0, inexact(real.first.last())),
        ]);
    }
    if let Some(ten) = ten {
        wanted.extend([
            timed("10, simulated: wall s", 10.0, ten.whole().wall),
            fixed("– resident with full histories, MiB", 1024.0, most(&ten.full, |sampled| sampled.resident)),
        ]);
        let growth = of("1, simulated").map(|one| ten.whole().cpu / one.whole().cpu);
        wanted.extend(growth.map(|growth| fixed("– times the CPU seconds of 1", 11.0, growth)));
    }
    if let Some(tenth) = of("0.1, simulated") {
        let inexact = inexact(tenth.first.first());
        wanted.push(fixed("0.1, simulated: ages less exact than wanted in the first sample, %", 5.0, inexact));
    }
    wanted
}

/// As a table, with a word on the yardstick where there is one.
pub(super) fn table(all: &[Measured]) -> String {
    let mut text = String::new();
    if let Some(Program { yardstick, .. }) = all.iter().find_map(|measured| measured.program) {
        text += &format!(
            "Limits of time are those of a machine on which franz-go's `kadm.Lag`, which asks for the same and makes nothing of \
             the answers, takes {LOOK} CPU s. Here, before and after `highwater run` and on the same Kafka, it takes {:.3}: \
             {:.2} times as much.\n\n",
            yardstick.cpu,
            yardstick.slower()
        );
    }
    text += "| what | at most | at most on this machine | measured |\n|---|---|---|---|\n";
    for Wanted { what, most, measured, slower, .. } in wanted(all) {
        text += &format!("| {what} | {most:.2} | {:.2} | {measured:.2} |\n", most * slower);
    }
    text
}

/// Ends with an error where more is taken than is wanted.
pub(super) fn judge(all: &[Measured]) {
    for Wanted { what, most, measured, slower, slack } in wanted(all) {
        let most = most * slower;
        assert!(measured <= most * slack, "{what}: {measured:.2}, at most {most:.2} is wanted");
    }
}
