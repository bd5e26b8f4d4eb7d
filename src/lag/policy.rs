//! The settings that judging needs, as plain numbers. Defaults stand in the resource's types, not here.

use super::Millis;

/// How one monitor samples and judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Time between samples.
    pub interval: Millis,
    /// Least time between two history rows while no group needs fine ones.
    pub coarse_interval: Millis,
    /// Samples without progress before a group is OFFLINE.
    pub offline_after_samples: u32,
    /// Time without progress before a group is OFFLINE.
    pub offline_after: Millis,
    /// The largest age with which a group that was behind is ONLINE again.
    pub online_threshold: Millis,
    /// History rows kept a partition.
    pub rows_per_partition: usize,
    /// How exact an age should be at least; 0 turns refinement off. One percent of the age is the other side.
    pub precision: Millis,
    /// Whether lag counts to the last stable offset rather than the high watermark.
    pub read_committed: bool,
}
