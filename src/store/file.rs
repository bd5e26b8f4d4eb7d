//! The database file: who may open it, how, and what becomes of one that cannot be used.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::error::Error;
use super::schema::migrate;

const NAME: &str = "highwater.db";

/// A database that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub connection: Connection,
    /// Whether there was none before.
    pub fresh: bool,
    /// The unusable file that was there, and why it was set aside.
    pub set_aside: Option<(PathBuf, Error)>,
}

/// Takes hold of the folder for this process, until the file that is returned is closed.
pub(super) fn hold(folder: &Path) -> Result<File, Error> {
    let said = |error| Error::of_file(folder, error);
    std::fs::create_dir_all(folder).map_err(said)?;
    let lock = File::options().create(true).write(true).truncate(false).open(folder.join("lock")).map_err(said)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(said(error)),
    }
}

/// Opens the database in `folder`, in place of one that is damaged or too new, which is kept under another name.
///
/// Another program may hold it for as long as `patience` before it counts as locked.
pub(super) fn open(folder: &Path, patience: Duration) -> Result<Opened, Error> {
    let path = folder.join(NAME);
    let fresh = !path.metadata().is_ok_and(|file| file.len() > 0);
    match connect(&path, patience) {
        Ok(connection) => Ok(Opened { connection, fresh, set_aside: None }),
        Err(error @ (Error::Damaged(_) | Error::Newer { .. })) => {
            let kept = set_aside(folder, &error)?;
            Ok(Opened { connection: connect(&path, patience)?, fresh: true, set_aside: Some((kept, error)) })
        }
        Err(error) => Err(error),
    }
}

/// A database that lives as long as the process.
pub(super) fn in_memory() -> Result<Connection, Error> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// The kind of network file system that `folder` lies on, if it does; locks and shared memory are not safe there.
pub(super) fn network_file_system(folder: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    let known = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00C3_6400, "Ceph"),
        (0x5346_414F, "AFS"),
    ];
    known.into_iter().find(|(magic, _)| *magic == kind as u64 & 0xFFFF_FFFF).map(|(_, name)| name)
}

/// Renames the database and its log, and says under which name the database is kept.
pub(super) fn set_aside(folder: &Path, error: &Error) -> Result<PathBuf, Error> {
    let word = if matches!(error, Error::Newer { .. }) { "newer" } else { "damaged" };
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.3fZ");
    let kept = format!("{NAME}.{word}-{time}");
    for tail in ["-wal", "-journal", ""] {
        match std::fs::rename(folder.join(format!("{NAME}{tail}")), folder.join(format!("{kept}{tail}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::of_file(folder, error)),
            _ => {}
        }
    }
    Ok(folder.join(kept))
}

fn connect(path: &Path, patience: Duration) -> Result<Connection, Error> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(patience)?;
    // Locked for good before the first access, SQLite keeps the index of its log in memory: no shared memory file.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let remote = path.parent().is_some_and(|folder| network_file_system(folder).is_some());
    connection.pragma_update(None, "journal_mode", if remote { "TRUNCATE" } else { "WAL" })?;
    // A process that is killed loses nothing: what it wrote is the system's. Without a sync for each commit a power cut
    // may lose the last samples, which are asked anew; the file stays whole. A rollback journal needs its syncs.
    connection.pragma_update(None, "synchronous", if remote { "FULL" } else { "NORMAL" })?;
    prepare(&mut connection)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(connection) } else { Err(Error::Damaged(verdict)) }
}

fn prepare(connection: &mut Connection) -> Result<(), Error> {
    connection.pragma_update(None, "foreign_keys", true)?;
    migrate(connection)
}
