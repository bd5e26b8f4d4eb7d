//! Conditions from what is known: each story is a monitor's life, and what `kubectl get` would say at each turn.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::lag::anomaly::Anomaly;
use crate::lag::reason::{Reason, Scope};
use crate::lag::report::{GroupPartition, Report, State};
use crate::output::sample;

/// Noon of 1 March 2026, and a bit: Kubernetes has no milliseconds.
pub(in crate::reconcile) const NOON: Millis = 1_772_366_400_123;

/// What stands on the board after a sample of this coverage.
pub(in crate::reconcile) fn sampled(report: Report, coverage: f64) -> Posted {
    let pulse = Pulse { samples: 1, coverage: Some(coverage), last_sample: Some(NOON + 2_000), ..Pulse::default() };
    Posted { report: Some(Arc::new(report)), pulse: Arc::new(pulse), file: None }
}

/// What stands on the board while the cluster can't be read, after the `report` of better times.
pub(in crate::reconcile) fn failing(report: Option<Report>, reason: Reason) -> Posted {
    let trouble = failure(Scope::Cluster, reason, "the cluster cannot be read: check it");
    let pulse = Pulse { samples: 2, coverage: Some(0.0), trouble: Some(trouble), ..Pulse::default() };
    Posted { report: report.map(Arc::new), pulse: Arc::new(pulse), file: None }
}

/// What stands on the board of a monitor that has just started again.
pub(in crate::reconcile) fn restarted(report: Option<Report>) -> Posted {
    Posted { report: report.map(Arc::new), pulse: Arc::default(), file: None }
}

/// A report of two groups that keep up.
pub(in crate::reconcile) fn calm() -> Report {
    let partition = || sample::partition(0, Some(90), 100, Some((2.5, 0.04, crate::lag::report::Method::Record)));
    let group =
        |id| sample::group(id, vec![sample::topic("orders", Some(State::Online), vec![partition()])], Some(vec![]));
    Report { errors: vec![], groups: vec![group("a"), group("b")], ..sample::report() }
}

pub(in crate::reconcile) fn objective(slo: serde_json::Value) -> Objective {
    Objective::new(&serde_json::from_value(slo).unwrap()).unwrap()
}

pub(in crate::reconcile) fn refused(goes_on: bool) -> Standing {
    Standing::Refused { reason: "SecretNotFound", message: "spec.tls: Secret a does not exist".into(), goes_on }
}

fn failure(scope: Scope, reason: Reason, message: &str) -> Failure {
    Failure::new(scope, "", reason, message.into())
}

/// What is told of an accepted spec of generation 1 that is published.
fn facts<'a>(posted: Option<&'a Posted>, objective: &'a Objective) -> Facts<'a> {
    let (standing, published) = (&Standing::Accepted, &Published::Done);
    Facts { generation: Some(1), standing, posted, published, objective: Some(objective) }
}

/// Every condition as `type=status/reason`.
fn brief(conditions: &[Condition]) -> String {
    let brief: Vec<_> = conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
    brief.join(" ")
}

fn message<'a>(conditions: &'a [Condition], name: &str) -> &'a str {
    &conditions.iter().find(|condition| condition.type_ == name).unwrap().message
}

#[test]
fn a_monitor_starts_unknown_and_becomes_ready_with_its_first_sample() {
    let objective = objective(json!({}));
    let waiting = Facts { published: &Published::Waiting, ..facts(None, &objective) };
    let first = conditions(waiting, &[], NOON);
    assert_eq!(
        brief(&first),
        "Ready=Unknown/Starting Connected=Unknown/Starting Published=Unknown/Starting SLOMet=Unknown/Starting"
    );
    let posted = restarted(None);
    assert_eq!(conditions(Facts { posted: Some(&posted), ..waiting }, &first, NOON + 999_999), first);

    let posted = sampled(calm(), 1.0);
    let sampled = conditions(Facts { posted: Some(&posted), ..waiting }, &first, NOON + 5_000);
    assert_eq!(
        brief(&sampled),
        "Ready=Unknown/Starting Connected=True/Complete Published=Unknown/Starting SLOMet=True/WithinLimits"
    );
    assert_eq!(message(&sampled, READY), "the report has not been published yet");

    let ready = conditions(facts(Some(&posted), &objective), &sampled, NOON + 9_000);
    assert_eq!(
        brief(&ready),
        "Ready=True/Sampling Connected=True/Complete Published=True/Published SLOMet=True/WithinLimits"
    );
    let since: Vec<_> = ready.iter().map(|condition| condition.last_transition_time.0.to_string()).collect();
    assert_eq!(since, ["2026-03-01T12:00:09Z", "2026-03-01T12:00:05Z", "2026-03-01T12:00:09Z", "2026-03-01T12:00:05Z"]);
    assert!(ready.iter().all(|condition| condition.observed_generation == Some(1)));
    assert_eq!(message(&ready, SLO_MET), "100 % of 2 partitions within limits, 95 % wanted of each group");
}

#[test]
fn a_restart_of_the_operator_turns_nothing_and_a_new_spec_has_to_prove_itself() {
    let objective = objective(json!({}));
    let posted = sampled(calm(), 1.0);
    let ready = conditions(facts(Some(&posted), &objective), &[], NOON);
    let dead = failing(None, Reason::Unreachable);
    let lost = conditions(facts(Some(&dead), &objective), &ready, NOON + 60_000);
    for left in [ready, lost] {
        let posted = restarted(None);
        let again = Facts { published: &Published::Waiting, ..facts(Some(&posted), &objective) };
        let kept = conditions(again, &left, NOON + 99_000);
        assert_eq!(kept[..3], left[..3], "SLOMet alone may have been unknown already");
        let edited = conditions(Facts { generation: Some(2), ..again }, &left, NOON + 99_000);
        assert!(
            edited.iter().all(|c| c.status == UNKNOWN && c.reason == "Starting" && c.observed_generation == Some(2))
        );
    }
}

#[test]
fn a_lost_cluster_is_neither_connected_nor_ready_nor_judged() {
    let objective = objective(json!({ "maxLagRecords": 0 }));
    let (good, bad) = (sampled(calm(), 1.0), failing(Some(calm()), Reason::AuthenticationFailed));
    let before = conditions(facts(Some(&good), &objective), &[], NOON);
    assert_eq!(
        brief(&before),
        "Ready=True/Sampling Connected=True/Complete Published=True/Published SLOMet=False/LimitsExceeded"
    );
    let lost = conditions(facts(Some(&bad), &objective), &before, NOON + 60_000);
    assert_eq!(
        brief(&lost),
        "Ready=False/AuthenticationFailed Connected=False/AuthenticationFailed Published=True/Published SLOMet=Unknown/AuthenticationFailed"
    );
    assert_eq!(message(&lost, READY), "the cluster cannot be read: check it");
    assert_eq!(message(&lost, CONNECTED), message(&lost, READY));
    let found = conditions(facts(Some(&good), &objective), &lost, NOON + 120_000);
    assert_eq!(brief(&found), brief(&before));
    assert_eq!(found[2], before[2], "publishing went on all the time");
    assert_eq!(found[1].last_transition_time.0.to_string(), "2026-03-01T12:02:00Z");
}

#[test]
fn missing_answers_are_told_with_their_share_and_what_explains_most() {
    let objective = objective(json!({}));
    let broker = failure(Scope::Broker, Reason::Unreachable, "broker 2: no connection");
    let group = failure(Scope::Group, Reason::UnknownGroup, "group x: does not exist");
    let nothing = failure(Scope::Cluster, Reason::NothingVisible, "no group is visible");
    for (coverage, errors, reason, message) in [
        (1.0, vec![], "Complete", "the last sample got every answer that it asked for"),
        (0.999, vec![], "Partial", "99 % of the answers came"),
        (0.5, vec![broker.clone()], "Partial", "50 % of the answers came; broker 2: no connection"),
        (
            0.004,
            vec![group.clone(), broker, group.clone()],
            "Partial",
            "0 % of the answers came; broker 2: no connection; the report has 2 more",
        ),
        (
            1.0,
            vec![nothing, group],
            "UnknownGroup",
            "100 % of the answers came; group x: does not exist; the report has 1 more",
        ),
    ] {
        let posted = sampled(Report { errors, ..calm() }, coverage);
        let told = conditions(facts(Some(&posted), &objective), &[], NOON);
        assert_eq!(
            (told[1].status.as_str(), told[1].reason.as_str(), told[1].message.as_str()),
            (TRUE, reason, message)
        );
        assert_eq!(told[0].reason, "Sampling", "what came is sampled");
    }
}

#[test]
fn a_spec_that_is_refused_or_suspended_is_not_ready_and_says_nothing_of_the_rest() {
    let objective = objective(json!({}));
    let posted = sampled(calm(), 1.0);
    let before = conditions(facts(Some(&posted), &objective), &[], NOON);
    let tell = |standing: &Standing| conditions(Facts { standing, ..facts(Some(&posted), &objective) }, &before, NOON);

    let suspended = tell(&Standing::Suspended);
    assert_eq!(
        brief(&suspended),
        "Ready=False/Suspended Connected=Unknown/Suspended Published=Unknown/Suspended SLOMet=Unknown/Suspended"
    );
    assert_eq!(message(&suspended, READY), "no samples are taken: write spec.suspend: false to go on");

    let ended = tell(&refused(false));
    assert_eq!(
        brief(&ended),
        "Ready=False/SecretNotFound Connected=Unknown/NotSampled Published=Unknown/NotSampled SLOMet=Unknown/NotSampled"
    );
    assert_eq!(message(&ended, READY), "spec.tls: Secret a does not exist");

    let goes_on = tell(&refused(true));
    assert_eq!(
        brief(&goes_on),
        "Ready=False/SecretNotFound Connected=True/Complete Published=True/Published SLOMet=True/WithinLimits"
    );
    assert_eq!(
        message(&goes_on, READY),
        "spec.tls: Secret a does not exist; until then it is sampled as it was written before"
    );

    let posted = restarted(None);
    let accepted = Facts { published: &Published::Waiting, ..facts(Some(&posted), &objective) };
    let again = conditions(accepted, &ended, NOON);
    assert!(
        again.iter().all(|condition| (condition.status.as_str(), condition.reason.as_str()) == (UNKNOWN, "Starting"))
    );
}

#[test]
fn what_can_not_be_published_is_not_ready_and_no_output_is_no_fault() {
    let objective = objective(json!({}));
    let posted = sampled(calm(), 1.0);
    let tell = |published: &Published| conditions(Facts { published, ..facts(Some(&posted), &objective) }, &[], NOON);
    let failed = tell(&Published::Failed { reason: "ConfigMapTaken", message: "ConfigMap a is not ours".into() });
    assert_eq!(
        brief(&failed[..3]),
        "Ready=False/ConfigMapTaken Connected=True/Complete Published=False/ConfigMapTaken"
    );
    assert_eq!(message(&failed, READY), "ConfigMap a is not ours");
    assert_eq!(
        brief(&tell(&Published::StatusOnly)[..3]),
        "Ready=True/Sampling Connected=True/Complete Published=True/StatusOnly"
    );
}

#[test]
fn history_that_is_not_stored_is_said_and_is_no_fault_of_the_samples() {
    let objective = objective(json!({}));
    let (why, published) = ("no space is left".to_owned(), Published::Failed { reason: "X", message: "x".into() });
    let pulse = Pulse {
        coverage: Some(1.0),
        unstored: Some(Unstored { reason: "StorageFull", message: why }),
        ..(*sampled(calm(), 1.0).pulse).clone()
    };
    let posted = Posted { pulse: Arc::new(pulse), ..sampled(calm(), 1.0) };
    let told = conditions(facts(Some(&posted), &objective), &[], NOON);
    assert_eq!(brief(&told[..2]), "Ready=True/StorageFull Connected=True/Complete");
    let expected = "the spec is accepted, samples come, and the report is published; but history is kept in memory only: \
                    no space is left";
    assert_eq!(message(&told, READY), expected);
    let told = conditions(Facts { published: &published, ..facts(Some(&posted), &objective) }, &[], NOON);
    assert_eq!(brief(&told[..1]), "Ready=False/X", "what is worse goes first");
}

#[test]
fn one_group_misses_the_objective_for_all_and_ready_never_changes_with_it() {
    let all = |percent: u32, wanted: u32, more: &str| {
        format!("{percent} % of 5 partitions within limits, {wanted} % wanted of each group{more}")
    };
    for (slo, status, reason, message) in [
        (json!({ "maxLagRecords": 4_000 }), TRUE, "WithinLimits", all(100, 95, "")),
        (json!({}), FALSE, "LimitsExceeded", all(80, 95, "; less in orders-shipper (66 %)")),
        // All of them together have enough: the one that has not is what somebody has to know.
        (
            json!({ "minCompliancePercent": 80 }),
            FALSE,
            "LimitsExceeded",
            all(80, 80, "; less in orders-shipper (66 %)"),
        ),
        (json!({ "minCompliancePercent": 60 }), TRUE, "WithinLimits", all(80, 60, "")),
        (
            json!({ "maxLagRecords": 4_000, "maxLag": "2000h" }),
            UNKNOWN,
            "AgesUnknown",
            all(80, 95, "; not known of billing"),
        ),
        (json!({ "maxLag": "2000h" }), FALSE, "LimitsExceeded", all(60, 95, "; less in orders-shipper (66 %)")),
        (
            json!({ "maxLag": "1h" }),
            FALSE,
            "LimitsExceeded",
            all(60, 95, "; less in billing (50 %), orders-shipper (66 %)"),
        ),
    ] {
        let objective = objective(slo);
        let posted = sampled(sample::report(), 0.95);
        let told = conditions(facts(Some(&posted), &objective), &[], NOON);
        assert_eq!(
            (told[3].status.as_str(), told[3].reason.as_str(), told[3].message.as_str()),
            (status, reason, message.as_str())
        );
        assert_eq!(brief(&told[..1]), "Ready=True/Sampling");
    }
    let posted = sampled(Report { groups: vec![], ..calm() }, 1.0);
    let nobody = conditions(facts(Some(&posted), &objective(json!({}))), &[], NOON);
    assert_eq!(brief(&nobody[3..]), "SLOMet=Unknown/NoCommittedOffsets");
}

#[test]
fn committed_offsets_that_do_not_count_are_said_to_be_there() {
    let objective = objective(json!({}));
    let judged = |committed: Option<i64>, anomalies: &[Anomaly]| {
        let partition = sample::partition(0, committed, 100, None);
        let partition = GroupPartition { anomalies: anomalies.iter().copied().collect(), ..partition };
        let groups = vec![sample::group("a", vec![sample::topic("orders", None, vec![partition])], None)];
        let posted = sampled(Report { groups, ..calm() }, 1.0);
        brief(&conditions(facts(Some(&posted), &objective), &[], NOON)[3..])
    };
    assert_eq!(judged(Some(90), &[]), "SLOMet=True/WithinLimits");
    assert_eq!(judged(Some(90), &[Anomaly::Abandoned]), "SLOMet=Unknown/NothingToJudge");
    assert_eq!(judged(Some(90), &[Anomaly::TailUnreadable]), "SLOMet=Unknown/NothingToJudge");
    assert_eq!(judged(None, &[]), "SLOMet=Unknown/NoCommittedOffsets");
}

#[test]
fn messages_are_short_and_show_no_control_characters() {
    let objective = objective(json!({}));
    let long = format!("group {}: {}", sample::AWKWARD, "é".repeat(2_000));
    let standing = Standing::Refused { reason: "InvalidSpec", message: long.clone(), goes_on: true };
    let posted = sampled(Report { errors: vec![failure(Scope::Group, Reason::Timeout, &long)], ..calm() }, 0.5);
    let told = conditions(Facts { standing: &standing, ..facts(Some(&posted), &objective) }, &[], NOON);
    for condition in &told[..2] {
        assert!(condition.message.len() <= 1024 && condition.message.len() > 1020, "{}", condition.message.len());
        assert!(condition.message.ends_with('…') && !condition.message.contains(char::is_control));
    }
}

#[test]
fn the_chart_s_alerts_and_dashboard_know_these_words() {
    let (objective, lost, refused) = (objective(json!({})), failing(None, Reason::Unreachable), refused(false));
    let facts = facts(Some(&lost), &objective);
    let told = [facts, Facts { standing: &Standing::Suspended, ..facts }, Facts { standing: &refused, ..facts }];
    let told = told.map(|facts| brief(&conditions(facts, &[], NOON))).join(" ");
    let metric = regex::Regex::new(r"highwater_lagmonitor_condition\{([^}]*)\}").unwrap();
    let words = regex::Regex::new(r#"^condition="(\w+)", status="(\w+)"(?:, reason!="(\w+)")?$"#).unwrap();
    let rules = include_str!("../../../charts/highwater/files/rules.yaml");
    let dashboard = include_str!("../../../charts/highwater/files/dashboard.json").replace('\\', "");
    for (text, count) in [(rules, 2), (&dashboard, 1)] {
        assert_eq!(metric.captures_iter(text).count(), count);
        for asked in metric.captures_iter(text) {
            let asked = words.captures(&asked[1]).unwrap_or_else(|| panic!("{}", &asked[1]));
            // Where a reason is left out, it is one that is given.
            let reason = asked.get(3).map_or("", |reason| reason.as_str());
            assert!(told.contains(&format!("{}={}/{reason}", &asked[1], &asked[2])), "{}: {told}", &asked[0]);
        }
    }
}
