//! What can go wrong with the database, by what a person can do about it.

use std::path::PathBuf;

/// Why the database could not be opened, read or written.
///
/// Nothing is lost in memory by any of them: the next save that succeeds writes everything that is missing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another Highwater works on the folder: give this one another `--data-dir`, or end the other.
    #[error("another Highwater is using the data folder {}: end it, or choose another --data-dir", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be used: choose another `--data-dir`.
    #[error("cannot use the data folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another program holds the database: end it.
    #[error("the database is locked by another program; history is kept once that has ended")]
    Locked,
    /// No space is left: make room.
    #[error("no space is left for the database; history is kept again once there is room")]
    Full,
    /// The file or its folder cannot be written: change its permissions, or choose another `--data-dir`.
    #[error("the database or its folder cannot be written")]
    ReadOnly,
    /// The content makes no sense; the file is set aside.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The file was written by a newer Highwater.
    #[error("the database has schema {found}, this Highwater knows {known}")]
    Newer {
        /// The schema of the file.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// Anything else that SQLite says.
    #[error("the database failed: {0}")]
    Other(rusqlite::Error),
}

impl Error {
    /// The word for conditions, events, log fields and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InUse(_) => "StorageInUse",
            Self::Folder { .. } => "StorageFolder",
            Self::Locked => "StorageLocked",
            Self::Full => "StorageFull",
            Self::ReadOnly => "StorageReadOnly",
            Self::Damaged(_) => "StorageDamaged",
            Self::Newer { .. } => "StorageNewer",
            Self::Other(_) => "StorageFailed",
        }
    }

    /// What the system says of a file in the folder.
    pub(super) fn of_file(folder: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Folder { folder: folder.to_owned(), source },
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly,
            // The statements are constant and tested: one that does not fit met a content that is not ours.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::Unknown
                | ErrorCode::ConstraintViolation,
            )
            | None => Self::Damaged(error.to_string()),
            Some(_) => Self::Other(error),
        }
    }
}

impl From<postcard::Error> for Error {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
