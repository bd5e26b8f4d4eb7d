//! The API on the sample report: filters, pages, refusals, validators; and that every answer is as the document says.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::access::TokenFile;
use crate::lag::reason::{Failure, Reason, Scope};
use crate::lag::report::{Assignment, GroupPartition, MonitorName, Report, Timestamp, TopicSlo};

/// A server without a socket, and its board.
pub(super) struct Bare {
    pub(super) board: Board,
    pub(super) readiness: Readiness,
    pub(super) clock: Clock,
    pub(super) router: Router,
    _folder: TempDir,
}

pub(super) struct Got {
    pub(super) status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Got {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(super) fn try_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.bytes).ok()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Bare {
    pub(super) fn new(origins: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap().store);
        Self::on(store, Clock::stepped(sample::NOW), origins, folder)
    }

    pub(super) fn on(store: Arc<Store>, clock: Clock, origins: &[&str], folder: TempDir) -> Self {
        Self::guarded(store, clock, origins, Access::Open, folder)
    }

    fn guarded(store: Arc<Store>, clock: Clock, origins: &[&str], access: Access, folder: TempDir) -> Self {
        let (board, readiness) = (Board::default(), Readiness::waiting_for("the first sample"));
        let serving = Serving {
            board: board.clone(),
            store,
            clock: clock.clone(),
            readiness: readiness.clone(),
            detail: None,
            top_partitions: 0,
            access,
            metrics_elsewhere: false,
            origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
            edge: Edge::default(),
        };
        let router = router(serving, &CancellationToken::new());
        Self { board, readiness, clock, router, _folder: folder }
    }

    /// A server with the sample report on its board.
    pub(super) fn sampled() -> Self {
        let bare = Self::new(&[]);
        bare.post("orders", sample::report());
        bare
    }

    pub(super) fn post(&self, name: &str, report: Report) {
        let name = MonitorName { name: name.into(), ..sample::monitor() };
        let pulse = Pulse { cluster_name: report.cluster.name.clone(), coverage: Some(1.0), ..Pulse::default() };
        self.board.post(&name, report.into(), pulse);
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Got {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        // Events have no end to wait for.
        let lasts = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if lasts { Body::empty() } else { answer.into_body() };
        Got { status, headers, bytes: to_bytes(body, usize::MAX).await.unwrap().to_vec() }
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The answer at a path, where it is one.
    pub(super) async fn try_get(&self, path: &str) -> Option<Got> {
        Some(self.ask(Request::get(path).body(Body::empty()).ok()?).await)
    }

    pub(super) async fn with(&self, path: &str, name: &str, value: &str) -> Got {
        self.ask(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
    }
}

/// The sample report of another cluster.
fn of(name: &str, id: &str) -> Report {
    let mut report = sample::report();
    report.cluster.name = name.into();
    report.cluster.id = Some(id.into());
    report
}

fn ids(answer: &Value) -> Vec<String> {
    let id =
        |item: &Value| format!("{}/{}", item["cluster_name"].as_str().unwrap(), item["group_id"].as_str().unwrap());
    answer["items"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let bare = Bare::sampled();
    let document = bare.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let awkward = "we%22ird%5Cgr%0Aoup%2C%1B%5B31m%09%3D%C3%A9";
    let mut answered = 0;
    for (path, operation) in document["paths"].as_object().unwrap() {
        if path.ends_with("/live") {
            continue;
        }
        for group in ["orders-shipper", awkward, "nobody"] {
            let names = [("group_id", group), ("topic_name", "orders"), ("namespace", "shop"), ("monitor", "orders")];
            let url = names.iter().fold(path.clone(), |url, (name, value)| url.replace(&format!("{{{name}}}"), value));
            let got = bare.get(&url).await;
            assert!(got.status == 200 || group != "orders-shipper", "{url}: {} {}", got.status, got.json());
            let status = got.status.to_string();
            let schema = &operation["get"]["responses"][&status]["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{path} {status} is not in the document");
            let schema = json!({ "allOf": [schema], "components": document["components"] });
            let validator = jsonschema::draft202012::new(&schema).unwrap();
            let answer = got.json();
            let wrong: Vec<String> =
                validator.iter_errors(&answer).map(|e| format!("{e} at {}", e.instance_path())).collect();
            assert!(wrong.is_empty(), "{url}: {wrong:?}");
            answered += 1;
        }
    }
    assert_eq!(answered, 39);
}

#[tokio::test]
async fn groups_are_filtered_and_sorted() {
    let bare = Bare::sampled();
    bare.post("other", of("b-kafka", "other"));
    let all = bare.get("/api/v1/consumers/groups").await.json();
    assert_eq!((all["total"].as_u64(), all["next_cursor"].is_null()), (Some(8), true));
    assert_eq!(ids(&all)[0..2], ["b-kafka/billing", "orders-kafka/billing"]);
    for (query, expected) in [
        ("cluster_id=other&q=SHIP", &["b-kafka/orders-shipper"][..]),
        ("cluster_id=orders-kafka&state=OFFLINE", &["orders-kafka/billing"]),
        ("cluster_id=other&topic=payments", &["b-kafka/orders-shipper"]),
        ("cluster_id=other&alerting=true", &["b-kafka/orders-shipper"]),
        ("cluster_id=other&slo_met=false", &["b-kafka/orders-shipper"]),
        ("slo_met=true", &[]),
        ("team=nobody", &[]),
        ("cluster_id=other&limit=2&sort=-max_lag_seconds", &["b-kafka/billing", "b-kafka/orders-shipper"]),
        ("limit=2&sort=-state", &["b-kafka/billing", "orders-kafka/billing"]),
    ] {
        let got = bare.get(&format!("/api/v1/consumers/groups?{query}")).await.json();
        assert_eq!(ids(&got), expected, "{query}: {got}");
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    let bare = Bare::sampled();
    bare.post("other", of("b-kafka", "other"));
    for sort in ["group_id", "-group_id", "cluster_name", "max_lag_seconds", "-max_lag_seconds", "members", "alerts"] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = bare.get(&format!("/api/v1/consumers/groups?limit=3&sort={sort}{cursor}")).await.json();
            found.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let whole = bare.get(&format!("/api/v1/consumers/groups?sort={sort}")).await.json();
        assert_eq!(found, ids(&whole), "{sort}");
    }
}

#[tokio::test]
async fn refusals_say_what_is_allowed() {
    let bare = Bare::sampled();
    bare.post("other", of("b-kafka", "abc"));
    for (path, status, words) in [
        ("groups?limit=0", 422, "limit: write a whole number from 1 to 1000"),
        ("groups?limit=1001", 422, "from 1 to 1000"),
        ("groups?limit=-1", 422, "from 1 to 1000"),
        ("groups?limit=", 422, "from 1 to 1000"),
        ("groups?limit=1&limit=2", 422, "limit: write it once"),
        ("groups/%FF", 422, "Invalid UTF-8 in `group_id`: write it in UTF-8, percent-encoded"),
        ("topics/a%FFb/detail", 422, "Invalid UTF-8 in `topic_name`"),
        ("groups/%FF/live", 422, "Invalid UTF-8 in `group_id`"),
        ("groups?sort=age", 422, "sort: write one of group_id, cluster_name, state"),
        ("groups?state=offline", 422, "expected one of `ONLINE`, `RECOVERING`, `OFFLINE`"),
        ("groups?page=2", 422, "unknown field `page`, expected one of `cluster_id`"),
        ("groups?cursor=0g", 422, "cursor: write the next_cursor"),
        ("groups?cursor=", 422, "cursor: write the next_cursor"),
        ("groups?alerting=yes", 422, "`true` or `false`"),
        ("groups?cluster_id=nowhere", 404, "there is \"b-kafka\", \"orders-kafka\""),
        ("groups?cluster_id=abc", 422, "write cluster_id as one of \"b-kafka\", \"orders-kafka\""),
        ("groups/nobody", 404, "there is no consumer group \"nobody\" in any cluster"),
        ("groups/billing", 422, "is in more than one cluster: write cluster_id as one of"),
        ("groups/nobody?cluster_id=b-kafka", 404, "in cluster \"b-kafka\""),
        ("groups/billing/history?cluster_id=b-kafka&from=soon", 422, "from: write a time such as"),
        ("groups/billing/history?cluster_id=b-kafka&step=0", 422, "step: write seconds, or a duration"),
        ("groups/billing/history?cluster_id=b-kafka&from=2&to=1", 422, "to: write a time that is not before from"),
        ("groups/billing/live?cluster_id=b-kafka&interval=3601", 422, "interval: write whole seconds, 1 to 3600"),
        ("topics/nothing/detail", 404, "there is no topic \"nothing\""),
        ("topics/orders/consumers", 422, "topic \"orders\" is in more than one cluster"),
    ] {
        let got = bare.get(&format!("/api/v1/consumers/{path}")).await;
        let detail = got.json()["detail"].as_str().unwrap().to_owned();
        assert!(got.status == status && detail.contains(words), "{path}: {} {detail}", got.status);
    }
    assert_eq!(bare.get("/api/v1/consumers/groups/billing?cluster_id=b-kafka").await.status, 200);
}

#[tokio::test]
async fn before_the_first_sample_it_is_not_ready() {
    let bare = Bare::new(&[]);
    let got = bare.get("/api/v1/consumers/groups").await;
    assert_eq!((got.status, got.json()), (503, json!({ "detail": "the first sample" })));
    bare.readiness.ready();
    let got = bare.get("/api/v1/consumers/groups").await;
    assert_eq!((got.status, got.json()), (200, json!({ "items": [], "total": 0, "next_cursor": null })));
    bare.board.post_pulse(&sample::monitor(), Pulse { cluster_name: "orders-kafka".into(), ..Pulse::default() });
    for path in ["consumers/groups", "consumers/groups?cluster_id=orders-kafka", "alerts", "scale/shop/orders/billing"]
    {
        assert_eq!(bare.get(&format!("/api/v1/{path}")).await.status, 503, "{path}");
    }
    let clusters = bare.get("/api/v1/clusters").await.json();
    assert_eq!(
        (&clusters["items"][0]["cluster_name"], &clusters["items"][0]["totals"]),
        (&json!("orders-kafka"), &Value::Null)
    );
}

#[tokio::test]
async fn an_answer_is_valid_until_the_board_says_something_else() {
    let bare = Bare::sampled();
    let path = "/api/v1/consumers/groups";
    let first = bare.get(path).await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with("W/\"") && first.header("cache-control") == "private, max-age=1", "{:?}", first.headers);
    for known in [&etag, "*", &format!("\"x\", {}", etag.trim_start_matches("W/"))] {
        let again = bare.with(path, "if-none-match", known).await;
        assert_eq!((again.status, again.bytes.len(), again.header("etag")), (304, 0, &*etag), "{known}");
    }
    for (wrong, status) in
        [("groups?limit=0", 422), ("groups?sort=age", 422), ("groups/nobody", 404), ("groups/%FF", 422)]
    {
        let got = bare.with(&format!("/api/v1/consumers/{wrong}"), "if-none-match", &etag).await;
        assert_eq!((got.status, got.json()["detail"].is_string()), (status, true), "{wrong}");
    }
    bare.board.post_file(&sample::monitor(), Ok(()));
    assert_eq!(bare.with(path, "if-none-match", &etag).await.status, 304, "a file is no news here");
    let mut later = sample::report();
    later.generated_at = Timestamp(sample::NOW + 1);
    bare.post("orders", later);
    assert_eq!(bare.with(path, "if-none-match", &etag).await.status, 200);
    assert_eq!(bare.get("/api/v1/consumers/groups/nobody").await.header("etag"), "");
    let head = bare.ask(Request::head(path).body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
}

#[tokio::test]
async fn answers_are_compressed_for_who_asks_and_foreign_pages_read_them_where_allowed() {
    let bare = Bare::new(&["https://grafana.example.org"]);
    bare.post("orders", sample::report());
    let path = "/api/v1/consumers/groups";
    let plain = bare.get(path).await;
    let small = bare.with(path, "accept-encoding", "gzip").await;
    assert_eq!((plain.header("content-encoding"), small.header("content-encoding")), ("", "gzip"));
    assert!(small.bytes.len() * 2 < plain.bytes.len(), "{} {}", small.bytes.len(), plain.bytes.len());
    let allowed = |got: Got| got.header("access-control-allow-origin").to_owned();
    assert_eq!(allowed(bare.with(path, "origin", "https://grafana.example.org").await), "https://grafana.example.org");
    assert_eq!(allowed(bare.with(path, "origin", "https://elsewhere.example.org").await), "");
    assert_eq!(allowed(Bare::sampled().with(path, "origin", "https://grafana.example.org").await), "");
    assert_eq!(allowed(Bare::new(&["*"]).with("/openapi.json", "origin", "https://a.example.org").await), "*");
    let asked = Request::options(path)
        .header("origin", "https://grafana.example.org")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let allowed = bare.ask(asked.body(Body::empty()).unwrap()).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-headers")), (200, "authorization"));
}

#[tokio::test]
async fn the_page_of_the_document_asks_nobody_else() {
    let bare = Bare::new(&[]);
    let page = bare.get("/docs").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-") && policy.contains("connect-src 'self'"));
    let html = String::from_utf8(page.bytes.clone()).unwrap();
    assert!(html.contains("url: 'openapi.json'"), "relative, so that it is right below a prefix");
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
}

const SCALE: &str = "/api/v1/scale/shop/orders/orders-shipper";

/// Why an autoscaler gets no number.
async fn unscaled(bare: &Bare) -> String {
    let got = bare.get(SCALE).await;
    assert_eq!(got.status, 503);
    got.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_autoscaler_gets_a_number_only_while_samples_come() {
    let bare = Bare::sampled();
    let good = bare.get(SCALE).await.json();
    assert_eq!(
        (&good["desired_replicas"], &good["lag_seconds"], &good["raw"]["advised"]),
        (&json!(2), &json!(252.0), &json!(2))
    );
    assert_eq!(bare.get("/api/v1/scale/shop/nobody/orders-shipper").await.status, 404);
    assert_eq!(bare.get("/api/v1/scale/shop/orders/nobody").await.status, 404);
    bare.clock.step(180_001);
    assert_eq!(unscaled(&bare).await, "the last sample is 180 s old, more than 180 s");
    bare.clock.step(-180_001);
    let trouble = Failure::new(Scope::Cluster, "", Reason::Timeout, "it hangs".into());
    bare.board.post_pulse(&sample::monitor(), Pulse { trouble: Some(trouble), ..Pulse::default() });
    assert_eq!(unscaled(&bare).await, "the cluster does not answer: it hangs");
}

#[tokio::test]
async fn an_autoscaler_gets_no_number_of_a_group_of_which_part_is_not_known() {
    fn partition(report: &mut Report, change: impl Fn(&mut GroupPartition<'_>)) {
        sample::change_first_partition(&mut report.groups[1].topics.as_mut().unwrap()[1], change);
    }
    let failure = |name: &str| Failure::new(Scope::Topic, name, Reason::Timeout, "no answer.".into());
    let elsewhere = || Assignment { topic: "elsewhere".into(), partitions: vec![0] };
    type Change<'a> = &'a dyn Fn(&mut Report);
    let cases: [(&str, Change<'_>); 8] = [
        ("its members could not be asked", &|report| report.groups[1].members = None),
        ("no answer.", &|report| report.errors.push(failure("orders"))),
        ("partition 0 of topic payments was not answered", &|report| {
            partition(report, |p| p.stale_seconds = Some(3.0))
        }),
        // Of a broker that was never heard nothing is known that could be old.
        ("partition 0 of topic payments was not answered", &|report| partition(report, |p| p.lag_records = None)),
        ("partition 0 of topic payments was not answered", &|report| partition(report, |p| p.lag_seconds = None)),
        ("its members have partitions of topic elsewhere, which the LagMonitor does not watch", &|report| {
            report.groups[1].members.as_mut().unwrap()[1].assigned = vec![elsewhere()];
        }),
        ("the age of the group", &|report| report.groups[1].max_lag_seconds = None),
        ("the advice of the group", &|report| report.groups[1].health.replicas = None),
    ];
    let bare = Bare::sampled();
    for (what, change) in cases {
        let mut report = sample::report();
        change(&mut report);
        bare.post("orders", report);
        let said = unscaled(&bare).await;
        let partly = format!("part of the group is not known: {what}");
        assert!(said == partly || said == format!("{what} is not known at present"), "{said}");
    }
    let mut report = sample::report();
    report.errors.push(failure("of-others"));
    partition(&mut report, |p| (p.committed_offset, p.lag_records, p.lag_seconds) = (None, None, None));
    bare.post("orders", report);
    assert_eq!(bare.get(SCALE).await.status, 200, "what others cannot read, and what it has not begun to read");
}

#[tokio::test]
async fn a_topic_shows_its_groups_and_their_alerts() {
    let bare = Bare::new(&[]);
    let mut report = sample::report();
    let (compliance, met, max_lag_records, max_lag_seconds) = (Some(0.0), Some(false), 1_000, None);
    let (within, breaching, unknown, without_commit) = (0, 1, 0, 0);
    let slo =
        TopicSlo { compliance, met, within, breaching, unknown, without_commit, max_lag_records, max_lag_seconds };
    report.groups[1].topics.as_mut().unwrap()[1].slo = Some(slo);
    bare.post("orders", report);
    let payments = bare.get("/api/v1/consumers/topics/payments/detail").await.json();
    assert_eq!(payments["alerts"][0]["kind"], "slo_violated");
    let detail = bare.get("/api/v1/consumers/topics/orders/detail").await.json();
    assert_eq!((&detail["topic"]["partitions"], &detail["topic"]["replication_factor"]), (&json!(2), &json!(3)));
    assert_eq!(detail["partitions"][0]["partition"], 0);
    assert!(detail["partitions"][0]["groups"].as_u64().unwrap() >= 2, "{detail}");
    assert_eq!(detail["alerts"], json!([]), "it is about the other topic");
    assert!(detail["config"]["retention_ms"].is_null() && detail["config"]["reason"].is_string());
    let shipper = detail["consumers"].as_array().unwrap().iter().find(|group| group["group_id"] == "orders-shipper");
    assert_eq!(shipper.unwrap()["topic_lag"]["topic"], "orders");
    let consumers = bare.get("/api/v1/consumers/topics/payments/consumers").await.json();
    assert_eq!(ids(&consumers), ["orders-kafka/orders-shipper"]);
    let alerts = bare.get("/api/v1/alerts?severity=warning&kind=slo_violated").await.json();
    assert_eq!((&alerts["total"], &alerts["items"][0]["cluster_name"]), (&json!(1), &json!("orders-kafka")));
    assert_eq!(bare.get("/api/v1/alerts?severity=critical").await.json()["total"], 0);
}

#[tokio::test]
async fn with_a_token_only_its_owner_sees_anything() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |token: &str| std::fs::write(&file, token).unwrap();
    write("s3cret\n");
    let (store, access) =
        (Arc::new(Store::open(folder.path()).unwrap().store), Access::Token(Arc::new(TokenFile::open(&file).unwrap())));
    let bare = Bare::guarded(store, Clock::stepped(sample::NOW), &["*"], access, folder);
    bare.post("orders", sample::report());
    let paths = ["/api/v1/consumers/groups", "/api/v1/scale/shop/orders/orders-shipper", "/api/v1/live", "/metrics"];
    for path in paths {
        let got = bare.get(path).await;
        assert_eq!((got.status, got.header("www-authenticate")), (401, "Bearer"), "{path}");
        assert_eq!(got.json()["detail"], "send a token, as `Authorization: Bearer …`");
        assert_eq!(bare.with(path, "authorization", "Bearer other").await.status, 401, "{path}");
        assert_eq!(bare.with(path, "authorization", "Basic s3cret").await.status, 401, "{path}");
        assert_eq!(bare.with(path, "cookie", "highwater=other").await.status, 401, "{path}");
    }
    for path in [paths[0], paths[1], paths[3]] {
        assert_eq!(bare.with(path, "authorization", "bearer s3cret").await.status, 200, "{path}");
    }
    for path in ["/livez", "/docs", "/openapi.json", "/"] {
        assert_eq!(bare.get(path).await.status, 200, "{path}");
    }
    let etag = bare.with(paths[0], "authorization", "Bearer s3cret").await.header("etag").to_owned();
    assert_eq!(bare.with(paths[0], "if-none-match", &etag).await.status, 401, "what is unchanged is not for everybody");

    let login = async |origin: &str, body: &'static str| {
        let request = Request::post("/login").header("host", "highwater:8080").header("origin", origin);
        bare.ask(request.header("content-type", "application/json").body(Body::from(body)).unwrap()).await
    };
    let own = "http://highwater:8080";
    assert_eq!(login("https://elsewhere.example.org", r#"{"token":"s3cret"}"#).await.status, 403);
    assert_eq!(login(own, r#"{"token":"other"}"#).await.status, 401);
    assert_eq!(login(own, r#"{"token":"a; b"}"#).await.status, 422);
    assert_eq!(login(own, "s3cret").await.status, 422);
    let got = bare.get("/login").await;
    assert_eq!(
        (got.status, got.header("allow"), got.json()),
        (405, "POST", json!({ "detail": "only POST is allowed" }))
    );
    let good = login(own, r#"{"token":" s3cret "}"#).await;
    let cookie = good.header("set-cookie");
    assert_eq!((good.status, cookie), (204, "highwater=s3cret; HttpOnly; SameSite=Strict"));
    let (pair, _) = cookie.split_once(';').unwrap();
    assert_eq!(bare.with(paths[0], "cookie", &format!("a=b; {pair}")).await.status, 200);

    write("another");
    assert_eq!(bare.with(paths[0], "authorization", "Bearer s3cret").await.status, 401);
    write("");
    assert_eq!(bare.with(paths[0], "authorization", "Bearer ").await.status, 503);
}

#[tokio::test]
async fn browsers_are_told_to_be_careful() {
    let bare = Bare::sampled();
    for path in ["/", "/docs", "/api/v1/alerts", "/metrics", "/nothing"] {
        let got = bare.get(path).await;
        let told =
            ["x-content-type-options", "x-frame-options", "referrer-policy"].map(|name| got.header(name).to_owned());
        assert_eq!(told, ["nosniff", "DENY", "no-referrer"], "{path}");
        assert!(got.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
}

/// The table for the README, a row a route.
fn routes(document: &Value) -> String {
    let mut table = "| GET | answers | parameters |\n|---|---|---|\n".to_owned();
    let paths: std::collections::BTreeMap<_, _> = document["paths"].as_object().unwrap().iter().collect();
    for (path, operation) in paths {
        let parameters = operation["get"]["parameters"].as_array().into_iter().flatten();
        let query = parameters.filter(|parameter| parameter["in"] == "query");
        let names: Vec<&str> = query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let summary = operation["get"]["summary"].as_str().unwrap();
        table += &format!("| `{path}` | {summary} | {} |\n", names.join(", "));
    }
    table
}

#[tokio::test]
async fn the_readme_lists_every_route() {
    let table = routes(&Bare::new(&[]).get("/openapi.json").await.json());
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("<!-- routes -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- /routes -->").unwrap();
    assert_eq!(shown, table, "the table in README.md is to be:\n{table}");
}
