//! The bytes behind the paths that a person gave: documents, and a folder that stands in for Secrets.
//!
//! Two readings are equal when every file has the same content, so that a caller can look again every few seconds and
//! load only what changed. Paths are followed through symbolic links, as a mounted ConfigMap swaps them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What one look at the paths gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    /// Every document file in order, with its text or why it can't be read.
    pub documents: Vec<(PathBuf, Result<String, String>)>,
    /// The data of every Secret of the folder, by name and key.
    pub secrets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// What of the folder of Secrets can't be read, and why.
    pub unreadable_secrets: Vec<(PathBuf, String)>,
}

impl Files {
    /// Reads files, the `*.yaml`, `*.yml` and `*.json` of folders (sorted, not of their subfolders), and
    /// `<secrets_dir>/<name>/<key>`. What can't be read is told in the result.
    #[must_use]
    pub fn read(paths: &[PathBuf], secrets_dir: Option<&Path>) -> Self {
        let mut files = Self { documents: vec![], secrets: BTreeMap::new(), unreadable_secrets: vec![] };
        for path in paths {
            files.read_documents(path);
        }
        if let Some(folder) = secrets_dir {
            files.read_secrets(folder);
        }
        files
    }

    fn read_documents(&mut self, path: &Path) {
        if !path.is_dir() {
            self.documents.push((path.to_owned(), read_text(path)));
            return;
        }
        match visible_entries(path) {
            Ok(entries) => {
                let documents = entries.into_iter().filter(|entry| is_document(entry));
                self.documents.extend(documents.map(|entry| (entry.clone(), read_text(&entry))));
            }
            Err(error) => self.documents.push((path.to_owned(), Err(error))),
        }
    }

    fn read_secrets(&mut self, folder: &Path) {
        let names = match visible_entries(folder) {
            Ok(entries) => entries.into_iter().filter(|entry| entry.is_dir()),
            Err(error) => return self.unreadable_secrets.push((folder.to_owned(), error)),
        };
        for folder in names {
            let keys = visible_entries(&folder).unwrap_or_else(|error| {
                self.unreadable_secrets.push((folder.clone(), error));
                vec![]
            });
            let data = self.secrets.entry(file_name(&folder)).or_default();
            for key in keys.into_iter().filter(|key| key.is_file()) {
                match std::fs::read(&key) {
                    Ok(bytes) => drop(data.insert(file_name(&key), bytes)),
                    Err(error) => self.unreadable_secrets.push((key, error.to_string())),
                }
            }
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.documents.iter().map(|(path, _)| path)).finish()
    }
}

/// The entries of a folder, sorted. Names that begin with a dot are those of a mounted ConfigMap's inner workings.
fn visible_entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let paths = entries.map_err(|error| error.to_string())?.into_iter().map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(|path| !file_name(path).starts_with('.')).collect();
    paths.sort();
    Ok(paths)
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    path.is_file() && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
