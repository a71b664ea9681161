//! The start of a shard: what its files say, and making it ready to go on.
//!
//! ```text
//! manifest ─► tables and blob files opened ─► log, from the first record that is in no table
//!                                               │ all of it has been read and believed
//!                                               ▼
//!             what was read is made durable ─► leftovers removed ─► log goes on, or is retired
//! ```
//!
//! A crash anywhere in between leaves the same to be done.

mod stash;

pub(super) use stash::Stash;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use super::{
    StorageError,
    background::Background,
    blob,
    bugs::{Bug, is_planted},
    clock::Clock,
    disk::Disk,
    entry::{BlobRef, Change, Entry},
    journal::Journal,
    key::Key,
    log::{self, AppendError, Found, LogOptions, Replay},
    manifest::{self, Edit, Opened},
    memtable::Memtable,
    progress::{Progress, Stage},
    state::State,
    stats::Recovery,
    store::{Store, StoreOptions},
    table,
    view::View,
    wal::{self, Said},
};
use crate::{counters::Counter, settings::Durability};

/// Where the files of a shard are.
pub(super) struct Places {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) background: Rc<dyn Background>,
    pub(super) steps: Arc<Counter>,
    pub(super) log_dir: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) directory_id: u64,
    pub(super) shard: u32,
    /// The bytes of an edit that was decided before this start.
    pub(super) decided: Option<Arc<[u8]>>,
}

/// What has been read back, beside the state.
pub(super) struct Recovered {
    pub(super) store: Store,
    pub(super) journal: Journal,
    pub(super) recovery: Recovery,
    pub(super) stash: Stash,
}

/// Reads everything back into `state`, but for parts of batches across shards.
pub(super) async fn recover(
    places: Places,
    durability: Durability,
    state: &mut State,
) -> Result<Recovered, StorageError> {
    let Places { disk, clock, background, log_dir, data_dir, segment_bytes, .. } = places;
    let (directory_id, shard) = (places.directory_id, places.shard);
    let progress = Progress::begin(clock, shard, places.steps);
    let of_manifest = manifest::options(Rc::clone(&disk), data_dir.clone(), directory_id, shard);
    let mut opened = manifest::open(of_manifest).await?;
    if let Some(edit) = places.decided {
        carry_out(&mut opened, &edit, &data_dir).await?;
    }
    let (of_store, dir) = (Rc::clone(&disk), data_dir);
    let of_store = StoreOptions { disk: of_store, background, dir, shard, directory_id };
    let (store, mut view) =
        Store::open(of_store, opened.manifest, opened.version, &progress).await?;
    for (number, name) in view.version.collections().iter() {
        state.memtable.set_number(name, number);
    }
    state.memtable.set_has_tables(view.has_tables());

    let format = &wal::FORMAT;
    let options = LogOptions { format, disk, dir: log_dir, directory_id, shard, segment_bytes };
    let numbers = log::numbers(&options).await?;
    let (from, coverage) = (view.version.flushed_sequence() + 1, view.version.coverage());
    let mut records = Records::new(&mut state.memtable, &view, Some(&progress));
    let found = log::read(&options, &numbers, from, coverage, &mut records).await?;
    let Records { unvouched, stash, .. } = records;

    harden(&view, &unvouched).await?;
    remove_leftovers(&store, &view).await?;
    let (records, bytes, truncated_bytes) = (found.records, found.bytes, found.truncated_bytes);
    let journal = go_on(durability, found, options, &store, &mut view).await?;
    let recovery = Recovery { records, bytes, truncated_bytes, segments: journal.segments() };
    state.stats.log_bytes = journal.bytes();
    state.stats.segments = journal.segments();
    state.view = Rc::new(view);
    progress.end();
    Ok(Recovered { store, journal, recovery, stash })
}

/// Takes a step that was decided before this start, unless it has been taken already.
async fn carry_out(opened: &mut Opened, edit: &[u8], dir: &Path) -> Result<(), StorageError> {
    let edit = Edit::decode(edit).ok_or_else(|| StorageError::Corrupt {
        file: dir.join("../RESTORE"),
        offset: 0,
        what: "a step that was decided makes no sense".to_owned(),
        advice: "Restore the data directory from a backup",
    })?;
    if edit.flushed_sequence.is_none_or(|flushed| flushed <= opened.version.flushed_sequence()) {
        return Ok(());
    }
    let mut number = opened.version.file_number().max(edit.file_number.unwrap_or(0));
    let appended = opened.manifest.append(&opened.version, edit, &mut number).await;
    opened.version = appended.map_err(AppendError::into_inner)?;
    Ok(())
}

/// Lets the log go on, or retires it, and notes which of them.
async fn go_on(
    durability: Durability,
    found: Found,
    options: LogOptions,
    store: &Store,
    view: &mut View,
) -> Result<Journal, StorageError> {
    let noted = view.version.coverage();
    let mut journal = match durability {
        // Before it is noted that there is a log again.
        Durability::Logged(_) => Journal::Logged(found.resume(options).await?),
        Durability::Flushed => Journal::unlogged(found.retire(options).await?),
    };
    if !is_planted(Bug::CoverageNotNoted) {
        store.note_coverage(view, journal.coverage(noted)).await?;
    }
    // After it is noted that there is none.
    journal.drop_before(view.version.flushed_sequence() + 1).await?;
    Ok(journal)
}

/// Hands the records to the memtable, and those that are parts of batches to the stash.
pub(super) struct Records<'a> {
    pub(super) memtable: &'a mut Memtable,
    view: &'a View,
    progress: Option<&'a Progress>,
    pub(super) stash: Stash,
    /// Large values of records that nothing vouches for.
    unvouched: Vec<BlobRef>,
}

impl<'a> Records<'a> {
    /// Of a log that goes with `view`.
    pub(super) fn new(
        memtable: &'a mut Memtable,
        view: &'a View,
        progress: Option<&'a Progress>,
    ) -> Self {
        Self { memtable, view, progress, stash: Stash::default(), unvouched: Vec::new() }
    }
}

impl Replay for Records<'_> {
    fn apply(&mut self, sequence: u64, payload: &[u8]) -> Result<(), String> {
        let mut part = None;
        let applied = wal::read_all(payload, |said| match said {
            Said::Mark(mark) => part = self.stash.mark(sequence, mark),
            Said::Change((collection, key, change)) => {
                let place = (self.memtable.intern(collection), Key::new(key));
                if part.is_some() {
                    return self.stash.add(sequence, place, change);
                }
                self.stash.hide(self.memtable, &place);
                let (id, key) = place;
                self.memtable.apply(id, key, Entry { sequence, change });
            }
        });
        applied.ok_or_else(|| "a record with a sound checksum makes no sense".to_owned())
    }

    fn note_progress(&mut self, bytes: u64, of: u64, records: u64) {
        if let Some(progress) = self.progress {
            progress.note(Stage::Log { bytes, of, records });
        }
    }

    async fn is_whole(&mut self, payload: &[u8]) -> Result<bool, StorageError> {
        let mut blobs = Vec::new();
        let read = wal::read_all(payload, |said| {
            if let Said::Change((_, _, Change::Blob(_, blob))) = said {
                blobs.push(blob);
            }
        });
        if read.is_none() || is_planted(Bug::ValuesNotLookedAt) {
            // `apply` finds the words.
            return Ok(true);
        }
        for blob in blobs {
            let Some(file) = self.view.blobs.get(&blob.file) else { return Ok(false) };
            match file.read(blob).await {
                Ok(_) => self.unvouched.push(blob),
                Err(StorageError::Corrupt { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Makes large values durable that may have been left to the kernel; from now on they are served.
async fn harden(view: &View, blobs: &[BlobRef]) -> Result<(), StorageError> {
    for blob in blobs {
        if let Some(file) = view.blobs.get(&blob.file) {
            file.write_again(*blob).await?;
        }
    }
    let mut files: Vec<u64> = blobs.iter().map(|blob| blob.file).collect();
    files.sort_unstable();
    files.dedup();
    for file in files.iter().filter_map(|number| view.blobs.get(number)) {
        file.sync().await?;
    }
    Ok(())
}

/// Removes tables and blob files that nobody names: work that was cut short.
async fn remove_leftovers(store: &Store, view: &View) -> Result<(), StorageError> {
    let names = store.disk.list(&store.dir).await;
    let names = names.map_err(|error| StorageError::io("cannot list", &store.dir, error))?;
    for name in names {
        let is_leftover = match (table::number(&name), blob::number(&name)) {
            (Some(number), _) => view.version.tables().all(|table| table.meta.number != number),
            (_, Some(number)) => !view.blobs.contains_key(&number),
            _ => false,
        };
        if is_leftover {
            let path = store.dir.join(name);
            let removed = store.disk.remove(&path).await;
            removed.map_err(|error| StorageError::io("cannot remove", &path, error))?;
        }
    }
    Ok(())
}
