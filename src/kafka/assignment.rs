//! Decodes the assignment that a member of a classic group was given (`ConsumerProtocolAssignment`, versions 0 to 3).
//!
//! The bytes come from the group's leader, any client of the cluster: nothing is allocated by a length that they
//! state, which the decoder of `kafka-protocol` does.

use std::collections::BTreeMap;

use crate::lag::{Name, Partition};

/// Topics with their partitions, sorted; what a damaged assignment says up to the damage.
pub(super) fn decode(bytes: &[u8]) -> Vec<(Name, Vec<Partition>)> {
    let mut assigned = vec![];
    let mut rest = Cursor(bytes);
    let _version = rest.int16();
    for _ in 0..rest.int32().unwrap_or(0) {
        let Some(topic) = rest.string() else { break };
        let Some(count) = rest.int32() else { break };
        let mut partitions: Vec<_> = (0..count).map_while(|_| rest.int32()).collect();
        partitions.sort_unstable();
        assigned.push((topic.into(), partitions));
    }
    assigned.sort_unstable();
    assigned
}

/// Brings single partitions together by topic, sorted.
pub(super) fn by_topic(rows: impl Iterator<Item = (Name, Partition)>) -> Vec<(Name, Vec<Partition>)> {
    let mut topics = BTreeMap::<Name, Vec<Partition>>::new();
    for (topic, partition) in rows {
        topics.entry(topic).or_default().push(partition);
    }
    topics.values_mut().for_each(|partitions| partitions.sort_unstable());
    topics.into_iter().collect()
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn int16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.int16()?).ok()?;
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        std::str::from_utf8(head).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    fn encoded(topics: &[(&'static str, &[i32])]) -> Vec<u8> {
        let topics = topics.iter().map(|(topic, partitions)| {
            TopicPartition::default()
                .with_topic(TopicName(StrBytes::from_static_str(topic)))
                .with_partitions(partitions.to_vec())
        });
        let mut bytes = vec![0, 1];
        ConsumerProtocolAssignment::default().with_assigned_partitions(topics.collect()).encode(&mut bytes, 1).unwrap();
        bytes
    }

    #[test]
    fn reads_what_the_protocol_writes_sorted() {
        let bytes = encoded(&[("orders", &[2, 0]), ("billing", &[7])]);
        assert_eq!(decode(&bytes), vec![("billing".into(), vec![7]), ("orders".into(), vec![0, 2])]);
        assert_eq!(decode(&[]), vec![]);
    }

    #[test]
    fn damage_and_huge_lengths_end_it_quietly() {
        let bytes = encoded(&[("orders", &[0, 1])]);
        for length in 0..bytes.len() {
            decode(&bytes[..length]);
        }
        assert_eq!(
            decode(&[0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 1, b'a', 0x7f, 0xff, 0xff, 0xff]),
            vec![("a".into(), vec![])]
        );
    }

    /// The bytes that it takes to say what was read.
    fn said(assigned: &[(Name, Vec<Partition>)]) -> usize {
        assigned.iter().map(|(topic, partitions)| 6 + topic.len() + 4 * partitions.len()).sum()
    }

    proptest! {
        #[test]
        fn no_bytes_say_more_than_they_hold(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0..4_u8, any::<u8>()], 0..100),
        ) {
            prop_assert!(said(&decode(&bytes)) <= bytes.len());
        }

        #[test]
        fn an_assignment_that_is_cut_or_changed_says_no_more_than_it_holds(
            place in any::<prop::sample::Index>(),
            byte in prop::option::of(any::<u8>()),
        ) {
            let mut bytes = encoded(&[("orders", &[2, 0]), ("billing", &[7])]);
            let place = place.index(bytes.len());
            match byte {
                Some(byte) => bytes[place] = byte,
                None => bytes.truncate(place),
            }
            prop_assert!(said(&decode(&bytes)) <= bytes.len());
        }
    }
}
