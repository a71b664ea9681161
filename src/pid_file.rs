//! The file with the process id, for `kill -HUP $(cat …)` and service managers.
//!
//! It is a convenience: who owns a data directory is what its lock says. Its writer holds a lock on
//! it as long as it lives, so that a file which a crash left is told from one of a server that runs,
//! whoever has the number today; such a one is not overwritten, and only its writer removes it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
};

use thiserror::Error;

use crate::{config::Place, directory::lock};

/// Name of the file in the data directory.
const IN_DATA_DIR: &str = "amaters-server.pid";

/// A pid file that somebody asked for and that cannot be written.
#[derive(Debug, Error)]
#[error("cannot write server.pid_file {}: {error}", path.display())]
pub(crate) struct PidFileError {
    path: PathBuf,
    error: io::Error,
}

/// A pid file that this process wrote; removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    /// Holds its lock.
    _file: File,
}

/// Where the file may be, the likeliest first.
pub(crate) fn places(place: &Place) -> Vec<PathBuf> {
    let mut places = vec![place.pid_file.clone()];
    if !place.pid_file_written {
        places.push(place.data_dir.join(IN_DATA_DIR));
    }
    places
}

impl PidFile {
    /// Writes the file at the first place that takes it.
    pub(crate) fn write(place: &Place) -> Result<Self, PidFileError> {
        let mut refusal = None;
        for path in places(place) {
            match write(&path) {
                Ok(file) => {
                    if let Some(PidFileError { path: default, error }) = refusal {
                        let (default, path) = (default.display(), path.display());
                        tracing::info!("pid file: {path} ({default} cannot be written: {error})");
                    }
                    return Ok(Self { path, _file: file });
                }
                Err(error) => refusal = Some(PidFileError { path, error }),
            }
        }
        Err(refusal.expect("there is at least one place"))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if read(&self.path) == Some(process::id())
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("cannot remove the pid file {}: {error}", self.path.display());
        }
    }
}

/// The process id in a file.
pub(crate) fn read(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether the writer of the file lives.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| lock::is_locked(&file))
}

/// Beside and renamed: a reader never sees half a number or a file without its lock, and no symbolic
/// link is followed.
fn write(path: &Path) -> io::Result<File> {
    if is_held(path) {
        let text = match read(path) {
            Some(pid) => format!("it is that of process {pid}{}", serving(pid)),
            None => "it is that of a server that runs".to_owned(),
        };
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.try_lock()?;
        writeln!(file, "{}", process::id())?;
        fs::rename(&beside, path)?;
        Ok(file)
    });
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}

fn serving(pid: u32) -> String {
    let dir = lock::owned_by(pid);
    dir.map(|dir| format!(", which serves {}", dir.display())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;
    use crate::config::Source;

    fn place(pid_file: &Path, written: bool, data_dir: &Path) -> Place {
        Place {
            pid_file: pid_file.to_owned(),
            pid_file_written: written,
            data_dir: data_dir.to_owned(),
            ..Source::default().place().unwrap()
        }
    }

    #[test]
    fn the_file_holds_the_process_id_and_goes_with_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "999999999\n").unwrap();
        let file = PidFile::write(&place(&path, true, folder.path())).unwrap();
        assert_eq!(read(&path), Some(process::id()));
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_default_that_cannot_be_written_gives_way_to_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("missing/pid");
        let _file = PidFile::write(&place(&nowhere, false, folder.path())).unwrap();
        assert_eq!(read(&folder.path().join(IN_DATA_DIR)), Some(process::id()));
    }

    #[test]
    fn a_written_path_that_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("missing/pid");
        let error = PidFile::write(&place(&nowhere, true, folder.path())).unwrap_err();
        assert!(error.to_string().contains("server.pid_file"), "{error}");
        assert!(error.to_string().contains(&nowhere.display().to_string()), "{error}");
    }

    #[test]
    fn a_file_that_another_process_took_over_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let file = PidFile::write(&place(&path, true, folder.path())).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(read(&path), Some(1));
    }

    #[test]
    fn the_file_of_a_writer_that_lives_is_held_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let file = PidFile::write(&place(&path, true, folder.path())).unwrap();
        assert!(is_held(&path));
        let error = PidFile::write(&place(&path, true, folder.path())).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", process::id())), "{error}");
        // What a crash leaves: the number without the lock.
        fs::write(folder.path().join("left"), process::id().to_string()).unwrap();
        assert!(!is_held(&folder.path().join("left")));
        drop(file);
        assert!(!is_held(&path));
    }

    #[test]
    fn fuzz_pid_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let seeds = ["1\n", "4194304\n", " 77 "].map(|text| text.as_bytes().to_vec());
        Campaign::new("pid files", seeds.to_vec()).rounds(300).run(|bytes| {
            fs::write(&path, bytes).unwrap();
            read(&path).map(u64::from).ok_or_else(|| "no process id".to_owned())
        });
    }
}
