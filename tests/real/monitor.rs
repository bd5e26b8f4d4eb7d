//! `highwater run` with documents in a folder, and `highwater operator`, as a person runs them: files, metrics, log.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use highwater::store::Store;
use serde_json::Value;
use tempfile::TempDir;

use crate::highwater::running;
use crate::process::Held;
use crate::truth::generated;
use crate::wait::{eventually, eventually_some};

/// How long anything may take that takes a second on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running Highwater, with folders for documents, data and output.
pub(crate) struct Monitor {
    dir: TempDir,
    /// The command and what it is about, without where it keeps things.
    command: Vec<String>,
    held: Option<Held>,
}

impl Monitor {
    /// Starts on these documents, each in a file of its name, and waits until it serves.
    pub(crate) fn start(documents: &[(&str, &str)], flags: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("documents");
        fs::create_dir(&folder).unwrap();
        let folder = folder.to_string_lossy().into_owned();
        let mut monitor = Self { dir, command: owned(&[&["run", "-f", &folder], flags].concat()), held: None };
        documents.iter().for_each(|(name, text)| monitor.write(name, text));
        monitor.restart();
        monitor
    }

    /// Starts the operator with these flags, and waits until it serves.
    pub(crate) fn operator(flags: &[&str]) -> Self {
        let command = owned(&[&["operator"], flags].concat());
        let mut monitor = Self { dir: TempDir::new().unwrap(), command, held: None };
        monitor.restart();
        monitor
    }

    /// Starts again on the same folders, and waits until it serves.
    pub(crate) fn restart(&mut self) {
        let [data, output] = ["data", "output"].map(|name| self.text(name));
        let mut arguments: Vec<&str> = self.command.iter().map(String::as_str).collect();
        arguments.extend(["--data-dir", &data, "--output-dir", &output, "--listen", "127.0.0.1:0"]);
        self.held = Some(running(self.dir.path(), &arguments));
        eventually("it serves", PATIENCE, || {
            assert!(self.held().runs(), "it ended: {}", self.log());
            self.address().is_some()
        });
    }

    /// Sends the signal and waits for the end; returns exit code and time.
    pub(crate) fn stop(&mut self, signal: &str) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        (self.held.take().unwrap().stop(signal), begun.elapsed())
    }

    /// Writes a document as an editor does: beside, then renamed.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path("documents").join(name);
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), path).unwrap();
    }

    /// Deletes a document.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path("documents").join(name)).unwrap();
    }

    /// What it has logged since it was last started.
    pub(crate) fn log(&self) -> String {
        self.held().log()
    }

    /// Where the report of the monitor of this name is: `namespace/name`, or a name in the default namespace.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let folder = self.path(if name.contains('/') { "output" } else { "output/default" });
        folder.join(format!("{name}.json"))
    }

    /// The monitors that have a history in the database, once it was stopped.
    pub(crate) fn remembered(&self) -> Vec<String> {
        Store::open(&self.path("data")).unwrap().store.monitors().unwrap()
    }

    /// The report of the monitor of this name, where there is one.
    pub(crate) fn report(&self, name: &str) -> Option<Value> {
        let text = fs::read(self.file(name)).ok()?;
        Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: a torn report")))
    }

    /// The first report of a sample that began after `time` (milliseconds since 1970 UTC).
    #[track_caller]
    pub(crate) fn sampled_after(&self, name: &str, time: i64) -> Value {
        eventually_some("the next sample", PATIENCE, || {
            let report = self.report(name)?;
            let took = report["sampling"]["duration_seconds"].as_f64().unwrap() * 1e3;
            (generated(&report) - took as i64 - 1 > time).then_some(report)
        })
    }

    /// Waits for a report about which `holds` is true.
    #[track_caller]
    pub(crate) fn reports(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually_some(what, PATIENCE, || self.report(name).filter(&holds))
    }

    /// Status and body of the answer at a path.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address().unwrap());
        let get = ureq::get(url).config().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let mut answer = get.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> u64 {
        self.held().status("Threads")
    }

    /// How much memory it has, in MiB.
    pub(crate) fn resident(&self) -> u64 {
        self.held().status("VmRSS") / 1024
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("it was stopped")
    }

    /// The address it serves at, from its log.
    fn address(&self) -> Option<String> {
        let log = self.log();
        let (_, rest) = log.split_once("address=")?;
        rest.split_once(char::is_whitespace).map(|(address, _)| address.to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

/// A LagMonitor that samples every second what begins with `prefix`, and writes `<name>.json`.
pub(crate) fn document(name: &str, brokers: &str, prefix: &str) -> String {
    format!(
        "apiVersion: highwater.dev/v1alpha1
kind: LagMonitor
metadata: {{ name: {name} }}
spec:
  brokers: [\"{brokers}\"]
  groups: {{ include: [\"{prefix}*\"] }}
  topics: {{ include: [\"{prefix}*\"] }}
  sampling: {{ interval: 1s, coarseInterval: 10s, offlineAfter: 10s, onlineThreshold: 10s }}
  output: {{ file: {{ path: {name}.json }} }}
"
    )
}
