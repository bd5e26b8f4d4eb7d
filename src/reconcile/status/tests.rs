//! The status from reports and what was known before, and the pace of writing it.

use serde_json::json;

use super::*;
use crate::lag::reason::Reason;
use crate::output::sample;
use crate::reconcile::conditions::tests::{NOON, calm, failing, objective, refused, restarted, sampled};
use crate::reconcile::conditions::{Published, Standing, conditions};

const PLACES: Places<'_> = Places { pod: Some("highwater-0"), config_map: Some("orders-lag") };

/// The status of an accepted spec with what stands on the board.
fn of(posted: &crate::board::Posted, previous: &LagMonitorStatus) -> LagMonitorStatus {
    with(&Standing::Accepted, Some(posted), previous)
}

fn with(standing: &Standing, posted: Option<&crate::board::Posted>, previous: &LagMonitorStatus) -> LagMonitorStatus {
    let objective = objective(json!({}));
    let facts =
        Facts { generation: Some(1), standing, posted, published: &Published::Done, objective: Some(&objective) };
    status(conditions(facts, &previous.conditions, NOON), facts, PLACES, previous)
}

#[test]
fn a_sample_is_told_in_figures() {
    let mut shown = serde_json::to_value(of(&sampled(sample::report(), 0.957), &LagMonitorStatus::default())).unwrap();
    assert_eq!(shown["conditions"].as_array().unwrap().len(), 4);
    shown.as_object_mut().unwrap().remove("conditions");
    let expected = json!({
        "groups": { "total": 4, "online": 0, "offline": 1, "recovering": 1 },
        "worst": { "group": "billing", "topic": "orders", "lagSeconds": 266_400, "summary": "billing on orders" },
        "maxLag": "≥3d2h",
        "lagRecords": 4_070,
        "lastSampleTime": "2026-03-01T12:00:02Z",
        "coveragePercent": 95,
        "clusterID": "abc",
        "configMap": "orders-lag",
        "sampledBy": "highwater-0",
    });
    assert_eq!(shown, expected);
}

#[test]
fn nobody_is_worst_where_everybody_is_first() {
    let calm = of(&sampled(calm(), 1.0), &LagMonitorStatus::default());
    assert_eq!((calm.worst.unwrap().summary.as_str(), calm.max_lag.as_deref()), ("a on orders", Some("2.5s")));

    let mut report = super::tests::calm();
    for topic in report.groups.iter_mut().flat_map(|group| group.topics.iter_mut().flatten()) {
        topic.max_lag_seconds = Some(0.0);
    }
    let idle = of(&sampled(report.clone(), 1.0), &LagMonitorStatus::default());
    assert_eq!((idle.worst, idle.max_lag.as_deref()), (None, Some("0s")));

    for topic in report.groups.iter_mut().flat_map(|group| group.topics.iter_mut().flatten()) {
        topic.max_lag_seconds = None;
    }
    let ageless = of(&sampled(report, 1.0), &LagMonitorStatus::default());
    assert_eq!((ageless.worst, ageless.max_lag, ageless.groups.unwrap().total), (None, None, 2));
}

#[test]
fn a_cluster_that_is_gone_keeps_the_last_figures_with_their_time() {
    let good = of(&sampled(sample::report(), 0.95), &LagMonitorStatus::default());
    let mut older = sample::report();
    older.groups.truncate(1);
    for (story, posted) in [
        ("it died", failing(Some(older.clone()), Reason::Unreachable)),
        ("it was dead when the operator started", failing(Some(calm()), Reason::Timeout)),
        ("no client can be made", failing(None, Reason::TlsFailed)),
    ] {
        let lost = of(&posted, &good);
        let expected =
            LagMonitorStatus { conditions: lost.conditions.clone(), coverage_percent: Some(0), ..good.clone() };
        assert_eq!(lost, expected, "{story}");
        assert_eq!(lost.conditions[1].status, "False");
    }
    assert_eq!(of(&restarted(Some(older)), &good), good, "a monitor that starts again has not looked yet");
}

#[test]
fn who_does_not_sample_keeps_the_figures_and_is_not_named() {
    let good = of(&sampled(sample::report(), 0.95), &LagMonitorStatus::default());
    for standing in [Standing::Suspended, refused(false)] {
        let still = with(&standing, None, &good);
        let expected = LagMonitorStatus { conditions: still.conditions.clone(), sampled_by: None, ..good.clone() };
        assert_eq!(still, expected);
    }
    assert_eq!(with(&refused(true), Some(&sampled(calm(), 1.0)), &good).sampled_by.as_deref(), Some("highwater-0"));
}

#[test]
fn a_name_may_be_anything_and_the_column_stays_short() {
    let mut report = calm();
    report.groups[0].group_id = format!("{}{}", sample::AWKWARD, "g".repeat(500)).into();
    let worst = of(&sampled(report, 1.0), &LagMonitorStatus::default()).worst.unwrap();
    assert!(worst.summary.len() <= 128 && worst.summary.ends_with('…') && !worst.summary.contains('\n'));
    assert!(worst.group.starts_with(sample::AWKWARD), "the field is the name itself");
}

/// Changes something in a status.
type Change = fn(&mut LagMonitorStatus);

#[test]
fn counts_and_conditions_are_written_soon_and_figures_at_leisure() {
    let status = of(&sampled(sample::report(), 0.95), &LagMonitorStatus::default());
    let at = Instant::now();
    let written = Written { status: status.clone(), stored: status.clone(), at };
    let seconds = Duration::from_secs;
    let after = |change: Change, age: Duration| {
        let mut wanted = status.clone();
        change(&mut wanted);
        due(Some(&written), Some(&status), &wanted, at + age)
    };
    assert_eq!(due(None, Some(&LagMonitorStatus::default()), &status, at), Due::Now);
    assert_eq!(due(None, None, &status, at), Due::Now);
    assert_eq!(due(None, Some(&status), &status, at), Due::Never, "the process before this one has written it");
    assert_eq!(after(|_| {}, seconds(9_999)), Due::Never);
    let soon: [(&str, Change); 6] = [
        ("status", |s| s.conditions[0].status = "Unknown".into()),
        ("reason", |s| s.conditions[1].reason = "Timeout".into()),
        ("generation", |s| s.conditions[1].observed_generation = Some(2)),
        ("groups", |s| s.groups.as_mut().unwrap().recovering = 0),
        ("config map", |s| s.config_map = None),
        ("pod", |s| s.sampled_by = None),
    ];
    let leisure: [(&str, Change); 6] = [
        ("message", |s| s.conditions[3].message = "96 %".into()),
        ("worst", |s| s.worst = None),
        ("max lag", |s| s.max_lag = Some("4s".into())),
        ("records", |s| s.lag_records = Some(4)),
        ("time", |s| s.last_sample_time = None),
        ("coverage", |s| s.coverage_percent = Some(94)),
    ];
    for (changes, pause) in [(soon, 10), (leisure, 60)] {
        for (name, change) in changes {
            assert_eq!(after(change, Duration::ZERO), Due::In(seconds(pause)), "{name}");
            assert_eq!(
                after(change, seconds(pause) - Duration::from_millis(1)),
                Due::In(Duration::from_millis(1)),
                "{name}"
            );
            assert_eq!(after(change, seconds(pause)), Due::Now, "{name}");
            assert_eq!(after(change, seconds(3_600)), Due::Now, "{name}");
        }
    }
    assert_eq!(
        after(
            |s| {
                s.max_lag = None;
                s.groups = None;
            },
            seconds(10)
        ),
        Due::Now,
        "the sooner of both"
    );
}

#[test]
fn what_somebody_else_changed_is_mended_and_what_was_never_taken_is_not_written_for_ever() {
    let status = of(&sampled(sample::report(), 0.95), &LagMonitorStatus::default());
    let (at, wiped) = (Instant::now(), LagMonitorStatus::default());
    // An older schema does not know a field.
    let pruned = LagMonitorStatus { config_map: None, ..status.clone() };
    for stored in [&status, &pruned] {
        let written = Written { status: status.clone(), stored: stored.clone(), at };
        let look = |found, seconds| due(Some(&written), found, &status, at + Duration::from_secs(seconds));
        assert_eq!(look(Some(stored), 999), Due::Never);
        assert_eq!(look(None, 999), Due::Never, "what can't be read tells nothing");
        assert_eq!(look(Some(&wiped), 4), Due::In(Duration::from_secs(6)), "the watch may be behind");
        assert_eq!(look(Some(&wiped), 10), Due::Now);
    }
    let (written, mut next) = (Written { status: status.clone(), stored: status.clone(), at }, status.clone());
    next.lag_records = Some(4);
    let look = |found| due(Some(&written), Some(found), &next, at + Duration::from_secs(10));
    assert_eq!((look(&status), look(&wiped)), (Due::In(Duration::from_secs(50)), Due::Now));
}

#[test]
fn what_kafka_calls_itself_fits_the_schema() {
    let mut report = sample::report();
    report.cluster.id = Some("é".repeat(9_999).into());
    let id = of(&sampled(report, 1.0), &LagMonitorStatus::default()).cluster_id.unwrap();
    assert!(id.len() <= 255 && id.ends_with('…'), "{id}");
}
