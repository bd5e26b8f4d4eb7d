//! One read-only pass over a Kafka cluster, with partial failures as data.
//!
//! Never joins a group, never commits, decides nothing. The admin calls that the safe client lacks, and all
//! `unsafe` of the crate, are in `admin`.

pub mod connection;
pub mod pem;
pub mod properties;
pub mod selection;
