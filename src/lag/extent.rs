//! How far behind one group is over all its partitions, whatever their topic: the figures of a line in a list.

use schemars::JsonSchema;
use serde::Serialize;

use super::report::{Group, GroupPartition};
use super::spread::spread;

/// How far behind a group is, over all its partitions with a figure; all `null` without one. What is abandoned or an
/// unreadable tail is in none of the ages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Extent {
    /// The largest age.
    pub max_seconds: Option<f64>,
    /// How far the largest age may be off, either way; `null` for a lower bound.
    pub bound_seconds: Option<f64>,
    /// The 95th percentile of the ages (nearest rank).
    pub p95_seconds: Option<f64>,
    /// The median age (nearest rank).
    pub p50_seconds: Option<f64>,
    /// Records not read on the worst partition.
    pub max_records: Option<i64>,
    /// The 95th percentile of the records not read (nearest rank).
    pub p95_records: Option<i64>,
    /// The median of the records not read (nearest rank).
    pub p50_records: Option<i64>,
    /// Records not read, all partitions together.
    pub total_records: Option<i64>,
}

/// The extent of a group in a report of partition detail; in another one, only maximum and total are known.
pub fn extent(group: &Group) -> Extent {
    let topics = || group.topics.iter().flatten();
    let partitions = || topics().flat_map(|topic| topic.partitions.iter().flatten());
    // Bits of floats that are not negative are in the order of the floats.
    let counted = |partition: &GroupPartition<'_>| !partition.anomalies.leave_out();
    let age = |partition: GroupPartition<'_>| {
        Some(partition).filter(counted)?.lag_seconds.map(|seconds| seconds.max(0.0).to_bits())
    };
    let ages = spread(&mut partitions().filter_map(age).collect::<Vec<_>>());
    let records = spread(&mut partitions().filter_map(|partition| partition.lag_records).collect::<Vec<_>>());
    let oldest = topics().filter(|topic| topic.max_lag_seconds == group.max_lag_seconds);
    Extent {
        max_seconds: group.max_lag_seconds,
        bound_seconds: oldest.filter_map(|topic| topic.bound_seconds).reduce(f64::max),
        p95_seconds: ages.map(|ages| f64::from_bits(ages.p95)),
        p50_seconds: ages.map(|ages| f64::from_bits(ages.p50)),
        max_records: records.map(|records| records.max),
        p95_records: records.map(|records| records.p95),
        p50_records: records.map(|records| records.p50),
        total_records: group.total_lag_records,
    }
}
