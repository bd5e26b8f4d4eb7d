//! Answers about brokers and topics: Metadata, DescribeCluster and DescribeConfigs.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use uuid::Uuid;

use crate::sim::cluster::Topic;

use super::{Asked, HOST, wire};

/// Every broker that is up, and the topics that were asked for.
pub(super) fn metadata(asked: &Asked<'_>, request: MetadataRequest) -> MetadataResponse {
    let brokers = asked.cluster.alive().map(|(id, port)| {
        MetadataResponseBroker::default().with_node_id(BrokerId(id)).with_host(wire(HOST)).with_port(port.into())
    });
    // Version 0 has no null: there an empty list asks for all.
    let wanted = request.topics.filter(|topics| asked.version > 0 || !topics.is_empty());
    let topics = match wanted {
        None => {
            let shown = asked.cluster.topics().filter(|topic| !asked.cluster.is_refused(&topic.name));
            shown.map(|topic| describe(asked, topic)).collect()
        }
        Some(topics) => topics.into_iter().map(|topic| look_up(asked, topic)).collect(),
    };
    MetadataResponse::default()
        .with_cluster_id(Some(wire(&asked.cluster.id)))
        .with_controller_id(controller(asked))
        .with_brokers(brokers.collect())
        .with_topics(topics)
}

/// Every broker that is up.
pub(super) fn describe_cluster(asked: &Asked<'_>) -> DescribeClusterResponse {
    let brokers = asked.cluster.alive().map(|(id, port)| {
        DescribeClusterBroker::default().with_broker_id(BrokerId(id)).with_host(wire(HOST)).with_port(port.into())
    });
    DescribeClusterResponse::default()
        .with_cluster_id(wire(&asked.cluster.id))
        .with_controller_id(controller(asked))
        .with_brokers(brokers.collect())
}

/// What topics say of what they keep: everything, as if nobody had set anything.
pub(super) fn describe_configs(asked: &Asked<'_>, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let configs = |resource| configs(asked, resource);
    DescribeConfigsResponse::default().with_results(request.resources.iter().map(configs).collect())
}

fn configs(asked: &Asked<'_>, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    if asked.cluster.topic(&resource.resource_name).is_none() {
        return result.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    }
    let told = [("cleanup.policy", "delete"), ("retention.bytes", "-1"), ("retention.ms", "-1")];
    let wanted =
        |name: &str| resource.configuration_keys.as_ref().is_none_or(|all| all.iter().any(|one| **one == *name));
    let told = told.into_iter().filter(|(name, _)| wanted(name)).map(|(name, value)| {
        DescribeConfigsResourceResult::default().with_name(wire(name)).with_value(Some(wire(value)))
    });
    result.with_configs(told.collect())
}

fn look_up(asked: &Asked<'_>, wanted: MetadataRequestTopic) -> MetadataResponseTopic {
    let (found, unknown) = match &wanted.name {
        Some(name) => (asked.cluster.topic(name), ResponseError::UnknownTopicOrPartition),
        None => (asked.cluster.topic_by_id(wanted.topic_id.as_bytes()), ResponseError::UnknownTopicId),
    };
    match found {
        Some(topic) if asked.cluster.is_refused(&topic.name) => MetadataResponseTopic::default()
            .with_error_code(ResponseError::TopicAuthorizationFailed.code())
            .with_name(Some(TopicName(wire(&topic.name)))),
        Some(topic) => describe(asked, topic),
        None => {
            // Only version 12 can leave the name out.
            let name = wanted.name.or_else(|| (asked.version < 12).then(TopicName::default));
            let answer = MetadataResponseTopic::default().with_error_code(unknown.code()).with_name(name);
            if asked.version < 10 { answer } else { answer.with_topic_id(wanted.topic_id) }
        }
    }
}

fn describe(asked: &Asked<'_>, topic: &Topic) -> MetadataResponseTopic {
    let partition = |index: i32| {
        let replicas: Vec<_> = asked.cluster.replicas(topic, index).collect();
        let in_sync = replicas.iter().copied().filter(|&broker| asked.cluster.is_up(broker)).map(BrokerId);
        let leader = asked.cluster.leader(topic, index);
        let error = if leader.is_none() { ResponseError::LeaderNotAvailable.code() } else { 0 };
        MetadataResponsePartition::default()
            .with_error_code(error)
            .with_partition_index(index)
            .with_leader_id(BrokerId(leader.unwrap_or(-1)))
            .with_leader_epoch(asked.cluster.epoch)
            .with_isr_nodes(in_sync.collect())
            .with_replica_nodes(replicas.into_iter().map(BrokerId).collect())
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(wire(&topic.name))))
        .with_topic_id(Uuid::from_bytes(topic.id))
        .with_partitions((0..topic.logs.len() as i32).map(partition).collect())
}

fn controller(asked: &Asked<'_>) -> BrokerId {
    BrokerId(asked.cluster.alive().next().map_or(-1, |(id, _)| id))
}
