//! What is remembered of groups as a whole comes back after a restart, a kill, and an older schema.

use rusqlite::Connection;

use super::cluster::Cluster;
use super::{open, reopened};
use crate::lag::memory::Memory;
use crate::lag::progress::Standing;
use crate::lag::report::AlertKind;

#[test]
fn alerts_rebalances_and_stuck_partitions_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 2), Memory::default());
    for member in ["a", "b", "b", "b", "b", "b", "b"] {
        cluster.members = vec![member.into()];
        let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
        store.save("m", &mut memory, &report).unwrap();
    }
    let known = &memory.conducts["orders"];
    assert_eq!((known.rebalances.times.len(), known.stuck.len()), (1, 2));
    let kinds = [AlertKind::SloViolated, AlertKind::StuckPartitions];
    assert_eq!(known.alerts.iter().map(|(kind, _)| kind).collect::<Vec<_>>(), kinds);
    let found = reopened(store, folder.path()).load("m").unwrap();
    let back = &found.conducts["orders"];
    assert_eq!((&back.rebalances.times, back.rebalances.makeup), (&known.rebalances.times, known.rebalances.makeup));
    assert_eq!((&back.stuck, back.unsaved), (&known.stuck, false));
    let raised = |memory: &Memory| {
        let alerts = memory.conducts["orders"].alerts.iter();
        alerts.map(|(kind, raised)| (kind, raised.since, raised.severity)).collect::<Vec<_>>()
    };
    assert_eq!(raised(&found), raised(&memory));
    assert!(back.rebalances.seen >= known.rebalances.seen - 60_000, "the gap is not the time since the last change");
}

#[test]
fn nothing_is_written_of_groups_in_which_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    cluster.now = 1_800_000_000_000 / 300_000 * 300_000;
    let mut writes = Vec::new();
    for _ in 0..12 {
        cluster.committed = 2_000_000;
        let report = cluster.sample(&mut memory, 60_000, &[(Some(0), false)]);
        writes.push(memory.conducts.values().filter(|conduct| conduct.unsaved).count());
        store.save("m", &mut memory, &report).unwrap();
    }
    // The first sight, the first stretch of the budget, and each of five minutes: a row a group.
    assert_eq!(writes, [2, 2, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0]);
}

#[test]
fn groups_that_are_gone_are_forgotten_when_the_journal_is_folded() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    memory.groups.remove("orders");
    store.fold("m", &memory, 600).unwrap();
    let left = store.load("m").unwrap().conducts;
    assert_eq!(left.keys().map(|group| &**group).collect::<Vec<_>>(), ["shop"]);
}

#[test]
fn a_partition_that_stood_still_is_known_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 3), Memory::default());
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    let since = cluster.now - 3_600_000;
    let standing = Standing { partition: 1, committed: cluster.committed, since, former: true, left: true };
    let progress = memory.groups.get_mut("orders").unwrap().get_mut("topic-0").unwrap();
    (progress.standing, progress.unsaved) = (vec![standing], true);
    store.save("m", &mut memory, &report).unwrap();
    let mut found = reopened(store, folder.path()).load("m").unwrap();
    assert_eq!(found.groups["orders"]["topic-0"].standing, [standing]);
    cluster.sample(&mut found, 60_000, &[(Some(5), false)]);
    let since: Vec<_> = found.groups["orders"]["topic-0"].partitions.iter().map(|p| p.still_since).collect();
    assert_eq!(since, [cluster.now, standing.since, cluster.now]);
}

#[test]
fn a_database_of_the_first_schema_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut cluster, mut memory) = (Cluster::new(1, 1), Memory::default());
    let report = cluster.sample(&mut memory, 60_000, &[(Some(5), false)]);
    store.save("m", &mut memory, &report).unwrap();
    drop(store);
    let path = folder.path().join("highwater.db");
    let connection = Connection::open(&path).unwrap();
    let earlier = "DROP TABLE conducts; ALTER TABLE group_topics DROP COLUMN standing; PRAGMA user_version = 1;";
    connection.execute_batch(earlier).unwrap();
    drop(connection);
    let store = open(folder.path());
    let mut found = store.load("m").unwrap();
    assert_eq!((found.topics.len(), found.conducts.len()), (1, 0));
    let report = cluster.sample(&mut found, 60_000, &[(Some(5), false)]);
    store.save("m", &mut found, &report).unwrap();
    assert_eq!(store.load("m").unwrap().conducts.len(), 2);
}
