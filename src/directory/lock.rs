//! Who owns a data directory: an flock on `LOCK`, which ends with the process, however it ends.
//!
//! ```text
//! 1234\n         the owner's process id
//! 987654\n       when that process started, in clock ticks since the boot
//! ```
//!
//! The id alone proves nothing: it may be left from a crash, and be that of a stranger today.
//! [`owner`] believes it only where the kernel lists that process as holder of the lock, and it
//! started when the file says.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use thiserror::Error;

/// The file that is locked.
pub(crate) const LOCK: &str = "LOCK";

/// Whoever only looks holds the lock for a moment; a server that starts tries again so often.
const TRIES: u32 = 10;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

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
        if !try_lock(&file, dir).map_err(failed)? {
            let mut text = String::new();
            // An owner that has not written its id yet is still an owner.
            let _ = file.read_to_string(&mut text);
            let pid = text.lines().next().unwrap_or("(starting)").to_owned();
            return Err(LockError::Owned { pid, dir: dir.to_owned() });
        }
        let (pid, started) = (process::id(), started(process::id()).unwrap_or_default());
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{pid}\n{started}\n"));
        written.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Whether the lock is ours now.
fn try_lock(file: &File, dir: &Path) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if owner(dir).is_some() => return Ok(false),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
    Ok(false)
}

/// Who owns a data directory, as far as it can be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody does.
    Nobody,
    /// This process.
    Process(u32),
    /// Somebody may; this is why it cannot be told who.
    Hidden(String),
}

/// Looks at the lock of `dir`.
pub(crate) fn look(dir: &Path) -> Owner {
    let file = match File::open(dir.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Owner::Hidden(format!("{}: {error}", dir.join(LOCK).display()));
        }
        // No directory, or nobody ever owned it.
        Err(_) => return Owner::Nobody,
    };
    match (owner(dir), is_locked(&file)) {
        (Some(pid), _) => Owner::Process(pid),
        (None, true) => Owner::Hidden(format!(
            "{} is locked by a process that cannot be seen from here, as in another container",
            dir.join(LOCK).display()
        )),
        (None, false) => Owner::Nobody,
    }
}

/// Whether somebody holds the lock of a file.
pub(crate) fn is_locked(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The process that owns `dir`, if one does.
pub(crate) fn owner(dir: &Path) -> Option<u32> {
    let path = dir.join(LOCK);
    let text = fs::read_to_string(&path).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let inode = fs::metadata(&path).ok()?.ino();
    let is_listed = || kernel_locks().lines().any(|line| is_flock_of(line, pid, inode));
    let is_same = lines.next().and_then(|ticks| ticks.parse().ok()) == started(pid);
    (is_same && (0..LOOKS).any(|_| is_listed())).then_some(pid)
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

/// When a process started, in clock ticks since the boot: `proc_pid_stat(5)`, field 22.
fn started(pid: u32) -> Option<u64> {
    /// Of those behind the name, which is in brackets and may hold anything.
    const FIELD: usize = 22 - 3;

    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(FIELD)?.parse().ok()
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
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    #[test]
    fn the_owner_is_known_while_it_lives_and_not_after() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(owner(folder.path()), None);
        let lock = Lock::acquire(folder.path()).unwrap();
        assert_eq!(owner(folder.path()), Some(process::id()));
        assert_eq!(look(folder.path()), Owner::Process(process::id()));
        assert!(matches!(Lock::acquire(folder.path()), Err(LockError::Owned { .. })));
        drop(lock);
        assert_eq!(owner(folder.path()), None, "the id is still in the file, the lock is not");
        assert_eq!(look(folder.path()), Owner::Nobody);
        drop(Lock::acquire(folder.path()).unwrap());
    }

    #[test]
    fn a_process_that_started_at_another_time_is_a_stranger() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = Lock::acquire(folder.path()).unwrap();
        let path = folder.path().join(LOCK);
        let text = fs::read_to_string(&path).unwrap();
        let (pid, ticks) = text.trim().split_once('\n').unwrap();
        let later = ticks.parse::<u64>().unwrap() + 1;
        fs::write(&path, format!("{pid}\n{later}\n")).unwrap();
        assert_eq!(owner(folder.path()), None);
        assert!(matches!(look(folder.path()), Owner::Hidden(_)));
        fs::write(&path, format!("{pid}\n{ticks}\n")).unwrap();
        assert_eq!(owner(folder.path()), Some(process::id()));
    }

    #[test]
    fn a_look_does_not_keep_a_server_from_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lock::acquire(folder.path()).unwrap());
        let looked = File::open(folder.path().join(LOCK)).unwrap();
        looked.lock_shared().unwrap();
        let waiting = folder.path().to_owned();
        let start = thread::spawn(move || Lock::acquire(&waiting).map(drop));
        thread::sleep(PAUSE);
        drop(looked);
        start.join().unwrap().unwrap();
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
