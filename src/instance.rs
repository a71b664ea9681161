//! The server that runs, as `status`, `stop` and `reload` find it.
//!
//! The lock of the data directory is believed first. The pid file only leads to a process; that
//! process counts if it owns a data directory. A stale file therefore never names a stranger.

use std::path::PathBuf;

use crate::{
    config::Place,
    directory::lock::{self, Owner},
    pid_file,
};

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Its process.
    pub(crate) pid: u32,
    /// The data directory that it owns.
    pub(crate) data_dir: PathBuf,
}

/// What is found where the server of a configuration should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It runs.
    Running(Instance),
    /// It does not, and did not end well: its pid file is left.
    Dead {
        /// The file.
        pid_file: PathBuf,
        /// The process that it names.
        pid: u32,
    },
    /// It does not run.
    Nobody,
    /// It cannot be told, and this is why.
    Hidden(String),
}

/// The server that should be there, if it runs.
pub(crate) fn find(place: &Place) -> Option<Instance> {
    match look(place) {
        Found::Running(instance) => Some(instance),
        Found::Dead { .. } | Found::Nobody | Found::Hidden(_) => None,
    }
}

/// Looks for the server that should be there.
///
/// Whoever named a data directory means the server of that one. Otherwise a pid file may lead to
/// a server that was started in another working directory.
pub(crate) fn look(place: &Place) -> Found {
    let data_dir = place.data_dir.clone();
    match lock::look(&data_dir) {
        Owner::Process(pid) => return Found::Running(Instance { pid, data_dir }),
        Owner::Hidden(why) => return Found::Hidden(why),
        Owner::Nobody => {}
    }
    let places = pid_file::places(place).into_iter();
    let mut found = places.filter_map(|path| Some((pid_file::read(&path)?, path)));
    let held = |(pid, path): (u32, PathBuf)| {
        if let Some(data_dir) = lock::owned_by(pid) {
            return Found::Running(Instance { pid, data_dir });
        }
        match pid_file::is_held(&path) {
            true => Found::Hidden(format!(
                "process {pid}, named by {}, runs a server that this user may not look into",
                path.display()
            )),
            false => Found::Dead { pid_file: path, pid },
        }
    };
    match found.next().map(held) {
        // A pid file that another directory's server wrote says nothing about this one.
        Some(Found::Dead { .. }) if place.data_dir_written && !place.pid_file_written => {
            Found::Nobody
        }
        Some(dead @ Found::Dead { .. }) => dead,
        Some(other) if !place.data_dir_written => other,
        Some(_) | None => Found::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;
    use crate::{config::Source, directory::lock::Lock};

    fn place(folder: &std::path::Path) -> Place {
        Place {
            data_dir: folder.join("data"),
            pid_file: folder.join("pid"),
            pid_file_written: true,
            ..Source::default().place().unwrap()
        }
    }

    #[test]
    fn a_pid_file_that_names_a_stranger_leads_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        assert_eq!(look(&place), Found::Nobody);
        fs::write(&place.pid_file, "1\n").unwrap();
        assert_eq!(find(&place), None);
        assert_eq!(look(&place), Found::Dead { pid_file: place.pid_file, pid: 1 });
    }

    #[test]
    fn the_lock_leads_to_the_server_and_so_does_the_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let _lock = Lock::acquire(&dir).unwrap();
        let mut place = place(&dir);
        place.data_dir = dir.clone();
        assert_eq!(find(&place), Some(Instance { pid: process::id(), data_dir: dir.clone() }));

        place.data_dir = dir.join("elsewhere");
        fs::write(&place.pid_file, process::id().to_string()).unwrap();
        let found = find(&place).map(|instance| instance.pid);
        assert_eq!(found, Some(process::id()));
        place.data_dir_written = true;
        assert_eq!(find(&place), None, "another directory was asked for");
    }
}
