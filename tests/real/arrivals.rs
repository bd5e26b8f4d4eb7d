//! What comes and goes while `highwater run` looks: groups, topics, partitions, and a topic that is born again.

use serde_json::{Value, json};

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::single;
use crate::monitor::{Monitor, document};
use crate::shapes::{DAY, HOUR};
use crate::truth::{Compared, generated, group, line, topic};

/// The topic in the list of topics.
pub(crate) fn listed<'a>(report: &'a Value, name: &str) -> Option<&'a Value> {
    report["topics"].as_array().unwrap().iter().find(|found| found["topic"] == name)
}

#[test]
fn what_is_new_is_in_the_next_sample_and_what_is_gone_is_not() {
    let (client, prefix) = (single().client(), unique("arrivals"));
    let (first, second) = (format!("{prefix}-first"), format!("{prefix}-second"));
    let (reader, other) = (format!("{prefix}-reader"), format!("{prefix}-other"));
    client.create(&first, 1, &[]);
    client.produce(&first, 0, [now(); 5]);
    client.commit(&reader, &first, &[(0, 2)]);
    let monitor = Monitor::start(&[("a.yaml", &document("arrivals", &single().bootstrap, &prefix))], &[]);
    let next = || monitor.sampled_after("arrivals", now());
    assert!(group(&next(), &reader).is_some());
    assert!(group(&next(), &other).is_none());

    client.commit(&other, &first, &[(0, 1)]);
    assert_eq!(line(&next(), &other, &first, 0)["lag_records"], 4, "a new group");
    client.create(&second, 1, &[]);
    client.produce(&second, 0, [now(); 3]);
    client.commit(&reader, &second, &[(0, 1)]);
    assert_eq!(line(&next(), &reader, &second, 0)["lag_records"], 2, "a new topic");
    client.grow(&first, 2);
    client.produce(&first, 1, [now(); 7]);
    client.commit(&reader, &first, &[(0, 2), (1, 3)]);
    assert_eq!(line(&next(), &reader, &first, 1)["lag_records"], 4, "a new partition");
    assert!(monitor.get("/metrics").1.contains(&second), "and /metrics has it");

    client.delete_group(&other);
    assert!(group(&next(), &other).is_none(), "a deleted group");
    client.delete(&second);
    let report = next();
    assert!(topic(&report, &reader, &second).is_none() && listed(&report, &second).is_none(), "a deleted topic");
    let metrics = monitor.get("/metrics").1;
    assert!(metrics.contains(&reader) && !metrics.contains(&other) && !metrics.contains(&second), "{metrics}");
    assert_eq!(report["errors"], json!([]));
}

#[test]
fn a_topic_born_again_has_none_of_the_ages_of_its_former_life() {
    let (client, prefix) = (single().client(), unique("reborn"));
    let (name, reader) = (format!("{prefix}-topic"), format!("{prefix}-reader"));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, (0..10).map(|n| now() - DAY + n * HOUR));
    client.commit(&reader, &name, &[(0, 4)]);
    let monitor = Monitor::start(&[("a.yaml", &document("reborn", &single().bootstrap, &prefix))], &[]);
    let age = |report: &Value| line(report, &reader, &name, 0)["lag_seconds"].as_f64().unwrap();
    let old = monitor.reports("reborn", "the group", |report| group(report, &reader).is_some());
    assert!((age(&old) - 20.0 * 3600.0).abs() < 720.0, "{old:#}");

    client.delete(&name);
    client.create(&name, 1, &[]);
    let born = now();
    client.produce(&name, 0, [born; 20]);
    client.commit(&reader, &name, &[(0, 4)]);
    let new = monitor.sampled_after("reborn", now());
    let id = |report: &Value| listed(report, &name).unwrap()["topic_id"].as_str().unwrap().to_owned();
    assert_ne!(id(&new), id(&old));
    let kafkas = single().tell("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", &name]);
    assert!(kafkas.contains(&format!("TopicId: {}", id(&new))), "{kafkas}");
    assert!(age(&new) * 1e3 <= (generated(&new) - born + 50) as f64, "{new:#}");
    assert_eq!(line(&new, &reader, &name, 0)["lag_records"], 16);
}

#[test]
fn an_offset_beyond_the_end_is_named_when_it_is_seen_again() {
    let (client, prefix) = (single().client(), unique("further"));
    let (name, reader) = (format!("{prefix}-topic"), format!("{prefix}-reader"));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, [now() - HOUR; 10]);
    client.commit(&reader, &name, &[(0, 50)]);
    let monitor = Monitor::start(&[("a.yaml", &document("further", &single().bootstrap, &prefix))], &[]);
    let report = monitor.reports("further", "the anomaly", |report| {
        group(report, &reader).is_some() && line(report, &reader, &name, 0)["anomalies"] == json!(["offset_beyond_end"])
    });
    let line = line(&report, &reader, &name, 0);
    assert_eq!(
        (&line["lag_records"], &line["lag_seconds"], &line["log_end_offset"]),
        (&json!(0), &json!(0.0), &json!(10))
    );
}

#[test]
fn a_topic_born_again_under_a_live_group_is_followed() {
    let (client, prefix) = (single().client(), unique("alive"));
    let (name, reader) = (format!("{prefix}-topic"), format!("{prefix}-reader"));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, [now() - HOUR; 200]);
    let mut config = client.config();
    config.set("topic.metadata.refresh.interval.ms", "500");
    let consumer = LiveConsumer::start(&config, &reader, &name, 100);
    let monitor = Monitor::start(&[("a.yaml", &document("alive", &single().bootstrap, &prefix))], &[]);
    let read = |report: &Value, records: i64| {
        let Some(found) = topic(report, &reader, &name) else { return false };
        let line = &found["partitions"][0];
        assert!(line["lag_records"].as_i64().is_none_or(|lag| (0..=200).contains(&lag)), "{line:#}");
        assert_eq!(line["records_lost"], 0, "{line:#}");
        line["committed_offset"] == records && line["lag_records"] == 0 && line["anomalies"] == json!([])
    };
    let old = monitor.reports("alive", "all is read", |report| read(report, 200));

    client.delete(&name);
    client.create(&name, 1, &[]);
    client.produce(&name, 0, [now(); 30]);
    let born = now();
    monitor.reports("alive", "its new life", |report| {
        read(report, 30);
        generated(report) > born && topic(report, &reader, &name).is_some()
    });
    // Not every client goes on by itself: librdkafka's may wait at an offset of the former life.
    consumer.stop();
    let _again = LiveConsumer::start(&config, &reader, &name, 100);
    let new = monitor.reports("alive", "all of its new life is read", |report| read(report, 30));
    assert_ne!(listed(&new, &name).unwrap()["topic_id"], listed(&old, &name).unwrap()["topic_id"]);
    assert_eq!((&group(&new, &reader).unwrap()["state"], &new["errors"]), (&json!("ONLINE"), &json!([])));
}

#[test]
fn offsets_that_are_reset_back_and_forth_have_the_age_of_where_they_are() {
    let (client, prefix) = (single().client(), unique("reset"));
    let (name, reader) = (format!("{prefix}-topic"), format!("{prefix}-reader"));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, (0..100).map(|n| now() - DAY + n * HOUR / 10));
    let records = client.records(&name, 0);
    client.commit(&reader, &name, &[(0, 100)]);
    let monitor = Monitor::start(&[("a.yaml", &document("reset", &single().bootstrap, &prefix))], &[]);
    for (offset, state) in [(100, "ONLINE"), (0, "RECOVERING"), (100, "ONLINE"), (40, "RECOVERING"), (70, "RECOVERING")]
    {
        client.commit(&reader, &name, &[(0, offset)]);
        let report = monitor.sampled_after("reset", now());
        let compared = Compared::new(&report, &reader, &name, 0, &records);
        assert!(compared.error() <= compared.wanted() && compared.bound_holds(), "{compared:#?}");
        assert_eq!(
            (&compared.line["committed_offset"], &compared.line["lag_records"]),
            (&json!(offset), &json!(100 - offset))
        );
        assert_eq!(group(&report, &reader).unwrap()["state"], state, "at {offset}: {report:#}");
    }
}
