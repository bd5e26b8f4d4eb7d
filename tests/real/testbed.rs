//! Where the parts of the test bed lie, and how its scripts are run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that the parts are installed into, outside of the checkout.
pub(crate) fn cache() -> PathBuf {
    let user = || {
        env::var_os("XDG_CACHE_HOME")
            .map_or_else(|| PathBuf::from(env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from)
    };
    env::var_os("HIGHWATER_TESTBED").map_or_else(|| user().join("highwater-testbed"), PathBuf::from)
}

/// A small file that a script has written.
pub(crate) fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap().trim().to_owned()
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}
