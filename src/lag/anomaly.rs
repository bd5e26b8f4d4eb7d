//! What is odd about one committed offset: a closed list, kept as a set of bits and shown as names.

use serde::{Serialize, Serializer};

/// One oddity of a group's committed offset on a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// The committed offset has not moved since the topic was deleted and created again.
    CommitFromFormerTopic,
    /// The committed offset lies beyond the log end, twice in a row.
    OffsetBeyondEnd,
    /// With `ReadCommitted`: the committed offset lies between the last stable offset and the high watermark.
    AheadOfStable,
    /// With `ReadCommitted`: an open transaction hides every record after the committed offset.
    BlockedByTransaction,
    /// The last one or two offsets never move, and the group was never seen beyond them: most likely transaction markers,
    /// which no consumer can read.
    TailUnreadable,
    /// Records carry timestamps from the future.
    TimestampsAhead,
    /// Records arrive later than their timestamps say, by more than the precision that is asked for; or their timestamps
    /// are none: from before 1973, as of a producer that counts seconds.
    TimestampsLate,
    /// No time leads to the record at the committed offset: equal timestamps, a gap, or records out of order; or compaction
    /// may have taken it.
    RecordHidden,
    /// The log was truncated: its end fell back.
    LogTruncated,
    /// The partition stands still and no member has it, while the group advances on others of the topic, or its members
    /// have partitions of other topics only.
    Abandoned,
}

impl Anomaly {
    /// Every anomaly, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::CommitFromFormerTopic,
        Self::OffsetBeyondEnd,
        Self::AheadOfStable,
        Self::BlockedByTransaction,
        Self::TailUnreadable,
        Self::TimestampsAhead,
        Self::TimestampsLate,
        Self::RecordHidden,
        Self::LogTruncated,
        Self::Abandoned,
    ];
}

/// A set of anomalies; an array of their names in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anomalies(u16);

impl Anomalies {
    /// Adds one.
    pub fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly as u16;
    }

    /// Whether it is in the set.
    pub fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & (1 << anomaly as u16) != 0
    }

    /// Whether ages, states and objectives leave out a partition that has these: nobody is to read what waits there.
    pub fn leave_out(self) -> bool {
        self.contains(Anomaly::Abandoned) || self.contains(Anomaly::TailUnreadable)
    }

    /// The anomalies of the set.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL.into_iter().filter(move |a| self.contains(*a))
    }
}

impl FromIterator<Anomaly> for Anomalies {
    fn from_iter<I: IntoIterator<Item = Anomaly>>(anomalies: I) -> Self {
        let mut set = Self::default();
        anomalies.into_iter().for_each(|a| set.insert(a));
        set
    }
}

impl Serialize for Anomalies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl schemars::JsonSchema for Anomalies {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anomalies".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = generator.subschema_for::<Anomaly>();
        schemars::json_schema!({ "type": "array", "uniqueItems": true, "items": item })
    }
}
