//! `highwater run` with Secrets and every log line that there is, for tests of what may never be seen.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::highwater::running;
use crate::process::Held;
use crate::wait::eventually_some;

/// A running Highwater that samples LagMonitors of the namespace `default`, and logs everything that it can.
pub(crate) struct Monitor {
    process: Held,
    dir: PathBuf,
    address: String,
}

impl Monitor {
    /// Starts it with documents, and a folder of Secrets given as name, key and value.
    pub(crate) fn start(documents: &[Value], secrets: &[(&str, &str, &str)]) -> Self {
        let dir = TempDir::new().unwrap().keep();
        for (name, key, value) in secrets {
            write_secret(&dir, name, key, value);
        }
        let documents: Vec<String> = documents.iter().map(|document| format!("---\n{document}\n")).collect();
        fs::write(dir.join("monitors.yaml"), documents.concat()).unwrap();
        let folder = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let (file, secrets, data, output) =
            (folder("monitors.yaml"), folder("secrets"), folder("data"), folder("output"));
        let mut arguments = vec!["run", "-f", &file, "--data-dir", &data, "--output-dir", &output];
        if dir.join("secrets").exists() {
            arguments.extend(["--secrets-dir", &secrets]);
        }
        arguments.extend(["--listen", "127.0.0.1:0", "--log-level", "trace", "--log-format", "json"]);
        let process = running(&dir, &arguments);
        let address = eventually_some("it serves metrics", Duration::from_secs(30), || {
            assert!(process.runs(), "it ended:\n{}", process.log());
            let log = process.log();
            let line = log.lines().find(|line| line.contains("serving probes and metrics"))?;
            Some(serde_json::from_str::<Value>(line).unwrap()["address"].as_str().unwrap().to_owned())
        });
        Self { process, dir, address }
    }

    /// The report of a monitor whose file is that of `document`; `None` before the first one.
    pub(crate) fn report(&self, name: &str) -> Option<Value> {
        let text = fs::read(self.dir.join(format!("output/default/{name}.json"))).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// The sum of a metric over the series that have all these labels; `None` where there is none.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let text = self.metrics();
        let series = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} "));
        let values = series.filter(|(found, _)| labels.iter().all(|label| found.contains(label.as_str())));
        values.map(|(_, value)| value.parse::<f64>().unwrap()).reduce(|a, b| a + b)
    }

    /// `/metrics` as text.
    pub(crate) fn metrics(&self) -> String {
        ureq::get(format!("http://{}/metrics", self.address)).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Replaces one key of the folder of Secrets.
    pub(crate) fn write_secret(&self, name: &str, key: &str, value: &str) {
        write_secret(&self.dir, name, key, value);
    }
}

/// A LagMonitor of one second's interval, with a report file, that has the given fields of `spec` beside.
pub(crate) fn document(name: &str, fields: &Value) -> Value {
    let mut spec = json!({
        "sampling": { "interval": "1s", "coarseInterval": "10s" },
        "output": { "file": { "path": format!("{name}.json") } },
    });
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let metadata = json!({ "name": name, "namespace": "default" });
    json!({ "apiVersion": "highwater.dev/v1alpha1", "kind": "LagMonitor", "metadata": metadata, "spec": spec })
}

/// A Secret of the namespace `default`.
pub(crate) fn secret(name: &str, key: &str, value: &str) -> Value {
    let metadata = json!({ "name": name, "namespace": "default" });
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { key: value } })
}

fn write_secret(dir: &std::path::Path, name: &str, key: &str, value: &str) {
    let folder = dir.join("secrets").join(name);
    fs::create_dir_all(&folder).unwrap();
    let beside = folder.join(format!(".{key}"));
    fs::write(&beside, value).unwrap();
    fs::rename(beside, folder.join(key)).unwrap();
}
