//! The embedded simulated Kafka cluster on loopback: for the demo, fast tests and scale; never in a real one's path.
//!
//! Logs and consumers are functions of time (`log`, `consumer`); `cluster` holds them and can be changed while it runs;
//! `broker` and `answer` speak Kafka's protocol, so that the real client talks to it. It answers what an observer asks,
//! and takes no records. It is no Kafka: what it shows is proven on the real one.

pub mod cluster;
pub mod consumer;
pub mod group;
pub mod log;
pub mod stories;
