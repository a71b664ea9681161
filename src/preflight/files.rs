//! How many files may be open (RLIMIT_NOFILE): one for each connection, and those of the reactors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Standard streams, lock, signals, log file, what libraries open for a moment; and 64 connections to the metrics.
const PROCESS_FILES: u64 = 144;
/// Rings, wake-up descriptors, listener, logs and their folders.
const REACTOR_FILES: u64 = 48;

/// Fewer files than connections need.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "server.max_connections = {connections_max} needs {needed} open files, but the limit \
     (RLIMIT_NOFILE) is {limit}. Raise it (`ulimit -n`, LimitNOFILE= of the systemd unit) or set \
     server.max_connections to {} or less", fitting(*limit, *needed, *connections_max)
)]
pub(crate) struct FilesError {
    connections_max: usize,
    needed: u64,
    limit: u64,
}

/// Raises the soft limit to the hard one, and refuses if that is too little.
pub(crate) fn check(connections_max: usize, reactors: usize) -> Result<(), FilesError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // What was refused here is judged below.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    judge(getrlimit(Resource::Nofile).current, connections_max, reactors)
}

fn judge(limit: Option<u64>, connections_max: usize, reactors: usize) -> Result<(), FilesError> {
    let needed = connections_max as u64 + PROCESS_FILES + REACTOR_FILES * reactors as u64;
    match limit {
        Some(limit) if limit < needed => Err(FilesError { connections_max, needed, limit }),
        _ => Ok(()),
    }
}

/// How many connections the limit would bear.
fn fitting(limit: u64, needed: u64, connections_max: usize) -> u64 {
    limit.saturating_sub(needed - connections_max as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_needs_a_file_beyond_those_of_the_reactors() {
        let needed = 1000 + PROCESS_FILES + 2 * REACTOR_FILES;
        assert_eq!(judge(Some(needed), 1000, 2), Ok(()));
        assert_eq!(judge(None, 1_000_000, 2), Ok(()));
        let error = judge(Some(needed - 1), 1000, 2).unwrap_err();
        assert!(error.to_string().contains("server.max_connections = 1000"), "{error}");
        assert!(error.to_string().contains("max_connections to 999 or less"), "{error}");
    }
}
