//! A network of its own, in which a node, its pods, and all that talks to them live.
//!
//! The kernel keeps it for each thread: what is done `inside` happens there, with every thread and process that it starts.

use std::fs::File;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::process::Held;
use crate::wait::eventually;

/// The address of the bridge that pods are attached to. What is to be reached from pods listens there.
pub(crate) const BRIDGE: &str = "10.88.0.1";

/// A network namespace with a bridge, and no way out of it.
pub(crate) struct Netns(Held);

impl Netns {
    /// Starts it with a script.
    pub(crate) fn start(script: &Path) -> Self {
        let holder = Held::start(&TempDir::new().unwrap().keep(), script, &[BRIDGE]);
        eventually("there is a bridge", Duration::from_secs(10), || {
            assert!(holder.runs(), "no network:\n{}", holder.log());
            holder.log().contains("ready")
        });
        Self(holder)
    }

    /// Does something inside, and returns what comes of it.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let link = File::open(format!("/proc/{}/ns/net", self.0.pid())).unwrap();
        let enter_and_work = || {
            move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network)).expect("only root may enter");
            work()
        };
        thread::scope(|scope| scope.spawn(enter_and_work).join().unwrap_or_else(|panic| resume_unwind(panic)))
    }
}
