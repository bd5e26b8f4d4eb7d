//! Stories told sample by sample, and what must hold for every log.

mod governance;
mod properties;
mod refinement;
mod scenarios;

use super::Millis;
use super::policy::Policy;

/// When stories begin.
pub(super) const ZERO: Millis = 1_700_000_000_000;

/// A sample a minute and the defaults, but that nothing is asked by time.
pub(super) const POLICY: Policy = Policy {
    interval: 60_000,
    coarse_interval: 1_800_000,
    offline_after_samples: 5,
    offline_after: 300_000,
    online_threshold: 600_000,
    rows_per_partition: 600,
    precision: 0,
    read_committed: false,
};
