//! Reads the ages that were kept, a little at a time, so that a sample never waits for a reader.
//!
//! What is folded is copied in batches, the journal in pieces, and both are understood in between, without the connection.
//! A fold in the meantime moves rows on; that is noticed, and the reading begins anew.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Error;
use super::rows::samples_from_bytes;
use super::{Sample, Store};
use crate::lag::Millis;

/// Bytes of the journal that are copied before a sample may write.
const PIECE: usize = 1 << 20;

/// Groups of which what is folded is copied before a sample may write.
const BATCH: usize = 50;

/// How often a reading begins anew before it takes what it has: a journal is folded once in hundreds of samples.
const ATTEMPTS: usize = 4;

/// The ages of groups on topics, by group and topic, each from the oldest that is kept.
pub type Samples = BTreeMap<(String, String), Vec<Sample>>;

/// One row of the journal: number, time, samples.
type Journalled = (i64, Millis, Vec<u8>);

/// Where the samples of one group on one topic stand: names, last folded row, folded samples.
type Folded = HashMap<i64, ((String, String), i64, Vec<u8>)>;

impl Store {
    /// The ages that were kept of the groups of `monitor`, of all or of these.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn samples_of(&self, monitor: &str, groups: Option<&[String]>) -> Result<Samples, Error> {
        let mut found = Samples::new();
        for _ in 0..ATTEMPTS {
            let Some((id, folds)) = self.begin(monitor)? else { return Ok(Samples::new()) };
            let mut folded = Folded::new();
            found = Samples::new();
            let batches: Vec<_> = groups.map_or(vec![None], |groups| groups.chunks(BATCH).map(Some).collect());
            for groups in batches {
                let batch = self.folded(id, groups)?;
                found.append(&mut understood(&batch)?);
                folded.extend(batch);
            }
            let mut after = 0;
            loop {
                let piece = self.piece(id, after)?;
                let Some((last, ..)) = piece.last() else { break };
                after = *last;
                for (row, time, samples) in &piece {
                    add(&mut found, &folded, *row, *time, samples)?;
                }
            }
            if self.folds(id)? == folds {
                break;
            }
        }
        found.retain(|_, samples| !samples.is_empty());
        Ok(found)
    }

    /// The monitor's row, and its state of folding.
    fn begin(&self, monitor: &str) -> Result<Option<(i64, Folds)>, Error> {
        self.inner().guard(|inner| {
            let row = "SELECT id FROM monitors WHERE name = ?1";
            let id: Option<i64> = inner.connection.query_row(row, [monitor], |row| row.get(0)).optional()?;
            id.map(|id| Ok((id, folds(&inner.connection, id)?))).transpose()
        })
    }

    /// What is folded of all groups of a monitor, or of these.
    fn folded(&self, monitor: i64, groups: Option<&[String]>) -> Result<Folded, Error> {
        self.inner().guard(|inner| {
            let of_row = |row: &Row<'_>| Ok((row.get(0)?, ((row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?)));
            let Some(groups) = groups else {
                let mut statement = inner.connection.prepare_cached(FOLDED)?;
                let rows = statement.query_map([monitor], of_row)?;
                return Ok(rows.collect::<Result<_, _>>()?);
            };
            let mut statement = inner.connection.prepare_cached(&format!("{FOLDED} AND group_id = ?2"))?;
            let mut folded = Folded::new();
            for group in groups {
                for row in statement.query_map(params![monitor, group], of_row)? {
                    let (id, row) = row?;
                    folded.insert(id, row);
                }
            }
            Ok(folded)
        })
    }

    /// The rows of the journal after one of them, until there is enough for one piece.
    fn piece(&self, monitor: i64, after: i64) -> Result<Vec<Journalled>, Error> {
        let mut inner = self.inner();
        inner.guard(|inner| {
            let mut statement = inner.connection.prepare_cached(
                "SELECT id, time, samples FROM journal WHERE monitor_id = ?1 AND id > ?2 ORDER BY id",
            )?;
            let mut rows = statement.query([monitor, after])?;
            let (mut piece, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let samples: Vec<u8> = row.get(2)?;
                bytes += samples.len();
                piece.push((row.get(0)?, row.get(1)?, samples));
                if bytes > PIECE {
                    break;
                }
            }
            Ok(piece)
        })
    }

    fn folds(&self, monitor: i64) -> Result<Folds, Error> {
        self.inner().guard(|inner| folds(&inner.connection, monitor))
    }
}

/// What is folded of the groups of a monitor.
const FOLDED: &str = "SELECT id, group_id, topic, coalesce(folded, 0), coalesce(rows, x'') FROM group_topics
                      LEFT JOIN samples ON group_topic_id = id WHERE monitor_id = ?1";

/// How far the journal of a monitor is folded; it changes at the beginning of a fold, and again at its end.
const FOLDS: &str =
    "SELECT (SELECT max(folded) FROM samples JOIN group_topics ON id = group_topic_id WHERE monitor_id = ?1),
                            (SELECT min(id) FROM journal WHERE monitor_id = ?1)";

/// The last folded row, and the first that is not.
type Folds = (Option<i64>, Option<i64>);

fn folds(connection: &Connection, monitor: i64) -> Result<Folds, Error> {
    Ok(connection.query_row(FOLDS, [monitor], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// What is folded, by group and topic.
fn understood(folded: &Folded) -> Result<Samples, Error> {
    let mut found = Samples::new();
    for (id, (names, _, rows)) in folded {
        found.insert(names.clone(), of_row(rows, *id)?);
    }
    Ok(found)
}

/// The samples of one row; none where nothing is folded yet.
fn of_row(rows: &[u8], id: i64) -> Result<Vec<Sample>, Error> {
    match rows.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(samples_from_bytes(rows, id)?.into_iter().map(|(_, sample)| sample).collect()),
    }
}

/// Adds what one row of the journal says, to those into which it is not folded yet.
fn add(found: &mut Samples, folded: &Folded, row: i64, time: Millis, samples: &[u8]) -> Result<(), Error> {
    for (id, sample) in samples_from_bytes(samples, time)? {
        let Some((names, until, _)) = folded.get(&id) else { continue };
        if row > *until
            && let Some(samples) = found.get_mut(names)
        {
            samples.push(Sample { time, ..sample });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rows::samples_to_bytes;
    use super::*;

    #[test]
    fn groups_of_many_batches_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap().store;
        let names: Vec<String> = (0..2 * BATCH + 5).map(|n| format!("group-{n}")).collect();
        let sample = Sample { time: 1_000, lag: Some(7), bound: None, records: None, state: None };
        let samples: Vec<_> = (1..=names.len() as i64).map(|id| (id, sample)).collect();
        let samples = samples_to_bytes(&samples, sample.time).unwrap();
        let inner = store.inner();
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| inner.connection.execute(sql, values).unwrap();
        run("INSERT INTO monitors (id, name, sampled) VALUES (1, 'm', 0)", &[]);
        for name in &names {
            run(
                "INSERT INTO group_topics
                     (monitor_id, group_id, topic, state, since, static_samples, gaps, committed_sum)
                 VALUES (1, ?1, 'topic', 0, 0, 0, '[]', 0)",
                &[name],
            );
        }
        run(
            "INSERT INTO journal (monitor_id, time, changes, samples) VALUES (1, ?1, x'', ?2)",
            &[&sample.time, &samples],
        );
        drop(inner);
        let found = store.samples_of("m", Some(&names)).unwrap();
        assert_eq!(found.len(), names.len());
        assert!(found.values().all(|samples| *samples == [sample]), "{found:?}");
        assert_eq!(store.samples_of("m", Some(&names[..BATCH])).unwrap().len(), BATCH);
    }
}
