//! The partitions of one group on one topic, packed: a report of a large cluster has a million of them.
//!
//! What all groups on a topic share is held once, and what is rare only where it occurs. Read as [`GroupPartition`]s.

use std::iter::zip;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::{Clock, Method};
use crate::lag::anomaly::Anomalies;
use crate::lag::{Name, Offset, Partition};

/// One consumer group on one partition.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GroupPartition<'a> {
    /// The partition's number.
    pub partition: Partition,
    /// The member that it is assigned to.
    pub member_id: Option<&'a Name>,
    /// The next offset that the group will read.
    pub committed_offset: Option<Offset>,
    /// The first readable offset.
    pub log_start_offset: Option<Offset>,
    /// The end to which lag is counted.
    pub log_end_offset: Option<Offset>,
    /// Records not read.
    pub lag_records: Option<i64>,
    /// Age of the oldest record not read.
    pub lag_seconds: Option<f64>,
    /// How far `lag_seconds` may be off, either way; `null` where that is not known: for a lower bound, and where compaction
    /// may have taken the record (`record_hidden`).
    pub bound_seconds: Option<f64>,
    /// How `lag_seconds` was found.
    pub method: Option<Method>,
    /// The clock on which it stands.
    pub clock: Option<Clock>,
    /// Records deleted before the group read them.
    pub records_lost: i64,
    /// Records that an open transaction hides; 0 without `ReadCommitted`.
    pub blocked_records: i64,
    /// Age of these figures, when the broker did not answer in this sample.
    pub stale_seconds: Option<f64>,
    /// How long something readable has waited, unread, on a stuck partition; `null` for one that is not stuck.
    pub stuck_seconds: Option<f64>,
    /// What is odd here, from a closed list.
    pub anomalies: Anomalies,
}

/// The first readable offset and the end of one partition's log, as far as they are known.
pub type Ends = (Option<Offset>, Option<Offset>);

/// The partitions of one group on one topic, in the order in which they were put in.
#[derive(Debug, Clone, Default)]
pub struct Partitions {
    rows: Box<[Row]>,
    ends: Arc<[Ends]>,
    members: Box<[Name]>,
    rare: Box<[Rare]>,
    read_committed: bool,
}

/// What every partition has. Unknown numbers are [`UNKNOWN`] or NaN, places that lead nowhere [`NOWHERE`].
#[derive(Debug, Clone, Copy)]
struct Row {
    committed: Offset,
    lag_records: i64,
    lag_seconds: f64,
    bound_seconds: f64,
    partition: Partition,
    member: u32,
    rare: u32,
    method: Option<Method>,
    clock: Option<Clock>,
    anomalies: Anomalies,
}

const UNKNOWN: i64 = i64::MIN;
const NOWHERE: u32 = u32::MAX;

/// What few partitions have.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rare {
    records_lost: i64,
    blocked_records: i64,
    stale_seconds: Option<f64>,
    stuck_seconds: Option<f64>,
}

impl Partitions {
    /// Packs partitions. `ends` are those of their logs, in the same order; those of the partitions are not looked at.
    pub fn pack<'a>(partitions: impl IntoIterator<Item = GroupPartition<'a>>, ends: Arc<[Ends]>) -> Self {
        let (mut members, mut rare): (Vec<Name>, Vec<Rare>) = Default::default();
        let rows = partitions.into_iter().map(|partition| Row {
            committed: partition.committed_offset.unwrap_or(UNKNOWN),
            lag_records: partition.lag_records.unwrap_or(UNKNOWN),
            lag_seconds: partition.lag_seconds.unwrap_or(f64::NAN),
            bound_seconds: partition.bound_seconds.unwrap_or(f64::NAN),
            partition: partition.partition,
            member: partition.member_id.map_or(NOWHERE, |member| {
                // Neighbours most often have the same member, or one that had another partition shortly before.
                let known = members.iter().rposition(|known| Arc::ptr_eq(known, member));
                known.map_or_else(|| push(&mut members, member.clone()), place)
            }),
            rare: match Rare::of(&partition) {
                nothing if nothing == Rare::default() => NOWHERE,
                some => push(&mut rare, some),
            },
            method: partition.method,
            clock: partition.clock,
            anomalies: partition.anomalies,
        });
        Self { rows: rows.collect(), ends, members: members.into(), rare: rare.into(), read_committed: false }
    }

    /// With what is known of transactions: whether lag is counted as with `ReadCommitted`.
    #[must_use]
    pub fn with_isolation(self, read_committed: bool) -> Self {
        Self { read_committed, ..self }
    }

    /// Records that open transactions hide from the group, which has read all before them; all partitions together.
    ///
    /// `None` without `ReadCommitted`, and where none is seen but some figures are of an earlier sample.
    pub fn blocked_records(&self) -> Option<i64> {
        if !self.read_committed {
            return None;
        }
        let blocked = self.rare.iter().map(|rare| rare.blocked_records).fold(0, i64::saturating_add);
        let known = blocked > 0 || self.rare.iter().all(|rare| rare.stale_seconds.is_none());
        known.then_some(blocked)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> Iter<'_> {
        Iter { of: self, rows: zip(&self.rows, &*self.ends) }
    }

    fn unpacked(&self, row: &Row, (log_start, log_end): Ends) -> GroupPartition<'_> {
        let number = |number| Some(number).filter(|number| *number != UNKNOWN);
        let seconds = |seconds: f64| Some(seconds).filter(|seconds| !seconds.is_nan());
        let rare = self.rare.get(row.rare as usize).copied().unwrap_or_default();
        GroupPartition {
            partition: row.partition,
            member_id: self.members.get(row.member as usize),
            committed_offset: number(row.committed),
            log_start_offset: log_start,
            log_end_offset: log_end,
            lag_records: number(row.lag_records),
            lag_seconds: seconds(row.lag_seconds),
            bound_seconds: seconds(row.bound_seconds),
            method: row.method,
            clock: row.clock,
            records_lost: rare.records_lost,
            blocked_records: rare.blocked_records,
            stale_seconds: rare.stale_seconds,
            stuck_seconds: rare.stuck_seconds,
            anomalies: row.anomalies,
        }
    }
}

impl Rare {
    fn of(partition: &GroupPartition<'_>) -> Self {
        Self {
            records_lost: partition.records_lost,
            blocked_records: partition.blocked_records,
            stale_seconds: partition.stale_seconds,
            stuck_seconds: partition.stuck_seconds,
        }
    }
}

/// The place of what is put at the end.
fn push<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    place(list.len() - 1)
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NOWHERE)
}

/// The partitions of one group on one topic, one after the other.
#[derive(Debug)]
pub struct Iter<'a> {
    of: &'a Partitions,
    rows: std::iter::Zip<std::slice::Iter<'a, Row>, std::slice::Iter<'a, Ends>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = GroupPartition<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|(row, ends)| self.of.unpacked(row, *ends))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a> IntoIterator for &'a Partitions {
    type Item = GroupPartition<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// With ends of their own.
impl<'a> FromIterator<GroupPartition<'a>> for Partitions {
    fn from_iter<I: IntoIterator<Item = GroupPartition<'a>>>(partitions: I) -> Self {
        let all: Vec<_> = partitions.into_iter().collect();
        let ends = all.iter().map(|partition| (partition.log_start_offset, partition.log_end_offset)).collect();
        Self::pack(all, ends)
    }
}

impl Serialize for Partitions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl JsonSchema for Partitions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Vec::<GroupPartition<'static>>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<GroupPartition<'static>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::anomaly::Anomaly;

    #[test]
    fn what_is_packed_comes_out_as_it_went_in() {
        let (one, two): (Name, Name) = ("one".into(), "two".into());
        let known = GroupPartition {
            partition: 7,
            member_id: Some(&one),
            committed_offset: Some(0),
            log_start_offset: Some(-1),
            log_end_offset: Some(i64::MAX),
            lag_records: Some(3),
            lag_seconds: Some(0.25),
            bound_seconds: Some(0.0),
            method: Some(Method::Record),
            clock: Some(Clock::Producer),
            records_lost: 0,
            blocked_records: 0,
            stale_seconds: None,
            stuck_seconds: None,
            anomalies: [Anomaly::RecordHidden].into_iter().collect(),
        };
        let other = GroupPartition { member_id: Some(&two), lag_seconds: None, bound_seconds: None, ..known.clone() };
        let lost = GroupPartition { records_lost: 5, stuck_seconds: Some(1.5), member_id: Some(&one), ..known.clone() };
        let stale = GroupPartition { stale_seconds: Some(0.0), blocked_records: 2, member_id: None, ..known.clone() };
        let unknown = GroupPartition {
            committed_offset: None,
            log_start_offset: None,
            log_end_offset: None,
            lag_records: None,
            method: None,
            clock: None,
            ..other.clone()
        };
        let all = [known, other, lost, stale, unknown];
        let packed: Partitions = all.iter().cloned().collect();
        let shown = |partition: GroupPartition<'_>| serde_json::to_value(partition).unwrap();
        assert_eq!(packed.iter().map(shown).collect::<Vec<_>>(), all.clone().map(shown));
        assert_eq!(serde_json::to_value(&packed).unwrap(), serde_json::to_value(&all).unwrap());
        assert_eq!((packed.len(), packed.members.len(), packed.rare.len()), (5, 2, 2));
        assert!(!packed.is_empty() && Partitions::default().is_empty());
        assert_eq!(packed.blocked_records(), None, "without ReadCommitted");
        assert_eq!(packed.with_isolation(true).blocked_records(), Some(2));
        let of = |from: usize, to: usize| all[from..to].iter().cloned().collect::<Partitions>().with_isolation(true);
        assert_eq!(of(0, 3).blocked_records(), Some(0));
        let silent = GroupPartition { blocked_records: 0, ..all[3].clone() };
        assert_eq!([silent].into_iter().collect::<Partitions>().with_isolation(true).blocked_records(), None);
        assert_eq!(std::mem::size_of::<Row>(), 48);
    }
}
