//! Reads answers of librdkafka.
//!
//! Each pointer is null where that is looked at, or alive until the function returns, with as many elements as is stated
//! beside it; errors are read as the integers that they are.

#![allow(unsafe_code, unsafe_op_in_unsafe_fn, reason = "librdkafka is C; its readers share the precondition above")]

use std::ffi::{CStr, c_char, c_int};

use rdkafka::bindings as sys;

use super::raw;
use crate::kafka::answers::{
    ClassicGroup, Code, ConfigAnswer, DescribedGroup, Names, OffsetAnswer, TopicAnswer, kind, state_named,
    state_or_moving, uuid,
};
use crate::kafka::assignment;
use crate::kafka::request::count;
use crate::lag::observation::Member;
use crate::lag::{Millis, Name, Partition};

pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() { String::new() } else { CStr::from_ptr(pointer).to_string_lossy().into_owned() }
}

pub(super) unsafe fn name(pointer: *const c_char) -> Option<Name> {
    Some(text(pointer)).filter(|name| !name.is_empty()).map(Name::from)
}

pub(super) unsafe fn error(pointer: *const sys::rd_kafka_error_t) -> Option<Code> {
    let code = if pointer.is_null() { 0 } else { raw::rd_kafka_error_code(pointer) };
    (code != 0).then_some(Code(code))
}

/// The elements of an array that a call returns beside its length.
pub(super) fn each<T: Copy>(array: impl FnOnce(*mut usize) -> *mut T) -> impl Iterator<Item = T> {
    let mut count = 0;
    let first = array(&raw mut count);
    // SAFETY: librdkafka states the length of the array, which lives as long as the event that it is of.
    (0..count).map(move |i| unsafe { *first.add(i) })
}

pub(super) unsafe fn read_row(
    row: *const sys::rd_kafka_topic_partition_t,
    timestamp: Millis,
    names: &mut Names,
) -> OffsetAnswer {
    let code = (&raw const (*row).err).cast::<c_int>().read();
    OffsetAnswer {
        topic: names.share(CStr::from_ptr((*row).topic)),
        partition: (*row).partition,
        offset: (*row).offset,
        timestamp,
        error: (code != 0).then_some(Code(code)),
    }
}

pub(super) unsafe fn read_list(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<OffsetAnswer> {
    let (mut names, rows) = (Names::default(), if list.is_null() { 0 } else { count((*list).cnt) });
    (0..rows).map(|i| read_row((*list).elems.add(i), -1, &mut names)).collect()
}

pub(super) unsafe fn read_topic(topic: *const sys::rd_kafka_TopicDescription_t) -> TopicAnswer {
    let mut partitions: Vec<_> = each(|n| sys::rd_kafka_TopicDescription_partitions(topic, n)).collect();
    partitions.sort_by_key(|p| sys::rd_kafka_TopicPartitionInfo_partition(*p));
    let leaders = partitions.iter().map(|p| {
        let leader = sys::rd_kafka_TopicPartitionInfo_leader(*p);
        (!leader.is_null()).then(|| sys::rd_kafka_Node_id(leader)).filter(|id| *id >= 0)
    });
    let mut replicas = 0;
    let _ = partitions.first().map(|first| sys::rd_kafka_TopicPartitionInfo_replicas(*first, &raw mut replicas));
    // Brokers that do not tell have zeroes here.
    let id = sys::rd_kafka_TopicDescription_topic_id(topic);
    TopicAnswer {
        name: text(sys::rd_kafka_TopicDescription_name(topic)).into(),
        error: error(sys::rd_kafka_TopicDescription_error(topic)),
        id: uuid(sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id)),
        replication_factor: u16::try_from(replicas).unwrap_or(u16::MAX),
        leaders: leaders.collect(),
    }
}

pub(super) unsafe fn read_described(group: *const sys::rd_kafka_ConsumerGroupDescription_t) -> DescribedGroup {
    let coordinator = sys::rd_kafka_ConsumerGroupDescription_coordinator(group);
    let mut moving = false;
    let members = (0..sys::rd_kafka_ConsumerGroupDescription_member_count(group)).map(|i| {
        let member = sys::rd_kafka_ConsumerGroupDescription_member(group, i);
        let assigned = read_assignment(sys::rd_kafka_MemberDescription_assignment(member));
        let target = sys::rd_kafka_MemberDescription_target_assignment(member);
        moving |= !target.is_null() && read_assignment(target) != assigned;
        Member {
            member_id: text(sys::rd_kafka_MemberDescription_consumer_id(member)).into(),
            client_id: text(sys::rd_kafka_MemberDescription_client_id(member)).into(),
            host: text(sys::rd_kafka_MemberDescription_host(member)).into(),
            assigned,
        }
    });
    DescribedGroup {
        members: members.collect(),
        id: text(sys::rd_kafka_ConsumerGroupDescription_group_id(group)).into(),
        error: error(sys::rd_kafka_ConsumerGroupDescription_error(group)),
        kind: kind(raw::rd_kafka_ConsumerGroupDescription_type(group)),
        state: state_or_moving(raw::rd_kafka_ConsumerGroupDescription_state(group), moving),
        assignor: name(sys::rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
        coordinator: (!coordinator.is_null()).then(|| sys::rd_kafka_Node_id(coordinator)),
    }
}

unsafe fn read_assignment(all: *const sys::rd_kafka_MemberAssignment_t) -> Vec<(Name, Vec<Partition>)> {
    let rows = if all.is_null() { vec![] } else { read_list(sys::rd_kafka_MemberAssignment_partitions(all)) };
    assignment::by_topic(rows.into_iter().map(|row| (row.topic, row.partition)))
}

pub(super) unsafe fn read_classic(group: *const sys::rd_kafka_group_info) -> ClassicGroup {
    let code = (&raw const (*group).err).cast::<c_int>().read();
    let members = (0..count((*group).member_cnt)).map(|i| {
        let member = (*group).members.add(i);
        let (bytes, length) = ((*member).member_assignment.cast::<u8>(), (*member).member_assignment_size);
        let bytes = if bytes.is_null() { &[] } else { std::slice::from_raw_parts(bytes, count(length)) };
        Member {
            member_id: text((*member).member_id).into(),
            client_id: text((*member).client_id).into(),
            host: text((*member).client_host).into(),
            assigned: assignment::decode(bytes),
        }
    });
    ClassicGroup {
        id: text((*group).group).into(),
        coordinator: (*group).broker.id,
        error: (code != 0).then_some(Code(code)),
        state: state_named(&text((*group).state)),
        protocol_type: text((*group).protocol_type),
        assignor: name((*group).protocol),
        members: members.collect(),
    }
}

pub(super) unsafe fn read_config(topic: *const sys::rd_kafka_ConfigResource_t) -> ConfigAnswer {
    let code = raw::rd_kafka_ConfigResource_error(topic);
    let entries = each(|n| sys::rd_kafka_ConfigResource_configs(topic, n).cast_mut())
        .map(|entry| (text(sys::rd_kafka_ConfigEntry_name(entry)), text(sys::rd_kafka_ConfigEntry_value(entry))));
    ConfigAnswer {
        topic: text(sys::rd_kafka_ConfigResource_name(topic)).into(),
        entries: if code == 0 { Ok(entries.collect()) } else { Err(Code(code)) },
    }
}
