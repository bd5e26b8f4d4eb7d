//! The admin calls that the safe client lacks, over librdkafka's C interface. All `unsafe` of the crate is here and in
//! `readers`.
//!
//! Answers come into a queue; whoever waits for one passes on all that have come. What a call is given, it copies.

#![allow(unsafe_code, unsafe_op_in_unsafe_fn, reason = "librdkafka is C; its readers share a stated precondition")]

mod readers;

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};

use super::answers::{
    Answered, ClassicGroup, Code, ConfigAnswer, DescribedGroup, ListedGroup, Listing, Names, OffsetAnswer, TopicAnswer,
    kind, state,
};
use super::hub::Hub;
use super::request::{Ask, PARTIAL, Pending, Place, c_string, c_strings, count, native};
use crate::lag::{Millis, Name};
use readers::{each, error, name, read_classic, read_config, read_described, read_list, read_row, read_topic, text};

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

/// Sets the process up for librdkafka, which hands each answer from thread to thread; to be called while there is no second
/// thread. Does nothing but on Linux with glibc.
///
/// There mimalloc stands in for `malloc`, for us and for librdkafka, most of whose memory is asked for on one thread and given
/// back on another: that costs glibc half of all CPU time. Memory that is free is given back within milliseconds, else half as
/// much again is kept.
///
/// Threads are scheduled as `SCHED_BATCH`: one that is woken lets those that are at work go on, and finds several answers then
/// where it would have found one. In six pairs of runs that took 4 to 16 % of all CPU time off; where it is refused, nothing is
/// lost.
pub fn settle_in() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the first takes two numbers, of which one is mimalloc's `mi_option_purge_delay`, in milliseconds. The second is
    // about this thread, which is 0; the parameter, which has to be 0 for this policy, is alive during the call.
    unsafe {
        libmimalloc_sys::mi_option_set(15, 10);
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &libc::sched_param { sched_priority: 0 });
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
    pub(super) async fn offsets(&self, asked: &[Place], ask: Ask) -> Answered<Vec<OffsetAnswer>> {
        // SAFETY: the list is alive during the call, which copies it, and destroyed once.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let list = list(asked);
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

    /// The committed offsets of one group, which is all that a call takes: every one, or on some partitions. With no broker
    /// to ask, librdkafka finds it.
    pub(super) async fn commits(&self, group: &str, of: Option<&[Place]>, ask: Ask) -> Answered<Vec<OffsetAnswer>> {
        // SAFETY: list and request are alive during the calls, which copy them, and destroyed once.
        let pending = self.submit(ask, |rk, o, q| unsafe {
            let list = of.map_or(std::ptr::null_mut(), |of| list(of));
            let mut request = sys::rd_kafka_ListConsumerGroupOffsets_new(c_string(group).as_ptr(), list);
            sys::rd_kafka_ListConsumerGroupOffsets(rk, &raw mut request, 1, o, q);
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(request);
            of.inspect(|_| sys::rd_kafka_topic_partition_list_destroy(list));
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

/// A list of partitions, to be destroyed once.
unsafe fn list(of: &[Place]) -> *mut sys::rd_kafka_topic_partition_list_t {
    let list = sys::rd_kafka_topic_partition_list_new(c_int::try_from(of.len()).unwrap_or(0));
    for of in of.chunk_by(|a, b| a.0 == b.0) {
        let topic = c_string(of.first().map_or("", |(topic, ..)| topic));
        for (_, partition, offset) in of {
            (*sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), *partition)).offset = *offset;
        }
    }
    list
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
