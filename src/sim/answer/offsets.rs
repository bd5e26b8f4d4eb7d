//! Answers about offsets: OffsetFetch, OffsetCommit and ListOffsets.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};

use crate::lag::{Millis, Offset, Partition};
use crate::sim::cluster::{BrokerId, Cluster, Topic};
use crate::sim::log::Log;

use super::{Asked, wire};

/// Kafka's word for no offset, no timestamp and no committed offset.
const NONE: i64 = -1;

/// The times of ListOffsets that are none: log end, log start, and the record with the largest timestamp.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// The isolation level that stops at the last stable offset.
const READ_COMMITTED: i8 = 1;

type TopicOffsets = Vec<(TopicName, Vec<(Partition, Offset)>)>;

/// The committed offsets of one group, or from version 8 on of several.
pub(super) fn fetch(asked: &Asked<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if asked.version < 8 {
        let topics = request.topics.map(|t| t.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
        let (error, topics) = committed(asked, &request.group_id, topics);
        let partition = |(index, offset)| {
            let answer = OffsetFetchResponsePartition::default().with_partition_index(index);
            answer.with_committed_offset(offset).with_metadata(Some(wire("")))
        };
        let topics = topics.into_iter().map(|(name, offsets)| {
            let partitions = offsets.into_iter().map(partition).collect();
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
        });
        // Version 1 has no error of the whole group.
        let error = if asked.version < 2 { 0 } else { error };
        return OffsetFetchResponse::default().with_topics(topics.collect()).with_error_code(error);
    }
    let groups = request.groups.into_iter().map(|group| {
        let topics = group.topics.map(|t| t.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
        let (error, topics) = committed(asked, &group.group_id, topics);
        let partition = |(index, offset)| {
            let answer = OffsetFetchResponsePartitions::default().with_partition_index(index);
            answer.with_committed_offset(offset).with_metadata(Some(wire("")))
        };
        let topics = topics.into_iter().map(|(name, offsets)| {
            let partitions = offsets.into_iter().map(partition).collect();
            OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
        });
        let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id);
        answer.with_topics(topics.collect()).with_error_code(error)
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

/// Sets committed offsets. A group with members takes none from outside, as in Kafka.
pub(super) fn commit(
    cluster: &mut Cluster,
    broker: BrokerId,
    now: Millis,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let refusal = if cluster.coordinator(&request.group_id) != Some(broker) {
        Some(ResponseError::NotCoordinator)
    } else if cluster.group(&request.group_id).is_some_and(|group| group.is_running(now)) {
        Some(ResponseError::UnknownMemberId)
    } else {
        None
    };
    let mut set = |topic: &TopicName, partition: OffsetCommitRequestPartition| {
        let index = partition.partition_index;
        let missing = cluster.log(topic, index).is_none().then_some(ResponseError::UnknownTopicOrPartition);
        let refused = refusal.or(missing);
        if refused.is_none() {
            cluster.commit(&request.group_id, topic, index, partition.committed_offset, now);
        }
        OffsetCommitResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(refused.map_or(0, |error| error.code()))
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| set(&topic.name, partition)).collect();
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Log starts, log ends, and the first records since a time.
pub(super) fn list(asked: &Asked<'_>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let committed_only = request.isolation_level == READ_COMMITTED;
    let topics = request.topics.into_iter().map(|wanted| {
        let topic = asked.cluster.topic(&wanted.name);
        let partitions =
            wanted.partitions.iter().map(|partition| list_partition(asked, topic, partition, committed_only));
        let answer = ListOffsetsTopicResponse::default().with_partitions(partitions.collect());
        answer.with_name(wanted.name)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn list_partition(
    asked: &Asked<'_>,
    topic: Option<&Topic>,
    wanted: &ListOffsetsPartition,
    committed_only: bool,
) -> ListOffsetsPartitionResponse {
    let index = wanted.partition_index;
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(index);
    let found = topic.and_then(|topic| Some((topic, topic.logs.get(usize::try_from(index).ok()?)?)));
    let Some((topic, log)) = found else {
        return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    if asked.cluster.leader(topic, index) != Some(asked.broker) {
        return answer.with_error_code(ResponseError::NotLeaderOrFollower.code());
    }
    let (offset, timestamp) = position(log, wanted.timestamp, committed_only, asked.now);
    let epoch = if asked.version < 4 { NONE as i32 } else { asked.cluster.epoch };
    answer.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
}

/// Offset and timestamp that answer a question by time.
fn position(log: &Log, time: Millis, committed_only: bool, now: Millis) -> (Offset, Millis) {
    let end = if committed_only { log.last_stable(now) } else { log.end(now) };
    let found = match time {
        LATEST => return (end, NONE),
        EARLIEST => return (log.start(now), NONE),
        MAX_TIMESTAMP => log.newest(now),
        time => log.first_since(time, now),
    };
    found.filter(|(offset, _)| *offset < end).unwrap_or((NONE, NONE))
}

/// The committed offsets of one group on the given topics, or on all that it has any on.
fn committed(asked: &Asked<'_>, group: &str, topics: Option<Vec<(TopicName, Vec<Partition>)>>) -> (i16, TopicOffsets) {
    if asked.cluster.coordinator(group) != Some(asked.broker) {
        return (ResponseError::NotCoordinator.code(), vec![]);
    }
    let Some(topics) = topics else {
        let all = asked.cluster.group(group).map(|group| asked.cluster.all_committed(group, asked.now));
        let named = |(topic, offsets): (crate::lag::Name, _)| (TopicName(wire(&topic)), offsets);
        return (0, all.into_iter().flatten().map(named).collect());
    };
    let offsets = |topic: &str, partitions: Vec<Partition>| {
        let offset = |p| asked.cluster.committed(group, topic, p, asked.now).unwrap_or(NONE);
        partitions.into_iter().map(|p| (p, offset(p))).collect()
    };
    (
        0,
        topics
            .into_iter()
            .map(|(name, partitions)| {
                let found = offsets(&name, partitions);
                (name, found)
            })
            .collect(),
    )
}
