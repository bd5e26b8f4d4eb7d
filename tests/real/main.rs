//! Tests against real parts: Apache Kafka in three flavours, started by the tests themselves and gone with them.
//!
//! `cargo test --test real one_test` is the loop to work in: a broker starts in two seconds. The jars come from
//! `tests/bed/kafka/install`, once; `tests/run` calls it. Each test has topics and groups of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod ages;
mod arrivals;
mod bed;
mod churn;
mod client;
mod cluster;
mod commands;
mod compaction;
mod consumer;
mod control_plane;
mod deletion;
mod disorder;
mod documents;
mod failover;
mod highwater;
mod kafka;
mod login;
mod monitor;
mod network;
mod observer;
mod oddities;
mod operated;
mod process;
mod producer;
mod protocols;
mod publishing;
mod refusal;
mod resource;
mod rotation;
mod run;
mod scrape;
mod secrets;
mod shapes;
mod specs;
mod testbed;
mod traced;
mod truth;
mod wait;
