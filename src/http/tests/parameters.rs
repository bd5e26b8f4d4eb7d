//! Any value of any parameter, and any body: taken, or refused with the name of what is wrong. Nothing ends the server.

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::answers::{Bare, Got};
use crate::access::Token;
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

/// What takes two parameters at most: single things, what lasts, and the WebSocket.
const OTHERS: [&str; 6] = [
    "/api/v1/consumers/groups/billing",
    "/api/v1/consumers/groups/billing/health",
    "/api/v1/consumers/groups/billing/live",
    "/api/v1/consumers/topics/orders/detail",
    "/api/v1/live",
    "/ws/consumers/groups/billing/live",
];

const THEIRS: [&str; 3] = ["cluster_id", "interval", "unheard-of"];

const BODIES: [&str; 4] = ["application/json", "application/json; charset=utf-8", "text/plain", ""];

/// A path, and the name of a parameter that it may have.
fn place() -> impl Strategy<Value = (String, &'static str)> {
    let list = prop::sample::select(&LISTS[..]).prop_map(|list| format!("/api/v1/{list}"));
    let other = prop::sample::select(&OTHERS[..]).prop_map(|path| path.to_owned());
    prop_oneof![
        4 => (list, prop::sample::select(&NAMES[..])),
        1 => (other, prop::sample::select(&THEIRS[..])),
    ]
}

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
        name.clone().prop_map(|name| format!("/ws/consumers/groups/{name}/live")),
        name.clone().prop_map(|name| format!("/api/v1/scale/shop/{name}/billing")),
        name.prop_map(|name| format!("/page/{name}")),
    ]
}

/// Any bytes, JSON that is nearly what is wanted, and any token, whole or with its end cut off.
fn login() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof!["[ \n]?[A-Za-z0-9._~+/=-]{0,20}[ \n]?", "(\\PC|[\u{0}-\u{1f}]){0,20}"];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "\\{\"(token|[a-z]{1,5})\":(null|[0-9]{1,3}|\\[\"a\"\\]|\\{\\}|\"[a-z]?\")(,\"[a-z]{1,5}\":1)?\\}"
            .prop_map(String::into_bytes),
        (token, 0..20_usize).prop_map(|(token, cut)| {
            let mut body = json!({ "token": token }).to_string().into_bytes();
            body.truncate(body.len().saturating_sub(cut.saturating_sub(10)));
            body
        }),
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
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_parameter_with_any_value_is_taken_or_named(
        (path, name) in place(),
        value in value(),
    ) {
        let runtime = Runtime::new().unwrap();
        let path = format!("{path}?{name}={}", encoded(&value));
        let got = runtime.block_on(async {
            let bare = Bare::new(&[]);
            bare.post("orders", sample::report());
            bare.get(&path).await
        });
        prop_assert!(explained(&got), "{path}");
        match got.status {
            200 => {}
            // Whoever asks for no WebSocket is told so once the parameters are good.
            422 if path.starts_with("/ws/") && got.json()["detail"].as_str().unwrap().contains("as a WebSocket") => {}
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn any_body_is_a_token_or_refused_with_what_to_send(
        body in login(),
        kind in prop::sample::select(&BODIES[..]),
    ) {
        let runtime = Runtime::new().unwrap();
        let request = Request::post("/login").header("content-type", kind).body(Body::from(body.clone())).unwrap();
        let got = runtime.block_on(async { Bare::new(&[]).ask(request).await });
        match got.status {
            204 => {
                let sent: Value = serde_json::from_slice(&body).unwrap();
                let word = sent["token"].as_str().unwrap().trim();
                prop_assert!(kind.starts_with("application/json") && Token::is_word(word.as_bytes()), "{kind} {sent}");
                prop_assert_eq!(got.header("set-cookie"), format!("highwater={word}; HttpOnly; SameSite=Strict"));
            }
            422 => prop_assert!(got.json()["detail"].as_str().unwrap().contains("token"), "{}", got.json()),
            status => prop_assert!(false, "{status}: {kind} {}", String::from_utf8_lossy(&body)),
        }
    }
}
