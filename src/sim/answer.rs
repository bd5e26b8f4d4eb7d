//! From the bytes of a request to the bytes of its answer, and which requests are known in which versions.
//!
//! The answers themselves are in `topics`, `groups` and `offsets`.

mod groups;
mod offsets;
mod topics;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Encodable, StrBytes, decode_request_header_from_buffer};

use crate::lag::Millis;

use super::broker::Broker;
use super::cluster::{BrokerId, Cluster};

/// Where every broker listens.
const HOST: &str = "127.0.0.1";

/// What is known, with the lowest and the highest version.
const KNOWN: [(ApiKey, i16, i16); 11] = [
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::ConsumerGroupDescribe, 0, 1),
];

/// Bytes of the shortest request header: API, version, correlation id.
const SHORTEST_HEADER: usize = 8;

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Its bytes are not Kafka's protocol.
    #[error("a request cannot be read: {0}")]
    Unreadable(String),
    /// This cluster does not know it, or not in that version.
    #[error("request {api} is not known in version {version}")]
    Unknown { api: i16, version: i16 },
    /// The answer has fields that its version lacks.
    #[error("the answer cannot be written: {0}")]
    Unwritable(String),
}

/// What an answer is made from.
struct Asked<'a> {
    cluster: &'a Cluster,
    broker: BrokerId,
    now: Millis,
    version: i16,
}

/// Answers one request, which comes without its length; the answer has it in front.
pub(super) fn frame(broker: &Broker, mut request: Bytes) -> Result<Bytes, Refusal> {
    if request.len() < SHORTEST_HEADER {
        return Err(Refusal::Unreadable(format!("it has {} bytes", request.len())));
    }
    let header = decode_request_header_from_buffer(&mut request).map_err(unreadable)?;
    let (api, version) = (header.request_api_key, header.request_api_version);
    let known =
        KNOWN.into_iter().find(|(key, lowest, highest)| *key as i16 == api && (lowest..=highest).contains(&&version));
    match known {
        Some((key, ..)) => {
            let request = RequestKind::decode(key, &mut request, version).map_err(unreadable)?;
            write(&header, key, version, &answer(broker, key, version, request)?)
        }
        // Kafka answers a version of ApiVersions that it does not know in version 0, so that the client can ask again.
        None if api == ApiKey::ApiVersions as i16 => {
            write(&header, ApiKey::ApiVersions, 0, &api_versions(ResponseError::UnsupportedVersion.code()))
        }
        None => Err(Refusal::Unknown { api, version }),
    }
}

fn answer(broker: &Broker, key: ApiKey, version: i16, request: RequestKind) -> Result<ResponseKind, Refusal> {
    let now = broker.clock.now();
    if let RequestKind::OffsetCommit(request) = request {
        return Ok(offsets::commit(&mut broker.cluster.write(), broker.id, now, request).into());
    }
    let cluster = broker.cluster.read();
    let asked = Asked { cluster: &cluster, broker: broker.id, now, version };
    Ok(match request {
        RequestKind::ApiVersions(_) => api_versions(0),
        RequestKind::Metadata(request) => topics::metadata(&asked, request).into(),
        RequestKind::DescribeConfigs(request) => topics::describe_configs(&asked, &request).into(),
        RequestKind::DescribeCluster(_) => topics::describe_cluster(&asked).into(),
        RequestKind::FindCoordinator(request) => groups::find_coordinator(&asked, &request).into(),
        RequestKind::ListGroups(request) => groups::list(&asked, &request).into(),
        RequestKind::DescribeGroups(request) => groups::describe(&asked, request)?.into(),
        RequestKind::ConsumerGroupDescribe(request) => groups::describe_consumer_groups(&asked, request).into(),
        RequestKind::OffsetFetch(request) => offsets::fetch(&asked, request).into(),
        RequestKind::ListOffsets(request) => offsets::list(&asked, request).into(),
        _ => return Err(Refusal::Unknown { api: key as i16, version }),
    })
}

fn write(header: &RequestHeader, key: ApiKey, version: i16, response: &ResponseKind) -> Result<Bytes, Refusal> {
    let mut out = BytesMut::new();
    out.put_u32(0);
    let response_header = ResponseHeader::default().with_correlation_id(header.correlation_id);
    response_header.encode(&mut out, key.response_header_version(version)).map_err(unwritable)?;
    response.encode(&mut out, version).map_err(unwritable)?;
    let length = u32::try_from(out.len() - 4).map_err(unwritable)?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out.freeze())
}

fn api_versions(error: i16) -> ResponseKind {
    let version = |(key, lowest, highest): (ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(lowest).with_max_version(highest)
    };
    let keys = KNOWN.into_iter().map(version).collect();
    ApiVersionsResponse::default().with_error_code(error).with_api_keys(keys).into()
}

fn wire(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Unreadable(error.to_string())
}

fn unwritable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Unwritable(error.to_string())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
    use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
    use kafka_protocol::messages::{
        ConsumerGroupDescribeRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, ListOffsetsRequest,
        MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName,
    };
    use kafka_protocol::messages::{DescribeConfigsRequest, describe_configs_request::DescribeConfigsResource};
    use kafka_protocol::messages::{list_offsets_request as list, offset_commit_request as commit};
    use tokio::sync::watch;

    use super::*;
    use crate::clock::Clock;
    use crate::sim::broker::Shared;
    use crate::sim::cluster::Health;
    use crate::sim::stories;

    const NOW: Millis = 1_790_000_000_000;

    fn broker() -> Broker {
        let mut cluster = stories::demo(NOW);
        // One broker leads everything, so that no answer is an error for want of a leader.
        cluster.set_health(1, Health::Down);
        cluster.set_health(2, Health::Down);
        Broker {
            id: 0,
            health: watch::channel(Health::Up).1,
            cluster: Shared::new(cluster),
            clock: Clock::stepped(NOW + 10_000),
        }
    }

    fn request(key: ApiKey, version: i16) -> RequestKind {
        let (text, topic) = (StrBytes::from_static_str, TopicName(wire("clicks")));
        let groups = || ["checkout", "search-index", "nobody"].map(|id| GroupId(wire(id))).to_vec();
        match key {
            ApiKey::Metadata => {
                let wanted =
                    [topic, TopicName(text("nothing"))].map(|t| MetadataRequestTopic::default().with_name(Some(t)));
                MetadataRequest::default().with_topics(Some(wanted.to_vec())).into()
            }
            ApiKey::ListOffsets => {
                let partitions = [-1, -2, -3, NOW].map(|t| list::ListOffsetsPartition::default().with_timestamp(t));
                let wanted = list::ListOffsetsTopic::default().with_name(topic).with_partitions(partitions.to_vec());
                ListOffsetsRequest::default().with_topics(vec![wanted]).into()
            }
            ApiKey::OffsetFetch if version < 8 => {
                let wanted = OffsetFetchRequestTopic::default().with_name(topic).with_partition_indexes(vec![0, 99]);
                let request = OffsetFetchRequest::default().with_group_id(GroupId(text("search-index")));
                request.with_topics(Some(vec![wanted])).into()
            }
            ApiKey::OffsetFetch => {
                let all = |id| OffsetFetchRequestGroup::default().with_group_id(id).with_topics(None);
                OffsetFetchRequest::default().with_groups(groups().into_iter().map(all).collect()).into()
            }
            ApiKey::OffsetCommit => {
                let partitions = vec![commit::OffsetCommitRequestPartition::default().with_committed_offset(5)];
                let wanted = commit::OffsetCommitRequestTopic::default().with_name(topic).with_partitions(partitions);
                OffsetCommitRequest::default().with_group_id(GroupId(text("new"))).with_topics(vec![wanted]).into()
            }
            ApiKey::FindCoordinator => {
                let request = FindCoordinatorRequest::default().with_key(text("checkout"));
                request.with_coordinator_keys(vec![text("checkout"), text("billing")]).into()
            }
            ApiKey::DescribeGroups => DescribeGroupsRequest::default().with_groups(groups()).into(),
            ApiKey::ConsumerGroupDescribe => ConsumerGroupDescribeRequest::default().with_group_ids(groups()).into(),
            ApiKey::ListGroups => kafka_protocol::messages::ListGroupsRequest::default().into(),
            ApiKey::DescribeConfigs => {
                let resource = |name| {
                    DescribeConfigsResource::default()
                        .with_resource_type(2)
                        .with_configuration_keys(None)
                        .with_resource_name(text(name))
                };
                DescribeConfigsRequest::default().with_resources(vec![resource("clicks"), resource("nothing")]).into()
            }
            ApiKey::DescribeCluster => kafka_protocol::messages::DescribeClusterRequest::default().into(),
            _ => kafka_protocol::messages::ApiVersionsRequest::default().into(),
        }
    }

    #[test]
    fn every_known_version_of_every_request_has_an_answer_that_can_be_written() {
        let broker = broker();
        for (key, lowest, highest) in KNOWN {
            for version in lowest..=highest {
                let response = answer(&broker, key, version, request(key, version)).unwrap();
                let written = write(&RequestHeader::default(), key, version, &response);
                assert!(written.is_ok(), "{key:?} version {version}: {written:?}");
            }
        }
    }

    #[test]
    fn answers_say_what_a_partition_and_a_group_are_at() {
        let broker = broker();
        let ResponseKind::ListOffsets(offsets) =
            answer(&broker, ApiKey::ListOffsets, 7, request(ApiKey::ListOffsets, 7)).unwrap()
        else {
            panic!("another response");
        };
        let found: Vec<_> = offsets.topics[0].partitions.iter().map(|p| (p.offset, p.timestamp)).collect();
        let log = broker.cluster.read().log("clicks", 0).unwrap().clone();
        let now = broker.clock.now();
        let (newest, since) = (log.newest(now).unwrap(), log.first_since(NOW, now).unwrap());
        assert_eq!(found, [(log.end(now), -1), (0, -1), newest, since]);

        let ResponseKind::OffsetFetch(commits) =
            answer(&broker, ApiKey::OffsetFetch, 7, request(ApiKey::OffsetFetch, 7)).unwrap()
        else {
            panic!("another response");
        };
        let found: Vec<_> = commits.topics[0].partitions.iter().map(|p| p.committed_offset).collect();
        let committed = broker.cluster.read().committed("search-index", "clicks", 0, now).unwrap();
        assert_eq!(found, [committed, -1]);
    }

    #[test]
    fn a_topic_keeps_everything_and_one_that_is_not_there_is_unknown() {
        let asked = request(ApiKey::DescribeConfigs, 4);
        let ResponseKind::DescribeConfigs(told) = answer(&broker(), ApiKey::DescribeConfigs, 4, asked).unwrap() else {
            panic!("another response");
        };
        let [known, unknown] = &told.results[..] else { panic!("{told:?}") };
        let values: Vec<_> = known.configs.iter().map(|one| (&*one.name, one.value.as_deref())).collect();
        let all = [("cleanup.policy", "delete"), ("retention.bytes", "-1"), ("retention.ms", "-1")];
        assert_eq!(values, all.map(|(name, value)| (name, Some(value))));
        assert_eq!(unknown.error_code, ResponseError::UnknownTopicOrPartition.code());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let broker = broker();
        let unknown_version = b"\x00\x02\x00\x63\x00\x00\x00\x01\xff\xff\x00".as_slice();
        let produce = b"\x00\x00\x00\x03\x00\x00\x00\x01\xff\xff".as_slice();
        let cut_short = b"\x00\x03\x00\x0c\x00\x00\x00\x01\x00\x09".as_slice();
        assert!(matches!(frame(&broker, unknown_version.into()), Err(Refusal::Unknown { api: 2, version: 99 })));
        assert!(matches!(frame(&broker, produce.into()), Err(Refusal::Unknown { api: 0, version: 3 })));
        assert!(matches!(frame(&broker, cut_short.into()), Err(Refusal::Unreadable(_))));
        assert!(matches!(frame(&broker, b"\x00".as_slice().into()), Err(Refusal::Unreadable(_))));
    }
}
