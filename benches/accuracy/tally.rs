//! Counts how right each method was: errors by their quantiles, numbers that were missing, bounds that held.

use highwater::lag::Millis;
use highwater::lag::bracket::wanted;
use highwater::lag::report::Clock;
use highwater::lag::spread::nearest_rank;

use crate::sampler::Look;

/// Edges between the ages by which errors are told apart, in milliseconds.
pub(crate) const EDGES: [Millis; 9] =
    [10_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 43_200_000, 172_800_000, 345_600_000];

/// The errors of one method on one log, in milliseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Errors {
    given: Vec<f32>,
    missing: usize,
    right: usize,
}

impl Errors {
    pub(crate) fn add(&mut self, age: Option<f64>, truth: Millis) {
        let Some(age) = age else {
            self.missing += 1;
            return;
        };
        let error = (age - truth as f64).abs();
        self.right += usize::from(error <= wanted(1_000, truth) as f64);
        self.given.push(error as f32);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.given.extend(&other.given);
        self.missing += other.missing;
        self.right += other.right;
    }

    pub(crate) fn count(&self) -> usize {
        self.given.len() + self.missing
    }

    /// p50, p95, p99 and the largest error, in milliseconds, of the numbers that were given.
    pub(crate) fn quantiles(&self) -> Option<[f64; 4]> {
        quantiles(&self.given, [50, 95, 99, 100])
    }

    /// Share of the samples without a number.
    pub(crate) fn missing(&self) -> f64 {
        self.missing as f64 / self.count().max(1) as f64
    }

    /// Share of the samples that were right within the larger of 1 s and 1 % of the age.
    pub(crate) fn right(&self) -> f64 {
        self.right as f64 / self.count().max(1) as f64
    }
}

/// How many of how many.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) good: usize,
    pub(crate) of: usize,
}

impl Share {
    pub(crate) fn add(&mut self, good: bool) {
        self.good += usize::from(good);
        self.of += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.good += other.good;
        self.of += other.of;
    }

    /// 1 where nothing was counted.
    pub(crate) fn value(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.good as f64 / self.of as f64 }
    }

    pub(crate) fn is_whole(self) -> bool {
        self.good == self.of
    }
}

/// How far the bounds of one run can be trusted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bounds {
    /// Bounds that held, of ages on the append clock.
    pub(crate) append: Share,
    /// Bounds that held, of ages on the producer clock.
    pub(crate) producer: Share,
    /// Bounds as narrow as wanted, of all ages.
    pub(crate) narrow: Share,
    /// How wide the bounds were, in milliseconds.
    widths: Vec<f32>,
    /// Numbers whose bound held by either clock, whatever was flagged; one without a bound did not.
    pub(crate) bare: Share,
    /// Bounds that held by either clock, or were flagged; no number is no lie.
    pub(crate) told: Share,
    /// Ages that were flagged.
    pub(crate) flagged: Share,
    /// Bounds as narrow as wanted, and not flagged.
    pub(crate) plain: Share,
    /// Errors within the distance of the rows around the commit.
    pub(crate) rows: Share,
    /// Errors relative to the age, of ages of six days.
    pub(crate) six_days: Vec<f32>,
    /// The worst that was wrong without being flagged, for the log of a run.
    pub(crate) worst: Option<(Millis, String)>,
}

impl Bounds {
    pub(crate) fn add(&mut self, look: &Look, place: impl Fn() -> String) {
        let holds = look.holds();
        match look.clock.filter(|_| look.bound.is_some()) {
            Some(Clock::Producer) => self.producer.add(holds),
            Some(Clock::Append) => self.append.add(holds),
            None => {}
        }
        self.narrow.add(look.is_narrow());
        self.widths.extend(look.bound.map(|bound| bound as f32));
        // Either clock is the truth: who looks does not know that the producers' lie.
        let holds = holds || look.holds_for(look.entered);
        if look.age.is_some() {
            self.bare.add(holds);
        }
        self.told.add(holds || look.flagged || look.age.is_none());
        self.flagged.add(look.flagged);
        self.plain.add(look.is_narrow() && !look.flagged);
        if let Some((rows, error)) = look.rows.zip(look.error()) {
            self.rows.add(error <= rows);
        }
        if look.age.is_some() && !holds && !look.flagged {
            let over = look.error().unwrap_or(0) - look.bound.unwrap_or(0);
            if self.worst.as_ref().is_none_or(|(worst, _)| over > *worst) {
                self.worst = Some((over, format!("{}: {look:?}", place())));
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.append.merge(other.append);
        self.producer.merge(other.producer);
        self.narrow.merge(other.narrow);
        self.widths.extend(&other.widths);
        self.bare.merge(other.bare);
        self.told.merge(other.told);
        self.flagged.merge(other.flagged);
        self.plain.merge(other.plain);
        self.rows.merge(other.rows);
        self.six_days.extend(&other.six_days);
    }

    /// p50, p95 and the largest width, in milliseconds.
    pub(crate) fn widths(&self) -> Option<[f64; 3]> {
        quantiles(&self.widths, [50, 95, 100])
    }

    /// Share of the bounds that held.
    pub(crate) fn held(&self) -> Share {
        let mut both = self.append;
        both.merge(self.producer);
        both
    }
}

/// The values at these percents; `None` of nothing.
pub(crate) fn quantiles<const N: usize>(values: &[f32], percents: [usize; N]) -> Option<[f64; N]> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.last()?;
    Some(percents.map(|percent| nearest_rank(&sorted, percent).map_or(0.0, f64::from)))
}
