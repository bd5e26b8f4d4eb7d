//! The sentences that an API server uses for a value out of bounds.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

/// What is wrong with the value of a field.
pub(super) fn sentence(kind: &Kind, field: &str, value: &Value) -> String {
    match kind {
        Kind::Enum { options } => {
            let options: Vec<_> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
            format!("Unsupported value: {value}: supported values: {}", options.join(", "))
        }
        Kind::Type { kind } => {
            let (expected, actual) = (type_name(kind), type_of(value));
            format!("Invalid value: {actual:?}: {field} in body must be of type {expected}: {actual:?}")
        }
        Kind::Minimum { limit } => {
            format!("Invalid value: {value}: {field} in body should be greater than or equal to {}", whole(limit))
        }
        Kind::Maximum { limit } => {
            format!("Invalid value: {value}: {field} in body should be less than or equal to {}", whole(limit))
        }
        Kind::MinLength { limit } => {
            format!("Invalid value: {value}: {field} in body should be at least {limit} chars long")
        }
        Kind::MaxLength { limit } => format!("Too long: may not be more than {limit} bytes"),
        Kind::MinItems { limit } => {
            let count = value.as_array().map_or(0, Vec::len);
            format!("Invalid value: {count}: {field} in body should have at least {limit} items")
        }
        Kind::MaxItems { limit } => {
            let count = value.as_array().map_or(0, Vec::len);
            format!("Too many: {count}: must have at most {limit} items")
        }
        Kind::Pattern { pattern } => format!("Invalid value: {value}: {field} in body should match '{pattern}'"),
        other => format!("Invalid value: {field} breaks the rule {}", other.keyword()),
    }
}

/// A sentence with the meaning of the field, which names what is allowed.
pub(super) fn explained(sentence: String, description: Option<&str>) -> String {
    match description {
        Some(text) => format!("{sentence}. {text}"),
        None => sentence,
    }
}

/// What to write instead of a plain value of the wrong type; `None` for what is no plain value.
pub(super) fn instead(kind: &Kind, value: &Value, schema: &Value) -> Option<String> {
    let Kind::Type { kind } = kind else { return None };
    if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
        return None;
    }
    let rules = schema["x-kubernetes-validations"].as_array();
    let duration = rules
        .into_iter()
        .flatten()
        .any(|rule| rule["rule"].as_str().is_some_and(|rule| rule.contains("duration(self)")));
    let wanted = match type_name(kind).as_str() {
        "string" if duration => "a duration with a unit, such as 60s",
        "string" => "text, in quotes",
        "integer" => "a whole number, without quotes",
        "number" => "a number, without quotes",
        "boolean" => "true or false, without quotes",
        "array" => "a list",
        "object" => "fields",
        _ => return None,
    };
    Some(format!("{value} stands here: write {wanted}"))
}

fn type_name(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(many) => many.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or "),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The bounds of a Kubernetes schema are floating-point numbers; ours are all whole.
fn whole(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |limit| format!("{limit:.0}"))
}
