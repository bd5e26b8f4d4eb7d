//! Highwater answers, for every Kafka consumer group: how old is the data it is working on, in seconds, and is that
//! all right?
//!
//! A spec becomes a plan, a plan observes Kafka, observations are remembered and judged, one report is posted, and
//! everybody shows that report:
//!
//! ```text
//! spec ──▶ plan ──▶ observe ──▶ remember ──▶ judge ──▶ post ──▶ show
//! crd    reconcile   kafka       store        lag      board    output · http · status · cli
//! ```

pub mod board;
pub mod cli;
pub mod clock;
pub mod crd;
pub mod http;
pub mod kafka;
pub mod lag;
pub mod monitor;
pub mod output;
pub mod reconcile;
pub mod sim;
pub mod store;
