//! The start of a shard: what its files say, and making it ready to go on.
//!
//! ```text
//! manifest ─► tables and blob files opened ─► log, from the first record that is in no table
//!                                               │ all of it has been read and believed
//!                                               ▼
//!             what was read is made durable ─► leftovers removed ─► log goes on
//! ```
//!
//! A crash anywhere in between leaves the same to be done.

use std::{path::PathBuf, rc::Rc};

use super::{
    StorageError,
    background::Background,
    blob,
    bugs::{Bug, is_planted},
    disk::Disk,
    entry::{BlobRef, Change, Entry},
    key::Key,
    log::{self, Log, LogOptions, Replay},
    manifest,
    memtable::Memtable,
    state::State,
    stats::Recovery,
    store::{Store, StoreOptions},
    table,
    view::View,
    wal,
};

/// Where the files of a shard are.
pub(super) struct Places {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) background: Rc<dyn Background>,
    pub(super) log_dir: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) directory_id: u64,
    pub(super) shard: u32,
}

/// Reads everything back into `state`.
pub(super) async fn recover(
    places: Places,
    state: &mut State,
) -> Result<(Store, Log, Recovery), StorageError> {
    let Places { disk, background, log_dir, data_dir, segment_bytes, directory_id, shard } = places;
    let of_manifest = manifest::options(Rc::clone(&disk), data_dir.clone(), directory_id, shard);
    let opened = manifest::open(of_manifest).await?;
    let (of_store, dir) = (Rc::clone(&disk), data_dir);
    let of_store = StoreOptions { disk: of_store, background, dir, shard, directory_id };
    let (store, view) = Store::open(of_store, opened.manifest, opened.version).await?;
    for (number, name) in view.version.collections().iter() {
        state.memtable.set_number(name, number);
    }
    state.memtable.set_has_tables(view.has_tables());

    let format = &wal::FORMAT;
    let options = LogOptions { format, disk, dir: log_dir, directory_id, shard, segment_bytes };
    let numbers = log::numbers(&options).await?;
    let from = view.version.flushed_sequence() + 1;
    let mut records = Records::new(&mut state.memtable, &view);
    let found = log::read(&options, &numbers, from, &mut records).await?;
    let unvouched = records.unvouched;

    harden(&view, &unvouched).await?;
    remove_leftovers(&store, &view).await?;
    let (records, bytes, truncated_bytes) = (found.records, found.bytes, found.truncated_bytes);
    let log = found.resume(options).await?;
    let recovery = Recovery { records, bytes, truncated_bytes, segments: log.segments() };
    state.stats.log_bytes = log.bytes();
    state.stats.segments = log.segments();
    state.view = Rc::new(view);
    Ok((store, log, recovery))
}

/// Hands the records to the memtable.
pub(super) struct Records<'a> {
    memtable: &'a mut Memtable,
    view: &'a View,
    /// Large values of records that nothing vouches for.
    unvouched: Vec<BlobRef>,
}

impl<'a> Records<'a> {
    /// Of a log that goes with `view`.
    pub(super) fn new(memtable: &'a mut Memtable, view: &'a View) -> Self {
        Self { memtable, view, unvouched: Vec::new() }
    }
}

impl Replay for Records<'_> {
    fn apply(&mut self, sequence: u64, payload: &[u8]) -> Result<(), String> {
        let applied = wal::read_all(payload, |(collection, key, change)| {
            let id = self.memtable.intern(collection);
            self.memtable.apply(id, Key::new(key), Entry { sequence, change });
        });
        applied.ok_or_else(|| "a record with a sound checksum makes no sense".to_owned())
    }

    async fn is_whole(&mut self, payload: &[u8]) -> Result<bool, StorageError> {
        let mut blobs = Vec::new();
        let read = wal::read_all(payload, |(_, _, change)| {
            if let Change::Blob(_, blob) = change {
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
