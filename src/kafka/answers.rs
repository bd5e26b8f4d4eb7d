//! What brokers answer, as plain data: the shapes that `admin` hands out.
//!
//! Names are shared where many rows carry the same one. What the figures mean is left to others.

use std::ffi::CStr;

use crate::lag::observation::{GroupKind, GroupState, Member};
use crate::lag::reason::Reason;
use crate::lag::{Millis, Name, Offset, Partition, TopicId};

/// An answer with the interval in which it was true.
pub(super) struct Reply<T> {
    pub(super) value: T,
    pub(super) sent: Millis,
    pub(super) replied: Millis,
}

/// What becomes of a request.
pub(super) type Answered<T> = Result<Reply<T>, Code>;

/// An error number: positive ones are Kafka's, negative ones librdkafka's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) i32);

impl Code {
    pub(super) const ALL_BROKERS_DOWN: Self = Self(-187);
    pub(super) const TRANSPORT: Self = Self(-195);
    pub(super) const TIMED_OUT: Self = Self(-185);
    #[cfg(test)]
    pub(super) const TOPIC_AUTHORIZATION: Self = Self(29);

    /// The reason that people know it by.
    pub(super) fn reason(self) -> Reason {
        match self.0 {
            7 | -166 | -185 => Reason::Timeout,
            -187 | -193 | -195 => Reason::Unreachable,
            33 | 34 | 58 | -169 => Reason::AuthenticationFailed,
            -181 => Reason::TlsFailed,
            29 => Reason::TopicNotAuthorized,
            30 => Reason::GroupNotAuthorized,
            31 => Reason::ClusterNotAuthorized,
            3 | 100 | -188 | -190 => Reason::UnknownTopic,
            69 => Reason::UnknownGroup,
            5 | 6 | 9 | 56 | 72 | 74 | 75 | 78 | -156 => Reason::NoLeader,
            14..=16 => Reason::NoCoordinator,
            35 | -165 => Reason::UnsupportedByBroker,
            _ => Reason::KafkaError,
        }
    }

    /// Whether a broker said it, and not the client alone.
    pub(super) fn is_kafkas(self) -> bool {
        self.0 > 0
    }
}

pub(super) struct Metadata {
    pub(super) cluster_id: Option<Name>,
    /// The broker that said it: its id, negative while it is known by its bootstrap address only, and its name.
    pub(super) answered_by: (i32, String),
    pub(super) nodes: Vec<Node>,
    /// The names of all topics that may be seen.
    pub(super) topics: Vec<Name>,
}

impl Metadata {
    /// A broker that is up.
    pub(super) fn live_broker(&self) -> Option<i32> {
        let (id, name) = &self.answered_by;
        let by_name = || self.nodes.iter().find(|node| name.contains(&*node.address)).map(|node| node.id);
        Some(*id).filter(|id| *id >= 0).or_else(by_name)
    }
}

pub(super) struct Node {
    pub(super) id: i32,
    /// `host:port`.
    pub(super) address: Name,
}

pub(super) struct TopicAnswer {
    pub(super) name: Name,
    pub(super) error: Option<Code>,
    pub(super) id: Option<TopicId>,
    pub(super) replication_factor: u16,
    /// The leader's broker id of each partition, in the order of their numbers from 0.
    pub(super) leaders: Vec<Option<i32>>,
}

/// Settings of a topic, by name, or why there are none.
pub(super) struct ConfigAnswer {
    pub(super) topic: Name,
    pub(super) entries: Result<Vec<(String, String)>, Code>,
}

pub(super) struct OffsetAnswer {
    pub(super) topic: Name,
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    /// Of the record found, -1 where no time was asked for.
    pub(super) timestamp: Millis,
    pub(super) error: Option<Code>,
}

/// The groups of the consumer protocols, with their kinds, from every broker that answered.
pub(super) struct Listing {
    pub(super) groups: Vec<ListedGroup>,
    pub(super) errors: Vec<Code>,
}

pub(super) struct ListedGroup {
    pub(super) id: Name,
    pub(super) kind: GroupKind,
    pub(super) state: Option<GroupState>,
}

pub(super) struct DescribedGroup {
    pub(super) id: Name,
    pub(super) error: Option<Code>,
    pub(super) kind: GroupKind,
    pub(super) state: Option<GroupState>,
    pub(super) assignor: Option<Name>,
    pub(super) coordinator: Option<i32>,
    pub(super) members: Vec<Member>,
}

/// A group of any protocol as `DescribeGroups` knows it: those of newer protocols look dead.
pub(super) struct ClassicGroup {
    pub(super) id: Name,
    pub(super) coordinator: i32,
    pub(super) error: Option<Code>,
    pub(super) state: Option<GroupState>,
    pub(super) protocol_type: String,
    pub(super) assignor: Option<Name>,
    pub(super) members: Vec<Member>,
}

/// Shares one name among the rows of a topic, which come one after the other.
#[derive(Default)]
pub(super) struct Names(Option<Name>);

impl Names {
    pub(super) fn share(&mut self, bytes: &CStr) -> Name {
        match &self.0 {
            Some(name) if name.as_bytes() == bytes.to_bytes() => name.clone(),
            _ => self.0.insert(bytes.to_string_lossy().into()).clone(),
        }
    }
}

/// A topic's id; all zero where the broker has none.
pub(super) fn uuid(high: i64, low: i64) -> Option<TopicId> {
    let bytes = ((u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned())).to_be_bytes();
    Some(bytes).filter(|bytes| *bytes != [0; 16])
}

/// librdkafka's number of a group's type.
pub(super) fn kind(number: i32) -> GroupKind {
    match number {
        1 => GroupKind::Consumer,
        2 => GroupKind::Classic,
        _ => GroupKind::Unknown,
    }
}

/// librdkafka's number of a group's state; it has none for the states of newer protocols.
pub(super) fn state(number: i32) -> Option<GroupState> {
    Some(match number {
        1 => GroupState::PreparingRebalance,
        2 => GroupState::CompletingRebalance,
        3 => GroupState::Stable,
        4 => GroupState::Dead,
        5 => GroupState::Empty,
        _ => return None,
    })
}

/// The state of a group. librdkafka has no word for those that KIP-848 adds, but shows when members are to get other
/// partitions than they have.
pub(super) fn state_or_moving(number: i32, moving: bool) -> Option<GroupState> {
    state(number).or(moving.then_some(GroupState::Reconciling))
}

/// Kafka's name of a classic group's state.
pub(super) fn state_named(name: &str) -> Option<GroupState> {
    Some(match name {
        "PreparingRebalance" => GroupState::PreparingRebalance,
        "CompletingRebalance" => GroupState::CompletingRebalance,
        "Stable" => GroupState::Stable,
        "Dead" => GroupState::Dead,
        "Empty" => GroupState::Empty,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_the_reason_that_says_what_to_do() {
        assert_eq!(Code(30).reason(), Reason::GroupNotAuthorized);
        assert_eq!(Code(6).reason(), Reason::NoLeader);
        assert_eq!(Code(15).reason(), Reason::NoCoordinator);
        assert_eq!(Code::TIMED_OUT.reason(), Reason::Timeout);
        assert_eq!(Code(-169).reason(), Reason::AuthenticationFailed);
        assert_eq!(Code(9999).reason(), Reason::KafkaError);
        assert!(!Code::TIMED_OUT.is_kafkas() && Code(30).is_kafkas());
    }
}
