//! The server that runs, as `status`, `stop` and `reload` find it.
//!
//! The lock of the data directory is believed first. The pid file only leads to a process; that
//! process counts if it owns a data directory. A stale file therefore never names a stranger.

use std::path::PathBuf;

use crate::{
    config::Config,
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

/// The server of this configuration, if it runs.
pub(crate) fn find(config: &Config) -> Option<Instance> {
    match look(config) {
        Found::Running(instance) => Some(instance),
        Found::Dead { .. } | Found::Nobody | Found::Hidden(_) => None,
    }
}

/// Looks for the server of this configuration.
///
/// Whoever named a data directory means the server of that one. Otherwise a pid file may lead to
/// a server that was started in another working directory.
pub(crate) fn look(config: &Config) -> Found {
    let data_dir = config.data_dir.clone();
    match lock::look(&data_dir) {
        Owner::Process(pid) => return Found::Running(Instance { pid, data_dir }),
        Owner::Hidden(why) => return Found::Hidden(why),
        Owner::Nobody => {}
    }
    let places = pid_file::places(config).into_iter();
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
        Some(Found::Dead { .. }) if config.data_dir_written && !config.pid_file_written => {
            Found::Nobody
        }
        Some(dead @ Found::Dead { .. }) => dead,
        Some(other) if !config.data_dir_written => other,
        Some(_) | None => Found::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;
    use crate::{config::Source, directory::lock::Lock};

    fn config(folder: &std::path::Path) -> Config {
        let mut config = Source::default().load().unwrap();
        config.data_dir = folder.join("data");
        config.pid_file = folder.join("pid");
        config.pid_file_written = true;
        config
    }

    #[test]
    fn a_pid_file_that_names_a_stranger_leads_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert_eq!(look(&config), Found::Nobody);
        fs::write(&config.pid_file, "1\n").unwrap();
        assert_eq!(find(&config), None);
        assert_eq!(look(&config), Found::Dead { pid_file: config.pid_file, pid: 1 });
    }

    #[test]
    fn the_lock_leads_to_the_server_and_so_does_the_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let _lock = Lock::acquire(&dir).unwrap();
        let mut config = config(&dir);
        config.data_dir = dir.clone();
        assert_eq!(find(&config), Some(Instance { pid: process::id(), data_dir: dir.clone() }));

        config.data_dir = dir.join("elsewhere");
        fs::write(&config.pid_file, process::id().to_string()).unwrap();
        let found = find(&config).map(|instance| instance.pid);
        assert_eq!(found, Some(process::id()));
        config.data_dir_written = true;
        assert_eq!(find(&config), None, "another directory was asked for");
    }
}
