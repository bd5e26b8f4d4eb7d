//! A report in a ConfigMap of a real API server, with the operator's own rights, while others are at it too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use highwater::crd::LagMonitor;
use highwater::crd::output::{ConfigMapOutput, Detail as Wanted};
use highwater::lag::observation::GroupKind;
use highwater::lag::report::{Cluster as Kafka, Detail, Group, MonitorName, Report, Sampling, Timestamp};
use highwater::output::config_map::{Limits, rendered};
use highwater::reconcile::publish::budget::Budget;
use highwater::reconcile::publish::error::PublishError;
use highwater::reconcile::publish::{Next, Owner, Publication, REFRESH};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use serde_json::{Value, json};

use crate::cluster::cluster;
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace with a LagMonitor, the operator's way to its ConfigMaps, and a time that only the test moves.
struct Desk {
    namespace: String,
    monitor: MonitorName,
    reference: OwnerReference,
    api: Api<ConfigMap>,
    budget: Budget,
    now: Instant,
}

impl Desk {
    async fn new() -> Self {
        let namespace = cluster().namespace("publishing");
        let api = Api::namespaced(client(&namespace, None).await, &namespace);
        let monitor = MonitorName { namespace: namespace.clone(), name: "orders".into() };
        let reference = lag_monitor(&namespace, "orders").await;
        let now = Instant::now();
        Self { namespace, monitor, reference, api, budget: Budget::new(now), now }
    }

    fn owner(&self) -> Owner<'_> {
        Owner { api: &self.api, monitor: &self.monitor, reference: &self.reference }
    }

    async fn publish(&self, publication: &mut Publication, report: &Report) -> Result<Next, PublishError> {
        publication.publish(self.owner(), &output("orders-lag"), report, &self.budget, self.now).await
    }

    /// Publishes once enough time has passed since the last writing.
    async fn later(&mut self, publication: &mut Publication, report: &Report) -> Result<Next, PublishError> {
        self.now += MINUTE;
        self.publish(publication, report).await
    }

    async fn found(&self, name: &str) -> Option<ConfigMap> {
        self.api.get_opt(name).await.unwrap()
    }

    /// The oldest age that the ConfigMap tells.
    async fn age(&self) -> Value {
        let found = self.found("orders-lag").await.unwrap();
        let report: Value = serde_json::from_str(&found.data.unwrap()["report.json"]).unwrap();
        report["groups"][0]["max_lag_seconds"].clone()
    }

    fn lists(&self, name: &str) -> bool {
        let line = format!("configmap/{name}");
        self.kubectl(&["get", "configmaps", "-o", "name"]).lines().any(|found| found == line)
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        cluster().kubectl(&[&["--namespace", &self.namespace], arguments].concat())
    }
}

/// A client with the operator's rights, or with those of whoever has `token`.
async fn client(namespace: &str, token: Option<&str>) -> Client {
    let mut config = Kubeconfig::read_from(cluster().operator_kubeconfig(namespace)).unwrap();
    if let Some(token) = token {
        config.auth_infos[0].auth_info.as_mut().unwrap().token = Some(token.to_owned().into());
    }
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn lag_monitor(namespace: &str, name: &str) -> OwnerReference {
    cluster().apply(&format!(
        "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\n\
         metadata: {{ name: {name}, namespace: {namespace} }}\nspec: {{ brokers: [\"kafka:9092\"] }}\n"
    ));
    let api: Api<LagMonitor> = Api::namespaced(client(namespace, None).await, namespace);
    api.get(name).await.unwrap().controller_owner_ref(&()).unwrap()
}

fn output(name: &str) -> ConfigMapOutput {
    ConfigMapOutput { name: name.into(), detail: Wanted::Group, min_interval: "1m".parse().unwrap() }
}

/// A report of groups of one age, made so many seconds after the first one.
fn report(groups: usize, age: f64, seconds: i64) -> Report {
    let group = |number| Group {
        group_id: format!("group-{number}").into(),
        kind: GroupKind::Classic,
        group_state: None,
        state: None,
        assignor: None,
        members: None,
        max_lag_seconds: Some(age),
        total_lag_records: Some(7),
        trend: None,
        health: Default::default(),
        topics: None,
    };
    Report {
        schema_version: 1,
        monitor: None,
        team: None,
        cluster: Kafka { name: "orders-kafka".into(), id: None, brokers: vec![] },
        generated_at: Timestamp(1_772_366_400_000 + seconds * 1_000),
        sampling: Sampling { interval_seconds: Some(60.0), duration_seconds: 0.2, coverage: 1.0, probes: 0 },
        detail: Detail::Group,
        truncated: false,
        left_out: None,
        errors: vec![],
        totals: Default::default(),
        groups: (0..groups).map(group).collect(),
        topics: vec![],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_created_kept_quietly_and_goes_with_its_monitor() {
    let mut desk = Desk::new().await;
    let mut publication = Publication::default();
    assert_eq!(desk.publish(&mut publication, &report(2, 5.0, 0)).await.unwrap(), Next::Written);
    assert_eq!(publication.name(), Some("orders-lag"));
    let first = desk.found("orders-lag").await.unwrap();
    let text = rendered(&report(2, 5.0, 0), Detail::Group, Limits::default()).unwrap().json;
    assert_eq!(first.data, Some(BTreeMap::from([("report.json".to_owned(), text)])));
    let metadata = json!({ "labels": first.metadata.labels, "annotations": first.metadata.annotations });
    let expected = json!({ "labels": { "app.kubernetes.io/managed-by": "highwater" }, "annotations": null });
    assert_eq!(metadata, expected);
    let [owner] = &first.metadata.owner_references.clone().unwrap()[..] else { panic!("{first:?}") };
    assert_eq!((owner, owner.block_owner_deletion), (&desk.reference, None));

    desk.now += SECOND;
    let early = desk.publish(&mut publication, &report(2, 6.0, 1)).await.unwrap();
    assert_eq!(early, Next::In(59 * SECOND), "a change too");
    assert_eq!(desk.later(&mut publication, &report(2, 5.0, 61)).await.unwrap(), Next::Unchanged);
    assert_eq!(desk.found("orders-lag").await.unwrap(), first);
    assert_eq!(desk.publish(&mut publication, &report(2, 6.0, 61)).await.unwrap(), Next::Written);
    assert_eq!(desk.age().await, 6.0);

    desk.now += REFRESH;
    assert_eq!(desk.publish(&mut publication, &report(2, 6.0, 61)).await.unwrap(), Next::Unchanged, "no later report");
    assert_eq!(desk.publish(&mut publication, &report(2, 6.0, 661)).await.unwrap(), Next::Written, "still alive");

    desk.kubectl(&["delete", "lagmonitor", "orders"]);
    eventually("Kubernetes collects it", PATIENCE, || !desk.lists("orders-lag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_of_a_former_monitor_of_the_name_makes_room() {
    let mut desk = Desk::new().await;
    desk.publish(&mut Publication::default(), &report(1, 5.0, 0)).await.unwrap();
    desk.kubectl(&["delete", "lagmonitor", "orders", "--cascade=orphan"]);
    desk.reference = lag_monitor(&desk.namespace, "orders").await;
    let error = desk.later(&mut Publication::default(), &report(1, 5.0, 0)).await.unwrap_err();
    assert!(error.to_string().contains("belongs to nobody"), "{error}");

    desk.kubectl(&["delete", "configmap", "orders-lag"]);
    let mut publication = Publication::default();
    assert_eq!(desk.later(&mut publication, &report(1, 5.0, 0)).await.unwrap(), Next::Written);
    desk.kubectl(&["delete", "lagmonitor", "orders"]);
    desk.reference = lag_monitor(&desk.namespace, "orders").await;
    // Whether Kubernetes has collected it by now or not.
    assert_eq!(desk.later(&mut publication, &report(1, 6.0, 60)).await.unwrap(), Next::Written);
    assert_eq!(desk.age().await, 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_left_as_it_is() {
    let mut desk = Desk::new().await;
    let other = lag_monitor(&desk.namespace, "payments").await;
    let loose = OwnerReference { controller: None, ..desk.reference.clone() };
    for (owner, holder) in [
        (None, "nobody"),
        (Some(other), "LagMonitor payments"),
        (Some(loose), "this LagMonitor, but not as its controller"),
    ] {
        desk.kubectl(&["create", "configmap", "orders-lag", "--from-literal=report.json=mine"]);
        if let Some(owner) = &owner {
            let patch = json!({ "metadata": { "ownerReferences": [owner] } }).to_string();
            desk.kubectl(&["patch", "configmap", "orders-lag", "--type=merge", "-p", &patch]);
        }
        let before = desk.kubectl(&["get", "configmap", "orders-lag", "-o", "yaml", "--show-managed-fields"]);
        let mut publication = Publication::recalled(Some("orders-lag".into()));
        let error = desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap_err();
        assert_eq!(error.reason(), "ConfigMapTaken");
        let expected = format!(
            "ConfigMap {}/orders-lag exists and belongs to {holder}: delete it, or write another name into \
             spec.output.configMap.name",
            desk.namespace
        );
        assert_eq!(error.to_string(), expected);
        publication.withdraw(desk.owner()).await.unwrap();
        let after = desk.kubectl(&["get", "configmap", "orders-lag", "-o", "yaml", "--show-managed-fields"]);
        assert_eq!(after, before);
        desk.kubectl(&["delete", "configmap", "orders-lag"]);
    }
    let mut publication = Publication::default();
    assert_eq!(desk.later(&mut publication, &report(1, 5.0, 0)).await.unwrap(), Next::Written);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_to_it_is_mended_or_left() {
    let mut desk = Desk::new().await;
    let mut publication = Publication::default();
    desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap();
    let edits = [r#"{"data":{"report.json":"{}"}}"#, r#"{"data":null}"#, r#"{"metadata":{"labels":null}}"#];
    for edit in edits {
        desk.kubectl(&["patch", "configmap", "orders-lag", "--type=merge", "-p", edit]);
        assert_eq!(desk.later(&mut publication, &report(1, 5.0, 60)).await.unwrap(), Next::Written, "{edit}");
        assert_eq!(desk.age().await, 5.0);
    }
    desk.kubectl(&["delete", "configmap", "orders-lag"]);
    assert_eq!(desk.later(&mut publication, &report(1, 5.0, 120)).await.unwrap(), Next::Written);

    desk.kubectl(&["annotate", "configmap", "orders-lag", "team=shop"]);
    let annotated = desk.found("orders-lag").await.unwrap();
    assert_eq!(desk.later(&mut publication, &report(1, 5.0, 180)).await.unwrap(), Next::Unchanged);
    assert_eq!(desk.found("orders-lag").await.unwrap(), annotated);
    assert_eq!(desk.publish(&mut publication, &report(1, 8.0, 180)).await.unwrap(), Next::Written);
    let written = desk.found("orders-lag").await.unwrap();
    assert_eq!((written.metadata.annotations, desk.age().await), (annotated.metadata.annotations, 8.0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_overtaken_looks_again() {
    let mut desk = Desk::new().await;
    let (mut former, mut present) = (Publication::default(), Publication::default());
    desk.publish(&mut former, &report(1, 1.0, 0)).await.unwrap();
    assert_eq!(desk.publish(&mut present, &report(1, 2.0, 0)).await.unwrap(), Next::Written, "one of ours is adopted");
    assert_eq!(desk.later(&mut former, &report(1, 3.0, 60)).await.unwrap(), Next::Written, "over a conflict");
    assert_eq!(desk.age().await, 3.0);
    desk.kubectl(&["delete", "configmap", "orders-lag"]);
    assert_eq!(desk.later(&mut former, &report(1, 4.0, 120)).await.unwrap(), Next::Written, "over a 404");

    desk.kubectl(&["delete", "configmap", "orders-lag"]);
    desk.kubectl(&["create", "configmap", "orders-lag", "--from-literal=report.json=mine"]);
    for seconds in [180, 240] {
        let error = desk.later(&mut former, &report(1, 5.0, seconds)).await.unwrap_err();
        assert_eq!(error.reason(), "ConfigMapTaken");
    }
    assert_eq!(desk.found("orders-lag").await.unwrap().data.unwrap()["report.json"], "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_name_is_cleared_away_unless_it_is_foreign() {
    let mut desk = Desk::new().await;
    let mut publication = Publication::default();
    desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap();
    desk.now += MINUTE;
    let renamed = output("shop-lag");
    let next = publication.publish(desk.owner(), &renamed, &report(1, 5.0, 60), &desk.budget, desk.now).await;
    assert_eq!((next.unwrap(), publication.name()), (Next::Written, Some("shop-lag")));
    assert!(desk.found("orders-lag").await.is_none() && desk.found("shop-lag").await.is_some());

    // What another process wrote, as the status tells.
    let mut recalled = Publication::recalled(Some("shop-lag".into()));
    assert_eq!(desk.publish(&mut recalled, &report(1, 5.0, 60)).await.unwrap(), Next::Written);
    assert!(desk.found("shop-lag").await.is_none());
    recalled.withdraw(desk.owner()).await.unwrap();
    recalled.withdraw(desk.owner()).await.unwrap();
    assert_eq!((recalled.name(), desk.found("orders-lag").await), (None, None));

    desk.kubectl(&["create", "configmap", "foreign", "--from-literal=report.json=mine"]);
    let mut misled = Publication::recalled(Some("foreign".into()));
    assert_eq!(desk.publish(&mut misled, &report(1, 5.0, 60)).await.unwrap(), Next::Written);
    assert!(desk.found("foreign").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_one_stays_until_the_new_one_is_there() {
    let mut desk = Desk::new().await;
    let (mut publication, report) = (Publication::default(), report(1, 5.0, 0));
    assert_eq!(publication.name(), None, "nothing holds it yet");
    desk.publish(&mut publication, &report).await.unwrap();
    assert!(publication.shows(&output("orders-lag")));

    desk.kubectl(&["create", "configmap", "taken", "--from-literal=report.json=mine"]);
    let taken = publication.publish(desk.owner(), &output("taken"), &report, &desk.budget, desk.now).await;
    assert_eq!(taken.unwrap_err().reason(), "ConfigMapTaken");
    assert!(!publication.shows(&output("taken")));
    assert_eq!((publication.name(), desk.age().await), (Some("orders-lag"), 5.0.into()));

    desk.budget.take(9 << 20, desk.now).unwrap();
    let next = publication.publish(desk.owner(), &output("other"), &report, &desk.budget, desk.now).await.unwrap();
    assert!(matches!(next, Next::In(_)) && !publication.shows(&output("other")), "{next:?}");
    assert_eq!((publication.name(), desk.age().await), (Some("orders-lag"), 5.0.into()));

    desk.now += MINUTE;
    let next = publication.publish(desk.owner(), &output("other"), &report, &desk.budget, desk.now).await.unwrap();
    assert!(next == Next::Written && publication.shows(&output("other")), "{next:?}");
    assert_eq!(publication.name(), Some("other"));
    assert!(desk.found("orders-lag").await.is_none() && desk.found("other").await.is_some());
    assert_eq!(desk.found("taken").await.unwrap().data.unwrap()["report.json"], "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_detail_does_not_wait_for_the_next_day() {
    let mut desk = Desk::new().await;
    let mut publication = Publication::default();
    let daily = |detail| ConfigMapOutput { detail, min_interval: "24h".parse().unwrap(), ..output("orders-lag") };
    let (report, first) = (report(1, 5.0, 0), daily(Wanted::Group));
    publication.publish(desk.owner(), &first, &report, &desk.budget, desk.now).await.unwrap();
    desk.now += 4 * SECOND;
    let other = daily(Wanted::Topic);
    for (wait, shown) in [(Next::In(6 * SECOND), false), (Next::Written, true), (Next::In(24 * 60 * MINUTE), true)] {
        let next = publication.publish(desk.owner(), &other, &report, &desk.budget, desk.now).await.unwrap();
        assert_eq!((next, publication.shows(&other)), (wait, shown));
        desk.now += if shown { Duration::ZERO } else { 6 * SECOND };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_changed_or_is_full_says_what_to_do() {
    let mut desk = Desk::new().await;
    let mut publication = Publication::default();
    desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap();
    desk.kubectl(&["patch", "configmap", "orders-lag", "-p", r#"{"immutable":true}"#]);
    let error = desk.later(&mut publication, &report(1, 6.0, 60)).await.unwrap_err();
    assert_eq!(error.reason(), "ConfigMapImmutable", "{error}");
    desk.kubectl(&["delete", "configmap", "orders-lag"]);
    assert_eq!(desk.later(&mut publication, &report(1, 6.0, 60)).await.unwrap(), Next::Written);

    let ballast = Patch::Merge(json!({ "data": { "ballast": "x".repeat(600 * 1024) } }));
    desk.api.patch("orders-lag", &PatchParams::default(), &ballast).await.unwrap();
    let error = desk.later(&mut publication, &report(10_000, 7.0, 120)).await.unwrap_err();
    assert_eq!(error.reason(), "ConfigMapTooLarge", "{error}");
    desk.kubectl(&["patch", "configmap", "orders-lag", "--type=merge", "-p", r#"{"data":{"ballast":null}}"#]);
    assert_eq!(desk.later(&mut publication, &report(10_000, 7.0, 120)).await.unwrap(), Next::Written);
    let length = desk.found("orders-lag").await.unwrap().data.unwrap()["report.json"].len();
    assert!((899 * 1024..=900 * 1024).contains(&length), "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_one_by_one() {
    let mut desk = Desk::new().await;
    let token = desk.kubectl(&["create", "token", "default"]);
    desk.api = Api::namespaced(client(&desk.namespace, Some(token.trim())).await, &desk.namespace);
    let mut publication = Publication::default();
    for (step, granted) in [vec!["get"], vec!["get", "create"], vec!["get", "create", "patch"]].into_iter().enumerate()
    {
        let missing = ["get", "create", "patch"][step];
        desk.now += MINUTE;
        let result = desk.publish(&mut publication, &report(1, step as f64, 60)).await;
        let error = result.unwrap_err();
        assert!(matches!(error, PublishError::Forbidden { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("`{missing}` is missing")), "{error}");
        grant(&desk.namespace, &granted);
        eventually("the right is granted", PATIENCE, || {
            let user = format!("--as=system:serviceaccount:{}:default", desk.namespace);
            let verb = granted[step];
            let rules = cluster().kubectl(&["auth", "can-i", "--list", &user, "-n", &desk.namespace]);
            rules.lines().any(|line| line.starts_with("configmaps ") && line.contains(verb))
        });
        if missing == "create" {
            assert_eq!(desk.publish(&mut publication, &report(1, 9.0, 60)).await.unwrap(), Next::Written);
        }
    }
    let error = publication.withdraw(desk.owner()).await.unwrap_err();
    assert!(error.to_string().contains("`delete` is missing"), "{error}");
    assert_eq!(publication.name(), Some("orders-lag"), "it is tried again");
    assert_eq!(desk.later(&mut publication, &report(1, 10.0, 60)).await.unwrap(), Next::Written);
}

fn grant(namespace: &str, verbs: &[&str]) {
    cluster().apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{ name: lag, namespace: {namespace} }}\n\
         rules: [{{ apiGroups: [\"\"], resources: [configmaps], verbs: [{}] }}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
         metadata: {{ name: lag, namespace: {namespace} }}\n\
         roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: Role, name: lag }}\n\
         subjects: [{{ kind: ServiceAccount, name: default, namespace: {namespace} }}]\n",
        verbs.join(", ")
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_and_a_spent_budget_hold_it_back() {
    let mut desk = Desk::new().await;
    desk.kubectl(&["create", "quota", "few", "--hard=count/configmaps=0"]);
    let mut publication = Publication::default();
    eventually("the quota counts", PATIENCE, || {
        desk.kubectl(&["get", "quota", "few", "-o", "jsonpath={.status.hard}"]).contains("configmaps")
    });
    let error = desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap_err();
    assert_eq!(error.reason(), "ConfigMapQuota", "{error}");
    assert!(error.to_string().contains("quota: few"), "{error}");
    desk.kubectl(&["delete", "quota", "few"]);
    desk.budget.take(6 << 20, desk.now).unwrap();
    let next = desk.publish(&mut publication, &report(1, 5.0, 0)).await.unwrap();
    assert!(matches!(next, Next::In(wait) if wait > SECOND && wait < 3 * SECOND), "{next:?}");
    assert_eq!(desk.found("orders-lag").await, None);
    desk.now += 3 * SECOND;
    let end = Instant::now() + PATIENCE;
    // A quota is enforced a moment longer than it is there.
    while let Err(error) = desk.publish(&mut publication, &report(1, 5.0, 0)).await {
        assert!(error.reason() == "ConfigMapQuota" && Instant::now() < end, "{error}");
        tokio::time::sleep(SECOND / 20).await;
    }
    assert_eq!(desk.age().await, 5.0);
}
