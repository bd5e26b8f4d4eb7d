//! Log lines on standard error, for people or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::filter::targets::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::arguments::{Log, LogFormat};
use crate::output::table::colours_wanted;

/// Starts logging at the level asked for, or at `default`.
pub(super) fn start(log: &Log, default: &str) {
    let targets = log.log_level.clone().unwrap_or_else(|| default.parse().unwrap_or_else(|_| Targets::new()));
    let colours = colours_wanted(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match log.log_format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
