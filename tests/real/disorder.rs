//! Timestamps out of order: an age is inside its bound, or the partition says what is odd. Never silently wrong.

use std::time::Duration;

use fastrand::Rng;
use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::lag::observation::Probe;
use rdkafka::producer::Producer;

use crate::ages::{filled, look};
use crate::client::{now, unique};
use crate::kafka::single;
use crate::monitor::{Monitor, document};
use crate::oddities::{transaction, write};
use crate::shapes::{DAY, MINUTE, SECOND, seeded};
use crate::truth::{CLOCK, Compared, generated, line};

const RECORDS: i64 = 1_000;

/// For one question to the brokers.
const WAIT: Duration = Duration::from_secs(30);

/// The groups' commits: everywhere in the log.
fn commits(rng: &mut Rng) -> Vec<i64> {
    [0, 1, RECORDS - 1].into_iter().chain((0..17).map(|_| rng.i64(0..RECORDS))).collect()
}

/// Looks at commits all over a topic of these timestamps; returns how each compares.
fn compared(name: &str, rng: &mut Rng, times: &[i64]) -> Vec<Compared> {
    let (client, groups) = (single().client(), unique(name));
    let topic = filled(&client, name, times);
    let commits = commits(rng);
    let each = commits.iter().enumerate().map(|(n, committed)| (format!("{groups}-{n}"), topic.as_str(), *committed));
    client.commit_each(&each.collect::<Vec<_>>());
    let (records, report) = (client.records(&topic, 0), look(&format!("{groups}-*"), &[]));
    (0..commits.len()).map(|n| Compared::new(&report, &format!("{groups}-{n}"), &topic, 0, &records)).collect()
}

fn flagged(compared: &Compared) -> bool {
    ["timestamps_ahead", "timestamps_late", "record_hidden"].iter().any(|anomaly| compared.has(anomaly))
}

#[track_caller]
fn never_silently_wrong(compared: &[Compared]) {
    let silent: Vec<_> = compared.iter().filter(|c| !c.bound_holds() && !flagged(c)).collect();
    assert!(silent.is_empty(), "silently wrong: {silent:#?}");
}

#[test]
fn late_records_are_inside_the_bound_or_flagged() {
    let (mut rng, start) = (seeded(), now() - DAY);
    let times: Vec<i64> = (0..RECORDS).map(|n| start + n * MINUTE - rng.i64(0..10 * MINUTE)).collect();
    let compared = compared("late", &mut rng, &times);
    never_silently_wrong(&compared);
    assert!(compared.iter().any(flagged), "records hide behind later ones: {compared:#?}");
}

#[test]
fn producers_with_different_clocks_are_inside_the_bound_or_flagged() {
    let (mut rng, start) = (seeded(), now() - DAY);
    let times: Vec<i64> = (0..RECORDS).map(|n| start + n * 30 * SECOND - (n % 2) * 10 * MINUTE).collect();
    let compared = compared("skewed", &mut rng, &times);
    never_silently_wrong(&compared);
    assert!(compared.iter().any(flagged), "the slow clock hides behind the fast one: {compared:#?}");
}

#[test]
fn one_timestamp_from_the_future_is_flagged_and_spoils_nothing_before_it() {
    let (mut rng, start) = (seeded(), now() - DAY);
    let ahead = rng.i64(RECORDS / 4..RECORDS * 3 / 4);
    let time = |n| if n == ahead { now() + 30 * DAY } else { start + n * MINUTE };
    let compared = compared("ahead", &mut rng, &(0..RECORDS).map(time).collect::<Vec<_>>());
    never_silently_wrong(&compared);
    for compared in compared {
        assert!(compared.age.is_some_and(|age| age >= 0.0), "{compared:#?}");
        if compared.line["committed_offset"].as_i64().unwrap() < ahead {
            assert!(compared.error() <= compared.wanted(), "{compared:#?}");
        }
        assert!(compared.has("timestamps_ahead"), "{compared:#?}");
    }
}

#[test]
fn equal_timestamps_are_one_moment() {
    let (mut rng, start) = (seeded(), now() - DAY);
    let times: Vec<i64> = (0..RECORDS).map(|n| start + n / 100 * 10 * MINUTE).collect();
    for compared in compared("equal", &mut rng, &times) {
        let hidden = compared.bound_holds() && flagged(&compared);
        assert!(compared.error() <= compared.wanted() && compared.bound_holds() || hidden, "{compared:#?}");
    }
}

#[test]
fn who_samples_is_not_fooled_by_late_timestamps() {
    let (client, prefix) = (single().client(), unique("sampled"));
    client.create(&prefix, 1, &[]);
    client.commit(&prefix, &prefix, &[(0, 0)]);
    let monitor = Monitor::start(&[("a.yaml", &document("late", &single().bootstrap, &prefix))], &[]);
    let late = |count| client.produce(&prefix, 0, (0..count).map(|n| now() - (5 + n % 3) * MINUTE));
    late(10);
    monitor.sampled_after("late", now());
    let before = now();
    late(1);
    let after = now();
    monitor.sampled_after("late", now());
    late(20);
    client.commit(&prefix, &prefix, &[(0, 10)]);
    let report = monitor.sampled_after("late", now());

    let line = line(&report, &prefix, &prefix, 0);
    let (age, bound) = (line["lag_seconds"].as_f64().unwrap(), line["bound_seconds"].as_f64().unwrap() + CLOCK);
    let [oldest, youngest] = [before, after].map(|time| (generated(&report) - time) as f64 / 1e3);
    assert!(age - bound <= oldest && youngest <= age + bound, "{youngest} to {oldest} s: {line:#}");
    assert!(bound < 30.0 && line["clock"] == "append", "{line:#}");
}

#[test]
fn timestamps_of_a_producer_that_counts_seconds_are_named_and_date_nothing() {
    let mut rng = seeded();
    let times: Vec<i64> = (0..RECORDS).map(|n| (now() - DAY) / 1_000 + n).collect();
    for compared in compared("seconds", &mut rng, &times) {
        let line = &compared.line;
        assert!(line["method"] == "at_least" && line["bound_seconds"].is_null(), "{line:#}");
        assert!(compared.has("timestamps_late") && compared.age.is_some_and(|age| age < 3_600.0), "{line:#}");
    }
}

/// The record with the largest timestamp, as the brokers tell it: offset and timestamp.
fn newest(topics: &[&str]) -> Vec<Option<(i64, i64)>> {
    let connection = Connection { brokers: vec![single().bootstrap.clone()], ..Connection::default() };
    let patterns =
        |names: &[&str]| Patterns::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &[]).unwrap();
    let selection = Selection { groups: patterns(&["none"]), topics: patterns(topics) };
    let probe = |topic: &&str| Probe { topic: (*topic).into(), partition: 0, time: Probe::NEWEST };
    let probes = topics.iter().map(probe).collect();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::connect(&connection, Clock::wall()).unwrap();
        assert_eq!(cluster.observe(&selection, false, WAIT).await.topics.len(), topics.len());
        cluster.tell(probes, WAIT).await.into_iter().map(|told| told.answer.unwrap()).collect()
    })
}

#[test]
fn the_newest_record_is_the_one_with_the_largest_timestamp_wherever_it_stands() {
    let (client, start) = (single().client(), now() - DAY);
    let topic = |name: &str, times: &[i64]| filled(&client, name, times);
    let rising: Vec<i64> = (0..50).map(|n| start + n * MINUTE).collect();
    let mut mixed = rising.clone();
    mixed.swap(20, 49);
    let ahead: Vec<i64> = rising.iter().enumerate().map(|(n, at)| if n == 7 { now() + DAY } else { *at }).collect();
    let aborted = topic("aborted", &rising);
    let producer = transaction(&client);
    write(&producer, &aborted, 0, [start + DAY / 2]);
    producer.abort_transaction(WAIT).unwrap();
    let topics = [topic("rising", &rising), topic("mixed", &mixed), topic("ahead", &ahead), topic("empty", &[])];
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let found = newest(&names);
    assert_eq!(found, [Some((49, rising[49])), Some((20, mixed[20])), Some((7, ahead[7])), None]);
    // The marker of a transaction has the time of the broker, and no record is younger than it.
    let found = newest(&[&aborted])[0].unwrap();
    assert!(found.1 >= start + DAY / 2, "{found:?}");
}
