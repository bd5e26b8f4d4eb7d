//! The LagMonitor resource: types, defaults, validation rules and print columns. No behaviour.
//!
//! The schema is generated from these types: doc comments become descriptions, `Default` becomes the defaults, and
//! what a schema can't say is a CEL rule whose message says what to write instead. Checking a document against all
//! that, outside of an API server, is left to `reconcile`.

pub mod duration;
pub mod groups;
pub mod lag_monitor;
pub mod output;
pub mod properties;
pub mod sampling;
pub mod sasl;
pub mod slo;
pub mod status;
pub mod tls;

pub use lag_monitor::{BROKER, LagMonitor, LagMonitorSpec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use kube::core::Rule;

/// The `apiVersion` of the resources.
pub const API_VERSION: &str = "highwater.dev/v1alpha1";

/// The CustomResourceDefinition of [`LagMonitor`].
///
/// Nothing is nullable: an API server reads a field with nothing behind it as absent.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    let mut crd = LagMonitor::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            polish(root);
        }
    }
    crd
}

/// The CustomResourceDefinition as YAML, ready for `kubectl apply -f -`.
///
/// # Errors
/// When the definition can't be written as YAML, which would be a fault of this program.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&definition())
}

fn polish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    // A line of a comment is none of the description: whoever shows it breaks it where there is room.
    if let Some(text) = &mut schema.description {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    // An API server warns of formats that it does not know; the bounds say the same.
    schema.format.take_if(|format| format.starts_with("uint"));
    schema.properties.iter_mut().flatten().for_each(|(_, child)| polish(child));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        polish(items);
    }
}

/// A CEL rule of the schema. The message says what to write instead.
fn rule(rule: &str, message: &str) -> Rule {
    Rule::new(rule).message(message)
}

/// The CEL expression that `text`, which is one too, has the form of a regular expression.
fn has_form(text: &str, form: &str) -> String {
    format!("{text}.matches('{}')", form.replace('\\', r"\\"))
}

/// The CEL rule that a text has the form of a regular expression: a schema alone would show people nothing but that.
fn form(form: &str, message: &str) -> [Rule; 1] {
    [rule(&has_form("self", form), message)]
}

/// The CEL rule for the name of an object.
fn object_name() -> [Rule; 1] {
    const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";
    form(NAME, "write a name of lower case letters, digits, - and . with a letter or digit at each end of its parts")
}

/// The CEL rule that keeps a duration between `least` and `most`, both written as durations.
fn duration_between(least: &str, most: &str) -> [Rule; 1] {
    let between = format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    let message = format!("write a duration from {least} to {most}, such as 90s or 5m");
    [rule(&format!("{} && {between}", is_duration("self")), &message)]
}

/// The CEL rule that the duration in one field is at least as long as that in another.
fn as_long_as(longer: &str, shorter: &str, message: &str) -> Rule {
    let [longer_is, shorter_is] = [longer, shorter].map(|field| is_duration(&format!("self.{field}")));
    let condition = format!("!({longer_is} && {shorter_is}) || duration(self.{longer}) >= duration(self.{shorter})");
    rule(&condition, message).field_path(format!(".{longer}"))
}

/// The CEL expression that `text`, which is one too, is a duration: what is none must not get to CEL's own `duration`.
fn is_duration(text: &str) -> String {
    format!("{text} != '' && {}", has_form(text, duration::PATTERN))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema() -> Value {
        let version = definition().spec.versions.remove(0);
        serde_json::to_value(version.schema.unwrap().open_api_v3_schema).unwrap()
    }

    /// Every field below a schema with its path.
    fn fields(schema: &Value, path: &str) -> Vec<(String, Value)> {
        let named = schema["properties"].as_object().into_iter().flatten();
        let named = named.map(|(name, field)| (format!("{path}.{name}"), field.clone()));
        let items = schema.get("items").map(|items| (format!("{path}[]"), items.clone()));
        let children: Vec<_> = named.chain(items).collect();
        children
            .iter()
            .flat_map(|(path, field)| [vec![(path.clone(), field.clone())], fields(field, path)].concat())
            .collect()
    }

    fn fields_of_spec() -> Vec<(String, Value)> {
        let fields = fields(&schema()["properties"]["spec"], "spec");
        assert!(fields.len() > 70, "{}", fields.len());
        fields
    }

    #[test]
    fn every_field_says_what_it_means() {
        for (path, field) in fields_of_spec().into_iter().chain(fields(&schema()["properties"]["status"], "status")) {
            let text = field["description"].as_str().unwrap_or_default();
            assert!(path.ends_with("[]") || text.ends_with('.') && text.len() > 10, "{path}: {text:?}");
        }
    }

    #[test]
    fn every_field_is_bounded() {
        for (path, field) in fields_of_spec() {
            let bounded = match field["type"].as_str().unwrap() {
                "string" => {
                    let least = field["minLength"].is_u64() || field["x-kubernetes-validations"].is_array();
                    field["enum"].is_array() || field["maxLength"].is_u64() && least
                }
                "integer" => field["minimum"].is_number() && field["maximum"].is_number(),
                "array" => {
                    field["maxItems"].is_u64()
                        && ["set", "map"].contains(&field["x-kubernetes-list-type"].as_str().unwrap())
                }
                "object" => field["properties"].is_object() && field.get("additionalProperties").is_none(),
                "boolean" => true,
                other => panic!("{path} is of type {other}"),
            };
            assert!(bounded, "{path}: {field}");
            assert!(field.get("nullable").is_none() && field["format"] != "uint32", "{path}: {field}");
        }
    }

    #[test]
    fn every_text_of_the_status_is_bounded() {
        let fields = fields(&schema()["properties"]["status"], "status");
        let texts = fields.iter().filter(|(_, field)| field["type"] == "string");
        assert!(texts.clone().count() > 10);
        for (path, field) in texts {
            let bounded = field["maxLength"].is_u64() || field["enum"].is_array() || field["format"] == "date-time";
            assert!(bounded, "{path}: {field}");
        }
    }

    #[test]
    fn descriptions_are_not_broken_into_lines() {
        for (path, field) in fields(&schema(), "") {
            let text = field["description"].as_str().unwrap_or_default();
            assert!(!text.contains('\n'), "{path}: {text}");
        }
    }

    #[test]
    fn every_optional_field_has_or_describes_its_default() {
        let required =
            |schema: &Value, name: &str| schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        let spec = schema()["properties"]["spec"].clone();
        let parents = [vec![("spec".to_owned(), spec)], fields_of_spec()].concat();
        for (path, parent) in parents.iter().filter(|(path, _)| path != "spec.properties" && path != "spec.tls.ca") {
            for (name, field) in parent["properties"].as_object().into_iter().flatten() {
                let text = field["description"].as_str().unwrap();
                let conditional = path == "spec.sasl" && text.contains("For ");
                let stated = field.get("default").is_some() || text.contains("Default: ") || text.contains("ithout ");
                assert!(required(parent, name) || conditional || stated, "{path}.{name}: {text}");
            }
        }
    }

    #[test]
    fn the_schema_shows_the_defaults_that_the_types_have() {
        let minimal: LagMonitorSpec = serde_json::from_value(json!({ "brokers": ["a:1"] })).unwrap();
        let minimal = serde_json::to_value(minimal).unwrap();
        for (name, field) in schema()["properties"]["spec"]["properties"].as_object().unwrap() {
            if let Some(default) = field.get("default") {
                assert_eq!(&minimal[name], default, "{name}");
            }
        }
        assert_eq!(minimal["groups"], json!({ "include": ["*"], "exclude": [] }));
        assert_eq!(minimal["topics"], json!({ "include": ["*"], "exclude": ["__*"] }));
        assert_eq!(minimal["sampling"]["interval"], "1m");
        assert_eq!(minimal["slo"]["maxLagRecords"], 1000);
        assert_eq!(minimal["slo"].get("maxLag"), None);
        assert_eq!(minimal["output"], json!({}));
    }

    #[test]
    fn no_expression_is_shown_to_people() {
        let fields = fields_of_spec();
        assert!(fields.iter().all(|(_, field)| field.get("pattern").is_none()), "write a rule with a sentence instead");
    }

    #[test]
    fn every_rule_says_what_to_write() {
        let rules: Vec<_> = fields_of_spec()
            .into_iter()
            .flat_map(|(path, field)| {
                let rules = field["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
                rules.into_iter().map(move |rule| (path.clone(), rule["message"].as_str().unwrap().to_owned()))
            })
            .collect();
        assert!(rules.len() >= 30, "{}", rules.len());
        for (path, message) in rules {
            assert!(message.contains("write "), "{path}: {message}");
        }
    }

    #[test]
    fn kubectl_shows_the_answer_in_columns() {
        let crd = definition();
        let columns = crd.spec.versions[0].additional_printer_columns.as_ref().unwrap();
        let names = |wide| {
            columns
                .iter()
                .filter(|column| column.priority.is_some_and(|p| p > 0) == wide)
                .map(|column| column.name.to_uppercase())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["GROUPS", "OFFLINE", "MAX-LAG", "WORST", "SLO", "READY", "SAMPLED", "AGE"]);
        assert_eq!(names(true), ["ONLINE", "RECOVERING"]);
        assert_eq!(crd.spec.names.short_names, Some(vec!["lm".to_owned()]));
        assert_eq!(crd.spec.names.categories, Some(vec!["highwater".to_owned()]));
        assert!(crd.spec.versions[0].subresources.as_ref().unwrap().status.is_some());
    }

    /// Rows of a table: fields, types, defaults, meanings.
    fn table(fields: &[(String, Value)]) -> String {
        let mut table = "| field | type | default | meaning |\n|---|---|---|---|\n".to_owned();
        for (path, field) in fields.iter().filter(|(path, _)| !path.ends_with("[]")) {
            let kind = match field["items"]["type"].as_str() {
                Some(of) => format!("{of}s"),
                None => field["type"].as_str().unwrap().to_owned(),
            };
            let default = field.get("default").filter(|default| !default.is_object());
            let default =
                default.map_or_else(String::new, |default| format!("`{}`", default.to_string().replace('"', "")));
            let text = field["description"].as_str().unwrap().replace('|', "\\|");
            table += &format!("| `{path}` | {kind} | {default} | {text} |\n");
        }
        table
    }

    #[test]
    fn the_fields_stand_in_the_docs() {
        let all = fields_of_spec();
        let first: Vec<_> = all.iter().filter(|(path, _)| path.matches('.').count() == 1).cloned().collect();
        let parts = [
            ("README.md", include_str!("../README.md"), table(&first)),
            ("docs/lagmonitor.md", include_str!("../docs/lagmonitor.md"), table(&all)),
        ];
        for (file, text, table) in parts {
            let shown = text.split_once("<!-- fields -->\n").and_then(|(_, rest)| rest.split_once("<!-- /fields -->"));
            assert_eq!(shown.unwrap().0, table, "the table in {file} is to be:\n{table}");
        }
    }

    #[test]
    fn the_yaml_is_the_definition() {
        let read: CustomResourceDefinition = serde_saphyr::from_str(&yaml().unwrap()).unwrap();
        assert_eq!(read, definition());
    }

    #[test]
    fn the_published_definition_is_the_one_of_the_code() {
        let (published, own) = (include_str!("../crds/lagmonitors.yaml"), yaml().unwrap());
        assert!(published == own, "write crds/lagmonitors.yaml again: highwater crd > crds/lagmonitors.yaml");
        let charted = include_str!("../charts/highwater/files/lagmonitors.yaml");
        assert!(charted == own, "write it for Helm, too: cp crds/lagmonitors.yaml charts/highwater/files/");
    }
}
