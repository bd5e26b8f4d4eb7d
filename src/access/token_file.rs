//! The file of the one token: read anew each time, and told in the log once when it is no good any more.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that holds the token.
#[derive(Debug)]
pub struct TokenFile {
    file: PathBuf,
    told: AtomicBool,
}

/// Why there is no token in its file.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read: mount it, or let the process read it.
    #[error("the token cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// Nothing is in it: write the token there.
    #[error("the file of the token is empty")]
    Empty,
}

impl TokenFile {
    /// The file, which has to hold a token already.
    ///
    /// # Errors
    /// Where it cannot be read, or is empty.
    pub fn open(file: &Path) -> Result<Self, TokenFileError> {
        token(std::fs::read(file))?;
        Ok(Self { file: file.to_owned(), told: AtomicBool::new(false) })
    }

    /// The token as it is now, without white space around it; never empty.
    ///
    /// # Errors
    /// Where the file cannot be read any more, or is empty. The first time in a row is told in the log.
    pub(super) async fn read(&self) -> Result<Vec<u8>, TokenFileError> {
        let read = token(tokio::fs::read(&self.file).await);
        let told = self.told.swap(read.is_err(), Ordering::Relaxed);
        if let Some(error) = read.as_ref().err().filter(|_| !told) {
            tracing::warn!(file = %self.file.display(), "nobody is let in: {error}");
        }
        read
    }
}

fn token(read: std::io::Result<Vec<u8>>) -> Result<Vec<u8>, TokenFileError> {
    match read.map_err(TokenFileError::Unreadable)?.trim_ascii() {
        b"" => Err(TokenFileError::Empty),
        token => Ok(token.to_owned()),
    }
}
