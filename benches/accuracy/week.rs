//! A week of virtual time on one log: every group, every method, on the same samples.

use fastrand::Rng;
use highwater::lag::{Millis, Offset};

use crate::log::Log;
use crate::peers;
use crate::readers::Reader;
use crate::sampler::{Look, Sampler, Setting};
use crate::tally::{Bounds, EDGES, Errors};
use crate::traffic::{DAY, HOUR, START, WEEK};

/// Which samples are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Length {
    /// Every how many samples ages are asked for. Log ends are remembered at each.
    pub(crate) every: usize,
    /// First looks at each log.
    pub(crate) first_looks: usize,
}

/// What came of one run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// Ours, then the peers'.
    pub(crate) errors: [Errors; 5],
    /// The same by age: between two of [`EDGES`].
    pub(crate) by_age: [[Errors; EDGES.len() + 1]; 5],
    pub(crate) bounds: Bounds,
    /// Questions by time, and samples in which ages were asked for.
    pub(crate) probes: u64,
    pub(crate) samples: u64,
}

impl Outcome {
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, other) in self.errors.iter_mut().zip(&other.errors) {
            mine.merge(other);
        }
        for (mine, other) in self.by_age.iter_mut().flatten().zip(other.by_age.iter().flatten()) {
            mine.merge(other);
        }
        self.bounds.merge(&other.bounds);
        self.probes += other.probes;
        self.samples += other.samples;
    }

    pub(crate) fn add(&mut self, look: &Look, theirs: [Option<f64>; 4], place: impl Fn() -> String) {
        self.bounds.add(look, place);
        let truth = look.entered;
        let age = EDGES.partition_point(|edge| *edge <= truth);
        let ours = [look.age.map(|age| age as f64)];
        for (method, value) in ours.into_iter().chain(theirs).enumerate() {
            self.errors[method].add(value, truth);
            self.by_age[method][age].add(value, truth);
        }
    }
}

/// Samples `log` for a week.
pub(crate) fn run(log: &Log, setting: Setting, length: Length, rng: &mut Rng) -> Outcome {
    let readers = Reader::all();
    let (mut sampler, mut peers) = (Sampler::new(setting), peers::all());
    let mut outcome = Outcome::default();
    let first = rng.i64(0..setting.interval);
    for (number, at) in (START + first..START + WEEK).step_by(setting.interval as usize).enumerate() {
        let commits: Vec<Offset> = readers.iter().map(|reader| log.end(reader.has_read(at - 40))).collect();
        let replied = sampler.observe(log, at, &commits, rng);
        peers.iter_mut().for_each(|peer| peer.sample(replied, log.end(at)));
        if !number.is_multiple_of(length.every) {
            continue;
        }
        let now = sampler.refine(log, replied);
        outcome.samples += 1;
        for (group, committed, look) in sampler.judge(log, now) {
            let theirs = std::array::from_fn(|peer| peers[peer].age(log, committed, replied));
            outcome.add(&look, theirs, || format!("{:?} at {}", readers[group], at - START));
            if let (Reader::Behind(distance), true) = (readers[group], at > START + WEEK - 12 * HOUR)
                && distance == 6 * DAY
                && let Some(error) = look.error()
            {
                outcome.bounds.six_days.push(error as f32 / look.entered as f32);
            }
        }
    }
    outcome.probes = sampler.probes;
    outcome
}

/// Looks at `log` for the first time, with nothing remembered, at commits of up to seven days ago.
pub(crate) fn first_looks(log: &Log, setting: Setting, length: Length, rng: &mut Rng) -> Outcome {
    let mut outcome = Outcome::default();
    for _ in 0..length.first_looks {
        let at = START + rng.i64(0..WEEK);
        let commits: Vec<Offset> = (0..20).map(|_| log.end(at - back(rng))).collect();
        let mut sampler = Sampler::new(setting);
        let mut peers = peers::all();
        let replied = sampler.observe(log, at, &commits, rng);
        peers.iter_mut().for_each(|peer| peer.sample(replied, log.end(at)));
        let now = sampler.refine(log, replied);
        for (_, committed, look) in sampler.judge(log, now) {
            let theirs = std::array::from_fn(|peer| peers[peer].age(log, committed, replied));
            outcome.add(&look, theirs, || format!("first look at {}", at - START));
        }
        outcome.probes += sampler.probes;
        outcome.samples += 1;
    }
    outcome
}

/// From a second to seven days, as often in each decade.
pub(crate) fn back(rng: &mut Rng) -> Millis {
    (1_000.0 * (WEEK as f64 / 1_000.0).powf(rng.f64())) as Millis
}
