//! Child processes that never outlive the test run, however it ends.
//!
//! A small shell holds each child and reads from a pipe that only this process can write to. When this process dies,
//! even by `kill -9`, the pipe closes: the shell kills the child, runs the script `end` where the child has left one in
//! its folder, and removes that. The shell has a process group of its own, so that Ctrl-C in a terminal reaches it this
//! way too.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const HOLD: &str = r#"
dir=$1; shift
"$@" </dev/null & child=$!
echo $child >"$dir/pid"
if read -r signal; then kill -"$signal" $child; wait $child; exit; fi
kill -KILL $child; wait $child; [ ! -e "$dir/end" ] || sh "$dir/end"; rm -rf "$dir"
"#;

/// A running child, whose output goes to `log` in its folder.
pub(crate) struct Held {
    shell: Child,
    dir: PathBuf,
}

impl Held {
    /// Starts `program arguments…`. The folder belongs to the child from now on.
    pub(crate) fn start(dir: &Path, program: &Path, arguments: &[&str]) -> Self {
        fs::remove_file(dir.join("pid")).ok();
        let log = File::create(dir.join("log")).unwrap();
        let shell = Command::new("sh")
            .args(["-c", HOLD, "hold"])
            .arg(dir)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { shell, dir: dir.to_owned() }
    }

    /// What the child has written so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Whether the child still runs; one that has ended and that nobody has waited for does not.
    pub(crate) fn runs(&self) -> bool {
        match fs::read_to_string(self.dir.join("pid")).unwrap_or_default().trim() {
            "" => true,
            pid => fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))),
        }
    }

    /// The process, for as long as it runs.
    pub(crate) fn pid(&self) -> u32 {
        fs::read_to_string(self.dir.join("pid")).unwrap().trim().parse().unwrap()
    }

    /// A number that the system knows of the child, from `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Sends the signal and does not wait for what comes of it: `STOP` freezes the child, `CONT` lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status().unwrap();
        assert!(sent.success(), "the child does not run: {}", self.log());
    }

    /// Sends the signal, waits for the end, keeps the folder. Returns the exit code, 128 and the signal's number where
    /// that ended it.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        let mut pipe = self.shell.stdin.take().unwrap();
        pipe.write_all(format!("{signal}\n").as_bytes()).unwrap();
        self.shell.wait().unwrap().code()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
