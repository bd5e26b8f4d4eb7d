//! Reads back what one monitor remembered: rows first, then the journal on top of them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};

use super::error::Error;
use super::rows::{changes_from_bytes, conduct_from_bytes, history_from_bytes, state};
use crate::lag::conduct::Conduct;
use crate::lag::history::Run;
use crate::lag::memory::{Memory, PartitionMemory, TopicMemory};
use crate::lag::observation::{GroupKind, GroupObservation, PartitionObservation, TopicObservation};
use crate::lag::progress::Progress;
use crate::lag::reason::Reason;
use crate::lag::{Millis, Name};

/// Where each topic's rows belong: its name, and the journal row up to which each partition's rows tell the story.
type Rows = HashMap<i64, (Name, Vec<i64>)>;

/// What the monitor remembered, if it is known.
pub(super) fn load(connection: &Connection, monitor: &str) -> Result<Option<Memory>, Error> {
    let known = connection
        .query_row("SELECT id, cluster_id, sampled FROM monitors WHERE name = ?1", [monitor], |row| {
            Ok((row.get(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((id, cluster_id, sampled)) = known else { return Ok(None) };
    let (mut memory, mut rows) = topics(connection, id)?;
    histories(connection, id, &mut memory, &mut rows)?;
    journal(connection, id, &mut memory, &rows)?;
    memory
        .topics
        .values_mut()
        .flat_map(|topic| &mut topic.partitions)
        .for_each(|partition| refresh(partition, sampled));
    memory.groups = groups(connection, id, sampled)?;
    memory.conducts = conducts(connection, id, sampled)?;
    memory.last.cluster_id = cluster_id.map(Name::from);
    memory.last.groups = memory.groups.keys().map(unasked_group).collect();
    Ok(Some(memory))
}

/// The topics, without a history yet; and as the last pass, one that got no answers.
fn topics(connection: &Connection, monitor: i64) -> Result<(Memory, Rows), Error> {
    let (mut memory, mut rows) = (Memory::default(), Rows::new());
    let mut statement = connection.prepare_cached(
        "SELECT id, name, topic_id, partitions, replicas FROM topics WHERE monitor_id = ?1 ORDER BY name",
    )?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let name = Name::from(row.get::<_, String>(1)?);
        let count: u32 = row.get(3)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let partitions = vec![PartitionMemory::default(); count];
        let topic = TopicMemory { id: row.get(2)?, partitions, ..TopicMemory::default() };
        memory.last.topics.push(TopicObservation {
            name: name.clone(),
            id: topic.id,
            replication_factor: row.get(4)?,
            partitions: vec![UNASKED; count],
        });
        memory.topics.insert(name.clone(), topic);
        rows.insert(row.get(0)?, (name, vec![0; count]));
    }
    Ok((memory, rows))
}

fn histories(connection: &Connection, monitor: i64, memory: &mut Memory, rows: &mut Rows) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "SELECT topic_id, partition, folded, rows FROM histories
         WHERE topic_id IN (SELECT id FROM topics WHERE monitor_id = ?1)",
    )?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let Some((name, folded)) = rows.get_mut(&row.get(0)?) else { continue };
        let (topic, partition) = (row.get(0)?, row.get(1)?);
        let Some(memory) = memory.partition_mut(name, partition) else { continue };
        memory.history =
            history_from_bytes(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?, topic, partition)?;
        if let Some(folded) = usize::try_from(partition).ok().and_then(|index| folded.get_mut(index)) {
            *folded = row.get(2)?;
        }
    }
    Ok(())
}

fn journal(connection: &Connection, monitor: i64, memory: &mut Memory, rows: &Rows) -> Result<(), Error> {
    let mut statement =
        connection.prepare_cached("SELECT id, time, changes FROM journal WHERE monitor_id = ?1 ORDER BY id")?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let (id, time): (i64, Millis) = (row.get(0)?, row.get(1)?);
        let changes = changes_from_bytes(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, time)?;
        for (topic, changes) in changes {
            // Rows of a topic that is gone stay in the journal until it is folded.
            let Some((name, folded)) = rows.get(&topic) else { continue };
            for (partition, change) in changes {
                let folded = usize::try_from(partition).ok().and_then(|index| folded.get(index));
                if folded.is_some_and(|folded| *folded < id)
                    && let Some(memory) = memory.partition_mut(name, partition)
                {
                    memory.history.apply(change);
                }
            }
        }
    }
    Ok(())
}

/// A newest run that is current was seen by every sample, without a word in the journal.
fn refresh(partition: &mut PartitionMemory, sampled: Millis) {
    let history = &mut partition.history;
    if history.current {
        history.runs.change_last(|run| Run { last: run.last.max(sampled), ..run });
    }
    if let Some(newest) = history.runs.last() {
        partition.end_seen = Some((newest.last.max(newest.first), newest.last));
    }
}

fn groups(
    connection: &Connection,
    monitor: i64,
    sampled: Millis,
) -> Result<BTreeMap<Name, BTreeMap<Name, Progress>>, Error> {
    let mut groups: BTreeMap<Name, BTreeMap<Name, Progress>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT group_id, topic, state, since, static_samples, static_since, gaps, committed_sum, standing
         FROM group_topics WHERE monitor_id = ?1",
    )?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let (gaps, standing): (String, String) = (row.get(6)?, row.get(8)?);
        let json = |error: serde_json::Error| Error::Damaged(error.to_string());
        let progress = Progress {
            state: state(row.get(2)?),
            since: row.get(3)?,
            static_samples: row.get(4)?,
            static_since: row.get(5)?,
            gaps: serde_json::from_str(&gaps).map_err(json)?,
            committed_sum: row.get(7)?,
            standing: serde_json::from_str(&standing).map_err(json)?,
            ..Progress::default()
        };
        let topics = groups.entry(Name::from(row.get::<_, String>(0)?)).or_default();
        topics.insert(Name::from(row.get::<_, String>(1)?), progress.restored(sampled));
    }
    Ok(groups)
}

/// What is remembered of groups as a whole; it is written when it changes, and was true until the last sample.
fn conducts(connection: &Connection, monitor: i64, sampled: Millis) -> Result<BTreeMap<Name, Conduct>, Error> {
    let mut conducts = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT group_id, conduct FROM conducts WHERE monitor_id = ?1")?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let mut conduct = conduct_from_bytes(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, monitor)?;
        conduct.rebalances.seen = conduct.rebalances.seen.max(sampled);
        conducts.insert(Name::from(row.get::<_, String>(0)?), conduct);
    }
    Ok(conducts)
}

/// What a pass holds for a partition before there was one.
const UNASKED: PartitionObservation = PartitionObservation {
    leader: None,
    log_start: Err(Reason::Unreachable),
    high_watermark: Err(Reason::Unreachable),
    last_stable: None,
};

fn unasked_group(id: &Name) -> GroupObservation {
    GroupObservation {
        id: id.clone(),
        kind: GroupKind::Unknown,
        state: None,
        assignor: None,
        members: None,
        commits: Err(Reason::Unreachable),
    }
}
