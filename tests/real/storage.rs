//! What can happen to the database: its process is killed, its disk is full, its file is damaged. Reports go on, and what
//! was told is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use highwater::store::{Opened, Store};
use tempfile::TempDir;

use crate::client::{now, unique};
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::operated::{Operated, condition_of};
use crate::shapes::{HOUR, seeded};
use crate::truth::{generated, line};
use crate::wait::eventually;

/// A topic of an hour, of which a group has read half. They have the same name.
fn half_read(name: &str) -> String {
    let (client, name) = (single().client(), unique(name));
    client.create(&name, 1, &[]);
    client.produce(&name, 0, (0..60).map(|n| now() - HOUR + n * 60_000));
    client.commit(&name, &name, &[(0, 30)]);
    name
}

/// When the samples were taken that a database holds, which has to be whole.
fn stored(folder: &Path, monitor: &str, name: &str) -> BTreeSet<i64> {
    let Opened { store, set_aside, .. } = Store::open(folder).unwrap();
    assert!(set_aside.is_none() && store.degraded().is_none(), "{set_aside:?} {:?}", store.degraded());
    let samples = store.samples_of(&format!("default/{monitor}"), None).unwrap();
    let samples = samples.get(&(name.to_owned(), name.to_owned()));
    samples.into_iter().flatten().map(|sample| sample.time).collect()
}

#[test]
fn nothing_that_was_told_is_lost_by_a_kill_at_any_moment() {
    let kills = if std::env::var_os("HIGHWATER_TEST_FULL").is_some() { 50 } else { 5 };
    let (name, mut rng) = (half_read("kills"), seeded());
    let mut monitor = Monitor::start(&[("a.yaml", &document("kills", &single().bootstrap, &name))], &[]);
    let mut told = BTreeSet::new();
    for kill in 0..kills {
        let length = Duration::from_millis(rng.u64(0..2_500));
        let end = std::time::Instant::now() + length;
        while std::time::Instant::now() < end {
            // A torn file fails here.
            told.extend(monitor.report("kills").map(|report| generated(&report)));
            sleep(Duration::from_millis(rng.u64(0..20)));
        }
        assert_eq!(monitor.stop("KILL").0, Some(128 + 9), "it ran until it was killed");
        told.extend(monitor.report("kills").map(|report| generated(&report)));
        let kept = stored(&monitor.data(), "kills", &name);
        let lost: Vec<_> = told.difference(&kept).collect();
        assert!(lost.is_empty(), "kill {kill} after {length:?}: {lost:?} were told and are not in {kept:?}");
        monitor.restart();
    }
    let before = now();
    let report = monitor.sampled_after("kills", before);
    assert_eq!(line(&report, &name, &name, 0)["lag_records"], 30);
    assert!(told.len() >= kills / 2, "{told:?}");
}

#[test]
fn a_full_disk_costs_nothing_but_the_history_and_that_is_caught_up() {
    let name = half_read("full");
    let monitor = Monitor::on_small_disk("2m", &[("a.yaml", &document("full", &single().bootstrap, &name))]);
    let degraded = || monitor.get("/metrics").1.contains("reason=\"StorageFull\"} 1");
    monitor.sampled_after("full", now());
    let ballast = monitor.data().join("ballast");
    fill(&ballast);
    eventually("it says that the disk is full", PATIENCE, &degraded);
    assert!(monitor.log().contains("no space is left for the database"), "{}", monitor.log());
    let during = generated(&monitor.sampled_after("full", now()));
    let report = monitor.sampled_after("full", now());
    assert_eq!(line(&report, &name, &name, 0)["lag_records"], 30);
    assert_eq!(monitor.get("/readyz").0, 200);

    fs::remove_file(&ballast).unwrap();
    eventually("it stores again", PATIENCE, || monitor.log().contains("history is stored again"));
    assert!(!degraded());
    let after = generated(&monitor.sampled_after("full", now()));
    monitor.signal("STOP");
    let copy = TempDir::new().unwrap();
    for file in ["highwater.db", "highwater.db-wal"] {
        fs::copy(monitor.data().join(file), copy.path().join(file)).unwrap();
    }
    let kept = stored(copy.path(), "full", &name);
    assert!(kept.contains(&after) && !kept.contains(&during), "{during} {after} {kept:?}");
    monitor.signal("CONT");
}

#[test]
fn a_full_disk_is_a_condition_and_an_event() {
    let name = half_read("condition");
    let operated = Operated::start_on_small_disk("condition", "2m");
    let brokers = &single().bootstrap;
    operated.apply(
        "orders",
        &format!(
            "  brokers: [\"{brokers}\"]\n  groups: {{ include: [{name}] }}\n  topics: {{ include: [{name}] }}\n  \
             sampling: {{ interval: 1s }}\n"
        ),
    );
    operated.condition("orders", "Ready", "True", "Sampling");
    let ballast = operated.highwater.data().join("ballast");
    fill(&ballast);
    let resource = operated.condition("orders", "Ready", "True", "StorageFull");
    let told = condition_of(&resource, "Ready")["message"].as_str().unwrap();
    assert!(told.contains("history is kept in memory only: no space is left"), "{told}");
    fs::remove_file(&ballast).unwrap();
    operated.condition("orders", "Ready", "True", "Sampling");
    let events: Vec<String> = operated.events("orders").into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(events, ["SamplingStarted", "StorageFull", "HistoryStored"]);
}

/// Takes what is left of a disk, to the last byte: what is left after one size is taken by smaller ones.
fn fill(ballast: &Path) {
    let mut size = 2 << 20;
    while size > 0 {
        let mut all = fs::read(ballast).unwrap_or_default();
        all.resize(all.len() + size, 0);
        size = if fs::write(ballast, all).is_ok() { size } else { size / 2 };
    }
}

#[test]
fn a_file_damaged_while_it_was_stopped_is_set_aside_and_ages_are_right_at_once() {
    let name = half_read("damaged");
    let mut monitor = Monitor::start(&[("a.yaml", &document("damaged", &single().bootstrap, &name))], &[]);
    monitor.sampled_after("damaged", now());
    assert_eq!(monitor.stop("TERM").0, Some(0));
    let file = monitor.data().join("highwater.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[100..middle].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    let stopped = now();
    monitor.restart();
    let report = monitor.sampled_after("damaged", stopped);
    let line = line(&report, &name, &name, 0);
    let age = line["lag_seconds"].as_f64().unwrap();
    let truth = (generated(&report) - (stopped - HOUR / 2)) as f64 / 1e3;
    assert!((age - truth).abs() < 60.0 && line["bound_seconds"].as_f64() < Some(20.0), "{truth}: {line:#}");
    assert!(monitor.log().contains("the database was set aside"), "{}", monitor.log());
    let kept = fs::read_dir(monitor.data()).unwrap().map(|file| file.unwrap().file_name());
    let kept: Vec<_> = kept.filter(|name| name.to_string_lossy().starts_with("highwater.db.damaged-")).collect();
    assert!(!kept.is_empty(), "the damaged file is kept");
}
