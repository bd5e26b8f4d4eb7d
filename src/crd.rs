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

pub use lag_monitor::{LagMonitor, LagMonitorSpec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use kube::core::Rule;

/// The `apiVersion` of the resources.
pub const API_VERSION: &str = "highwater.dev/v1alpha1";

/// The CustomResourceDefinition of [`LagMonitor`].
///
/// Nothing is nullable: `tls:` with nothing behind it is refused, and never read as "no TLS".
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

/// The CEL rules that keep a duration between `least` and `most`, both written as durations.
fn duration_between(least: &str, most: &str) -> [Rule; 1] {
    let condition =
        format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    [rule(&condition, &format!("write a duration from {least} to {most}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show() {
        println!("{}", yaml().unwrap());
    }
}
