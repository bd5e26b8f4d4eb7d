//! LagMonitors, Secrets and ConfigMaps from files, each checked; what is bad is refused by file, line and field.
//!
//! Reading the bytes is left to `files`, making plans to `plan`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use serde_json::Value;

use super::files::Files;
use super::marked::{self, Document, Lines};
use super::plan::{Invalid, name_of};
use super::resolve::{Data, Kind, Resolved};
use super::schema::{Problem, Schema, SchemaError};
use crate::crd::{self, LagMonitor};
use crate::lag::report::MonitorName;

/// The namespace of a document that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Reads documents; holds the schema that they are checked with.
#[derive(Debug)]
pub struct Documents {
    schema: Schema,
}

/// What the files hold.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The good LagMonitors, in the order of the files.
    pub monitors: Vec<Sourced<LagMonitor>>,
    /// Secrets and ConfigMaps.
    pub objects: Objects,
    /// Everything that is wrong, in the order of the files.
    pub refused: Vec<Refusal>,
}

/// Secrets and ConfigMaps of documents, by namespace, and those Secrets of a folder that stand in for all namespaces.
#[derive(Debug, Default)]
pub struct Objects {
    namespaces: BTreeMap<String, Resolved>,
    everywhere: Resolved,
}

/// A resource and where it was written.
#[derive(Debug, Clone)]
pub struct Sourced<T> {
    /// The resource.
    pub value: T,
    /// The file.
    pub file: PathBuf,
    /// The line of each of its fields.
    pub lines: Lines,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `spec.brokers[0]`; empty for the document as a whole.
    pub field: String,
    /// The word for it in logs.
    pub reason: &'static str,
    /// What is wrong and what is allowed.
    pub message: String,
    /// The LagMonitor that it is about, where that can be told.
    pub monitor: Option<MonitorName>,
}

/// The reason of what the schema, or the file as such, refuses.
pub(super) const INVALID: &str = "InvalidSpec";

impl Sourced<LagMonitor> {
    /// The refusal of this resource, which no plan can be made of.
    pub fn refusal(&self, invalid: &Invalid) -> Refusal {
        let problem = Problem { field: invalid.field.clone(), message: invalid.problem.to_string() };
        let (reason, monitor) = (invalid.problem.reason(), Some(name_of(&self.value.metadata)));
        Refusal { reason, monitor, ..refusal(&self.file, &self.lines, problem) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl Objects {
    /// What a LagMonitor of a namespace may refer to. A document goes before a folder of the same name.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Resolved {
        let mut resolved = self.everywhere.clone();
        if let Some(own) = self.namespaces.get(namespace) {
            resolved.extend(own);
        }
        resolved
    }
}

impl Documents {
    /// Prepares for reading.
    ///
    /// # Errors
    /// When the schema of the resources does not compile.
    pub fn new() -> Result<Self, SchemaError> {
        Ok(Self { schema: Schema::lag_monitor()? })
    }

    /// Reads and checks every document.
    #[must_use]
    pub fn load(&self, files: &Files) -> Loaded {
        let mut loaded = Loaded::default();
        for (file, text) in &files.documents {
            match text {
                Ok(text) => self.load_text(file, text, &mut loaded),
                Err(error) => loaded.refused.push(unreadable(file, error)),
            }
        }
        for (name, data) in &files.secrets {
            loaded.objects.everywhere.insert(Kind::Secret, name, data.clone());
        }
        loaded.refused.extend(files.unreadable_secrets.iter().map(|(path, error)| unreadable(path, error)));
        loaded
    }

    fn load_text(&self, file: &Path, text: &str, loaded: &mut Loaded) {
        for document in marked::parse(text) {
            match document {
                Ok(document) => {
                    for document in document.unfolded() {
                        if let Err(problems) = self.load_document(file, &document, loaded) {
                            let monitor = monitor_of(&document.value);
                            let of = |problem| refusal(file, &document.lines, problem);
                            let refuse = |problem| Refusal { monitor: monitor.clone(), ..of(problem) };
                            let mut refused: Vec<_> = problems.into_iter().map(refuse).collect();
                            refused.sort_by_key(|refusal| refusal.line);
                            loaded.refused.append(&mut refused);
                        }
                    }
                }
                Err(error) => loaded.refused.push(Refusal {
                    file: file.to_owned(),
                    line: error.line,
                    field: String::new(),
                    reason: INVALID,
                    message: error.to_string(),
                    monitor: None,
                }),
            }
        }
    }

    fn load_document(&self, file: &Path, document: &Document, loaded: &mut Loaded) -> Result<(), Vec<Problem>> {
        let text = |field: &str| document.value.get(field).and_then(Value::as_str).unwrap_or_default();
        match (text("apiVersion"), text("kind")) {
            (crd::API_VERSION, "LagMonitor") => {
                let monitor = self.lag_monitor(&document.value)?;
                if let Some(taken) = loaded.monitors.iter().find(|other| names(&other.value) == names(&monitor)) {
                    return Err(vec![written_twice(&monitor, taken)]);
                }
                loaded.monitors.push(Sourced { value: monitor, file: file.to_owned(), lines: document.lines.clone() });
                Ok(())
            }
            ("v1", "Secret") => loaded.objects.add(Kind::Secret, &document.value).map_err(|problem| vec![problem]),
            ("v1", "ConfigMap") => {
                loaded.objects.add(Kind::ConfigMap, &document.value).map_err(|problem| vec![problem])
            }
            (api_version, kind) => Err(vec![wrong_kind(api_version, kind)]),
        }
    }

    fn lag_monitor(&self, document: &Value) -> Result<LagMonitor, Vec<Problem>> {
        let problems = self.schema.check(document);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut document = self.schema.cleaned(document);
        // A document that was exported from a cluster has a status and a uid; they are not ours to believe.
        document.as_object_mut().and_then(|fields| fields.remove("status"));
        let mut monitor: LagMonitor =
            serde_json::from_value(document).map_err(|error| vec![problem("", error.to_string())])?;
        monitor.metadata.namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
        monitor.metadata.uid = None;
        Ok(monitor)
    }
}

impl Objects {
    fn add(&mut self, kind: Kind, document: &Value) -> Result<(), Problem> {
        let metadata = &document["metadata"];
        let name = metadata["name"].as_str().ok_or_else(|| problem("metadata.name", "Required value: write a name"))?;
        let namespace = match &metadata["namespace"] {
            Value::Null => DEFAULT_NAMESPACE,
            Value::String(namespace) => namespace,
            _ => return Err(problem("metadata.namespace", "write the namespace as a string")),
        };
        let mut data = Data::new();
        for (field, encoded) in fields_of(kind) {
            read_data(&document[field], field, *encoded, &mut data)?;
        }
        if self.namespaces.entry(namespace.to_owned()).or_default().insert(kind, name, data).is_some() {
            let message = format!("{kind} {namespace}/{name} is written twice: write it once");
            return Err(problem("metadata.name", message));
        }
        Ok(())
    }
}

/// The fields that hold data, later ones first in rank, and whether they are base64.
fn fields_of(kind: Kind) -> &'static [(&'static str, bool)] {
    match kind {
        Kind::Secret => &[("data", true), ("stringData", false)],
        Kind::ConfigMap => &[("data", false), ("binaryData", true)],
    }
}

/// Reads one field of data. The messages hold keys, never values.
fn read_data(fields: &Value, field: &str, encoded: bool, data: &mut Data) -> Result<(), Problem> {
    let fields = match fields {
        Value::Null => return Ok(()),
        Value::Object(fields) => fields,
        _ => return Err(problem(field, "write a mapping of keys to strings")),
    };
    for (key, value) in fields {
        let wrong = |message| problem(format!("{field}.{key}"), message);
        let Some(text) = value.as_str() else {
            return Err(wrong("write the value as a string: in quotes if it looks like a number or true"));
        };
        let bytes = if encoded {
            let decoded = serde_json::from_value::<ByteString>(value.clone());
            decoded.map_err(|_| wrong("write the value in base64, or the plain text under stringData"))?.0
        } else {
            text.as_bytes().to_vec()
        };
        data.insert(key.clone(), bytes);
    }
    Ok(())
}

fn wrong_kind(api_version: &str, kind: &str) -> Problem {
    let allowed = format!(
        "allowed are apiVersion {} with kind LagMonitor, and apiVersion v1 with kind Secret or ConfigMap",
        crd::API_VERSION
    );
    let (field, written) = match kind {
        "LagMonitor" | "Secret" | "ConfigMap" => ("apiVersion", api_version),
        _ => ("kind", kind),
    };
    let message = if written.is_empty() {
        format!("Required value: {allowed}")
    } else {
        format!("Unsupported value: {written:?}: {allowed}")
    };
    problem(field, message)
}

fn written_twice(monitor: &LagMonitor, taken: &Sourced<LagMonitor>) -> Problem {
    let (namespace, name) = names(monitor);
    let first = format!("{}:{}", taken.file.display(), taken.lines.of("metadata.name"));
    let message =
        format!("LagMonitor {namespace}/{name} is written in {first} already: write another name or namespace");
    problem("metadata.name", message)
}

/// The name that a document gives its LagMonitor; `None` where it has none, or is something else.
fn monitor_of(document: &Value) -> Option<MonitorName> {
    document["kind"].as_str().filter(|kind| *kind == "LagMonitor")?;
    let text = |field: &str| document["metadata"][field].as_str().map(str::to_owned);
    Some(MonitorName {
        namespace: text("namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        name: text("name")?,
    })
}

fn names(monitor: &LagMonitor) -> (&str, &str) {
    let metadata = &monitor.metadata;
    (metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE), metadata.name.as_deref().unwrap_or_default())
}

fn problem(field: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem { field: field.into(), message: message.into() }
}

fn refusal(file: &Path, lines: &Lines, problem: Problem) -> Refusal {
    let line = lines.of(&problem.field);
    let Problem { field, message } = problem;
    Refusal { file: file.to_owned(), line, field, reason: INVALID, message, monitor: None }
}

fn unreadable(file: &Path, error: &str) -> Refusal {
    Refusal {
        file: file.to_owned(),
        line: 1,
        field: String::new(),
        reason: INVALID,
        message: format!("can't be read: {error}"),
        monitor: None,
    }
}

#[cfg(test)]
mod tests;
