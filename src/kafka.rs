//! One read-only pass over a Kafka cluster, with partial failures as data.
//!
//! Never joins a group, never commits, decides nothing. The admin calls that the safe client lacks, and all
//! `unsafe` of the crate, are in `admin`.

mod admin;
mod answers;
mod assignment;
mod client;
mod commits;
mod configs;
pub mod connection;
mod failures;
mod faults;
mod groups;
mod hub;
mod oauth;
mod observe;
mod offsets;
mod outcome;
pub mod pem;
pub mod properties;
mod refusals;
mod request;
pub mod selection;
mod topics;

pub use admin::settle_in;
pub use client::Error;
pub use observe::Cluster;
