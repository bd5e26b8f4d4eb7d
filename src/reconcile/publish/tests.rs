//! What an API server's refusals mean, and whose a ConfigMap is. What a real one does is in `tests/real`.

use kube::core::Status;
use kube::core::response::{StatusCause, StatusDetails};

use super::error::{Name, holder};
use super::*;

fn refused(verb: Verb, status: Status) -> PublishError {
    let name = Name { namespace: "shop".into(), name: "orders-lag".into() };
    PublishError::refused(verb, name, kube::Error::Api(Box::new(status)))
}

fn status(code: u16, reason: &str, message: &str) -> Status {
    Status::failure(message, reason).with_code(code)
}

fn cause(reason: &str, message: &str) -> StatusDetails {
    let cause = StatusCause { reason: reason.into(), message: message.into(), field: "data".into() };
    StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: "ConfigMap".into(),
        uid: String::new(),
        causes: vec![cause],
        retry_after_seconds: 0,
    }
}

#[test]
fn a_missing_right_is_told_from_a_quota_and_from_other_admission() {
    let rbac = "configmaps \"orders-lag\" is forbidden: User \"system:serviceaccount:highwater:highwater\" cannot \
                create resource \"configmaps\" in API group \"\" in the namespace \"shop\"";
    let error = refused(Verb::Create, status(403, "Forbidden", rbac));
    assert_eq!(error.reason(), "ConfigMapForbidden");
    let said = error.to_string();
    assert!(said.contains("RoleBinding in namespace shop") && said.contains("`create` is missing"), "{said}");
    let quota = "configmaps \"orders-lag\" is forbidden: exceeded quota: few, requested: count/configmaps=1, used: \
                 count/configmaps=3, limited: count/configmaps=3";
    let error = refused(Verb::Create, status(403, "Forbidden", quota));
    assert_eq!(error.reason(), "ConfigMapQuota");
    assert!(error.to_string().contains("exceeded quota: few"), "{error}");
    let webhook = "admission webhook \"policy.example.com\" denied the request: no";
    assert_eq!(refused(Verb::Patch, status(403, "Forbidden", webhook)).reason(), "KubernetesApi");
}

#[test]
fn what_cannot_be_written_says_why() {
    let forbidden = cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set");
    let immutable = refused(Verb::Patch, status(422, "Invalid", "is invalid").with_details(forbidden));
    assert_eq!(immutable.reason(), "ConfigMapImmutable");
    let too_long = cause("FieldValueTooLong", "Too long: may not be more than 1048576 bytes");
    for error in [
        status(422, "Invalid", "is invalid").with_details(too_long),
        status(413, "RequestEntityTooLarge", "limit is 3145728"),
        status(500, "", "etcdserver: request is too large"),
    ] {
        assert_eq!(refused(Verb::Patch, error).reason(), "ConfigMapTooLarge");
    }
}

#[test]
fn only_the_api_server_is_quoted_and_not_at_length() {
    let error = refused(Verb::Get, status(500, "InternalError", &"é".repeat(5_000)));
    assert_eq!(error.reason(), "KubernetesApi");
    assert!(error.to_string().chars().count() < 1_200);
    assert!(error.to_string().contains("InternalError (500): é"), "{error}");
    let error = refused(Verb::Get, status(502, "Failed to parse error data", "<html>secret</html>"));
    assert!(error.to_string().ends_with("not an answer of the API server (502)"), "{error}");
}

#[test]
fn the_holder_of_a_config_map_is_named() {
    let owner = |kind: &str, name: &str, uid: &str, controller| OwnerReference {
        api_version: "highwater.dev/v1alpha1".into(),
        kind: kind.into(),
        name: name.into(),
        uid: uid.into(),
        controller,
        block_owner_deletion: None,
    };
    let ours = owner("LagMonitor", "orders", "1", Some(true));
    let held = |owners: Vec<OwnerReference>| {
        let found = ObjectMeta { owner_references: Some(owners), ..ObjectMeta::default() };
        holder(&found, &ours)
    };
    assert_eq!(held(vec![]), "nobody");
    assert_eq!(held(vec![owner("Deployment", "web", "2", None)]), "Deployment web");
    let two = vec![owner("LagMonitor", "orders", "1", None), owner("Deployment", "web", "2", Some(true))];
    assert_eq!(held(two), "Deployment web");
    assert_eq!(held(vec![owner("LagMonitor", "orders", "1", None)]), "this LagMonitor, but not as its controller");
    assert_eq!(held(vec![owner("LagMonitor", "orders", "0", Some(true))]), "LagMonitor orders");
    assert_eq!(held(vec![owner("LagMonitor", "payments", "3", Some(true))]), "LagMonitor payments");
}
