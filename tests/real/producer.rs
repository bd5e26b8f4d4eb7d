//! A producer that lives beside a test: writes records of this moment at a given pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// A producer at work, until dropped.
pub(crate) struct LiveProducer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LiveProducer {
    /// Writes `per_second` records a second to the first partition of `topic`.
    pub(crate) fn start(config: &ClientConfig, topic: &str, per_second: u32) -> Self {
        let producer: BaseProducer = config.create().unwrap();
        let (topic, stop) = (topic.to_owned(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let thread = spawn(move || {
            let (begun, mut written) = (Instant::now(), 0_u64);
            while !stopped.load(Ordering::Relaxed) {
                let due = (begun.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
                while written < due {
                    producer.send(BaseRecord::<(), _>::to(&topic).partition(0).payload("x")).unwrap();
                    written += 1;
                }
                producer.poll(Duration::ZERO);
                sleep(Duration::from_millis(10));
            }
            producer.flush(Duration::from_secs(30)).unwrap();
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for LiveProducer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
