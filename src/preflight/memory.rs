//! How much memory the reactors may lock (RLIMIT_MEMLOCK).
//!
//! ```text
//! least = max(512 KiB, reactors × 3 × (ring + 64 KiB))     less is refused here
//! all   = reactors × 3 × (ring + I/O memory)               less is noted: buffers are not registered
//! ```
//!
//! Measured: under 512 KiB a reactor does not begin, whoever runs it. Beyond that the limit is one
//! for all processes of a user, and none for CAP_IPC_LOCK. Newer kernels count the rings (with 6.18,
//! 2 reactors begin under 648 KiB and not under 624, 4 under 1296 and not under 1248), others do
//! not; we take them to be counted. Each reactor registers its I/O memory with its three rings;
//! where that does not fit it goes on without, and every transfer pins its pages for itself.

use std::fs;

use amaters_shards::IO_MEMORY_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Below this a reactor does not begin.
const FLOOR_BYTES: u64 = 512 * 1024;
/// Rings of a reactor.
const RINGS: u64 = 3;
/// One ring: 1024 submissions of 64 bytes, 2048 completions of 16 bytes, an index and a header.
const RING_BYTES: u64 = 108 * 1024;
/// I/O memory with which a reactor begins; more is taken from the heap as needed.
const IO_MEMORY_BYTES_MIN: usize = 64 * 1024;
/// CAP_IPC_LOCK's bit in the capability sets of `/proc/self/status`.
const CAP_IPC_LOCK: u64 = 14;

/// A limit under which no reactor begins.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the limit on locked memory (RLIMIT_MEMLOCK) is {} KiB; {reactors} reactors need at least {} \
     KiB, and {} KiB to register all their buffers. Raise it (`ulimit -l`, memlock in \
     /etc/security/limits.conf, LimitMEMLOCK= of the systemd unit) or lower server.cores",
    limit / 1024, least_bytes(*reactors) / 1024, all_bytes(*reactors) / 1024
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
///
/// Answers with the bytes of I/O memory that each reactor may register. Where not all can register
/// all of it, each takes the least: what one took too much would be missing for another's rings.
pub(crate) fn check(reactors: usize) -> Result<usize, MemoryError> {
    match advice(reactors)? {
        None => Ok(IO_MEMORY_BYTES),
        Some(advice) => {
            tracing::info!("{advice}");
            Ok(IO_MEMORY_BYTES_MIN)
        }
    }
}

/// Raises the limit in the same way, and says what more would be good for.
pub(crate) fn advice(reactors: usize) -> Result<Option<String>, MemoryError> {
    let exempt = has_ipc_lock(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    if judge(current, reactors, exempt) != Verdict::Enough {
        // What was refused here is judged below.
        let _ = setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum });
    }
    let limit = getrlimit(Resource::Memlock).current;
    let kib = limit.unwrap_or(u64::MAX) / 1024;
    match judge(limit, reactors, exempt) {
        Verdict::Enough => Ok(None),
        Verdict::TooLow => Err(MemoryError { limit: limit.unwrap_or(u64::MAX), reactors }),
        Verdict::Unregistered => Ok(Some(format!(
            "the limit on locked memory (RLIMIT_MEMLOCK) is {kib} KiB; with {} KiB all {reactors} \
             reactors could register their buffers with the kernel, which saves some CPU \
             (`ulimit -l`, LimitMEMLOCK= of the systemd unit)",
            all_bytes(reactors) / 1024
        ))),
    }
}

/// Less, and some reactor does not begin.
fn least_bytes(reactors: usize) -> u64 {
    FLOOR_BYTES.max(RINGS * (RING_BYTES + IO_MEMORY_BYTES_MIN as u64) * reactors as u64)
}

/// With this, all reactors register all their buffers.
fn all_bytes(reactors: usize) -> u64 {
    RINGS * (RING_BYTES + IO_MEMORY_BYTES as u64) * reactors as u64
}

fn judge(limit: Option<u64>, reactors: usize, exempt: bool) -> Verdict {
    let (least, all) = match exempt {
        true => (FLOOR_BYTES, FLOOR_BYTES),
        false => (least_bytes(reactors), all_bytes(reactors)),
    };
    match limit {
        None => Verdict::Enough,
        Some(limit) if limit >= all => Verdict::Enough,
        Some(limit) if limit >= least => Verdict::Unregistered,
        Some(_) => Verdict::TooLow,
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
        assert_eq!(judge(kib(512), 64, true), Verdict::Enough);
        assert_eq!(judge(kib(515), 1, false), Verdict::TooLow);
        assert_eq!(judge(kib(516), 1, false), Verdict::Unregistered);
        assert_eq!(judge(kib(516), 2, false), Verdict::TooLow);
        assert_eq!(judge(kib(8192), 2, false), Verdict::Unregistered);
        assert_eq!(judge(Some(all_bytes(2)), 2, false), Verdict::Enough);
    }

    #[test]
    fn the_refusal_names_limit_need_and_remedy() {
        let text = MemoryError { limit: 65_536, reactors: 2 }.to_string();
        for part in ["RLIMIT_MEMLOCK", "64 KiB", "2 reactors", "1032 KiB", "LimitMEMLOCK="] {
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
