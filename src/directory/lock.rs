//! Who owns a data directory: an flock on `LOCK`, which ends with the process, however it ends.
//!
//! The file holds the owner's process id as text. The id alone proves nothing, it may be left from
//! a crash; [`owner`] believes it only where the kernel lists that process as holder of the lock.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
};

use thiserror::Error;

/// The file that is locked.
pub(crate) const LOCK: &str = "LOCK";

/// Why a data directory cannot be owned.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// By another server.
    #[error("Server is already running: process {pid} owns the data directory {}", dir.display())]
    Owned {
        /// Who says to own it.
        pid: String,
        /// The data directory.
        dir: PathBuf,
    },
    /// The file cannot be written or locked.
    #[error("data directory {}: cannot write LOCK: {error}", dir.display())]
    Io {
        /// The data directory.
        dir: PathBuf,
        /// What came of it.
        error: io::Error,
    },
}

/// Ownership of a data directory; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes ownership of `dir` or says who has it.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, LockError> {
        let failed = |error| LockError::Io { dir: dir.to_owned(), error };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(dir.join(LOCK)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // An owner that has not written its id yet is still an owner.
                let _ = file.read_to_string(&mut text);
                let pid = if text.trim().is_empty() { "(starting)" } else { text.trim() };
                return Err(LockError::Owned { pid: pid.to_owned(), dir: dir.to_owned() });
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", process::id()));
        written.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process that owns `dir`, if one does.
pub(crate) fn owner(dir: &Path) -> Option<u32> {
    let path = dir.join(LOCK);
    let pid = fs::read_to_string(&path).ok()?.trim().parse().ok()?;
    let inode = fs::metadata(&path).ok()?.ino();
    let is_listed = || kernel_locks().lines().any(|line| is_flock_of(line, pid, inode));
    (0..LOOKS).any(|_| is_listed()).then_some(pid)
}

/// How often a lock is looked for before it counts as not held: one look may miss it.
const LOOKS: usize = 3;

/// Bytes of one read of the kernel's list.
const LIST_READ: usize = 64 << 10;

/// All file locks of the machine, as `/proc/locks` lists them (proc(5)).
///
/// The kernel lists afresh for each read, from the place in the list where the last one ended: a
/// lock that goes in between moves the others up, and one of them is passed over. Long reads make
/// that rare, where `fs::read_to_string` begins with 32 bytes: one lock at a time.
fn kernel_locks() -> String {
    let mut list = Vec::new();
    if let Ok(mut file) = File::open("/proc/locks") {
        let mut bytes = vec![0; LIST_READ];
        while let Ok(count @ 1..) = file.read(&mut bytes) {
            list.extend_from_slice(&bytes[..count]);
        }
    }
    String::from_utf8_lossy(&list).into_owned()
}

/// The data directory that the process owns, found through its open files.
///
/// Those of strangers cannot be looked at; then the answer is none.
pub(crate) fn owned_by(pid: u32) -> Option<PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    files
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.ends_with(LOCK))
        .filter_map(|path| path.parent().map(Path::to_owned))
        .find(|dir| owner(dir) == Some(pid))
}

/// `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`: number, kind, …, process, device:inode.
fn is_flock_of(line: &str, pid: u32, inode: u64) -> bool {
    let mut words = line.split_ascii_whitespace().skip(1);
    let is_held = words.next() == Some("FLOCK");
    let rest: Vec<&str> = words.collect();
    let [_, "WRITE", holder, file, ..] = rest[..] else { return false };
    let of_file = file.rsplit(':').next().and_then(|inode| inode.parse().ok());
    is_held && holder.parse() == Ok(pid) && of_file == Some(inode)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    };

    use super::*;

    #[test]
    fn the_owner_is_known_while_it_lives_and_not_after() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(owner(folder.path()), None);
        let lock = Lock::acquire(folder.path()).unwrap();
        assert_eq!(owner(folder.path()), Some(process::id()));
        assert!(matches!(Lock::acquire(folder.path()), Err(LockError::Owned { .. })));
        drop(lock);
        assert_eq!(owner(folder.path()), None, "the id is still in the file, the lock is not");
        drop(Lock::acquire(folder.path()).unwrap());
    }

    #[test]
    fn a_process_leads_to_its_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let _lock = Lock::acquire(&dir).unwrap();
        assert!(owned_by(process::id()).is_some());
        assert_eq!(owned_by(1), None);
    }

    #[test]
    fn a_lock_is_found_while_others_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = Lock::acquire(folder.path()).unwrap();
        let others: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let is_over = AtomicBool::new(false);
        let lost = thread::scope(|scope| {
            for other in &others {
                scope.spawn(|| {
                    while !is_over.load(Relaxed) {
                        drop(Lock::acquire(other.path()).unwrap());
                    }
                });
            }
            let lost = (0..3_000).filter(|_| owner(folder.path()).is_none()).count();
            is_over.store(true, Relaxed);
            lost
        });
        assert_eq!(lost, 0, "of 3,000 looks");
    }

    #[test]
    fn only_a_held_exclusive_flock_of_that_file_counts() {
        let held = "1: FLOCK  ADVISORY  WRITE 12 08:01:34 0 EOF";
        assert!(is_flock_of(held, 12, 34));
        assert!(!is_flock_of(held, 12, 35));
        assert!(!is_flock_of(held, 13, 34));
        assert!(!is_flock_of("1: -> FLOCK  ADVISORY  WRITE 12 08:01:34 0 EOF", 12, 34));
        assert!(!is_flock_of("1: FLOCK  ADVISORY  READ 12 08:01:34 0 EOF", 12, 34));
        assert!(!is_flock_of("1: POSIX  ADVISORY  WRITE 12 08:01:34 0 EOF", 12, 34));
        assert!(!is_flock_of("", 12, 34));
    }
}
