//! The admin calls that the safe client lacks, over librdkafka's C interface. All `unsafe` of the crate is here.
//!
//! Answers come into a queue; whoever waits for one passes on all that have come. What a call is given, it copies.

#![allow(unsafe_code, unsafe_op_in_unsafe_fn, reason = "librdkafka is C; its readers share a stated precondition")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};

use super::answers::{
    Answered, ClassicGroup, Code, ConfigAnswer, DescribedGroup, ListedGroup, Listing, Names, OffsetAnswer, TopicAnswer,
    kind, state, state_named, state_or_moving, uuid,
};
use super::assignment;
use super::hub::Hub;
use super::request::{Ask, PARTIAL, Pending, c_string, c_strings, count, native};
use crate::lag::observation::Member;
use crate::lag::{Millis, Name, Offset, Partition};

/// Functions that return a C enum, declared again with the integer that they are: a number that the generated Rust
/// enum does not know, as newer brokers send them, would be undefined behaviour.
mod raw {
    use super::sys::{rd_kafka_ConsumerGroupDescription_t as Description, rd_kafka_ConsumerGroupListing_t as Listed};
    use super::sys::{rd_kafka_group_list as Groups, rd_kafka_t as Rk};
    use super::{c_char, c_int, sys};

    #[allow(clashing_extern_declarations, reason = "that is the point")]
    unsafe extern "C" {
        pub(super) fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
        pub(super) fn rd_kafka_ConfigResource_error(topic: *const sys::rd_kafka_ConfigResource_t) -> c_int;
        pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
        pub(super) fn rd_kafka_ConsumerGroupListing_state(group: *const Listed) -> c_int;
        pub(super) fn rd_kafka_ConsumerGroupListing_type(group: *const Listed) -> c_int;
        pub(super) fn rd_kafka_ConsumerGroupDescription_state(group: *const Description) -> c_int;
        pub(super) fn rd_kafka_ConsumerGroupDescription_type(group: *const Description) -> c_int;
        pub(super) fn rd_kafka_list_groups(rk: *mut Rk, id: *const c_char, to: *mut *const Groups, ms: c_int) -> c_int;
    }
}

/// Has memory that is free given back within milliseconds, to be called first: else half as much again is kept.
///
/// Where this is linked, mimalloc stands in for `malloc`, for us and for librdkafka, most of whose memory is asked for on
/// one thread and given back on another: that costs glibc half of all CPU time.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes two numbers. The first is mimalloc's `mi_option_purge_delay`, in milliseconds.
    unsafe {
        libmimalloc_sys::mi_option_set(15, 10);
    }
}

/// A client of one cluster. Clones share it.
#[derive(Clone)]
pub(super) struct Admin(Arc<Inner>);

struct Inner {
    client: std::mem::ManuallyDrop<Client<Hub>>,
    queue: *mut sys::rd_kafka_queue_t,
}

// SAFETY: librdkafka's client and queues may be used from any thread.
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    /// Ending a client waits for its threads, and some wait for brokers that are gone: nobody here waits for that.
    fn drop(&mut self) {
        // SAFETY: the queue was taken once, in `Admin::new`; the client is taken once, here, and not used any more.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
        let client = unsafe { std::mem::ManuallyDrop::take(&mut self.client) };
        drop(std::thread::Builder::new().spawn(move || drop(client)));
    }
}

pub(super) struct Event(*mut sys::rd_kafka_event_t);

// SAFETY: an event belongs to whoever has it, on any thread.
unsafe impl Send for Event {}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is owned and destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0) }
    }
}

impl Event {
    fn code(&self) -> Result<*mut sys::rd_kafka_event_t, Code> {
        // SAFETY: the event is alive.
        let code = unsafe { raw::rd_kafka_event_error(self.0) };
        if code == 0 { Ok(self.0) } else { Err(Code(code)) }
    }
}

impl Admin {
    /// A client, connecting by itself in the background.
    pub(super) fn new(config: &ClientConfig, hub: Hub) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        // SAFETY: the configuration is alive. `Client::new` makes the hub the opaque of the callbacks.
        unsafe {
            sys::rd_kafka_conf_set_background_event_cb(native.ptr(), Some(on_error));
            sys::rd_kafka_conf_set_events(native.ptr(), sys::RD_KAFKA_EVENT_ERROR);
            sys::rd_kafka_conf_set_oauthbearer_token_refresh_cb(native.ptr(), Some(on_token_due));
            sys::rd_kafka_conf_set_log_cb(native.ptr(), Some(on_log));
        }
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_CONSUMER, hub)?;
        // SAFETY: the client is alive. Its main queue (errors, logs, token refresh) goes to its background thread.
        let queue = unsafe {
            let rk = client.native_ptr();
            let (main, background) = (sys::rd_kafka_queue_get_main(rk), sys::rd_kafka_queue_get_background(rk));
            sys::rd_kafka_queue_forward(main, background);
            sys::rd_kafka_queue_destroy(main);
            sys::rd_kafka_queue_destroy(background);
            let queue = sys::rd_kafka_queue_new(rk);
            sys::rd_kafka_queue_cb_event_enable(queue, Some(on_answers), std::ptr::null_mut());
            queue
        };
        Ok(Self(Arc::new(Inner { client: std::mem::ManuallyDrop::new(client), queue })))
    }

    /// What this client shares with its callbacks.
    pub(super) fn hub(&self) -> &Hub {
        self.client().context()
    }

    /// This client while somebody else holds it: a function that does not keep it alive itself.
    pub(super) fn handle(&self) -> impl Fn() -> Option<Self> + Send + use<> {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    fn submit(
        &self,
        ask: Ask,
        call: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Pending<Event> {
        let (number, receiver) = self.hub().new_call();
        let sent = self.hub().clock.now();
        let (rk, mut text) = (self.client().native_ptr(), [0; 128]);
        let (buffer, size) = (text.as_mut_ptr(), text.len());
        // SAFETY: options live until they are destroyed below; calls copy them. The opaque is a number.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(rk, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ANY);
            sys::rd_kafka_AdminOptions_set_request_timeout(options, ask.native_timeout(), buffer, size);
            if let Some(broker) = ask.broker {
                sys::rd_kafka_AdminOptions_set_broker(options, broker, buffer, size);
            }
            if ask.read_committed {
                let level = sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
                sys::rd_kafka_error_destroy(sys::rd_kafka_AdminOptions_set_isolation_level(options, level));
            }
            sys::rd_kafka_AdminOptions_set_opaque(options, std::ptr::without_provenance_mut(number));
            call(rk, options, self.0.queue);
            sys::rd_kafka_AdminOptions_destroy(options);
        }
        Pending::new(receiver, sent, ask.timeout, self.clone())
    }

    /// Passes on every answer that has come.
    pub(super) fn pass_on(&self) {
        // SAFETY: the queue is alive. An event belongs to who takes it; its opaque is the number of its call.
        while let Some(event) = unsafe { sys::rd_kafka_queue_poll(self.0.queue, 0).as_mut() } {
            let call = unsafe { sys::rd_kafka_event_opaque(event) }.addr();
            self.hub().answered(call, Event(event));
        }
    }

    /// The client, for what it does safely.
    pub(super) fn client(&self) -> &Client<Hub> {
        &self.0.client
    }

    /// Ids, leaders and errors of the topics named, each once, as the broker of `ask` knows them. Left to itself, librdkafka
    /// asks the one that it takes for the controller, and waits for it when it is gone.
    pub(super) async fn topics(&self, names: &[Name], ask: Ask) -> Answered<Vec<TopicAnswer>> {
        // SAFETY: names and pointers outlive the call, which copies them.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let (_names, mut pointers) = c_strings(names);
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(rk, topics, o, q);
            sys::rd_kafka_TopicCollection_destroy(topics);
        });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(event);
            each(|n| sys::rd_kafka_DescribeTopics_result_topics(result, n)).map(|topic| read_topic(topic)).collect()
        };
        pending.reply(|event| event.code().map(read)).await
    }

    /// The values of these settings of each topic named, as the broker of `ask` has them.
    pub(super) async fn configs(&self, topics: &[Name], keys: &[&str], ask: Ask) -> Answered<Vec<ConfigAnswer>> {
        // SAFETY: the resources are alive during the call, which copies them, and destroyed once.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let resource = |topic: &Name| {
                let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
                let resource = sys::rd_kafka_ConfigResource_new(kind, c_string(topic).as_ptr());
                for key in keys {
                    // Without keys, brokers would tell all of their forty. The value is not looked at.
                    sys::rd_kafka_ConfigResource_set_config(resource, c_string(key).as_ptr(), c"".as_ptr());
                }
                resource
            };
            let mut resources: Vec<_> = topics.iter().map(resource).collect();
            sys::rd_kafka_DescribeConfigs(rk, resources.as_mut_ptr(), resources.len(), o, q);
            sys::rd_kafka_ConfigResource_destroy_array(resources.as_mut_ptr(), resources.len());
        });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(event);
            each(|n| sys::rd_kafka_DescribeConfigs_result_resources(result, n)).map(|t| read_config(t)).collect()
        };
        pending.reply(|event| event.code().map(read)).await
    }

    /// The offset of each partition at its specification, which is a time or a word of `request`. Each partition once.
    pub(super) async fn offsets(&self, asked: &[(Name, Partition, Offset)], ask: Ask) -> Answered<Vec<OffsetAnswer>> {
        // SAFETY: the list is alive during the call, which copies it, and destroyed once.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(c_int::try_from(asked.len()).unwrap_or(0));
            for asked in asked.chunk_by(|a, b| a.0 == b.0) {
                let topic = c_string(asked.first().map_or("", |(topic, ..)| topic));
                for (_, partition, offset) in asked {
                    (*sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), *partition)).offset = *offset;
                }
            }
            sys::rd_kafka_ListOffsets(rk, list, o, q);
            sys::rd_kafka_topic_partition_list_destroy(list);
        });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(event);
            let mut names = Names::default();
            let rows = each(|n| sys::rd_kafka_ListOffsets_result_infos(result, n)).map(|info| {
                let row = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
                read_row(row, sys::rd_kafka_ListOffsetsResultInfo_timestamp(info), &mut names)
            });
            rows.collect()
        };
        pending.reply(|event| event.code().map(read)).await
    }

    /// Every committed offset of one group, which is all that a call takes. With no broker to ask, librdkafka finds it.
    pub(super) async fn commits(&self, group: &str, ask: Ask) -> Answered<Vec<OffsetAnswer>> {
        // SAFETY: the request is alive during the call, which copies it, and destroyed once.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let mut request = sys::rd_kafka_ListConsumerGroupOffsets_new(c_string(group).as_ptr(), std::ptr::null());
            sys::rd_kafka_ListConsumerGroupOffsets(rk, &raw mut request, 1, o, q);
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(request);
        });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event);
            let mut groups = each(|n| sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, n));
            let Some(group) = groups.next() else { return Ok(vec![]) };
            let rows = || read_list(sys::rd_kafka_group_result_partitions(group));
            error(sys::rd_kafka_group_result_error(group)).map_or_else(|| Ok(rows()), Err)
        };
        pending.reply(|event| read(event.code()?)).await
    }

    /// The groups of the consumer protocols, with their kinds.
    pub(super) async fn listing(&self, ask: Ask) -> Answered<Listing> {
        // SAFETY: the arguments are those of `submit`.
        let pending = self.submit(ask, |rk, o, q| unsafe { sys::rd_kafka_ListConsumerGroups(rk, o, q) });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_ListConsumerGroups_result(event);
            let groups = each(|n| sys::rd_kafka_ListConsumerGroups_result_valid(result, n)).map(|group| ListedGroup {
                id: text(sys::rd_kafka_ConsumerGroupListing_group_id(group)).into(),
                kind: kind(raw::rd_kafka_ConsumerGroupListing_type(group)),
                state: state(raw::rd_kafka_ConsumerGroupListing_state(group)),
            });
            let errors = each(|n| sys::rd_kafka_ListConsumerGroups_result_errors(result, n));
            Listing { groups: groups.collect(), errors: errors.filter_map(|e| error(e)).collect() }
        };
        pending.reply(|event| event.code().map(read)).await
    }

    /// Kind, state, assignor and members of the groups named. About four requests a group.
    pub(super) async fn describe(&self, ids: &[Name], timeout: Duration) -> Answered<Vec<DescribedGroup>> {
        // SAFETY: ids and pointers outlive the call, which copies them.
        let pending = self.submit(Ask { coordinator: true, ..Ask::within(timeout) }, |rk, o, q| unsafe {
            let (_ids, mut pointers) = c_strings(ids);
            sys::rd_kafka_DescribeConsumerGroups(rk, pointers.as_mut_ptr(), pointers.len(), o, q);
        });
        // SAFETY: the event is alive, and of the type asked for.
        let read = |event| unsafe {
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event);
            each(|n| sys::rd_kafka_DescribeConsumerGroups_result_groups(result, n)).map(|g| read_described(g)).collect()
        };
        pending.reply(|event| event.code().map(read)).await
    }

    /// All groups of every protocol, as the classic protocol describes them, in a few requests. Blocks.
    /// An error is the last one of any broker, even where others answered: what they said is then lost.
    pub(super) fn classic_groups(&self, timeout: Duration) -> Result<Vec<ClassicGroup>, Code> {
        let mut list = std::ptr::null();
        // SAFETY: the result is read while it is alive and destroyed once. No reference is made to structs with enums.
        unsafe {
            let (rk, timeout) = (self.client().native_ptr(), native(timeout));
            match raw::rd_kafka_list_groups(rk, std::ptr::null(), &raw mut list, timeout) {
                0 | PARTIAL if !list.is_null() => {}
                code => return Err(Code(code)),
            }
            let groups = (0..count((*list).group_cnt)).map(|i| read_classic((*list).groups.add(i))).collect();
            sys::rd_kafka_group_list_destroy(list);
            Ok(groups)
        }
    }

    /// The cluster's id, as the last metadata told it.
    pub(super) fn cluster_id(&self) -> Option<Name> {
        // SAFETY: the string is read while it is alive, and freed once.
        unsafe {
            let rk = self.client().native_ptr();
            let id = sys::rd_kafka_clusterid(rk, 0);
            let read = name(id);
            sys::rd_kafka_mem_free(rk, id.cast());
            read
        }
    }

    /// Sets the OAuth token with which connections authenticate, until `expires` (milliseconds since 1970).
    pub(super) fn set_token(&self, token: &str, expires: Millis) -> Result<(), Code> {
        let (token, principal, mut buffer) = (c_string(token), c_string("highwater"), [0; 256]);
        // SAFETY: strings and buffer outlive the call, which copies them.
        let code = unsafe {
            let (buffer, size, none) = (buffer.as_mut_ptr(), buffer.len(), std::ptr::null_mut());
            let (rk, token, principal) = (self.client().native_ptr(), token.as_ptr(), principal.as_ptr());
            sys::rd_kafka_oauthbearer_set_token(rk, token, expires, principal, none, 0, buffer, size)
        };
        // Only librdkafka itself answers here, whose own codes the enum knows.
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(Code(code as i32)) }
    }

    /// Says that there is no token; librdkafka asks again after ten seconds.
    pub(super) fn set_no_token(&self) {
        // SAFETY: the string is static, and the call copies it.
        unsafe { sys::rd_kafka_oauthbearer_set_token_failure(self.client().native_ptr(), c"no token".as_ptr()) };
    }
}

// What follows is called on threads of librdkafka, with pointers that are alive until it returns. `Client` made its context
// the opaque, and keeps it until these threads have ended.

/// Called with the first answer that comes into the empty queue.
unsafe extern "C" fn on_answers(rk: *mut sys::rd_kafka_t, _: *mut c_void) {
    (*sys::rd_kafka_opaque(rk).cast::<Hub>()).arrived.notify_one();
}

/// Called with each error of a connection.
unsafe extern "C" fn on_error(_: *mut sys::rd_kafka_t, event: *mut sys::rd_kafka_event_t, opaque: *mut c_void) {
    let (event, hub) = (Event(event), &*opaque.cast::<Hub>());
    hub.faults.record(Code(raw::rd_kafka_event_error(event.0)), &text(sys::rd_kafka_event_error_string(event.0)));
}

/// Called when an OAuth token is due.
unsafe extern "C" fn on_token_due(_: *mut sys::rd_kafka_t, _: *const c_char, opaque: *mut c_void) {
    (&*opaque.cast::<Hub>()).refresh_token();
}

/// Called with each log line.
unsafe extern "C" fn on_log(rk: *const sys::rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    if let Some(hub) = sys::rd_kafka_opaque(rk).cast::<Hub>().as_ref() {
        hub.log(level, &text(facility), &text(line));
    }
}

// What follows reads answers. Each pointer is null where that is looked at, or alive until the function returns, with as
// many elements as is stated beside it; errors are read as the integers that they are.

unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() { String::new() } else { CStr::from_ptr(pointer).to_string_lossy().into_owned() }
}

unsafe fn name(pointer: *const c_char) -> Option<Name> {
    Some(text(pointer)).filter(|name| !name.is_empty()).map(Name::from)
}

unsafe fn error(pointer: *const sys::rd_kafka_error_t) -> Option<Code> {
    let code = if pointer.is_null() { 0 } else { raw::rd_kafka_error_code(pointer) };
    (code != 0).then_some(Code(code))
}

/// The elements of an array that a call returns beside its length.
fn each<T: Copy>(array: impl FnOnce(*mut usize) -> *mut T) -> impl Iterator<Item = T> {
    let mut count = 0;
    let first = array(&raw mut count);
    // SAFETY: librdkafka states the length of the array, which lives as long as the event that it is of.
    (0..count).map(move |i| unsafe { *first.add(i) })
}

unsafe fn read_row(row: *const sys::rd_kafka_topic_partition_t, timestamp: Millis, names: &mut Names) -> OffsetAnswer {
    let code = (&raw const (*row).err).cast::<c_int>().read();
    OffsetAnswer {
        topic: names.share(CStr::from_ptr((*row).topic)),
        partition: (*row).partition,
        offset: (*row).offset,
        timestamp,
        error: (code != 0).then_some(Code(code)),
    }
}

unsafe fn read_list(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<OffsetAnswer> {
    let (mut names, rows) = (Names::default(), if list.is_null() { 0 } else { count((*list).cnt) });
    (0..rows).map(|i| read_row((*list).elems.add(i), -1, &mut names)).collect()
}

unsafe fn read_topic(topic: *const sys::rd_kafka_TopicDescription_t) -> TopicAnswer {
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

unsafe fn read_described(group: *const sys::rd_kafka_ConsumerGroupDescription_t) -> DescribedGroup {
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

unsafe fn read_classic(group: *const sys::rd_kafka_group_info) -> ClassicGroup {
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

unsafe fn read_config(topic: *const sys::rd_kafka_ConfigResource_t) -> ConfigAnswer {
    let code = raw::rd_kafka_ConfigResource_error(topic);
    let entries = each(|n| sys::rd_kafka_ConfigResource_configs(topic, n).cast_mut())
        .map(|entry| (text(sys::rd_kafka_ConfigEntry_name(entry)), text(sys::rd_kafka_ConfigEntry_value(entry))));
    ConfigAnswer {
        topic: text(sys::rd_kafka_ConfigResource_name(topic)).into(),
        entries: if code == 0 { Ok(entries.collect()) } else { Err(Code(code)) },
    }
}
