//! All groups together, and by whose they are, over HTTP.

use serde_json::{Value, json};

use super::answers::Bare;
use super::*;
use crate::lag::aggregate;
use crate::lag::report::Report;

/// The sample report of a cluster and a team.
fn of(cluster: &str, team: Option<&str>, groups: usize) -> Report {
    let mut report = sample::report();
    report.cluster.name = cluster.into();
    report.team = team.map(Into::into);
    report.groups.truncate(groups);
    report.totals = aggregate::totals(&report.groups, Some(95));
    report
}

fn three() -> Bare {
    let bare = Bare::new(&[]);
    for (name, team, groups) in [("a", Some("shop"), 4), ("b", Some("bank"), 1), ("c", Some("shop"), 1), ("d", None, 2)]
    {
        bare.post(name, of(&format!("{name}-kafka"), team, groups));
    }
    bare
}

async fn teams(bare: &Bare, query: &str) -> Vec<Value> {
    let answer = bare.get(&format!("/api/v1/teams?{query}")).await.json();
    answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(|team| team["team"].clone()).collect()
}

#[tokio::test]
async fn teams_are_listed_like_everything_else() {
    let bare = three();
    let all = bare.get("/api/v1/teams").await.json();
    assert_eq!((&all["total"], &all["next_cursor"]), (&json!(3), &Value::Null));
    assert_eq!(teams(&bare, "").await, [json!("bank"), json!("shop"), Value::Null]);
    let shop = &all["items"][1];
    assert_eq!((&shop["monitors"], &shop["totals"]["groups"]), (&json!(2), &json!(5)));
    assert_eq!(shop["totals"]["group_states"], json!({ "stable": 1, "rebalancing": 0, "empty": 3, "other": 1 }));
    assert_eq!(teams(&bare, "sort=-groups").await, [json!("shop"), Value::Null, json!("bank")]);
    assert_eq!(teams(&bare, "cluster_id=b-kafka").await, [json!("bank")]);
    let first = bare.get("/api/v1/teams?limit=2").await.json();
    let rest = format!("limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(teams(&bare, &rest).await, [Value::Null]);
    let wrong = bare.get("/api/v1/teams?sort=age").await;
    assert_eq!(
        (wrong.status, wrong.json()["detail"].as_str().unwrap().starts_with("sort: write one of team,")),
        (422, true)
    );
}

#[tokio::test]
async fn all_groups_together_are_those_of_the_teams() {
    let bare = three();
    let all = bare.get("/api/v1/totals").await.json();
    assert_eq!((&all["monitors"], &all["groups"], &all["max_lag_seconds"]), (&json!(4), &json!(8), &json!(266_400.0)));
    assert_eq!(bare.get("/api/v1/totals?team=bank").await.json()["groups"], 1);
    let nobodys = bare.get("/api/v1/totals?team=nobody").await.json();
    assert_eq!(
        (&nobodys["groups"], &nobodys["max_lag_seconds"], &nobodys["slo"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
    assert_eq!(bare.get("/api/v1/totals?cluster_id=a-kafka").await.json()["groups"], 4);
}

#[tokio::test]
async fn groups_topics_and_alerts_are_those_of_a_team() {
    let bare = three();
    let total = async |path: &str| bare.get(&format!("/api/v1/{path}")).await.json()["total"].clone();
    assert_eq!(total("consumers/groups?team=shop").await, 5);
    assert_eq!(total("consumers/topics?team=bank").await, 2);
    assert_eq!((total("alerts").await, total("alerts?team=shop").await), (json!(2), json!(1)));
    assert_eq!((total("alerts?team=nobody").await, total("alerts?q=SHIP").await), (json!(0), json!(2)));
    assert_eq!(total("alerts?q=nothing").await, 0);
}

#[tokio::test]
async fn the_groups_of_a_topic_are_filtered() {
    let bare = Bare::sampled();
    for (query, expected) in [
        ("", 3),
        ("q=ship", 1),
        ("state=OFFLINE", 1),
        ("group_state=Empty", 2),
        ("type=classic", 3),
        ("type=share", 0),
        ("alerting=true", 1),
        ("alerting=false&group_state=Stable", 0),
        ("slo_met=true", 0),
    ] {
        let got = bare.get(&format!("/api/v1/consumers/topics/orders/consumers?{query}")).await.json();
        assert_eq!(got["total"], expected, "{query}: {got}");
    }
    let total =
        async |query: &str| bare.get(&format!("/api/v1/consumers/topics?{query}")).await.json()["total"].clone();
    assert_eq!((total("read=false").await, total("read=true").await), (json!(2), json!(0)), "the sample counts nobody");
    assert_eq!(total("alerting=true").await, 0);
}

#[tokio::test]
async fn a_topic_that_nobody_reads_has_its_log() {
    let bare = Bare::new(&[]);
    let mut report = sample::report();
    report.groups.clear();
    bare.post("orders", report);
    let detail = bare.get("/api/v1/consumers/topics/orders/detail").await.json();
    let partition =
        |number, end| json!({ "partition": number, "log_start_offset": 0, "log_end_offset": end, "groups": 0 });
    assert_eq!(detail["partitions"], json!([partition(0, 100), partition(1, 50)]));
}
