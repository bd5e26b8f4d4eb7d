//! Stories told sample by sample, and what must hold for every log.

mod properties;
mod scenarios;
