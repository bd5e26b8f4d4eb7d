//! Writes what one sample has changed, in one transaction: one row of the journal, and the few rows beside it.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, named_params, params};

use super::error::Error;
use super::memberships;
use super::rows::{TopicChanges, changes_to_bytes, conduct_to_bytes, history_to_bytes, samples_to_bytes, state_code};
use super::{Sample, Saved};
use crate::lag::history::History;
use crate::lag::memory::{Memory, TopicMemory};
use crate::lag::observation::Observation;
use crate::lag::progress::Progress;
use crate::lag::report::{GroupTopic, Report};
use crate::lag::{Millis, Name, Partition, TopicId};

/// Samples in the journal from which folding is due: often enough to keep the file small, seldom
/// enough to write little more than the journal does.
const FOLD_AFTER: u32 = 360;

/// Writes one sample. With `anew`, nothing that stands there of histories and states is built upon.
pub(super) fn save(
    connection: &mut Connection,
    monitor: &str,
    memory: &Memory,
    report: &Report,
    anew: bool,
) -> Result<Saved, Error> {
    let time = report.generated_at.0;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let monitor = monitor_row(&transaction, monitor, report, &memory.last)?;
    if anew {
        transaction.execute("DELETE FROM topics WHERE monitor_id = ?1", [monitor])?;
    }
    let topics = topic_rows(&transaction, monitor, memory)?;
    let group_topics = group_topic_rows(&transaction, monitor, memory, anew)?;
    let changes = changes(memory, &topics);
    let changes = changes_to_bytes(&changes, time)?;
    let samples = samples_to_bytes(&samples(report, &group_topics), time)?;
    let bytes = changes.len() + samples.len();
    transaction
        .prepare_cached("INSERT INTO journal (monitor_id, time, changes, samples) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![monitor, time, changes, samples])?;
    let row = transaction.last_insert_rowid();
    for (name, topic) in &memory.topics {
        let Some((id, whole)) = topics.get(name) else { continue };
        write_histories(&transaction, *id, topic, row, *whole)?;
    }
    memberships::save(&transaction, monitor, report)?;
    conducts(&transaction, monitor, memory, anew)?;
    let samples: u32 =
        transaction.query_row("SELECT count(*) FROM journal WHERE monitor_id = ?1", [monitor], |row| row.get(0))?;
    transaction.commit()?;
    Ok(Saved { bytes, fold_due: samples >= FOLD_AFTER })
}

/// The monitor's row; one of another cluster is gone.
fn monitor_row(
    transaction: &Transaction<'_>,
    monitor: &str,
    report: &Report,
    last: &Observation,
) -> Result<i64, Error> {
    let cluster = report.cluster.id.as_deref();
    transaction.execute("DELETE FROM monitors WHERE name = ?1 AND cluster_id <> ?2", params![monitor, cluster])?;
    let ends = last.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|p| p.high_watermark.ok());
    let sampled = ends.map(|reading| reading.sent).min();
    let mut statement = transaction.prepare_cached(
        "INSERT INTO monitors (name, cluster_id, sampled) VALUES (?1, ?2, coalesce(?3, 0))
         ON CONFLICT (name) DO UPDATE SET cluster_id = coalesce(?2, cluster_id), sampled = coalesce(?3, sampled)
         RETURNING id",
    )?;
    Ok(statement.query_row(params![monitor, cluster, sampled], |row| row.get(0))?)
}

/// The row of each topic, and whether it is new; rows of topics that are gone are removed.
fn topic_rows<'a>(
    transaction: &Transaction<'_>,
    monitor: i64,
    memory: &'a Memory,
) -> Result<HashMap<&'a Name, (i64, bool)>, Error> {
    let mut known = HashMap::new();
    let mut statement =
        transaction.prepare_cached("SELECT id, name, topic_id, partitions FROM topics WHERE monitor_id = ?1")?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let (incarnation, count): (Option<TopicId>, u32) = (row.get(2)?, row.get(3)?);
        let Some((name, topic)) = memory.topics.get_key_value(name.as_str()) else {
            transaction.execute("DELETE FROM topics WHERE id = ?1", [id])?;
            continue;
        };
        if incarnation.is_some() && topic.id.is_some() && incarnation != topic.id {
            transaction.execute("DELETE FROM topics WHERE id = ?1", [id])?;
            continue;
        }
        if incarnation != topic.id || count != count_of(topic) {
            transaction.execute(
                "UPDATE topics SET topic_id = ?2, partitions = ?3 WHERE id = ?1",
                params![id, topic.id, count_of(topic)],
            )?;
        }
        known.insert(name, (id, false));
    }
    for (name, topic) in memory.topics.iter().filter(|(name, _)| !known.contains_key(name)).collect::<Vec<_>>() {
        let replicas = memory.last.topic(name).map_or(0, |topic| topic.replication_factor);
        transaction
            .prepare_cached(
                "INSERT INTO topics (monitor_id, name, topic_id, partitions, replicas) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![monitor, &**name, topic.id, count_of(topic), replicas])?;
        known.insert(name, (transaction.last_insert_rowid(), true));
    }
    Ok(known)
}

/// The row of each group on each topic, with its state brought up to date; rows of those that are gone are removed.
fn group_topic_rows(
    transaction: &Transaction<'_>,
    monitor: i64,
    memory: &Memory,
    anew: bool,
) -> Result<HashMap<(Name, Name), i64>, Error> {
    let mut known = HashMap::new();
    let mut statement =
        transaction.prepare_cached("SELECT id, group_id, topic FROM group_topics WHERE monitor_id = ?1")?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let (id, group, topic): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let names = memory.groups.get_key_value(group.as_str()).and_then(|(group, topics)| {
            topics.get_key_value(topic.as_str()).map(|(topic, _)| (group.clone(), topic.clone()))
        });
        match names {
            Some(names) => _ = known.insert(names, id),
            None => _ = transaction.execute("DELETE FROM group_topics WHERE id = ?1", [id])?,
        }
    }
    for (group, topics) in &memory.groups {
        for (topic, progress) in topics {
            let names = (group.clone(), topic.clone());
            if !anew && !progress.unsaved && known.contains_key(&names) {
                continue;
            }
            let id = write_progress(transaction, monitor, &names, progress)?;
            known.insert(names, id);
        }
    }
    Ok(known)
}

fn write_progress(
    transaction: &Transaction<'_>,
    monitor: i64,
    (group, topic): &(Name, Name),
    progress: &Progress,
) -> Result<i64, Error> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO group_topics
             (monitor_id, group_id, topic, state, since, static_samples, static_since, gaps, committed_sum, standing)
         VALUES (:monitor, :group, :topic, :state, :since, :samples, :static, :gaps, :sum, :standing)
         ON CONFLICT (monitor_id, group_id, topic) DO UPDATE SET
             state = :state, since = :since, static_samples = :samples, static_since = :static, gaps = :gaps,
             committed_sum = :sum, standing = :standing
         RETURNING id",
    )?;
    let json = |error: serde_json::Error| Error::Damaged(error.to_string());
    let gaps = serde_json::to_string(&progress.gaps).map_err(json)?;
    let standing = serde_json::to_string(&progress.standing).map_err(json)?;
    let row = named_params! {
        ":monitor": monitor,
        ":group": &**group,
        ":topic": &**topic,
        ":state": state_code(progress.state),
        ":since": progress.since,
        ":samples": progress.static_samples,
        ":static": progress.static_since,
        ":gaps": gaps,
        ":sum": progress.committed_sum,
        ":standing": standing,
    };
    Ok(statement.query_row(row, |row| row.get(0))?)
}

/// What has changed in partitions whose history is not written as a whole.
fn changes(memory: &Memory, topics: &HashMap<&Name, (i64, bool)>) -> Vec<TopicChanges> {
    let mut changes = Vec::new();
    for (name, topic) in &memory.topics {
        let Some((id, false)) = topics.get(name) else { continue };
        let partitions = topic.partitions.iter().zip(0..);
        let changed = partitions.filter(|(partition, _)| partition.history.unsaved && !partition.history.rewritten);
        let changed: Vec<_> = changed.map(|(partition, number)| (number, partition.history.change())).collect();
        if !changed.is_empty() {
            changes.push((*id, changed));
        }
    }
    changes
}

/// Writes histories as a whole, of all partitions or of those that cannot be told by their changes.
fn write_histories(
    transaction: &Transaction<'_>,
    id: i64,
    topic: &TopicMemory,
    folded: i64,
    all: bool,
) -> Result<(), Error> {
    let partitions = topic.partitions.iter().zip(0..);
    for (partition, number) in partitions.filter(|(partition, _)| all || partition.history.rewritten) {
        write_history(transaction, id, number, folded, &partition.history)?;
    }
    Ok(())
}

/// Writes one history, which tells the story up to the row `folded` of the journal.
pub(super) fn write_history(
    transaction: &Transaction<'_>,
    topic: i64,
    partition: Partition,
    folded: i64,
    history: &History,
) -> Result<(), Error> {
    transaction
        .prepare_cached(
            "INSERT INTO histories (topic_id, partition, folded, rows) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET folded = ?3, rows = ?4",
        )?
        .execute(params![topic, partition, folded, history_to_bytes(history, topic, partition)?])?;
    Ok(())
}

fn count_of(topic: &TopicMemory) -> u32 {
    topic.partitions.len().try_into().unwrap_or(u32::MAX)
}

fn samples(report: &Report, rows: &HashMap<(Name, Name), i64>) -> Vec<(i64, Sample)> {
    let mut samples = Vec::with_capacity(rows.len());
    for group in &report.groups {
        for topic in group.topics.iter().flatten() {
            if let Some(id) = rows.get(&(group.group_id.clone(), topic.topic.clone())) {
                samples.push((*id, sample(report.generated_at.0, topic)));
            }
        }
    }
    samples.sort_unstable_by_key(|(id, _)| *id);
    samples
}

fn sample(time: Millis, topic: &GroupTopic) -> Sample {
    let millis = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1e3).round() as Millis);
    Sample {
        time,
        lag: millis(topic.max_lag_seconds),
        bound: millis(topic.bound_seconds),
        records: topic.total_lag_records,
        state: topic.state,
    }
}

/// Writes what is remembered of groups as a whole, where it has changed.
fn conducts(transaction: &Transaction<'_>, monitor: i64, memory: &Memory, anew: bool) -> Result<(), Error> {
    for (group, conduct) in memory.conducts.iter().filter(|(_, conduct)| anew || conduct.unsaved) {
        transaction
            .prepare_cached(
                "INSERT INTO conducts (monitor_id, group_id, conduct) VALUES (?1, ?2, ?3)
                 ON CONFLICT (monitor_id, group_id) DO UPDATE SET conduct = ?3",
            )?
            .execute(params![monitor, &**group, conduct_to_bytes(conduct, monitor)?])?;
    }
    Ok(())
}
