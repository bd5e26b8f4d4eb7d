//! The pure core: what is measured, and what it means.
//!
//! Takes observations and a time, returns judgements. It does no input or output, reads no clock, and cannot fail:
//! where it does not know, it says so and why. It leaves asking Kafka to `kafka` and keeping rows to `store`.

pub mod advice;
pub mod aggregate;
pub mod alert;
pub mod anomaly;
pub mod bracket;
pub mod budget;
pub mod change;
pub mod conduct;
pub mod event;
pub mod extent;
pub mod fairness;
pub mod govern;
pub mod history;
pub mod judge;
pub mod memory;
pub mod observation;
pub mod packed;
pub mod policy;
pub mod progress;
pub mod reason;
pub mod rebalance;
pub mod refine;
pub mod replicas;
pub mod report;
pub mod slo;
pub mod spread;
pub mod state;
#[cfg(test)]
mod tests;
pub mod thin;
pub mod trend;

use std::sync::Arc;

/// Milliseconds: a point in time since 1970-01-01 UTC, or a length of time. Negative lengths never leave this room.
pub type Millis = i64;

/// A record's position in one partition, as Kafka counts it.
pub type Offset = i64;

/// The number of a partition within its topic, from 0.
pub type Partition = i32;

/// The number of a broker, from 0.
pub type BrokerId = i32;

/// A name that many values share: a topic, a group, a member.
pub type Name = Arc<str>;

/// Kafka's identity of one life of a topic: deleted and created again, a topic has another one.
pub type TopicId = [u8; 16];
