//! Consumer groups: up to which moment of the log each has read, at any time. Lags from seconds to six days.

use highwater::lag::Millis;

use crate::traffic::{DAY, HOUR, MINUTE, SECOND, START};

/// How often every group commits.
const COMMITS: Millis = 5 * SECOND;

/// One consumer group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader {
    /// Reads everything at once.
    KeepsUp,
    /// Follows at a distance.
    Behind(Millis),
    /// Reads 0.7 of what comes.
    FallsBehind,
    /// Keeps up for a day, then stands still.
    Stops,
    /// Keeps up for three days, then reads two days again, three times as fast as they came.
    Rewinds,
}

/// Distances at which groups follow.
pub(crate) const DISTANCES: [Millis; 8] = [10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 6 * DAY];

impl Reader {
    /// Every group that reads in the benchmark.
    pub(crate) fn all() -> Vec<Self> {
        let others = [Self::KeepsUp, Self::FallsBehind, Self::Stops, Self::Rewinds];
        others.into_iter().chain(DISTANCES.map(Self::Behind)).collect()
    }

    /// At `now` the group has committed everything that entered the log up to then.
    pub(crate) fn has_read(self, now: Millis) -> Millis {
        let now = now.div_euclid(COMMITS) * COMMITS;
        let passed = now - START;
        match self {
            Self::KeepsUp => now,
            Self::Behind(distance) => now - distance,
            Self::FallsBehind => START + passed * 7 / 10,
            Self::Stops => now.min(START + DAY),
            Self::Rewinds if passed < 3 * DAY => now,
            Self::Rewinds => now.min(START + DAY + 3 * (passed - 3 * DAY)),
        }
    }
}
