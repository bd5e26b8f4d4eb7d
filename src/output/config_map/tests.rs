//! What of a report fits a ConfigMap, and what makes two reports the same.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::lag::reason::{Failure, Reason, Scope};
use crate::lag::report::{Member, Method, State, Topic};
use crate::output::sample;

const ROOMY: Limits = Limits { wanted: 1 << 20, most: 1 << 20 };

fn group(number: usize, age: Option<f64>, topics: usize, partitions: i32) -> Group {
    let partition = |number| sample::partition(number, Some(40), 100, age.map(|age| (age, 0.5, Method::Interpolated)));
    let topic = |number| {
        sample::topic(&format!("topic-{number:04}"), Some(State::Online), (0..partitions).map(partition).collect())
    };
    let mut group = sample::group(&format!("group-{number:05}"), (0..topics).map(topic).collect(), Some(vec![]));
    group.max_lag_seconds = age;
    group
}

/// Groups on topics with partitions; the ages are 0, 7, 14, … seconds, in no order.
fn fleet(groups: usize, topics: usize, partitions: i32) -> Report {
    let age = |number: usize| (number * 7_919 % groups) as f64 * 7.0;
    let groups = (0..groups).map(|number| group(number, Some(age(number)), topics, partitions)).collect();
    Report { groups, ..sample::report() }
}

fn parsed(rendered: &Rendered) -> Value {
    serde_json::from_str(&rendered.json).unwrap()
}

fn limits(wanted: usize, most: usize) -> Limits {
    Limits { wanted, most }
}

/// The least room in which everything fits at a level.
fn length(report: &Report, level: Detail) -> usize {
    let mut lower = detail::lowered(report, level);
    lower.truncated = level < report.detail;
    let mut text = Vec::new();
    json::lines(&lower, &mut text).unwrap();
    text.len()
}

#[test]
fn what_fits_is_what_was_asked_for() {
    let report = sample::report();
    for level in [Detail::Group, Detail::Topic, Detail::Partition] {
        let shown = rendered(&report, level, Limits::default()).unwrap();
        assert_eq!((shown.detail, shown.truncated), (level, false));
        assert_eq!(parsed(&shown), serde_json::to_value(detail::lowered(&report, level)).unwrap());
    }
    let group = detail::lowered(&report, Detail::Group);
    let shown = rendered(&group, Detail::Partition, Limits::default()).unwrap();
    assert_eq!((shown.detail, shown.truncated), (Detail::Group, false), "it is all that there is");
}

#[test]
fn a_large_report_falls_in_detail() {
    for (groups, topics, partitions, level) in
        [(10, 10, 4, Detail::Partition), (20, 20, 10, Detail::Topic), (1_000, 20, 10, Detail::Group)]
    {
        let report = fleet(groups, topics, partitions);
        let shown = rendered(&report, Detail::Partition, Limits::default()).unwrap();
        assert_eq!((shown.detail, shown.truncated), (level, level < Detail::Partition), "{groups} groups");
        let most = if level == Detail::Group { 900 } else { 256 };
        assert!(shown.json.len() <= most * 1024, "{groups} groups: {} bytes", shown.json.len());
        let json = parsed(&shown);
        assert_eq!(json["truncated"], shown.truncated);
        assert_eq!(json["groups"].as_array().unwrap().len(), groups);
        assert!(json.get("left_out").is_none());
    }
}

#[test]
fn limits_are_exact() {
    let mut report = sample::report();
    for (level, lower) in [(Detail::Partition, Detail::Topic), (Detail::Topic, Detail::Group)] {
        let fits = length(&report, level);
        let shown = rendered(&report, Detail::Partition, limits(fits, 1 << 20)).unwrap();
        assert_eq!((shown.detail, shown.json.len()), (level, fits));
        let shown = rendered(&report, Detail::Partition, limits(fits - 1, 1 << 20)).unwrap();
        assert_eq!((shown.detail, shown.truncated), (lower, true));
    }
    let fits = length(&report, Detail::Group);
    let shown = rendered(&report, Detail::Partition, limits(1, fits)).unwrap();
    assert_eq!((shown.json.len(), parsed(&shown).get("left_out")), (fits, None));
    report.groups.iter_mut().for_each(|group| shorten(&mut group.health));
    let fits = length(&report, Detail::Group);
    let shown = rendered(&report, Detail::Partition, limits(1, fits - 1)).unwrap();
    assert!(shown.json.len() < fits);
    assert!(parsed(&shown).get("left_out").is_some());
}

#[test]
fn the_worst_groups_are_kept_and_the_rest_is_counted() {
    let mut report = fleet(2_000, 1, 1);
    report.groups.push(group(9_999, None, 1, 1));
    let most = 100 * 1024;
    let shown = rendered(&report, Detail::Topic, limits(1_024, most)).unwrap();
    assert!(shown.json.len() <= most && shown.json.len() > most - 400, "{}", shown.json.len());
    assert_eq!((shown.detail, shown.truncated), (Detail::Group, true));
    let json = parsed(&shown);
    let ids: Vec<&str> = json["groups"].as_array().unwrap().iter().map(|g| g["group_id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted() && ids.len() > 300, "{} groups", ids.len());
    let mut oldest: Vec<&Group> = report.groups.iter().collect();
    oldest.sort_by(|a, b| b.max_lag_seconds.unwrap_or(-1.0).total_cmp(&a.max_lag_seconds.unwrap_or(-1.0)));
    let mut expected: Vec<&str> = oldest[..ids.len()].iter().map(|group| &*group.group_id).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let left_out = serde_json::json!({ "groups": 2_001 - ids.len(), "errors": 0, "topics": 2 });
    assert_eq!(json["left_out"], left_out);
    assert_eq!(shown, rendered(&report, Detail::Topic, limits(1_024, most)).unwrap());
    let schema = jsonschema::validator_for(&json::schema()).unwrap();
    assert!(schema.is_valid(&json));
}

#[test]
fn groups_go_without_what_is_long_before_one_is_left_out() {
    let mut report = fleet(1_000, 1, 1);
    report.groups.iter_mut().for_each(|group| group.health = sample::health());
    let shown = rendered(&report, Detail::Group, Limits::default()).unwrap();
    let json = parsed(&shown);
    let group = &json["groups"][7];
    assert!(shown.truncated && shown.json.len() <= 900 * 1024, "{}", shown.json.len());
    assert_eq!((json["groups"].as_array().unwrap().len(), json.get("left_out")), (1_000, None));
    assert_eq!((&group["slo"]["budget"], &group["replicas"]), (&Value::Null, &Value::Null));
    assert_eq!((&group["slo"]["within"], &group["alerts"][0]["value"]), (&3.into(), &0.75.into()));
}

#[test]
fn figures_that_never_rest_do_not_make_another_report() {
    let mut report = fleet(1, 1, 1);
    report.groups[0].health = sample::health();
    let digest = |report: &Report| rendered(report, Detail::Group, Limits::default()).unwrap().digest;
    let before = digest(&report);
    let health = &mut report.groups[0].health;
    health.velocity = None;
    health.slo.as_mut().unwrap().budget.as_mut().unwrap().observed_seconds += 60.0;
    health.replicas.as_mut().unwrap().reasoning.push('!');
    assert_eq!(digest(&report), before);
    report.groups[0].health.replicas.as_mut().unwrap().advised += 1;
    assert_ne!(digest(&report), before);
}

#[test]
fn of_equal_ages_the_worse_state_is_kept() {
    let mut groups = [group(0, Some(5.0), 0, 0), group(1, Some(5.0), 0, 0), group(2, None, 0, 0)];
    groups[1].state = Some(State::Offline);
    groups.sort_by(worst_first);
    let ids: Vec<&str> = groups.iter().map(|group| &*group.group_id).collect();
    assert_eq!(ids, ["group-00001", "group-00000", "group-00002"]);
}

#[test]
fn neither_errors_nor_topics_crowd_out_the_groups() {
    let mut report = fleet(100, 1, 1);
    let failure = |number| {
        let (name, message) = (format!("topic/{number}"), "Grant `Describe` on the topic.".into());
        Failure::new(Scope::Partition, &name, Reason::TopicNotAuthorized, message)
    };
    report.errors = (0..20_000).map(failure).collect();
    let topic = |number| Topic {
        health: Default::default(),
        topic: format!("topic-{number}").into(),
        topic_id: None,
        partitions: 1,
        replication_factor: 3,
        ends: Default::default(),
    };
    report.topics = (0..20_000).map(topic).collect();
    let shown = rendered(&report, Detail::Group, Limits::default()).unwrap();
    assert!(shown.json.len() <= 900 * 1024 && shown.json.len() > 899 * 1024, "{}", shown.json.len());
    let json = parsed(&shown);
    let rows = |name: &str| json[name].as_array().unwrap().len();
    assert_eq!((rows("groups"), &json["left_out"]["groups"]), (100, &0.into()));
    assert!((400..1_000).contains(&rows("errors")), "{}", rows("errors"));
    assert!(rows("topics") > 2_500, "{}", rows("topics"));
    assert_eq!(json["left_out"]["topics"], 20_000 - rows("topics"));
    assert_eq!(json["left_out"]["errors"], 20_000 - rows("errors"));
}

#[test]
fn a_row_that_never_fits_does_not_keep_out_the_others() {
    let mut report = fleet(5, 1, 1);
    let member = |number| Member {
        member_id: format!("member-{number}").into(),
        client_id: "shipper".into(),
        host: "10.0.0.7".into(),
        assigned: vec![],
    };
    report.groups[3].members = Some((0..20_000).map(member).collect());
    report.groups[3].max_lag_seconds = Some(1e9);
    let json = parsed(&rendered(&report, Detail::Partition, Limits::default()).unwrap());
    assert_eq!((json["groups"].as_array().unwrap().len(), &json["left_out"]["groups"]), (4, &1.into()));
}

#[test]
fn a_heading_that_is_too_large_is_an_error() {
    let mut report = sample::report();
    report.cluster.brokers = (0..100_000).map(|number| format!("broker-{number}:9092").into()).collect();
    let error = rendered(&report, Detail::Group, Limits::default()).unwrap_err();
    assert!(matches!(error, RenderError::TooLarge { most: 921_600 }), "{error}");
}

#[test]
fn only_the_time_and_how_long_it_took_leave_the_digest_alone() {
    let report = sample::report();
    let digest = |change: fn(&mut Report)| {
        let mut changed = report.clone();
        change(&mut changed);
        rendered(&changed, Detail::Topic, ROOMY).unwrap().digest
    };
    let same = digest(|_| {});
    for change in [
        (|report| report.generated_at.0 += 60_000) as fn(&mut Report),
        |report| report.sampling.duration_seconds = 9.5,
        |report| report.sampling.probes += 1,
        |report| {
            sample::change_first_partition(&mut report.groups[0].topics.as_mut().unwrap()[0], |p| p.records_lost = 99)
        },
    ] {
        assert_eq!(digest(change), same);
    }
    for change in [
        (|report| report.groups[0].max_lag_seconds = Some(1.0)) as fn(&mut Report),
        |report| report.groups[0].topics.as_mut().unwrap()[0].total_lag_records = None,
        |report| report.sampling.coverage = 0.5,
        |report| report.errors.clear(),
        |report| report.cluster.id = None,
    ] {
        assert_ne!(digest(change), same);
    }
    assert_ne!(rendered(&report, Detail::Group, ROOMY).unwrap().digest, same);
}

#[test]
fn measuring_ends_at_the_limit() {
    let mut reached = Vec::new();
    for limit in [10, 11] {
        let measured = size(limit, |counter| {
            counter.write_all(b"12345")?;
            counter.write_all(b"123456")?;
            reached.push(limit);
            Ok(())
        });
        assert_eq!(measured.unwrap(), (limit == 11).then_some(11));
    }
    assert_eq!(reached, [11]);
    assert_eq!(size(5, |_| Err(ErrorKind::BrokenPipe.into())).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

proptest! {
    #[test]
    fn no_report_is_larger_than_it_may_be(
        ages in prop::collection::vec(prop::option::of(0.0..1e6), 0..60),
        topics in 0_usize..4,
        (wanted, most) in (1_usize..20_000, 1_usize..20_000),
    ) {
        let groups = ages.iter().enumerate().map(|(number, age)| group(number, *age, topics, 2)).collect();
        let report = Report { groups, ..sample::report() };
        match rendered(&report, Detail::Partition, limits(wanted, most)) {
            Ok(shown) => {
                prop_assert!(shown.json.len() <= most.max(wanted));
                let json = parsed(&shown);
                let left_out = json.pointer("/left_out/groups").map_or(0, |left_out| left_out.as_u64().unwrap());
                prop_assert_eq!(json["groups"].as_array().unwrap().len() + left_out as usize, ages.len());
            }
            Err(RenderError::TooLarge { .. }) => prop_assert!(most < 700),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
