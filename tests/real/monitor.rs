//! `highwater run` with documents in a folder, and `highwater operator`, as a person runs them: files, metrics, log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use highwater::store::Store;
use serde_json::Value;
use tempfile::TempDir;

use crate::highwater::{binary, running};
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
    /// How large the disk is that its data are on, where it is one of their own.
    disk: Option<&'static str>,
    held: Option<Held>,
}

impl Monitor {
    /// Starts on these documents, each in a file of its name, and waits until it serves.
    pub(crate) fn start(documents: &[(&str, &str)], flags: &[&str]) -> Self {
        Self::start_on(None, documents, flags)
    }

    /// The same with its data on a disk of their own, as large as that: `2m`. The disk goes with the process.
    pub(crate) fn on_small_disk(size: &'static str, documents: &[(&str, &str)]) -> Self {
        Self::start_on(Some(size), documents, &[])
    }

    fn start_on(disk: Option<&'static str>, documents: &[(&str, &str)], flags: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("documents");
        fs::create_dir(&folder).unwrap();
        let folder = folder.to_string_lossy().into_owned();
        let mut monitor = Self { dir, command: owned(&[&["run", "-f", &folder], flags].concat()), disk, held: None };
        documents.iter().for_each(|(name, text)| monitor.write(name, text));
        monitor.restart();
        monitor
    }

    /// Starts the operator with these flags, and waits until it serves.
    pub(crate) fn operator(flags: &[&str]) -> Self {
        Self::operator_on(None, flags)
    }

    /// The same with its data on a disk of their own, as large as that.
    pub(crate) fn operator_on(disk: Option<&'static str>, flags: &[&str]) -> Self {
        let command = owned(&[&["operator"], flags].concat());
        let mut monitor = Self { dir: TempDir::new().unwrap(), command, disk, held: None };
        monitor.restart();
        monitor
    }

    /// Starts again on the same folders, and waits until it serves.
    pub(crate) fn restart(&mut self) {
        let [data, output] = ["data", "output"].map(|name| self.text(name));
        let mut arguments: Vec<&str> = self.command.iter().map(String::as_str).collect();
        arguments.extend(["--data-dir", &data, "--output-dir", &output]);
        if !arguments.contains(&"--listen") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        self.held = Some(match self.disk {
            None => running(self.dir.path(), &arguments),
            Some(size) => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bed/small-disk");
                let binary = binary().to_string_lossy().into_owned();
                let command = [&[size, &data, &binary], &arguments[..]].concat();
                Held::start(self.dir.path(), Path::new(script), &command)
            }
        });
        eventually("it serves", PATIENCE, || {
            assert!(self.held().runs(), "it ended: {}", self.log());
            self.address().is_some()
        });
    }

    /// Starts the operator again with other flags.
    pub(crate) fn restart_with(&mut self, flags: &[&str]) {
        self.command = owned(&[&["operator"], flags].concat());
        self.restart();
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
        Store::open(&self.path("data")).unwrap().store.monitors().unwrap().into_keys().collect()
    }

    /// The folder of its database, as the process sees it while it runs.
    pub(crate) fn data(&self) -> PathBuf {
        match (self.disk, &self.held) {
            (Some(_), Some(held)) => PathBuf::from(format!("/proc/{}/root{}", held.pid(), self.text("data"))),
            _ => self.path("data"),
        }
    }

    /// Sends a signal and does not wait for what comes of it.
    pub(crate) fn signal(&self, signal: &str) {
        self.held().signal(signal);
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
        self.ask(path, None)
    }

    /// The same for the owner of a token.
    pub(crate) fn ask(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let url = format!("http://{}{path}", self.address().unwrap());
        let mut get = ureq::get(url);
        if let Some(token) = token {
            get = get.header("Authorization", format!("Bearer {token}"));
        }
        let get = get.config().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let mut answer = get.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> u64 {
        self.held().status("Threads")
    }

    /// How many files and connections it has open.
    pub(crate) fn handles(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.held().pid())).unwrap().count()
    }

    /// Everything below the folder of the report files, by its path there.
    pub(crate) fn output(&self) -> Vec<PathBuf> {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            paths.into_iter().flat_map(|path| [below(&path), vec![path]].concat()).collect()
        }
        below(&self.path("output"))
    }

    /// How much memory it has, in MiB.
    pub(crate) fn resident(&self) -> u64 {
        self.held().status("VmRSS") / 1024
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("it was stopped")
    }

    /// The address it serves at, from its log.
    pub(crate) fn address(&self) -> Option<String> {
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
