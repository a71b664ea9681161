//! The server that runs, as `stop` and `status` find it.
//!
//! The lock of the data directory is believed first. The pid file only leads to a process; that
//! process counts if it owns a data directory. A stale file therefore never names a stranger.

use std::path::PathBuf;

use crate::{config::Config, directory::lock, pid_file};

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Its process.
    pub(crate) pid: u32,
    /// The data directory that it owns.
    pub(crate) data_dir: PathBuf,
}

/// The server of this configuration, if it runs.
///
/// Whoever named a data directory means the server of that one. Otherwise a pid file may lead to
/// a server that was started in another working directory.
pub(crate) fn find(config: &Config) -> Option<Instance> {
    if let Some(pid) = lock::owner(&config.data_dir) {
        return Some(Instance { pid, data_dir: config.data_dir.clone() });
    }
    if config.data_dir_written {
        return None;
    }
    pid_file::places(config).iter().find_map(|path| {
        let pid = pid_file::read(path)?;
        Some(Instance { pid, data_dir: lock::owned_by(pid)? })
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;
    use crate::{config::Source, directory::lock::Lock};

    #[test]
    fn a_pid_file_that_names_a_stranger_leads_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Source::default().load().unwrap();
        config.data_dir = folder.path().join("data");
        config.pid_file = folder.path().join("pid");
        fs::write(&config.pid_file, "1\n").unwrap();
        assert_eq!(find(&config), None);
    }

    #[test]
    fn the_lock_leads_to_the_server_and_so_does_the_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let _lock = Lock::acquire(&dir).unwrap();
        let expected = Some(Instance { pid: process::id(), data_dir: dir.clone() });
        let mut config = Source::default().load().unwrap();
        config.data_dir = dir.clone();
        assert_eq!(find(&config), expected);

        config.data_dir = dir.join("elsewhere");
        config.pid_file = dir.join("pid");
        fs::write(&config.pid_file, process::id().to_string()).unwrap();
        let found = find(&config).map(|instance| instance.pid);
        assert_eq!(found, Some(process::id()));
        config.data_dir_written = true;
        assert_eq!(find(&config), None, "another directory was asked for");
    }
}
