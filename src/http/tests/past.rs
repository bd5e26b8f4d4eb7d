//! History over HTTP: samples of the simulated cluster of the demo, stored as a monitor stores them.

use serde_json::Value;

use super::answers::Bare;
use super::api::history::READERS;
use super::*;
use crate::crd::sampling::Sampling;
use crate::kafka::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::selection::{Patterns, Selection};
use crate::lag::memory::Memory;
use crate::lag::report::Timestamp;
use crate::monitor::sample::{Task, sample as look};
use crate::sim::Sim;

const MINUTE: i64 = 60_000;
const START: i64 = 1_790_000_000_000;

/// A server that knows twelve samples, a minute apart.
async fn sampled() -> Bare {
    let clock = Clock::stepped(START);
    let sim = Sim::start(crate::sim::stories::demo(START), clock.clone()).await.unwrap();
    let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
    let cluster = Cluster::connect(&connection, clock.clone()).unwrap();
    let all = || Patterns::new(&["*".to_owned()], &[]).unwrap();
    let task = Task {
        monitor: Some(sample::monitor()),
        team: None,
        cluster_name: "demo".into(),
        selection: Selection { groups: all(), topics: all() },
        policy: crate::reconcile::plan::policy(&Sampling::default()),
        objective: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path()).unwrap().store);
    let bare = Bare::on(store.clone(), clock.clone(), &[], folder);
    let mut memory = Memory::default();
    for _ in 0..12 {
        let (report, _) = look(&cluster, &mut memory, &task, Duration::from_secs(10), &clock).await;
        store.save("the history", &mut memory, &report).unwrap();
        let pulse = Pulse { history: "the history".into(), cluster_name: "demo".into(), ..Pulse::default() };
        bare.board.post(&sample::monitor(), report.into(), pulse);
        clock.step(MINUTE);
    }
    bare
}

fn ages(points: &Value) -> Vec<f64> {
    points.as_array().unwrap().iter().map(|point| point["lag_seconds"].as_f64().unwrap()).collect()
}

fn time(minutes: i64) -> String {
    Timestamp(START + minutes * MINUTE).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_told_as_fine_as_asked() {
    let bare = sampled().await;
    let path = "/api/v1/consumers/groups/audit/history";
    let whole = bare.get(path).await.json();
    assert_eq!((&whole["from"], &whole["to"]), (&Value::from(time(0)), &Value::from(time(12))));
    let all = ages(&whole["points"]);
    assert_eq!((all.len(), &whole["points"], &whole["points"]), (12, &whole["topics"][0]["points"], &whole["points"]));
    assert!(all.windows(2).all(|pair| (pair[1] - pair[0] - 60.0).abs() < 0.01), "it ages with the clock: {all:?}");
    assert!((all[0] - 10_798.0).abs() < 2.0, "{all:?}");

    let members =
        |of: &Value| of["memberships"].as_array().unwrap().iter().map(|at| at["members"].clone()).collect::<Vec<_>>();
    assert_eq!(members(&whole), [Value::Array(vec![])], "it has had none since the first sample");
    let at_work = bare.get("/api/v1/consumers/groups/billing/history").await.json();
    assert_eq!(at_work["memberships"][0]["time"], time(0));
    let [at_first, ..] = &members(&at_work)[..] else { panic!("{at_work:#}") };
    assert!(
        at_first[0]["member_id"].is_string() && at_first[0]["assigned"][0]["partitions"].is_array(),
        "{at_first:#}"
    );

    let coarse = ages(&bare.get(&format!("{path}?step=5m")).await.json()["points"]);
    assert!((3..=4).contains(&coarse.len()) && coarse.last() == all.last(), "the worst of each step: {coarse:?}");
    let part = bare.get(&format!("{path}?from={}&to={}&step=60", time(3), time(5))).await.json();
    assert_eq!(ages(&part["points"]), all[3..=5]);
    let seconds = bare.get(&format!("{path}?from={}", (START + 10 * MINUTE) / 1_000)).await.json();
    assert_eq!(ages(&seconds["points"]), all[10..]);
    let none = bare.get(&format!("{path}?to=1")).await.json();
    assert_eq!((none["points"].as_array().unwrap().len(), &none["step_seconds"]), (0, &Value::from(1.0)));

    let of_topic = bare.get(&format!("{path}?topic=logins")).await.json();
    assert_eq!(ages(&of_topic["points"]), all);
    let refused = bare.get(&format!("{path}?topic=nope")).await;
    let why = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!((refused.status, &*why), (404, "consumer group \"audit\" has no topic \"nope\", now or before"));

    let every = bare.get("/api/v1/consumers/history").await.json();
    let groups: Vec<_> = every["groups"].as_array().unwrap().iter().map(|g| g["group_id"].as_str().unwrap()).collect();
    assert_eq!(groups, ["audit", "billing", "checkout", "search-index"]);
    assert_eq!((ages(&every["groups"][0]["points"]), &every["total"]), (all, &Value::from(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_of_those_groups_is_told_that_are_asked_for() {
    let bare = sampled().await;
    let ask = async |query: &str| bare.get(&format!("/api/v1/consumers/history?{query}")).await.json();
    let ids = |answer: &Value| -> Vec<String> {
        let groups = answer["groups"].as_array().unwrap();
        groups.iter().map(|group| group["group_id"].as_str().unwrap().to_owned()).collect()
    };
    let several = ask("group_id=checkout&group_id=audit&group_id=nobody&cluster_id=demo").await;
    assert_eq!((ids(&several), &several["total"]), (vec!["audit".into(), "checkout".into()], &Value::from(2)));
    assert_eq!(ages(&several["groups"][0]["points"]).len(), 12);
    assert_eq!(ids(&ask("q=-IND").await), ["search-index"]);
    let first = ask("limit=3").await;
    assert_eq!((ids(&first).len(), &first["total"]), (3, &Value::from(4)));
    let rest = ask(&format!("limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec!["search-index".into()], &Value::Null));
    let twice = bare.get("/api/v1/consumers/history?step=1m&step=2m").await;
    assert_eq!((twice.status, twice.json()["detail"].as_str().unwrap()), (422, "step: write it once"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_makes_too_many_points_is_refused() {
    let bare = sampled().await;
    bare.clock.step(14 * 3_600_000 - 12 * MINUTE);
    let ask = async |query: &str| bare.get(&format!("/api/v1/consumers/history?{query}")).await;
    let refused = ask("step=1").await;
    let why = "step: write 2s or longer for 4 groups over this time, which have 200000 points at most";
    assert_eq!((refused.status, refused.json()["detail"].as_str().unwrap()), (422, why));
    for good in ["step=2", "step=1&limit=3", "", "limit=1000"] {
        assert_eq!(ask(good).await.status, 200, "{good}");
    }
    assert_eq!(ask(&format!("step=1&from={}", time(60))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_of_the_past_waits_for_a_turn() {
    let bare = Bare::sampled();
    let turns = READERS.acquire_many(4).await.unwrap();
    let path = "/api/v1/consumers/groups/orders-shipper/history";
    let mut answer = std::pin::pin!(bare.get(path));
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut answer).await.is_err());
    assert_eq!(bare.get("/api/v1/clusters").await.status, 200, "others do not");
    drop(turns);
    assert_eq!(answer.await.status, 200);
}
