//! The binary under test, run as a person runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::Held;

/// What a run left: its exit code and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// The binary: the one in `HIGHWATER_BIN`, else the one that this test was built with.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("HIGHWATER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_highwater").into(), PathBuf::from)
}

/// Runs `highwater arguments…` to its end.
pub(crate) fn highwater(arguments: &[&str]) -> Outcome {
    highwater_with(&[], arguments)
}

/// Runs `highwater arguments…` to its end, with further environment variables.
pub(crate) fn highwater_with(variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let mut command = Command::new(binary());
    command.args(arguments).envs(variables.iter().copied());
    outcome(command)
}

fn outcome(mut command: Command) -> Outcome {
    let output = command.env("RUST_BACKTRACE", "0").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs `highwater arguments…` to its end on a system that trusts one authority alone.
pub(crate) fn highwater_trusting(authority: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("unshare");
    let there = "mount --bind \"$0\" /etc/ssl/certs/ca-certificates.crt && exec \"$@\"";
    command.args(["--mount", "sh", "-c", there]).arg(authority).arg(binary()).args(arguments);
    outcome(command)
}

/// Starts `highwater arguments…`, which runs until it is stopped or dropped. The folder is for its log, and goes with it.
pub(crate) fn running(dir: &Path, arguments: &[&str]) -> Held {
    Held::start(dir, &binary(), arguments)
}
