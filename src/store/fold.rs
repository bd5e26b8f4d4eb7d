//! Folds the journal into one row a partition, and one a group and topic, so that neither it nor they grow for ever.
//!
//! In small transactions: each row says up to which row of the journal it tells the story, so that a stop in between
//! counts nothing twice.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::Sample;
use super::error::Error;
use super::rows::{changes_from_bytes, samples_from_bytes, samples_to_bytes};
use super::save::write_history;
use crate::lag::memory::Memory;
use crate::lag::{Millis, Partition};

/// Rows written in one transaction.
const BATCH: usize = 1_000;

/// Groups and topics whose samples are held in memory at once.
const AT_ONCE: usize = 4_096;

/// Folds the journal of a monitor; keeps at most `rows` samples of each group and topic.
pub(super) fn fold(connection: &mut Connection, monitor: &str, memory: &Memory, rows: usize) -> Result<(), Error> {
    let known = connection
        .query_row(
            "SELECT monitors.id, max(journal.id) FROM monitors JOIN journal ON monitor_id = monitors.id
             WHERE name = ?1 GROUP BY monitors.id",
            [monitor],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((monitor, until)) = known else { return Ok(()) };
    fold_histories(connection, monitor, until, memory)?;
    fold_samples(connection, monitor, until, rows)?;
    leave_groups(connection, monitor, memory)?;
    connection.execute("DELETE FROM journal WHERE monitor_id = ?1 AND id <= ?2", params![monitor, until])?;
    Ok(())
}

/// Writes every history that the journal tells of, as it is in memory.
fn fold_histories(connection: &mut Connection, monitor: i64, until: i64, memory: &Memory) -> Result<(), Error> {
    let mut names: HashMap<i64, String> = HashMap::new();
    {
        let mut statement = connection.prepare_cached("SELECT id, name FROM topics WHERE monitor_id = ?1")?;
        let mut found = statement.query([monitor])?;
        while let Some(row) = found.next()? {
            names.insert(row.get(0)?, row.get(1)?);
        }
    }
    let mut changed: Vec<(i64, Partition)> = Vec::new();
    {
        let mut statement = connection.prepare_cached("SELECT time, changes FROM journal WHERE monitor_id = ?1")?;
        let mut found = statement.query([monitor])?;
        while let Some(row) = found.next()? {
            let changes = changes_from_bytes(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, row.get(0)?)?;
            for (topic, changes) in changes.into_iter().filter(|(topic, _)| names.contains_key(topic)) {
                changed.extend(changes.into_iter().map(|(partition, _)| (topic, partition)));
            }
            changed.sort_unstable();
            changed.dedup();
        }
    }
    for batch in changed.chunks(BATCH) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (topic, partition) in batch {
            let remembered = names.get(topic).and_then(|name| memory.partition(name, *partition));
            let Some(remembered) = remembered else { continue };
            write_history(&transaction, *topic, *partition, until, &remembered.history)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Removes the members of groups that are gone, and what was remembered of them as a whole.
fn leave_groups(connection: &Connection, monitor: i64, memory: &Memory) -> Result<(), Error> {
    let known: Vec<String> = connection
        .prepare_cached(
            "SELECT group_id FROM memberships WHERE monitor_id = ?1 UNION SELECT group_id FROM conducts WHERE monitor_id = ?1",
        )?
        .query_map([monitor], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for gone in known.iter().filter(|known| !memory.groups.contains_key(known.as_str())) {
        connection
            .execute("DELETE FROM memberships WHERE monitor_id = ?1 AND group_id = ?2", params![monitor, gone])?;
        connection.execute("DELETE FROM conducts WHERE monitor_id = ?1 AND group_id = ?2", params![monitor, gone])?;
    }
    Ok(())
}

fn fold_samples(connection: &mut Connection, monitor: i64, until: i64, rows: usize) -> Result<(), Error> {
    let known: Vec<i64> = connection
        .prepare_cached("SELECT id FROM group_topics WHERE monitor_id = ?1 ORDER BY id")?
        .query_map([monitor], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for known in known.chunks(AT_ONCE) {
        let fresh: Vec<(i64, Vec<(i64, Sample)>)> =
            journalled(connection, monitor, |id| known.binary_search(&id).is_ok())?.into_iter().collect();
        for batch in fresh.chunks(BATCH) {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (id, fresh) in batch {
                let mut samples = folded(&transaction, *id, fresh)?;
                thin(&mut samples, rows);
                let keyed: Vec<(i64, Sample)> = samples.into_iter().map(|sample| (sample.time, sample)).collect();
                transaction
                    .prepare_cached(
                        "INSERT INTO samples (group_topic_id, folded, rows) VALUES (?1, ?2, ?3)
                         ON CONFLICT DO UPDATE SET folded = ?2, rows = ?3",
                    )?
                    .execute(params![id, until, samples_to_bytes(&keyed, *id)?])?;
            }
            transaction.commit()?;
        }
    }
    Ok(())
}

/// The samples in the journal by the row of their group and topic, each with the row of the journal that holds it.
fn journalled(
    connection: &Connection,
    monitor: i64,
    wanted: impl Fn(i64) -> bool,
) -> Result<BTreeMap<i64, Vec<(i64, Sample)>>, Error> {
    let mut all: BTreeMap<i64, Vec<(i64, Sample)>> = BTreeMap::new();
    let mut statement =
        connection.prepare_cached("SELECT id, time, samples FROM journal WHERE monitor_id = ?1 ORDER BY id")?;
    let mut found = statement.query([monitor])?;
    while let Some(row) = found.next()? {
        let (journal, time): (i64, Millis) = (row.get(0)?, row.get(1)?);
        for (id, sample) in samples_from_bytes(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, time)? {
            if wanted(id) {
                all.entry(id).or_default().push((journal, Sample { time, ..sample }));
            }
        }
    }
    Ok(all)
}

/// The samples of one group and topic, folded ones first.
fn folded(connection: &Connection, id: i64, fresh: &[(i64, Sample)]) -> Result<Vec<Sample>, Error> {
    let mut statement = connection.prepare_cached("SELECT folded, rows FROM samples WHERE group_topic_id = ?1")?;
    let mut found = statement.query([id])?;
    let (until, mut samples) = match found.next()? {
        Some(row) => (row.get(0)?, samples_from_bytes(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, id)?),
        None => (0, Vec::new()),
    };
    samples.extend(fresh.iter().filter(|(journal, _)| *journal > until).map(|(_, sample)| (sample.time, *sample)));
    Ok(samples.into_iter().map(|(_, sample)| sample).collect())
}

/// Keeps the larger age of every two samples in the older half, until there are at most `rows`: the recent past stays
/// fine, the older is the coarser the longer it is gone, and the highest age is never lost.
fn thin(samples: &mut Vec<Sample>, rows: usize) {
    while samples.len() > rows.max(4) {
        let recent = samples.split_off(samples.len() / 4 * 2);
        *samples = samples.chunks(2).filter_map(|pair| pair.iter().copied().max_by_key(|s| s.lag)).collect();
        samples.extend(recent);
    }
}
