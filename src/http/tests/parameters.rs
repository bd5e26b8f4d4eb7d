//! Any value of any parameter: it is taken, or refused with the parameter's name. Nothing ends the server.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::answers::{Bare, Got};
use crate::output::sample;

const LISTS: [&str; 9] = [
    "alerts",
    "clusters",
    "consumers/groups",
    "consumers/groups/billing/history",
    "consumers/history",
    "consumers/topics",
    "consumers/topics/orders/consumers",
    "teams",
    "totals",
];

const NAMES: [&str; 23] = [
    "alerting",
    "cluster_id",
    "cursor",
    "from",
    "group_id",
    "group_state",
    "interval",
    "kind",
    "limit",
    "namespace",
    "q",
    "read",
    "ready",
    "severity",
    "slo_met",
    "sort",
    "state",
    "step",
    "team",
    "to",
    "topic",
    "type",
    "unheard-of",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "-?[0-9]{0,20}(\\.[0-9]{0,20})?",
        "[0-9]{0,6}(h|m|s|d|ms)",
        "[0-9a-f]{0,40}",
        "-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|\\+[0-9]{2}:[0-9]{2})",
        Just("true".to_owned()),
        "-?(group_id|state|max_lag_seconds)",
    ]
}

/// Any path, and paths of the API with any bytes for a name.
fn path() -> impl Strategy<Value = String> {
    let name = prop::collection::vec(any::<u8>(), 0..6)
        .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>());
    let routes =
        ["groups/@", "groups/@/health", "groups/@/history", "groups/@/live", "topics/@/consumers", "topics/@/detail"];
    prop_oneof![
        "(/[a-z0-9/%._~-]{0,30}){1,4}".prop_map(|path| format!("/api/v1/consumers{path}")),
        "(/[a-z0-9/%._~-]{0,30}){1,4}",
        (prop::sample::select(routes.to_vec()), name.clone())
            .prop_map(|(route, name)| format!("/api/v1/consumers/{}", route.replace('@', &name))),
        name.clone().prop_map(|name| format!("/api/v1/scale/shop/{name}/billing")),
        name.prop_map(|name| format!("/page/{name}")),
    ]
}

/// Whether an answer that is no good says why, in JSON, as every failure does.
fn explained(got: &Got) -> bool {
    got.status < 400 || got.try_json().is_some_and(|body| body["detail"].as_str().is_some_and(|why| !why.is_empty()))
}

/// Every byte as `%XX`, so that any value reaches the server.
fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_parameter_with_any_value_is_taken_or_named(
        list in prop::sample::select(&LISTS[..]),
        name in prop::sample::select(&NAMES[..]),
        value in value(),
    ) {
        let runtime = Runtime::new().unwrap();
        let path = format!("/api/v1/{list}?{name}={}", encoded(&value));
        let got = runtime.block_on(async {
            let bare = Bare::new(&[]);
            bare.post("orders", sample::report());
            bare.get(&path).await
        });
        prop_assert!(explained(&got), "{path}");
        match got.status {
            200 => {}
            404 => prop_assert!(["cluster_id", "topic"].contains(&name), "{path} {}", got.json()),
            422 => prop_assert!(got.json()["detail"].as_str().unwrap().contains(name), "{path} {}", got.json()),
            status => prop_assert!(false, "{status}: {path} {}", got.json()),
        }
    }

    #[test]
    fn any_path_is_answered_and_any_failure_explained(path in path()) {
        let runtime = Runtime::new().unwrap();
        let got = runtime.block_on(async {
            let bare = Bare::new(&[]);
            bare.post("orders", sample::report());
            bare.try_get(&path).await
        });
        if let Some(got) = got {
            prop_assert!((got.status < 500 || got.status == 503) && explained(&got), "{}: {path}", got.status);
        }
    }
}
