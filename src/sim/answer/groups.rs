//! Answers about consumer groups: FindCoordinator, ListGroups, DescribeGroups and ConsumerGroupDescribe.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response as consumer;
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    BrokerId, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerProtocolAssignment,
    ConsumerProtocolSubscription, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, GroupId, ListGroupsRequest, ListGroupsResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use uuid::Uuid;

use crate::sim::group::{Group, Member, Protocol};

use super::{Asked, HOST, Refusal, unwritable, wire};

/// The address that every member connects from.
const MEMBER_HOST: &str = "/127.0.0.1";

/// The version of the consumer protocol in which assignments and subscriptions are written.
const CONSUMER_PROTOCOL: i16 = 1;

/// The key type of FindCoordinator that asks for a group's.
const GROUP_KEY: i8 = 0;

/// Which broker coordinates each group.
pub(super) fn find_coordinator(asked: &Asked<'_>, request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    let find = |key: &StrBytes| {
        let id = asked.cluster.coordinator(key).filter(|_| request.key_type == GROUP_KEY);
        let found = asked.cluster.alive().find(|(broker, _)| Some(*broker) == id);
        let error = if found.is_none() { ResponseError::CoordinatorNotAvailable.code() } else { 0 };
        let (id, port) = found.map_or((-1, -1), |(broker, port)| (broker, i32::from(port)));
        (error, BrokerId(id), wire(HOST), port)
    };
    let response = FindCoordinatorResponse::default();
    if asked.version < 4 {
        let (error, id, host, port) = find(&request.key);
        return response.with_error_code(error).with_node_id(id).with_host(host).with_port(port);
    }
    let coordinator = |key: &StrBytes| {
        let (error, id, host, port) = find(key);
        let found = Coordinator::default().with_error_code(error).with_node_id(id).with_host(host).with_port(port);
        found.with_key(key.clone())
    };
    response.with_coordinators(request.coordinator_keys.iter().map(coordinator).collect())
}

/// The groups that this broker coordinates.
pub(super) fn list(asked: &Asked<'_>, request: &ListGroupsRequest) -> ListGroupsResponse {
    let passes =
        |filter: &[StrBytes], value: &str| filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(value));
    let listed = |group: &Group| {
        let (state, kind) = (state(asked, group), kind(group.protocol));
        let wanted = passes(&request.states_filter, state) && passes(&request.types_filter, kind);
        let listed = ListedGroup::default()
            .with_group_id(GroupId(wire(&group.id)))
            .with_protocol_type(wire("consumer"))
            .with_group_state(wire(state))
            .with_group_type(wire(kind));
        wanted.then_some(listed)
    };
    let mine = asked.cluster.groups().filter(|group| asked.cluster.coordinator(&group.id) == Some(asked.broker));
    ListGroupsResponse::default().with_groups(mine.filter_map(listed).collect())
}

/// Groups of the classic protocol with their members; any other group is dead to this request.
pub(super) fn describe(asked: &Asked<'_>, request: DescribeGroupsRequest) -> Result<DescribeGroupsResponse, Refusal> {
    let describe = |id: GroupId| -> Result<DescribedGroup, Refusal> {
        let answer = DescribedGroup::default().with_group_id(id.clone());
        if asked.cluster.coordinator(&id) != Some(asked.broker) {
            return Ok(answer.with_error_code(ResponseError::NotCoordinator.code()));
        }
        let Some(group) = asked.cluster.group(&id).filter(|group| group.protocol == Protocol::Classic) else {
            let error = if asked.version < 6 { 0 } else { ResponseError::GroupIdNotFound.code() };
            return Ok(answer.with_error_code(error).with_group_state(wire("Dead")));
        };
        let members = asked.cluster.members(group, asked.now);
        Ok(answer
            .with_group_state(wire(state(asked, group)))
            .with_protocol_type(wire("consumer"))
            .with_protocol_data(wire(if members.is_empty() { "" } else { "range" }))
            .with_members(members.iter().map(|member| classic_member(group, member)).collect::<Result<_, _>>()?))
    };
    let groups = request.groups.into_iter().map(describe).collect::<Result<_, _>>()?;
    Ok(DescribeGroupsResponse::default().with_groups(groups))
}

/// Groups of the KIP-848 protocol with their members.
pub(super) fn describe_consumer_groups(
    asked: &Asked<'_>,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let describe = |id: GroupId| {
        let answer = consumer::DescribedGroup::default().with_group_id(id.clone());
        if asked.cluster.coordinator(&id) != Some(asked.broker) {
            return answer.with_error_code(ResponseError::NotCoordinator.code());
        }
        let Some(group) = asked.cluster.group(&id).filter(|group| group.protocol == Protocol::Consumer) else {
            let message = Some(wire("no group of the consumer protocol has this id"));
            return answer.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(message);
        };
        let epoch = group.epoch(asked.now);
        let members = asked.cluster.members(group, asked.now);
        answer
            .with_group_state(wire(state(asked, group)))
            .with_group_epoch(epoch)
            .with_assignment_epoch(epoch)
            .with_assignor_name(wire("uniform"))
            .with_members(members.iter().map(|member| consumer_member(asked, group, member)).collect())
    };
    ConsumerGroupDescribeResponse::default().with_groups(request.group_ids.into_iter().map(describe).collect())
}

fn state(asked: &Asked<'_>, group: &Group) -> &'static str {
    if group.is_running(asked.now) { "Stable" } else { "Empty" }
}

fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Classic => "classic",
        Protocol::Consumer => "consumer",
    }
}

fn classic_member(group: &Group, member: &Member) -> Result<DescribedGroupMember, Refusal> {
    let assigned = member.assigned.iter().map(|(topic, partitions)| {
        TopicPartition::default().with_topic(TopicName(wire(topic))).with_partitions(partitions.clone())
    });
    let assignment = ConsumerProtocolAssignment::default().with_assigned_partitions(assigned.collect());
    let topics = group.topics.iter().map(|topic| wire(topic)).collect();
    let subscription = ConsumerProtocolSubscription::default().with_topics(topics);
    Ok(DescribedGroupMember::default()
        .with_member_id(wire(&member.id))
        .with_client_id(wire(&member.client_id))
        .with_client_host(wire(MEMBER_HOST))
        .with_member_metadata(versioned(&subscription)?)
        .with_member_assignment(versioned(&assignment)?))
}

fn consumer_member(asked: &Asked<'_>, group: &Group, member: &Member) -> consumer::Member {
    let assigned = member.assigned.iter().filter_map(|(name, partitions)| {
        let topic = asked.cluster.topic(name)?;
        let assigned = consumer::TopicPartitions::default().with_topic_id(Uuid::from_bytes(topic.id));
        Some(assigned.with_topic_name(TopicName(wire(name))).with_partitions(partitions.clone()))
    });
    let assignment = consumer::Assignment::default().with_topic_partitions(assigned.collect());
    let answer = consumer::Member::default()
        .with_member_id(wire(&member.id))
        .with_member_epoch(group.epoch(asked.now))
        .with_client_id(wire(&member.client_id))
        .with_client_host(wire(MEMBER_HOST))
        .with_subscribed_topic_names(group.topics.iter().map(|topic| TopicName(wire(topic))).collect())
        .with_target_assignment(assignment.clone())
        .with_assignment(assignment);
    if asked.version < 1 { answer } else { answer.with_member_type(1) }
}

/// What the members of a classic group exchange: the version, then the message in that version.
fn versioned(message: &impl Encodable) -> Result<Bytes, Refusal> {
    let mut out = BytesMut::new();
    out.put_i16(CONSUMER_PROTOCOL);
    message.encode(&mut out, CONSUMER_PROTOCOL).map_err(unwritable)?;
    Ok(out.freeze())
}
