//! The board as Prometheus metrics: text format 0.0.4, or OpenMetrics 1.0 for those who ask for it.
//!
//! What is shown stands once, in the table of [`families`]; [`exposition`] writes it in pieces, so that the whole never
//! lies in memory. Unknown is a series that is absent, never NaN, −1 or 0.

pub mod detail;
pub mod exposition;
pub mod families;
pub mod negotiation;
mod rows;
#[cfg(test)]
mod tests;
mod units;
