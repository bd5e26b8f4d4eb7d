//! Samples of a small cluster, saved one by one, and what a later process finds: after a restart, a kill, damage, a
//! full disk, a lock.

mod cluster;
mod conduct;

use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;

use self::cluster::{Cluster, Find, POLICY};
use super::{Error, Opened, Sample, Store};
use crate::lag::Millis;
use crate::lag::history::History;
use crate::lag::memory::Memory;
use crate::lag::observation::Observation;
use crate::lag::reason::{Failure, Reason, Scope};

fn open(folder: &Path) -> Store {
    let Opened { store, set_aside, .. } = Store::open(folder).unwrap();
    assert_eq!(store.degraded(), None);
    assert!(set_aside.is_none());
    store
}

/// The ages of one group on one topic, which are the same whether it is asked for alone, with some or with all others.
fn kept(store: &Store) -> Vec<Sample> {
    let names = ("orders".to_owned(), "topic-0".to_owned());
    let some = ["nobody", "orders", "orders"].map(str::to_owned);
    let [mut one, mut some, mut all] =
        [Some(&some[1..2]), Some(&some[..]), None].map(|groups| store.samples_of("m", groups).unwrap());
    let found = one.remove(&names).unwrap();
    assert_eq!((one.len(), all.remove(&names).as_ref()), (0, Some(&found)));
    assert_eq!((some.remove(&names).as_ref(), some.len()), (Some(&found), 0));
    found
}

fn reopened(store: Store, folder: &Path) -> Store {
    drop(store);
    open(folder)
}

fn assert_same(found: &Memory, expected: &Memory) {
    let histories = |memory: &Memory| {
        let topics = memory.topics.iter().map(|(name, topic)| {
            let partitions = topic.partitions.iter().map(|partition| {
                let h = &partition.history;
                (h.runs.clone(), h.facts.clone(), (h.silence, h.ahead, h.slack, h.backfilled, h.current))
            });
            (name.clone(), topic.id, partitions.collect::<Vec<_>>())
        });
        topics.collect::<Vec<_>>()
    };
    for (found, expected) in histories(found).into_iter().zip(histories(expected)) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        for (found, expected) in found.2.into_iter().zip(expected.2) {
            assert_eq!(found, expected);
        }
    }
    assert_eq!(histories(found).len(), histories(expected).len());
    let states = |memory: &Memory| {
        let pairs = memory.groups.iter().flat_map(|(group, topics)| {
            topics.iter().map(|(topic, p)| {
                let counted = (p.static_samples, p.static_since, p.standing.clone());
                (group.clone(), topic.clone(), p.state, p.since, counted)
            })
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(states(found), states(expected));
    assert!(found.groups.values().flat_map(|topics| topics.values()).all(|progress| progress.restored));
}

fn find() -> impl Strategy<Value = Find> {
    let grown = prop_oneof![
        3 => Just(Some(0)),
        5 => (1_i64..5_000).prop_map(Some),
        1 => Just(None),
        1 => (-3_000_i64..0).prop_map(Some),
    ];
    (grown, any::<bool>())
}

fn step() -> impl Strategy<Value = Millis> {
    prop_oneof![20 => 500_i64..90_000, 1 => -120_000_i64..0]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_later_process_remembers_the_same(
        samples in prop::collection::vec((step(), prop::collection::vec(find(), 4), 0_i64..2_000, 0..20_u8), 1..40)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let (mut cluster, mut memory) = (Cluster::new(2, 2), Memory::default());
        for (step, finds, read, event) in samples {
            cluster.committed += read / 500 * 500;
            if event == 2 {
                cluster.topics[1].1 += 1;
            }
            let report = cluster.sample(&mut memory, step, &finds);
            if event == 3 {
                continue;
            }
            store.save("m", &mut memory, &report).unwrap();
            if event == 0 {
                store.fold("m", &memory, 600).unwrap();
            }
            if event <= 1 {
                store = reopened(store, folder.path());
                let found = store.load("m").unwrap();
                assert_same(&found, &memory);
            }
        }
        let report = cluster.sample(&mut memory, 60_000, &[(Some(0), false)]);
        store.save("m", &mut memory, &report).unwrap();
        let found = reopened(store, folder.path()).load("m").unwrap();
        assert_same(&found, &memory);
    }

    #[test]
    fn damage_is_never_taken_for_history(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let expected = five_samples(folder.path());
        let path = folder.path().join("highwater.db");
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, byte) in &hits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if cut {
            bytes.truncate(hits[0].0.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        let store = Store::open(folder.path()).unwrap().store;
        let found = match store.load("m") {
            Err(error) => {
                prop_assert_eq!(error.reason(), "StorageDamaged", "{}", error);
                store.load("m").unwrap()
            }
            Ok(found) => found,
        };
        let rows = |history: &History| {
            let runs = history.runs.iter().map(|run| (run.first, run.offset)).collect::<Vec<_>>();
            (runs, history.facts.clone())
        };
        for (name, topic) in &found.topics {
            let Some(expected) = expected.topics.get(name) else { continue };
            for (found, expected) in topic.partitions.iter().zip(&expected.partitions) {
                prop_assert!(found.history.runs.is_empty() || rows(&found.history) == rows(&expected.history));
            }
        }
        let (mut cluster, mut memory) = (Cluster::new(2, 2), found);
        let report = cluster.sample(&mut memory, 600_000, &[(Some(9), true)]);
        let saved = store.save("m", &mut memory, &report);
        prop_assert!(saved.is_ok() || store.save("m", &mut memory, &report).is_ok());
    }
}

/// Five samples, saved and folded.
fn five_samples(folder: &Path) -> Memory {
    let store = open(folder);
    let (mut cluster, mut memory) = (Cluster::new(2, 2), Memory::default());
    for _ in 0..5 {
        let report = cluster.sample(&mut memory, 60_000, &[(Some(100), true), (Some(0), false)]);
        store.save("m", &mut memory, &report).unwrap();
    }
    store.fold("m", &memory, 600).unwrap();
    memory
}

#[test]
fn what_was_saved_survives_a_kill() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(2, 2), Memory::default());
    for _ in 0..20 {
        let report = cluster.sample(&mut memory, 60_000, &[(Some(100), true), (Some(0), false), (None, false)]);
        store.save("m", &mut memory, &report).unwrap();
    }
    // The files as they are while the process still has them open are what a killed one leaves behind.
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    assert!(copy.path().join("highwater.db-wal").metadata().unwrap().len() > 0);
    assert_same(&open(copy.path()).load("m").unwrap(), &memory);
}

#[test]
fn a_cluster_that_is_away_after_a_restart_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let expected = five_samples(folder.path());
    let mut memory = open(folder.path()).load("m").unwrap();
    let failure = Failure::new(Scope::Cluster, "", Reason::Unreachable, String::new());
    memory.remember(Observation { failures: vec![failure], ..Observation::default() }, &POLICY);
    let report = Cluster::new(2, 2).judge(&mut memory);
    assert_eq!(report.groups.len(), 2);
    let runs = |memory: &Memory| memory.partition("topic-0", 0).unwrap().history.runs.clone();
    assert_eq!(runs(&memory), runs(&expected));
}

#[test]
fn what_is_gone_leaves_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(3, 1), Memory::default());
    for _ in 0..2 {
        let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
        store.save("m", &mut memory, &report).unwrap();
        store.fold("m", &memory, 600).unwrap();
        cluster.topics.pop();
    }
    let count = |store: &Store, table: &str| -> u32 {
        store.inner().connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(["topics", "histories", "group_topics", "samples"].map(|t| count(&store, t)), [2, 2, 4, 4]);
    store.forget("m").unwrap();
    assert!(store.monitors().unwrap().is_empty());
    let tables = ["topics", "histories", "group_topics", "samples", "journal", "memberships"];
    assert_eq!(tables.map(|table| count(&store, table)), [0; 6]);
}

#[test]
fn monitors_do_not_see_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut one, mut two) = (Cluster::new(1, 1), Memory::default(), Memory::default());
    let report = cluster.sample(&mut one, 60_000, &[(Some(5), false)]);
    store.save("shop/one", &mut one, &report).unwrap();
    let report = cluster.sample(&mut two, 60_000, &[(Some(7), false)]);
    store.save("shop/two", &mut two, &report).unwrap();
    let sampled: Vec<_> = store.monitors().unwrap().into_iter().map(|(name, at)| (name, cluster.now - at)).collect();
    assert_eq!(sampled, [("shop/one".to_owned(), 60_020), ("shop/two".to_owned(), 20)]);
    store.forget("shop/two").unwrap();
    let store = reopened(store, folder.path());
    assert_same(&store.load("shop/one").unwrap(), &one);
    assert!(store.load("shop/two").unwrap().topics.is_empty());
}

#[test]
fn members_are_written_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    for members in [&["a", "b"][..], &["b", "a"], &["b"], &["b"], &["a", "b"]] {
        cluster.members = members.iter().map(ToString::to_string).collect();
        let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
        store.save("m", &mut memory, &report).unwrap();
    }
    let read = |from, to, limit| {
        let found = store.memberships_of("m", "orders", (from, to), limit).unwrap();
        found.iter().map(|at| at.members.iter().map(|(id, _)| id.as_str()).collect::<String>()).collect::<Vec<_>>()
    };
    let end = cluster.now;
    assert_eq!(read(0, end, 9), ["ab", "b", "ab"]);
    assert_eq!(read(end - 90_000, end, 9), ["b", "ab"], "what it was at the beginning, and what came");
    assert_eq!(read(end, end + 1, 9), ["ab"]);
    assert_eq!(read(0, end, 1), ["ab"], "the last of more");
    assert_eq!(read(0, end - 300_000, 9), Vec::<String>::new());
    assert!(store.memberships_of("m", "other", (0, end), 9).unwrap().is_empty());
}

#[test]
fn logs_get_a_row_a_sample_until_their_groups_are_offline_for_an_hour_and_one_in_half_an_hour_then() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    for (samples, moves) in [(10, 1), (300, 0), (10, 1)] {
        for _ in 0..samples {
            cluster.committed += moves;
            let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
            store.save("m", &mut memory, &report).unwrap();
        }
    }
    let gaps = |memory: &Memory| -> Vec<Millis> {
        let rows: Vec<_> = memory.topics["topic-0"].partitions[0].history.runs.iter().map(|run| run.first).collect();
        rows.windows(2).map(|pair| (pair[1] - pair[0]) / 60_000).collect()
    };
    let gaps_now = gaps(&memory);
    let fine = |gap: &&Millis| **gap == 1;
    let (before, after) = (gaps_now.iter().take_while(fine).count(), gaps_now.iter().rev().take_while(fine).count());
    assert!((70..=75).contains(&before) && (8..=10).contains(&after), "{gaps_now:?}");
    let seldom = &gaps_now[before..gaps_now.len() - after];
    let whole = seldom.iter().filter(|gap| (30..=31).contains(*gap)).count();
    assert!((6..=8).contains(&whole) && seldom.len() <= whole + 1, "{gaps_now:?}");
    assert_eq!(gaps(&reopened(store, folder.path()).load("m").unwrap()), gaps_now);
}

#[test]
fn samples_are_thinned_from_the_old_end_and_keep_the_highest_age() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    let mut all: Vec<Sample> = Vec::new();
    for i in 0..500 {
        cluster.committed = if i == 77 { 0 } else { 1_000_000 + i * 5 };
        let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
        let topic = &report.groups[0].topics.as_ref().unwrap()[0];
        let seconds = |s: Option<f64>| s.map(|s| (s * 1e3).round() as Millis);
        all.push(Sample {
            time: report.generated_at.0,
            lag: seconds(topic.max_lag_seconds),
            bound: seconds(topic.bound_seconds),
            records: topic.total_lag_records,
            state: topic.state,
        });
        store.save("m", &mut memory, &report).unwrap();
        if i == 29 {
            assert_eq!(kept(&store), all);
        }
        if i % 20 == 9 {
            store.fold("m", &memory, 60).unwrap();
        }
    }
    let kept = kept(&reopened(store, folder.path()));
    assert!(kept.iter().all(|sample| all.contains(sample)) && kept.is_sorted_by_key(|sample| sample.time));
    assert!((40..=70).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[kept.len() - 30..], all[470..]);
    let highest = all.iter().max_by_key(|sample| sample.lag).unwrap();
    assert!(kept.iter().any(|sample| sample.lag == highest.lag));
}

#[test]
fn histories_that_were_thinned_come_back_thinned_after_folding() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 2), Memory::default());
    cluster.policy.rows_per_partition = 16;
    for _ in 0..100 {
        let report = cluster.sample(&mut memory, 60_000, &[(Some(50), true)]);
        store.save("m", &mut memory, &report).unwrap();
    }
    let store = reopened(store, folder.path());
    let found = store.load("m").unwrap();
    let runs = |memory: &Memory| memory.partition("topic-0", 1).unwrap().history.runs.clone();
    assert!(runs(&memory).iter().all(|run| runs(&found).iter().any(|kept| kept == run)));
    store.fold("m", &memory, 600).unwrap();
    assert_same(&reopened(store, folder.path()).load("m").unwrap(), &memory);
}

#[test]
fn a_newer_database_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    five_samples(folder.path());
    let path = folder.path().join("highwater.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let opened = Store::open(folder.path()).unwrap();
    let (kept, error) = opened.set_aside.unwrap();
    assert!(matches!(error, Error::Newer { found: 99, .. }) && opened.fresh);
    let version: u32 = Connection::open(kept).unwrap().pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
    assert_eq!((version, opened.store.load("m").unwrap().topics.len()), (99, 0));
}

#[test]
fn a_file_that_is_none_of_ours_is_set_aside_and_an_empty_one_used() {
    for content in [&b"no database at all, but long enough to be taken for one"[..], b""] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("highwater.db"), content).unwrap();
        let opened = Store::open(folder.path()).unwrap();
        assert!(opened.fresh && opened.store.degraded().is_none());
        assert_eq!(opened.set_aside.is_some(), !content.is_empty());
        if let Some((kept, error)) = opened.set_aside {
            assert_eq!((std::fs::read(kept).unwrap(), error.reason()), (content.to_vec(), "StorageDamaged"));
        }
    }
}

#[test]
fn a_second_highwater_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let error = Store::open(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("another Highwater is using the data folder "), "{error}");
    drop(store);
    open(folder.path());
}

#[test]
fn a_lock_of_another_program_is_waited_out_in_memory_and_what_it_kept_away_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let before = five_samples(folder.path());
    let other = Connection::open(folder.path().join("highwater.db")).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let store = Store::open(folder.path()).unwrap().store;
    assert_eq!(store.degraded().unwrap().0, "StorageLocked");
    let mut memory = store.load("m").unwrap();
    assert!(memory.topics.is_empty());
    let mut cluster = Cluster::new(2, 2);
    let report = cluster.sample(&mut memory, 600_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    assert_eq!(store.degraded().unwrap().0, "StorageLocked");
    drop(other);
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    assert_eq!(store.degraded(), None);
    assert_same(&memory, &before);
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    assert_same(&reopened(store, folder.path()).load("m").unwrap(), &memory);
}

#[test]
fn a_full_disk_heals() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(20, 50), Memory::default());
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), true)]);
    store.save("m", &mut memory, &report).unwrap();
    let limit = |pages: u32| store.inner().connection.pragma_update(None, "max_page_count", pages).unwrap();
    limit(1);
    let mut refused = 0;
    for _ in 0..5 {
        let report = cluster.sample(&mut memory, 60_000, &[(Some(5), true), (Some(0), false), (None, false)]);
        match store.save("m", &mut memory, &report) {
            Ok(_) => assert_eq!(refused, 0),
            Err(error) => {
                assert_eq!(error.reason(), "StorageFull");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    limit(1_000_000);
    let report = cluster.sample(&mut memory, 60_000, &[(Some(0), false)]);
    store.save("m", &mut memory, &report).unwrap();
    assert_same(&reopened(store, folder.path()).load("m").unwrap(), &memory);
}

#[test]
fn damage_that_shows_while_running_costs_one_save() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(2, 2), Memory::default());
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), true)]);
    store.save("m", &mut memory, &report).unwrap();
    store.inner().connection.execute_batch("UPDATE journal SET changes = x'0102030405'").unwrap();
    assert!(matches!(store.fold("m", &memory, 600), Err(Error::Damaged(_))));
    assert_eq!(store.degraded(), None);
    let report = cluster.sample(&mut memory, 60_000, &[(Some(0), false)]);
    store.save("m", &mut memory, &report).unwrap();
    assert_same(&reopened(store, folder.path()).load("m").unwrap(), &memory);
    let kept = |name: &str| name.starts_with("highwater.db.damaged-") && !name.ends_with("-wal");
    let names = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(names.filter(|name| kept(name.to_str().unwrap())).count(), 1);
}

#[test]
fn the_files_of_monitors_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap().store;
    store.note_file("shop/a", Some("/out/shop/a.json")).unwrap();
    store.note_file("shop/b", Some("/out/shop/b.json")).unwrap();
    store.note_file("shop/a", Some("/out/shop/c.json")).unwrap();
    store.note_file("shop/b", None).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap().store;
    assert_eq!(store.files().unwrap(), [("shop/a".to_owned(), "/out/shop/c.json".into())]);
}
