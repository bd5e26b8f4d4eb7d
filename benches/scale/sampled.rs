//! The figures of one sample, as the measured process tells them, and of a whole measurement.

use serde::{Deserialize, Serialize};

use super::fixture::Size;
use super::program::Program;

/// Seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// One sample.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sampled {
    pub(crate) observe: Cost,
    pub(crate) remember: Cost,
    pub(crate) probe: Cost,
    pub(crate) judge: Cost,
    pub(crate) store: Cost,
    pub(crate) render: Cost,
    pub(crate) scrape: Cost,
    /// Questions by time.
    pub(crate) probes: u64,
    /// Requests that the cluster answered, where it counts them.
    pub(crate) requests: Option<u64>,
    /// Bytes that SQLite handed to the system, and how many of them are the journal's.
    pub(crate) stored: u64,
    pub(crate) journal: u64,
    /// Resident memory and its peak so far, in bytes.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    pub(crate) groups: usize,
    pub(crate) partitions: usize,
    /// How exact the ages of what lags are.
    pub(crate) ages: Ages,
    /// Series of the age of partitions in the scrape, of their records not read, and bytes of all.
    pub(crate) aged: usize,
    pub(crate) series: usize,
    pub(crate) scraped_bytes: usize,
}

/// The ages of partitions before which something waits.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Ages {
    pub(crate) count: usize,
    /// How many are lower bounds only.
    pub(crate) at_least: usize,
    /// How many are as exact as wanted.
    pub(crate) exact: usize,
    /// How far the others may be off, in seconds: median, 95th percentile, and largest.
    pub(crate) bounds: [f64; 3],
}

impl Sampled {
    /// It and its scrape.
    pub(crate) fn whole(&self) -> Cost {
        let sum = |of: fn(Cost) -> f64| self.parts().iter().map(|part| of(part.1)).sum();
        Cost { wall: sum(|cost| cost.wall), cpu: sum(|cost| cost.cpu) }
    }

    /// The parts of one sample and one scrape. `render` is the part of `scrape` that is not HTTP.
    pub(crate) fn parts(&self) -> [(&'static str, Cost); 6] {
        [
            ("observe", self.observe),
            ("remember", self.remember),
            ("probe", self.probe),
            ("judge", self.judge),
            ("store", self.store),
            ("scrape", self.scrape),
        ]
    }
}

/// One size.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) size: Size,
    /// From the start.
    pub(crate) first: Vec<Sampled>,
    /// With full histories.
    pub(crate) full: Vec<Sampled>,
    /// The whole program on the same, where it was measured.
    pub(crate) program: Option<Program>,
}

impl Measured {
    /// The last samples of those from the start.
    pub(crate) fn settled(&self) -> &[Sampled] {
        &self.first[self.first.len().saturating_sub(super::AVERAGED)..]
    }

    /// A mean over them.
    pub(crate) fn mean(&self, figure: impl Fn(&Sampled) -> f64) -> f64 {
        self.settled().iter().map(figure).sum::<f64>() / self.settled().len() as f64
    }

    /// One sample and one scrape.
    pub(crate) fn whole(&self) -> Cost {
        Cost { wall: self.mean(|sampled| sampled.whole().wall), cpu: self.mean(|sampled| sampled.whole().cpu) }
    }
}
