//! Ages against the truth, in the first look, with no database: six shapes of a week and one of the broker's own clock.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, now, unique};
use crate::highwater::highwater;
use crate::kafka::single;
use crate::shapes::{DAY, HOUR, SHAPES, seeded, timestamps};
use crate::truth::{CLOCK, Compared, generated, line};
use crate::wait::eventually_some;

/// One look at the groups that a pattern matches, which must go well.
#[track_caller]
pub(crate) fn look(groups: &str, more: &[&str]) -> Value {
    let base = ["consumer-lag", "--brokers", &single().bootstrap, "--group", groups, "-o", "json"];
    let outcome = highwater(&[&base, more].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.json()
}

/// A topic of one partition that keeps what is old, with these records.
pub(crate) fn filled(client: &Client, name: &str, times: &[i64]) -> String {
    let topic = client.topic(name, 1, &[("retention.ms", "-1"), ("message.timestamp.after.max.ms", "9000000000")]);
    client.produce(&topic, 0, times.iter().copied());
    topic
}

#[test]
fn the_first_look_is_exact() {
    let (client, mut rng, groups) = (single().client(), seeded(), unique("first"));
    let mut topics: Vec<String> =
        SHAPES.iter().map(|(name, shape)| filled(&client, name, &timestamps(*shape, now(), &mut rng))).collect();
    topics.push(client.topic("appended", 1, &[("message.timestamp.type", "LogAppendTime")]));
    for _ in 0..5 {
        client.produce(&topics[6], 0, (0..40).map(|n| n * DAY));
    }

    let mut expected = Vec::new();
    for topic in &topics {
        let records = client.records(topic, 0);
        let last = i64::try_from(records.len()).unwrap();
        let anywhere = rng.i64(0..last);
        for (name, committed) in [
            ("fresh", 0),
            ("old", last / 12),
            ("middle", last / 2),
            ("near", last - 3),
            ("any", anywhere),
            ("done", last),
        ] {
            let group = format!("{groups}-{name}");
            expected.push(((group, topic.as_str(), committed), records.clone()));
        }
    }
    client.commit_each(&expected.iter().map(|(commit, _)| commit.clone()).collect::<Vec<_>>());

    let begun = Instant::now();
    let report = look(&format!("{groups}-*"), &[]);
    let took = begun.elapsed();

    let mut lagging = Vec::new();
    for ((group, topic, committed), records) in &expected {
        let compared = Compared::new(&report, group, topic, 0, records);
        let last = i64::try_from(records.len()).unwrap();
        let offsets = ["log_start_offset", "committed_offset", "log_end_offset", "lag_records", "records_lost"];
        assert_eq!(
            offsets.map(|name| compared.line[name].as_i64().unwrap()),
            [0, *committed, last, last - committed, 0]
        );
        assert!(compared.error() <= compared.wanted(), "{compared:#?}");
        assert!(compared.bound_holds(), "{compared:#?}");
        if *committed < last {
            lagging.push(compared);
        } else {
            assert_eq!((compared.age, &compared.line["method"]), (Some(0.0), &"caught_up".into()));
        }
    }
    let wide: Vec<_> = lagging.iter().filter(|c| c.bound.is_none_or(|bound| bound > c.wanted())).collect();
    assert!(wide.len() * 20 <= lagging.len(), "{} of {} bounds are wide: {wide:#?}", wide.len(), lagging.len());
    assert_eq!(report["sampling"]["coverage"], 1.0);
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_group_that_stopped_days_ago_keeps_ageing_on_an_idle_topic() {
    let (client, group, stopped) = (single().client(), unique("stopped"), now() - 3 * DAY);
    let topic = filled(&client, "idle", &(0..200).map(|n| stopped - (100 - n) * HOUR / 60).collect::<Vec<_>>());
    client.commit(&group, &topic, &[(0, 150)]);
    let first = look(&group, &[]);
    let second = eventually_some("two seconds pass", Duration::from_secs(60), || {
        let report = look(&group, &[]);
        (generated(&report) - generated(&first) >= 2_000).then_some(report)
    });

    let passed = (generated(&second) - generated(&first)) as f64 / 1e3;
    let ages = [&first, &second].map(|report| line(report, &group, &topic, 0)["lag_seconds"].as_f64().unwrap());
    assert!((ages[1] - ages[0] - passed).abs() <= 2.0 * CLOCK, "{ages:?} in {passed} s");
    let compared = Compared::new(&second, &group, &topic, 0, &client.records(&topic, 0));
    assert!(compared.error() <= CLOCK && compared.bound_holds(), "{compared:#?}");
    assert_eq!(second["groups"][0]["state"], "OFFLINE", "nobody reads it, and it is days behind");
}
