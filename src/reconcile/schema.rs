//! Checks a LagMonitor document as an API server does: bounds by the generated schema, then the CEL rules.
//!
//! The sentences are those of an API server, with what is allowed behind them. As by its strict field validation,
//! unknown fields are refused. Stricter than it, so is a field with nothing behind it and no default: `tls:` is never
//! read as "no TLS".

mod sentence;
mod strict;

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::{Location, LocationSegment};
use kube::core::cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde_json::{Map, Value};

use self::sentence::{explained, instead, sentence};
use crate::crd;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.brokers[0]`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// The schema of this program's own resources can't be used, which is a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("the schema of LagMonitor is unusable: {0}")]
pub struct SchemaError(String);

/// The schema of LagMonitor, ready to check documents.
#[derive(Debug)]
pub struct Schema {
    open: Value,
    strict: Value,
    bounds: jsonschema::Validator,
    rules: CompiledSchema,
}

impl Schema {
    /// Compiles the schema of [`crd::LagMonitor`].
    ///
    /// # Errors
    /// When the generated schema does not compile.
    pub fn lag_monitor() -> Result<Self, SchemaError> {
        let fault = |error: &dyn std::fmt::Display| SchemaError(error.to_string());
        let version = crd::definition().spec.versions.into_iter().next();
        let props = version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema);
        let open = serde_json::to_value(props).map_err(|error| fault(&error))?;
        let strict = strict::strict(&open);
        let bounds = jsonschema::validator_for(&strict).map_err(|error| fault(&error))?;
        let rules = compile_schema(&open);
        Ok(Self { open, strict, bounds, rules })
    }

    /// Every problem of a document; none when it is good.
    ///
    /// As on an API server, rules are asked unless a field is missing, is too long, or is of the wrong type.
    #[must_use]
    pub fn check(&self, document: &Value) -> Vec<Problem> {
        let document = self.cleaned(document);
        let errors: Vec<_> = self.bounds.iter_errors(&document).collect();
        let blocks = |error: &jsonschema::ValidationError<'_>| {
            let kind = error.kind();
            matches!(kind, Kind::Required { .. } | Kind::Type { .. } | Kind::Enum { .. })
                || matches!(kind, Kind::MaxLength { .. } | Kind::MaxItems { .. })
        };
        let mut problems: Vec<_> = errors.iter().flat_map(|error| self.sentences(error)).collect();
        find_duplicates(&document, &self.open, "", &mut problems);
        if !errors.iter().any(blocks) {
            let defaulted = apply_defaults(&self.open, &document);
            let failed = Validator::new().validate_compiled(&self.rules, &defaulted, None).err();
            let failed = failed.into_iter().flatten();
            problems.extend(failed.map(|error| Problem { field: error.field_path, message: error.message }));
        }
        problems
    }

    /// The document as an API server stores it: a field that is null, and has a default, is not there.
    #[must_use]
    pub fn cleaned(&self, document: &Value) -> Value {
        without_defaulted_nulls(document, &self.open)
    }

    fn sentences(&self, error: &jsonschema::ValidationError<'_>) -> Vec<Problem> {
        let field = field_path(error.instance_path());
        let schema = parent(&self.strict, error.schema_path().as_str());
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let known = schema.and_then(|schema| schema["properties"].as_object());
                let known: Vec<_> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                let unknown = |name: &String| {
                    let field = join(&field, name);
                    let message = format!("unknown field {field:?}: allowed here are {}", known.join(", "));
                    Problem { field, message }
                };
                unexpected.iter().map(unknown).collect()
            }
            Kind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                let (mut field, mut schema) =
                    (join(&field, property), schema.map(|schema| &schema["properties"][property]));
                // `metadata` says nothing to people; the name that has to be in it does.
                if field == "metadata" {
                    field = join(&field, "name");
                    schema = schema.map(|schema| &schema["properties"]["name"]);
                }
                let text = schema.and_then(|schema| schema["description"].as_str());
                vec![Problem { field, message: explained("Required value".into(), text) }]
            }
            kind => {
                let (said, text) = (sentence(kind, &field, error.instance()), self.description(error.schema_path()));
                let message = match (kind, text) {
                    (Kind::Type { .. }, _) => {
                        let said = explained(said, text);
                        let what = schema.and_then(|schema| instead(kind, error.instance(), schema));
                        what.map_or(said.clone(), |what| format!("{what}: {said}"))
                    }
                    // What to write stands before the expression, which few can read.
                    (Kind::Pattern { .. }, Some(text)) => format!("{text} {said}"),
                    _ => explained(said, text),
                };
                vec![Problem { field, message }]
            }
        }
    }

    /// The description of the field at or above a place in the schema.
    fn description(&self, place: &Location) -> Option<&str> {
        let mut place = place.as_str();
        while let Some((above, _)) = place.rsplit_once('/') {
            place = above;
            if let Some(text) = self.strict.pointer(place).and_then(|schema| schema["description"].as_str()) {
                return Some(text);
            }
        }
        None
    }
}

/// The schema that holds the keyword at a place.
fn parent<'a>(schema: &'a Value, place: &str) -> Option<&'a Value> {
    place.rsplit_once('/').and_then(|(above, _)| schema.pointer(above))
}

fn field_path(location: &Location) -> String {
    location.segments().fold(String::new(), |path, segment| match segment {
        LocationSegment::Index(index) => format!("{path}[{index}]"),
        LocationSegment::Property(name) => join(&path, &name),
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// An API server reads `field: null` as an absent field where there is a default.
fn without_defaulted_nulls(value: &Value, schema: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = |(name, field): &(&String, &Value)| {
                !field.is_null() || schema["properties"][name.as_str()].get("default").is_none()
            };
            let clean = |(name, field): (&String, &Value)| {
                (name.clone(), without_defaulted_nulls(field, &schema["properties"][name.as_str()]))
            };
            Value::Object(fields.iter().filter(kept).map(clean).collect())
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| without_defaulted_nulls(item, &schema["items"])).collect())
        }
        other => other.clone(),
    }
}

/// Lists that are sets or keyed maps hold nothing twice.
fn find_duplicates(value: &Value, schema: &Value, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                find_duplicates(field, &schema["properties"][name.as_str()], &join(path, name), problems);
            }
        }
        Value::Array(items) => {
            let mut seen = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let field = format!("{path}[{index}]");
                let Some(key) = list_key(item, schema) else { continue };
                if !seen.insert(key.clone()) {
                    problems.push(Problem { field, message: format!("Duplicate value: {key}") });
                }
            }
        }
        _ => {}
    }
}

fn list_key(item: &Value, schema: &Value) -> Option<String> {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(item.to_string()),
        Some("map") => {
            let item = apply_defaults(&schema["items"], item);
            let names = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let key: Map<_, _> = names.map(|name| (name.to_owned(), item[name].clone())).collect();
            Some(Value::Object(key).to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::reconcile::marked;

    fn samples(folder: &str) -> Vec<(PathBuf, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
    }

    fn header<'a>(text: &'a str, name: &str) -> &'a str {
        text.lines().find_map(|line| line.strip_prefix(&format!("# {name}: "))).unwrap()
    }

    #[test]
    fn every_bad_sample_is_refused_with_the_sentence_that_it_states() {
        let schema = Schema::lag_monitor().unwrap();
        let samples = samples("invalid");
        assert!(samples.len() >= 40, "only {} samples", samples.len());
        for (path, text) in samples {
            let [Ok(document)] = &marked::parse(&text)[..] else { panic!("{path:?}") };
            let problems = schema.check(&document.value);
            let stated = ["field", "line", "says"].map(|name| header(&text, name).to_owned());
            let told = problems.iter().map(|problem| {
                [problem.field.clone(), document.lines.of(&problem.field).to_string(), problem.message.clone()]
            });
            assert_eq!(told.collect::<Vec<_>>(), [stated], "{path:?}");
        }
    }

    #[test]
    fn every_good_sample_passes() {
        let schema = Schema::lag_monitor().unwrap();
        for (path, text) in samples("valid") {
            let [Ok(document)] = &marked::parse(&text)[..] else { panic!("{path:?}") };
            assert_eq!(schema.check(&document.value), [], "{path:?}");
            serde_json::from_value::<crd::LagMonitor>(document.value.clone()).unwrap();
        }
    }

    fn check(spec: &Value) -> Vec<String> {
        let document = json!({
            "apiVersion": crd::API_VERSION, "kind": "LagMonitor", "metadata": { "name": "a" }, "spec": spec,
        });
        let problems = Schema::lag_monitor().unwrap().check(&document);
        problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
    }

    #[test]
    fn a_bound_is_told_with_the_meaning_of_its_field() {
        let told = check(&json!({ "brokers": ["a:1"], "sampling": { "rowsPerPartition": 5 } }));
        assert_eq!(
            told,
            [
                "spec.sampling.rowsPerPartition: Invalid value: 5: spec.sampling.rowsPerPartition in body should be greater \
              than or equal to 50. Rows of history kept for every partition, from 50 to 10000."
            ]
        );
    }

    #[test]
    fn what_to_write_instead_comes_first() {
        for (spec, starts) in [
            (
                json!({ "brokers": ["a:1"], "sampling": { "interval": 60 } }),
                "spec.sampling.interval: 60 stands here: write a duration with a unit, such as 60s: Invalid value: \"integer\"",
            ),
            (
                json!({ "brokers": ["a:1"], "suspend": "yes" }),
                "spec.suspend: \"yes\" stands here: write true or false,",
            ),
            (json!({ "brokers": "a:1" }), "spec.brokers: \"a:1\" stands here: write a list: Invalid value"),
            (json!({ "brokers": ["kafka"] }), "spec.brokers[0]: write host:port with a port from 1 to 65535, such as "),
            (
                json!({ "brokers": ["a:1"], "sampling": { "interval": "one minute" } }),
                "spec.sampling.interval: write a duration from 1s to 1h, such as 90s or 5m",
            ),
        ] {
            let told = check(&spec);
            assert!(told.len() == 1 && told[0].starts_with(starts), "{told:?}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_once() {
        for (interval, coarse) in [("", "1h"), ("5", "1h"), ("one minute", "an hour"), ("1d", "1h")] {
            let sampling = json!({ "interval": interval, "coarseInterval": coarse });
            let told = check(&json!({ "brokers": ["a:1"], "sampling": sampling }));
            assert_eq!(told.len(), if coarse == "1h" { 1 } else { 2 }, "{told:#?}");
            assert!(told.iter().all(|told| told.contains(": write a duration from ")), "{told:#?}");
        }
    }

    #[test]
    fn rules_are_asked_beside_bounds_but_not_of_what_is_of_the_wrong_type() {
        let bad = |slo: Value| json!({ "brokers": ["a"], "slo": { "maxRebalances": slo } });
        assert_eq!(check(&bad(json!(0))).len(), 2);
        assert_eq!(check(&bad(json!("many"))).len(), 1);
    }

    #[test]
    fn a_document_without_metadata_is_told_which_field_is_missing() {
        for document in
            [json!({ "spec": { "brokers": ["a:1"] } }), json!({ "metadata": {}, "spec": { "brokers": ["a:1"] } })]
        {
            let problems = Schema::lag_monitor().unwrap().check(&document);
            let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(fields, ["metadata.name"], "{problems:?}");
        }
    }

    #[test]
    fn an_unknown_field_is_told_with_the_known_ones() {
        let told = check(&json!({ "brokers": ["a:1"], "groups": { "includes": ["a"] } }));
        assert_eq!(
            told,
            ["spec.groups.includes: unknown field \"spec.groups.includes\": allowed here are exclude, include"]
        );
    }

    #[test]
    fn null_is_the_default_where_there_is_one_and_wrong_elsewhere() {
        assert_eq!(check(&json!({ "brokers": ["a:1"], "groups": null, "sampling": { "interval": null } })), [""; 0]);
        let told = check(&json!({ "brokers": ["a:1"], "tls": null }));
        let expected =
            "spec.tls: Invalid value: \"null\": spec.tls in body must be of type object: \"null\". Speaks TLS.";
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let told = check(&json!({ "suspend": "yes", "slo": { "maxRebalances": 0 }, "x": 1 }));
        assert_eq!(told.len(), 4, "{told:#?}");
    }

    #[test]
    fn names_are_checked_as_an_api_server_does() {
        let document = json!({ "metadata": { "name": "A b", "namespace": "../up" }, "spec": { "brokers": ["a:1"] } });
        let problems = Schema::lag_monitor().unwrap().check(&document);
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["metadata.name", "metadata.namespace"]);
    }
}
