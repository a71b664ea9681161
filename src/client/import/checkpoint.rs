//! The file that says how far an import has come: `{"file": "/path", "lines": 4200}`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::client::{failure::Failure, given::cannot_read};

/// How often it is written.
const PACE: Duration = Duration::from_secs(1);

/// How far it has come.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    file: String,
    /// Lines that are done.
    pub(super) lines: u64,
    saved_at: Instant,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    file: String,
    lines: u64,
}

impl Checkpoint {
    /// Reads how far an import of this file has come: nowhere, if there is no checkpoint.
    pub(super) fn open(path: PathBuf, file: &Path) -> Result<Self, Failure> {
        if file.as_os_str() == "-" {
            let text = "standard input cannot be read again: a checkpoint would be of no use";
            return Err(Failure::usage(text));
        }
        let file = fs::canonicalize(file).map_err(|error| cannot_read(file, &error))?;
        let file = file.display().to_string();
        let lines = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(cannot_read(&path, &error)),
            Ok(text) => {
                let place = path.display();
                let written: Written = serde_json::from_slice(&text).map_err(|error| {
                    Failure::usage(format!("{place} is no checkpoint of an import: {error}"))
                })?;
                if written.file != file {
                    let of = written.file;
                    return Err(Failure::usage(format!(
                        "{place} is the checkpoint of {of}, not of {file}"
                    )));
                }
                written.lines
            }
        };
        Ok(Self { path, file, lines, saved_at: Instant::now() })
    }

    /// Writes that lines are done, if the last time is a while ago, or now.
    pub(super) fn save(&mut self, lines: u64, now: bool) -> Result<(), Failure> {
        if lines == self.lines || (!now && self.saved_at.elapsed() < PACE) {
            return Ok(());
        }
        let text = serde_json::json!(Written { file: self.file.clone(), lines }).to_string();
        let beside = self.path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        write().map_err(|error| Failure::file("cannot write", self.path.display(), &error))?;
        (self.lines, self.saved_at) = (lines, Instant::now());
        Ok(())
    }

    /// All lines are done.
    pub(super) fn remove(self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::file("cannot remove", self.path.display(), &error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_found_again_and_belongs_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other, path] = ["a", "b", "point"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        fs::write(&other, "").unwrap();
        let mut checkpoint = Checkpoint::open(path.clone(), &file).unwrap();
        assert_eq!(checkpoint.lines, 0);
        checkpoint.save(7, false).unwrap();
        assert!(!path.exists());
        checkpoint.save(7, true).unwrap();
        assert_eq!(Checkpoint::open(path.clone(), &file).unwrap().lines, 7);
        let text = Checkpoint::open(path.clone(), &other).unwrap_err().to_string();
        assert!(text.contains("is the checkpoint of "), "{text}");
        checkpoint.remove().unwrap();
        assert_eq!(Checkpoint::open(path.clone(), &file).unwrap().lines, 0);
        fs::write(&path, "7").unwrap();
        assert!(
            Checkpoint::open(path, &file).unwrap_err().to_string().contains("is no checkpoint")
        );
    }
}
