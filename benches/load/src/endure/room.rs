//! What a server's files take on the disk, and how much went into them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Between two looks at the folder; a file that lived for less is missed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// Bytes by the kind of file, which is how its name ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Room(BTreeMap<String, u64>);

impl Room {
    /// Bytes that the disk has given to the files below a folder.
    pub(super) fn taken_by(folder: &Path) -> Self {
        let mut room = Self::default();
        walk(folder, &mut |path, meta| room.add(path, meta.blocks() * BLOCK_BYTES));
        room
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.values().sum()
    }

    /// In units of `unit_bytes`, all and by kind.
    pub(super) fn per(&self, unit_bytes: u64) -> String {
        let times = |bytes: u64| bytes as f64 / unit_bytes.max(1) as f64;
        let kinds: Vec<_> =
            self.0.iter().map(|(kind, bytes)| format!("{kind} {:.2}", times(*bytes))).collect();
        format!("{:.2} ({})", times(self.bytes()), kinds.join(", "))
    }

    fn add(&mut self, path: &Path, bytes: u64) {
        let kind = path.extension().unwrap_or_default().to_string_lossy();
        let kind = if kind.is_empty() { "others" } else { &*kind };
        *self.0.entry(kind.to_owned()).or_default() += bytes;
    }
}

impl fmt::Display for Room {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} MiB", self.bytes() >> 20)?;
        self.0.iter().try_for_each(|(kind, bytes)| write!(out, ", {kind} {} MiB", bytes >> 20))
    }
}

/// Remembers the length of every file that was ever seen below a folder. No name is used twice
/// there, so the sum is what the files held, each at its longest; what a log writes again in the
/// same place is not in it.
#[derive(Debug)]
pub(super) struct Watch {
    folder: PathBuf,
    longest: Arc<Mutex<Lengths>>,
    /// The thread ends when this has gone.
    _stop: Sender<()>,
}

type Lengths = HashMap<PathBuf, u64>;

impl Watch {
    pub(super) fn begin(folder: PathBuf) -> Self {
        let (stop, stopped) = channel::<()>();
        let watch = Self { folder, longest: Arc::default(), _stop: stop };
        let (folder, longest) = (watch.folder.clone(), Arc::clone(&watch.longest));
        thread::spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                drop(look(&folder, &longest));
            }
        });
        watch
    }

    /// What was written so far.
    pub(super) fn so_far(&self) -> Room {
        let longest = look(&self.folder, &self.longest);
        let mut room = Room::default();
        longest.iter().for_each(|(path, length)| room.add(path, *length));
        room
    }
}

fn look<'a>(folder: &Path, longest: &'a Mutex<Lengths>) -> MutexGuard<'a, Lengths> {
    let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
    walk(folder, &mut |path, meta| {
        let length = longest.entry(path.to_owned()).or_insert(0);
        *length = meta.len().max(*length);
    });
    longest
}

/// Shows the files below a folder; those that go meanwhile are left out.
fn walk(folder: &Path, show: &mut dyn FnMut(&Path, &fs::Metadata)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => walk(&entry.path(), show),
            Ok(meta) if meta.is_file() => show(&entry.path(), &meta),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_after_it_has_gone_and_only_by_its_blocks_while_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let sparse = fs::File::create(inner.join("1.sst")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        let watch = Watch::begin(folder.path().to_owned());
        thread::sleep(2 * LOOK_EVERY);
        assert!(Room::taken_by(folder.path()).bytes() < 1 << 20);
        fs::remove_file(inner.join("1.sst")).unwrap();
        fs::write(inner.join("2.sst"), [7; 5000]).unwrap();
        fs::write(inner.join("lock"), [7; 3]).unwrap();
        let seen = watch.so_far();
        assert_eq!(seen.0["sst"], (1 << 30) + 5000);
        assert_eq!(seen.bytes(), (1 << 30) + 5003);
        assert!(Room::taken_by(folder.path()).0["sst"] >= 4096);
    }
}
