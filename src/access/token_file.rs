//! The file of the one token: read anew each time, and told in the log once when it is no good any more.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::asker::Token;

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
    /// Something else is in it, that no header and no cookie can hold: write one word.
    #[error("the file of the token holds no token, which is one word of letters, digits and -._~+/=")]
    NoWord,
}

impl TokenFile {
    /// The file, which has to hold a token already.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or holds something else.
    pub fn open(file: &Path) -> Result<Self, TokenFileError> {
        token(std::fs::read(file))?;
        Ok(Self { file: file.to_owned(), told: AtomicBool::new(false) })
    }

    /// The token as it is now, without white space around it; one word.
    ///
    /// # Errors
    /// Where the file cannot be read any more, is empty, or holds something else: told in the log the first time in a row.
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
        token if Token::is_word(token) => Ok(token.to_owned()),
        _ => Err(TokenFileError::NoWord),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_file_holds_one_word_or_nobody_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let write = |content: &[u8]| std::fs::write(&file, content).unwrap();
        write(b" aZ9-._~+/=\n");
        let held = TokenFile::open(&file).unwrap();
        assert_eq!(held.read().await.unwrap(), b"aZ9-._~+/=");
        for bad in [&b"one\ntwo\n"[..], b"two words", b"semi;colon", "gr\u{fc}n".as_bytes(), b"\xff"] {
            write(bad);
            assert!(matches!(TokenFile::open(&file), Err(TokenFileError::NoWord)), "{bad:?}");
            assert!(matches!(held.read().await, Err(TokenFileError::NoWord)), "{bad:?}");
        }
        write(b" \n");
        assert!(matches!(held.read().await, Err(TokenFileError::Empty)));
        write(b"again");
        assert_eq!(held.read().await.unwrap(), b"again");
    }

    proptest! {
        #[test]
        fn any_content_is_one_word_or_refused(
            content in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                "[ \n]?[A-Za-z0-9._~+/=-]{0,20}(\\PC|\0)?[ \n]?".prop_map(String::into_bytes),
            ],
        ) {
            let word = content.trim_ascii();
            match token(Ok(content.clone())) {
                Ok(token) => prop_assert!(Token::is_word(word) && token == word),
                Err(TokenFileError::Empty) => prop_assert!(word.is_empty()),
                Err(error) => prop_assert!(!word.is_empty() && !Token::is_word(word), "{error}"),
            }
        }
    }
}
