//! What LagMonitors say of themselves, over HTTP: those that are sampled, and those that are suspended or refused.

use serde_json::{Value, json};

use super::answers::Bare;
use super::*;
use crate::board::said::{Condition, Said};
use crate::lag::report::{MonitorName, Timestamp};

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Condition {
    let [kind, status, reason, message] = [kind, status, reason, message].map(str::to_owned);
    Condition { kind, status, reason, message, since: Timestamp(sample::NOW) }
}

fn name(name: &str) -> MonitorName {
    MonitorName { namespace: "shop".into(), name: name.into() }
}

/// One that is sampled, one that is suspended, and one that is refused for it wants the name of the first one's cluster.
fn three() -> Bare {
    let bare = Bare::sampled();
    bare.readiness.ready();
    let say = |monitor: &str, cluster: &str, team: Option<&str>, ready: Condition| {
        let connected = condition("Connected", "Unknown", "NotSampled", "the condition Ready says why");
        let conditions = vec![ready, connected];
        bare.board.say(&name(monitor), Said { cluster_name: cluster.into(), team: team.map(Into::into), conditions });
    };
    say("orders", "orders-kafka", Some("logistics"), condition("Ready", "True", "Sampling", "samples come"));
    say("night", "night-kafka", Some("night"), condition("Ready", "False", "Suspended", "write spec.suspend: false"));
    say("another", "orders-kafka", None, condition("Ready", "False", "NameTaken", "write another one"));
    bare
}

async fn monitors(bare: &Bare, query: &str) -> Vec<String> {
    let answer = bare.get(&format!("/api/v1/clusters?{query}")).await.json();
    let name = |row: &Value| row["monitor"].as_str().unwrap().to_owned();
    answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(name).collect()
}

#[tokio::test]
async fn every_monitor_is_listed_with_its_conditions_sampled_or_not() {
    let bare = three();
    let listed = bare.get("/api/v1/clusters").await.json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(monitors(&bare, "").await, ["night", "another", "orders"]);
    let since = Timestamp(sample::NOW).to_string();
    assert_eq!(
        items[0]["conditions"][0],
        json!({ "type": "Ready", "status": "False", "reason": "Suspended", "message": "write spec.suspend: false", "since": since })
    );
    assert_eq!((&items[0]["cluster_name"], &items[0]["team"]), (&json!("night-kafka"), &json!("night")));
    assert_eq!((&items[0]["totals"], &items[0]["generated_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&items[1]["conditions"][0]["reason"], &items[1]["totals"]), (&json!("NameTaken"), &Value::Null));
    assert_eq!((&items[2]["conditions"][0]["status"], &items[2]["team"]), (&json!("True"), &json!("logistics")));
}

#[tokio::test]
async fn monitors_are_filtered() {
    let bare = three();
    for (query, expected) in [
        ("ready=true", &["orders"][..]),
        ("ready=false", &["night", "another"]),
        ("team=night", &["night"]),
        ("team=logistics&ready=true", &["orders"]),
        ("q=NIGHT-", &["night"]),
        ("q=shop/ano", &["another"]),
        ("namespace=shop&limit=2", &["night", "another"]),
        ("namespace=nowhere", &[]),
        ("cluster_id=orders-kafka", &["orders"]),
        ("cluster_id=abc", &["orders"]),
        ("cluster_id=night-kafka", &["night"]),
    ] {
        assert_eq!(monitors(&bare, query).await, expected, "{query}");
    }
    assert_eq!(bare.get("/api/v1/clusters?cluster_id=nowhere").await.status, 404);
}

#[tokio::test]
async fn what_is_not_sampled_stands_in_nobodys_way() {
    let bare = three();
    let groups = bare.get("/api/v1/consumers/groups?cluster_id=orders-kafka").await.json();
    assert_eq!(groups["total"], 4, "the cluster is that of the monitor that has its name");
    let refused = bare.get("/api/v1/consumers/groups?cluster_id=night-kafka").await;
    let why = "cluster \"night-kafka\" is not sampled: write spec.suspend: false";
    assert_eq!((refused.status, refused.json()), (503, json!({ "detail": why })));
    bare.board.remove(&name("orders"));
    let nothing = bare.get("/api/v1/consumers/groups").await;
    assert_eq!((nothing.status, &nothing.json()["total"]), (200, &json!(0)), "nobody is about to be sampled");
}

#[tokio::test]
async fn an_answer_is_no_longer_valid_when_a_monitor_says_something_else() {
    let bare = three();
    let etag = bare.get("/api/v1/clusters").await.header("etag").to_owned();
    assert_eq!(bare.with("/api/v1/clusters", "if-none-match", &etag).await.status, 304);
    let conditions = vec![condition("Ready", "True", "Sampling", "samples come")];
    bare.board.say(&name("night"), Said { cluster_name: "night-kafka".into(), team: None, conditions });
    assert_eq!(bare.with("/api/v1/clusters", "if-none-match", &etag).await.status, 200);
    bare.board.unsay(|monitor| monitor.name == "orders");
    assert_eq!(monitors(&bare, "").await, ["orders"]);
}
