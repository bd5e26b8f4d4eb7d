//! The report as a file that a sidecar reads: written beside and renamed, so that nobody ever reads half of one.
//!
//! The content is on the disk before the rename, the folder is not: after a power cut the file is whole, and may be
//! the one before. Calls block; async callers take them off the runtime.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::json;
use crate::lag::report::Report;

/// Where the report of one monitor is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReportFile {
    path: PathBuf,
}

/// Why a report is not on the disk.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path is not one that stays below the output folder: write another into the spec.
    #[error(
        "spec.output.file.path: {path:?} would not stay in the folder of its namespace: write a relative path without `.` \
         and `..`, such as orders.json or team/orders.json"
    )]
    Path {
        /// The path that was asked for, below the folder of its namespace.
        path: String,
    },
    /// The folder cannot be made: check the rights on the output folder, and that no file has its name.
    #[error(
        "spec.output.file.path: the folder {path:?} can't be created: {source}. Check the rights on --output-dir, and that \
         no file has the name of a folder"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be written: check space and rights.
    #[error(
        "spec.output.file.path: {path:?} can't be written: {source}. Check the space on --output-dir and the rights, and that \
         no folder has the name of the file"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be removed: check the rights.
    #[error("the report file {path:?} can't be removed: {source}. Check the rights on its folder")]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl ReportFile {
    /// The file `<output_dir>/<namespace>/<path>`. Nothing is created yet.
    ///
    /// # Errors
    /// [`FileError::Path`] when it would lie anywhere else. Symbolic links below the output folder are followed: only
    /// those who own that folder can make them.
    pub fn new(output_dir: &Path, namespace: &str, path: &str) -> Result<Self, FileError> {
        let plain = |text: &str| {
            let names = text.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
            names && Path::new(text).components().all(|part| matches!(part, Component::Normal(_)))
        };
        if !plain(path) || !plain(namespace) || namespace.contains('/') {
            return Err(FileError::Path { path: format!("{namespace}/{path}") });
        }
        Ok(Self { path: output_dir.join(namespace).join(path) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the report in place of the former one, readable for everybody as far as the umask allows.
    ///
    /// # Errors
    /// [`FileError::Folder`] and [`FileError::Write`]; the former file stays as it was then.
    pub fn write(&self, report: &Report) -> Result<(), FileError> {
        // In the middle of it another monitor may take away its file, and with it the folder, which was empty then.
        self.try_to_write(report).or_else(|_| self.try_to_write(report))
    }

    fn try_to_write(&self, report: &Report) -> Result<(), FileError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|source| FileError::Folder { path: folder.into(), source })?;
        self.replace(report).map_err(|source| FileError::Write { path: self.path.clone(), source })
    }

    /// A file has one writer, so what a killed one left beside it is written over.
    fn replace(&self, report: &Report) -> io::Result<()> {
        let beside = beside(&self.path);
        let mut out =
            BufWriter::new(File::options().write(true).create(true).truncate(true).mode(0o644).open(&beside)?);
        json::write(report, &mut out)?;
        out.into_inner()?.sync_data()?;
        fs::rename(beside, &self.path)
    }
}

/// Takes a report file away, what is beside it, and the folders below `output_dir` that are empty then. Nothing happens
/// when there is none.
///
/// # Errors
/// [`FileError::Remove`].
pub fn remove(path: &Path, output_dir: &Path) -> Result<(), FileError> {
    for path in [path, &beside(path)] {
        match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::Remove { path: path.into(), source });
            }
            _ => {}
        }
    }
    let folders = path.ancestors().skip(1);
    let mut folders = folders.take_while(|folder| folder.starts_with(output_dir) && *folder != output_dir);
    // The first that holds something, or can't be removed, ends it.
    let _ = folders.try_for_each(fs::remove_dir);
    Ok(())
}

/// Where a report is written before it takes its place. No report file has such a name, for it begins with a dot.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::output::sample;

    fn read(path: &Path) -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn it_appears_whole_is_replaced_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let file = ReportFile::new(dir.path(), "shop", "team/orders.json").unwrap();
        assert_eq!(file.path(), dir.path().join("shop/team/orders.json"));
        let mut report = sample::report();
        file.write(&report).unwrap();
        assert_eq!(read(file.path()), serde_json::to_value(&report).unwrap());
        report.groups.clear();
        file.write(&report).unwrap();
        assert_eq!(read(file.path())["groups"], serde_json::json!([]));
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o600, 0o600);
        assert_eq!(fs::read_dir(file.path().parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        remove(file.path(), dir.path()).unwrap();
        remove(file.path(), dir.path()).unwrap();
        assert!(!file.path().exists());
    }

    #[test]
    fn folders_that_are_empty_go_with_their_last_file_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let [deep, beside] =
            ["a/b/c/orders.json", "a/payments.json"].map(|path| ReportFile::new(dir.path(), "shop", path).unwrap());
        [&deep, &beside].into_iter().for_each(|file| file.write(&sample::report()).unwrap());
        remove(deep.path(), dir.path()).unwrap();
        assert!(!dir.path().join("shop/a/b").exists() && beside.path().exists());
        remove(beside.path(), dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "and the output folder itself stays");

        deep.write(&sample::report()).unwrap();
        remove(deep.path(), Path::new("/elsewhere")).unwrap();
        assert!(deep.path().parent().unwrap().exists(), "what is not below it is not its own");
    }

    #[test]
    fn a_folder_that_is_taken_away_meanwhile_costs_no_report() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["one.json", "other.json"].map(|path| ReportFile::new(dir.path(), "shop", path).unwrap());
        let report = sample::report();
        // Whoever removes does so once beside each writing, in an empty folder.
        let (writes, removes) = std::sync::mpsc::sync_channel(0);
        let gone = || remove(other.path(), dir.path()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || removes.iter().for_each(|()| gone()));
            for _ in 0..200 {
                one.write(&report).unwrap();
                fs::remove_file(one.path()).unwrap();
                writes.send(()).unwrap();
            }
            drop(writes);
        });
    }

    #[test]
    fn what_a_killed_writer_left_is_written_over_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = ReportFile::new(dir.path(), "shop", "orders.json").unwrap();
        let left = dir.path().join("shop/.orders.json.tmp");
        fs::create_dir(dir.path().join("shop")).unwrap();
        fs::write(&left, "x".repeat(1_000_000)).unwrap();
        file.write(&sample::report()).unwrap();
        assert_eq!(read(file.path()), serde_json::to_value(sample::report()).unwrap());
        assert!(!left.exists());
        fs::write(&left, "half").unwrap();
        remove(file.path(), dir.path()).unwrap();
        assert!(!dir.path().join("shop").exists());
    }

    #[test]
    fn a_reader_that_never_pauses_never_sees_half() {
        let dir = tempfile::tempdir().unwrap();
        let file = ReportFile::new(dir.path(), "shop", "orders.json").unwrap();
        let report = sample::report();
        file.write(&report).unwrap();
        let whole = serde_json::to_value(&report).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..20).for_each(|_| file.write(&report).unwrap()));
            while !writer.is_finished() {
                assert_eq!(read(file.path()), whole);
            }
        });
    }

    #[test]
    fn paths_that_escape_are_refused() {
        let refused = ["", "/etc/passwd", "../x", "a/../../x", "./x", "a//b", "a/", "..", ".", "a/.", "a\0b"];
        for path in refused {
            let error = ReportFile::new(Path::new("/out"), "shop", path).unwrap_err();
            assert!(matches!(error, FileError::Path { .. }), "{path:?}");
        }
        for namespace in ["..", "a/b", "", "/"] {
            assert!(ReportFile::new(Path::new("/out"), namespace, "x.json").is_err(), "{namespace:?}");
        }
    }

    #[test]
    fn errors_name_field_path_and_cause() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("shop"), "a file in the way").unwrap();
        let error = ReportFile::new(dir.path(), "shop", "x.json").unwrap().write(&sample::report()).unwrap_err();
        assert!(matches!(error, FileError::Folder { .. }));
        let told = error.to_string();
        assert!(told.starts_with("spec.output.file.path: the folder ") && told.contains("shop"), "{told}");
        assert!(told.contains("File exists"), "{told}");
        let file = ReportFile::new(dir.path(), "team", "x.json").unwrap();
        fs::create_dir_all(file.path().join("in-the-way")).unwrap();
        assert!(matches!(file.write(&sample::report()), Err(FileError::Write { .. })));
        assert!(matches!(remove(file.path(), dir.path()), Err(FileError::Remove { .. })));
    }
}
