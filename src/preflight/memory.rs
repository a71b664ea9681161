//! How much memory the reactors may lock (RLIMIT_MEMLOCK).
//!
//! ```text
//! limit < 512 KiB                       a reactor refuses to begin, whoever runs it: refused here
//! limit < reactors × 3 × I/O memory     it begins without registered buffers: a warning here
//! ```
//!
//! Measured: each reactor registers its I/O memory with its three rings, and the kernel counts each
//! registration against the user's limit, unless the process has CAP_IPC_LOCK. Where the limit does
//! not suffice the registration is skipped, and every transfer pins its pages for itself; nothing
//! else changes. The rings themselves do not count since Linux 5.12.

use std::fs;

use amaters_shards::IO_MEMORY_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Below this a reactor does not begin.
const FLOOR_BYTES: u64 = 512 * 1024;
/// How many rings it registers it with.
const RINGS: u64 = 3;
/// What the kernel counts beyond the buffers themselves.
const SLACK_BYTES: u64 = 128 * 1024;
/// CAP_IPC_LOCK's bit in the capability sets of `/proc/self/status`.
const CAP_IPC_LOCK: u64 = 14;

/// A limit under which no reactor begins.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the limit on locked memory (RLIMIT_MEMLOCK) is {} KiB; each of the {reactors} reactors needs \
     it to be at least {} KiB, and {} KiB let all of them register their buffers. Raise it: \
     `ulimit -l`, /etc/security/limits.conf (memlock), or LimitMEMLOCK= of the systemd unit",
    limit / 1024, FLOOR_BYTES / 1024, wanted_bytes(*reactors) / 1024
)]
pub(crate) struct MemoryError {
    limit: u64,
    reactors: usize,
}

/// What a limit is good for.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Enough,
    Unregistered,
    TooLow,
}

/// Raises the soft limit to the hard one if need be, and judges what there is then.
pub(crate) fn check(reactors: usize) -> Result<(), MemoryError> {
    let exempt = has_ipc_lock(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    if judge(current, reactors, exempt) != Verdict::Enough {
        // What was refused here is judged below.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum });
    }
    let limit = getrlimit(Resource::Memlock).current;
    let kib = limit.unwrap_or(u64::MAX) / 1024;
    match judge(limit, reactors, exempt) {
        Verdict::Enough => Ok(()),
        Verdict::TooLow => Err(MemoryError { limit: limit.unwrap_or(u64::MAX), reactors }),
        Verdict::Unregistered => {
            tracing::info!(
                "the limit on locked memory (RLIMIT_MEMLOCK) is {kib} KiB; with {} KiB all \
                 {reactors} reactors could register their I/O buffers with the kernel, which \
                 saves some CPU (LimitMEMLOCK= of the systemd unit)",
                wanted_bytes(reactors) / 1024
            );
            Ok(())
        }
    }
}

/// What all reactors together register. The one place with this formula.
fn wanted_bytes(reactors: usize) -> u64 {
    (RINGS * IO_MEMORY_BYTES as u64 + SLACK_BYTES) * reactors as u64
}

fn judge(limit: Option<u64>, reactors: usize, exempt: bool) -> Verdict {
    match limit {
        None => Verdict::Enough,
        Some(limit) if limit < FLOOR_BYTES => Verdict::TooLow,
        Some(limit) if exempt || limit >= wanted_bytes(reactors) => Verdict::Enough,
        Some(_) => Verdict::Unregistered,
    }
}

/// Whether `/proc/self/status` names CAP_IPC_LOCK among the effective capabilities.
fn has_ipc_lock(status: &str) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    set >> CAP_IPC_LOCK & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_holds_for_all_and_the_rest_for_those_without_the_capability() {
        let kib = |kib: u64| Some(kib * 1024);
        assert_eq!(judge(None, 4, false), Verdict::Enough);
        assert_eq!(judge(kib(511), 1, false), Verdict::TooLow);
        assert_eq!(judge(kib(511), 1, true), Verdict::TooLow);
        assert_eq!(judge(kib(512), 1, true), Verdict::Enough);
        assert_eq!(judge(kib(8192), 2, false), Verdict::Unregistered);
        assert_eq!(judge(Some(wanted_bytes(2)), 2, false), Verdict::Enough);
    }

    #[test]
    fn the_refusal_names_limit_need_and_remedy() {
        let text = MemoryError { limit: 65_536, reactors: 2 }.to_string();
        for part in ["RLIMIT_MEMLOCK", "64 KiB", "2 reactors", "512 KiB", "LimitMEMLOCK="] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_capability_is_found_in_the_status() {
        assert!(has_ipc_lock("Name:\tx\nCapEff:\t0000000000004000\n"));
        assert!(!has_ipc_lock("CapPrm:\t0000000000004000\nCapEff:\t0000000000000000\n"));
        assert!(!has_ipc_lock(""));
    }
}
