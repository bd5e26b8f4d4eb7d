//! Consumers that live beside a test: they subscribe, read at a given pace, commit, and can be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

/// A member of a group at work. Leaves the group when dropped.
pub(crate) struct LiveConsumer {
    stop: Arc<AtomicBool>,
    read: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl LiveConsumer {
    /// Joins `group` on `topic`, reads from the first record, at most `per_second` of them, and commits what it has read
    /// every 200 ms.
    pub(crate) fn start(config: &ClientConfig, group: &str, topic: &str, per_second: u32) -> Self {
        let mut config = config.clone();
        config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        // With the newer protocol the broker says how long a session lasts.
        if config.get("group.protocol") != Some("consumer") {
            config.set("session.timeout.ms", "6000");
        }
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let (stop, read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = spawn({
            let (stop, read) = (stop.clone(), read.clone());
            move || consume(&consumer, &stop, &read, Duration::from_secs(1) / per_second)
        });
        Self { stop, read, thread: Some(thread) }
    }

    /// Records read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Commits, leaves the group, and returns when that is done.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for LiveConsumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn consume(consumer: &BaseConsumer, stop: &AtomicBool, read: &AtomicU64, pause: Duration) {
    let mut committed = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(50)) {
            read.fetch_add(1, Ordering::Relaxed);
            sleep(pause);
        }
        if committed.elapsed() > Duration::from_millis(200) {
            consumer.commit_consumer_state(CommitMode::Async).ok();
            committed = Instant::now();
        }
    }
    consumer.commit_consumer_state(CommitMode::Sync).ok();
}
