//! SQLite: what every monitor remembers, and the ages it has found, across restarts and a `kill -9`. No arithmetic.
//!
//! One file, one connection, one transaction a sample. A sample appends one row to a journal; now and then the journal
//! is folded into one row a partition, and one a group and topic. Calls block: keep them off the async threads.

mod error;
mod file;
mod fold;
mod load;
mod memberships;
mod read;
mod rows;
mod save;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

pub use error::Error;
pub use memberships::Membership;
pub use read::Samples;

use crate::lag::Millis;
use crate::lag::memory::Memory;
use crate::lag::report::{Report, State};

/// How long another program may hold the database at the start before it counts as locked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The database of one process, shared by all its monitors. A monitor is named by a string that stays the same.
#[derive(Debug)]
pub struct Store(Mutex<Inner>);

/// What opening the database has found.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub store: Store,
    /// Whether it starts empty.
    pub fresh: bool,
    /// An unusable file that was there: under which name it is kept, and why.
    pub set_aside: Option<(PathBuf, Error)>,
    /// The network file system that the folder lies on, where it does: slower, and only as safe as its locks.
    pub network_file_system: Option<&'static str>,
}

/// What saving one sample has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Bytes appended to the journal.
    pub bytes: usize,
    /// Whether the journal has become long enough for [`Store::fold`].
    pub fold_due: bool,
}

/// The age of one group on one topic at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub time: Millis,
    /// The largest age over the partitions, in milliseconds.
    pub lag: Option<Millis>,
    /// How far it may be off, in milliseconds.
    pub bound: Option<Millis>,
    /// Records not read.
    pub records: Option<i64>,
    /// Whether the group kept up.
    pub state: Option<State>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Held for as long as the process lives.
    hold: Option<File>,
    connection: Connection,
    /// Why the connection is to memory rather than to the file.
    degraded: Option<Error>,
    /// Whether a file was set aside while the process ran: once only, or a fault that comes back would fill the disk.
    replaced: bool,
    /// The monitors whose memory is known to build upon what the database holds.
    known: HashSet<String>,
    /// The monitors whose memory has once built upon what the file held: only theirs may take the place of that.
    loaded: HashSet<String>,
}

impl Store {
    /// Opens the database in `folder`, which is created when it is not there.
    ///
    /// A file that cannot be read is set aside. Where none can be written, a database in memory stands in, and every
    /// save tries the file again: see [`Store::degraded`].
    ///
    /// # Errors
    /// [`Error::InUse`] when another Highwater works on the folder, [`Error::Folder`] when it is no folder.
    pub fn open(folder: &Path) -> Result<Opened, Error> {
        let mut inner = Inner {
            folder: folder.to_owned(),
            hold: None,
            connection: file::in_memory()?,
            degraded: None,
            replaced: false,
            known: HashSet::new(),
            loaded: HashSet::new(),
        };
        let (fresh, set_aside) = match inner.reopen(PATIENCE) {
            Ok((fresh, set_aside)) => (fresh, set_aside),
            Err(error @ (Error::InUse(_) | Error::Folder { .. })) => return Err(error),
            Err(error) => {
                inner.degraded = Some(error);
                (true, None)
            }
        };
        let network_file_system = file::network_file_system(folder);
        Ok(Opened { store: Self(Mutex::new(inner)), fresh, set_aside, network_file_system })
    }

    /// Why nothing is kept across a restart at present: reason and sentence; `None` while the file is written.
    pub fn degraded(&self) -> Option<(&'static str, String)> {
        self.inner().degraded.as_ref().map(|error| (error.reason(), error.to_string()))
    }

    /// What `monitor` remembered; nothing when it is new.
    ///
    /// Groups come back without the committed offsets of their partitions but for stuck ones, and the last pass as one without answers.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the rows make no sense; the file is set aside, and the next call finds an empty one.
    pub fn load(&self, monitor: &str) -> Result<Memory, Error> {
        self.inner().guard(|inner| match inner.load(monitor)? {
            Some(memory) => Ok(memory),
            None => {
                inner.forget(monitor)?;
                Ok(Memory::default())
            }
        })
    }

    /// Writes what one sample of `monitor` has changed, and takes note of that in `memory`.
    ///
    /// Where the file could not be read until now, what it holds is worth more than what was seen since: that becomes the
    /// `memory`, and nothing is written.
    ///
    /// # Errors
    /// Any that the database has. Nothing was written then, and `memory` still knows what is to be written: a later
    /// save catches up. A damaged file is set aside, and the next save writes everything to a new one.
    pub fn save(&self, monitor: &str, memory: &mut Memory, report: &Report) -> Result<Saved, Error> {
        let mut inner = self.inner();
        if inner.degraded.is_some() {
            // Whatever keeps the file away may be over; while it is not, that is told by `degraded`.
            inner.reopen(Duration::ZERO).map_or_else(|error| inner.degraded = Some(error), drop);
        }
        if inner.degraded.is_none()
            && !inner.loaded.contains(monitor)
            && let Some(kept) = inner.guard(|inner| inner.load(monitor))?
        {
            tracing::info!(monitor, "the history of before is there again");
            *memory = kept;
            return Ok(Saved { bytes: 0, fold_due: false });
        }
        let saved = inner.guard(|inner| {
            let anew = !inner.known.contains(monitor);
            save::save(&mut inner.connection, monitor, memory, report, anew)
        })?;
        inner.known.insert(monitor.to_owned());
        memory.topics.values_mut().flat_map(|topic| &mut topic.partitions).for_each(|p| p.history.stored());
        memory.groups.values_mut().flat_map(|topics| topics.values_mut()).for_each(|progress| progress.unsaved = false);
        memory.conducts.values_mut().for_each(|conduct| conduct.unsaved = false);
        Ok(saved)
    }

    /// Folds the journal of `monitor`, and keeps at most `rows` samples of each group and topic.
    ///
    /// To be called when a save says so.
    ///
    /// # Errors
    /// Any that the database has. What was folded until then counts, and nothing is lost.
    pub fn fold(&self, monitor: &str, memory: &Memory, rows: usize) -> Result<(), Error> {
        self.inner().guard(|inner| {
            if inner.known.contains(monitor) {
                fold::fold(&mut inner.connection, monitor, memory, rows)?;
            }
            Ok(())
        })
    }

    /// Removes everything of `monitor`.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn forget(&self, monitor: &str) -> Result<(), Error> {
        self.inner().guard(|inner| inner.forget(monitor))
    }

    /// The monitors that have rows, by name, and when each was last sampled, but for what the journal holds.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn monitors(&self) -> Result<BTreeMap<String, Millis>, Error> {
        self.inner().guard(|inner| {
            let mut statement = inner.connection.prepare_cached("SELECT name, sampled FROM monitors")?;
            Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
        })
    }

    /// Notes the report file of `monitor`, or that it has none any more.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn note_file(&self, monitor: &str, path: Option<&str>) -> Result<(), Error> {
        self.inner().guard(|inner| {
            match path {
                Some(path) => inner.connection.execute(
                    "INSERT INTO report_files VALUES (?1, ?2) ON CONFLICT DO UPDATE SET path = ?2 WHERE path <> ?2",
                    [monitor, path],
                )?,
                None => inner.connection.execute("DELETE FROM report_files WHERE monitor = ?1", [monitor])?,
            };
            Ok(())
        })
    }

    /// The report files that were noted: monitor and path.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn files(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        self.inner().guard(|inner| {
            let mut statement = inner.connection.prepare_cached("SELECT monitor, path FROM report_files")?;
            let file = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, PathBuf::from(row.get::<_, String>(1)?)));
            Ok(statement.query_map([], file)?.collect::<Result<_, _>>()?)
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Goes over to the file, which may hold rows that no memory builds upon.
    fn reopen(&mut self, patience: Duration) -> Result<(bool, Option<(PathBuf, Error)>), Error> {
        if self.hold.is_none() {
            self.hold = Some(file::hold(&self.folder)?);
        }
        let opened = file::open(&self.folder, patience)?;
        self.connection = opened.connection;
        self.degraded = None;
        self.known.clear();
        Ok((opened.fresh, opened.set_aside))
    }

    /// What `monitor` remembered, if anything. While the file is away, that is nothing which it may hold.
    fn load(&mut self, monitor: &str) -> Result<Option<Memory>, Error> {
        let found = load::load(&self.connection, monitor)?;
        if self.degraded.is_none() {
            self.loaded.insert(monitor.to_owned());
        }
        if found.is_some() {
            self.known.insert(monitor.to_owned());
        }
        Ok(found)
    }

    /// Does something with the database, and sets the file aside when it turns out to be damaged.
    fn guard<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        work(self).inspect_err(|error| {
            if matches!(error, Error::Damaged(_)) && self.degraded.is_none() && !self.replaced {
                self.replaced = true;
                self.replace(error);
            }
        })
    }

    fn replace(&mut self, damage: &Error) {
        let replaced = file::in_memory()
            .map(|memory| self.connection = memory)
            .and_then(|()| file::set_aside(&self.folder, damage))
            .inspect(|kept| tracing::error!(kept = %kept.display(), %damage, "database set aside, starting a new one"))
            .and_then(|_| self.reopen(Duration::ZERO));
        self.known.clear();
        self.degraded = replaced.err();
    }

    fn forget(&mut self, monitor: &str) -> Result<(), Error> {
        self.connection.execute("DELETE FROM monitors WHERE name = ?1", [monitor])?;
        self.known.remove(monitor);
        Ok(())
    }
}
