//! The generated schema, made as strict as an API server is with field validation `Strict`.

use serde_json::{Value, json};

/// The schema with unknown fields forbidden, and with the names of `metadata` checked.
pub(super) fn strict(open: &Value) -> Value {
    let mut schema = open.clone();
    forbid_unknown_fields(&mut schema);
    expect_names(&mut schema);
    schema
}

fn forbid_unknown_fields(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(forbid_unknown_fields);
        schema["additionalProperties"] = false.into();
    }
    if let Some(items) = schema.get_mut("items") {
        forbid_unknown_fields(items);
    }
}

/// What an API server checks of every object, and that a status is not for people to write.
fn expect_names(schema: &mut Value) {
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["status"] = json!({});
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": word(253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                "The name: 1 to 253 lower case letters, digits, `-` and `.`, with a letter or digit at each end."),
            "namespace": word(63, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                "The namespace: 1 to 63 lower case letters, digits and `-`, with a letter or digit at each end. \
                 Default: `default`."),
        },
    });
    schema["required"] = json!(["metadata", "spec"]);
}

fn word(most: u32, pattern: &str, text: &str) -> Value {
    json!({ "type": "string", "maxLength": most, "pattern": pattern, "description": text })
}
