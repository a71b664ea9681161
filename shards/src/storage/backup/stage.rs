//! The rows of a backup on their way into a shard: tables and blob files that nobody names yet, so that a crash leaves
//! nothing but what the next start removes.
//!
//! ```text
//! rows, in order ─┬─ large values ─► blob files ─┐
//!                 └─ entries ─► tables ──────────┴─► an edit that names all of them
//! ```
//!
//! Rows that begin anew begin a new run, which is newer than those before.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, rc::Rc, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{BackupError, chunk::Kept, stream::Entry};
use crate::storage::{
    StorageError,
    blob::{self, Head, Placing, Spot},
    disk::{Disk, blocking::StdDisk},
    entry::{BlobRef, ChangeRef, CollectionId, Sequence, push_table_key},
    header::Binding,
    table::{self, Builder, BuilderOptions, TableMeta},
    value::Meta,
};

/// Bytes of large values that are written together.
const GROUP_BYTES: usize = 1024 * 1024;

/// What a shard gives to those who stage rows for it.
#[derive(Clone, Debug)]
pub struct Place {
    pub(in crate::storage) dir: PathBuf,
    pub(in crate::storage) directory_id: u64,
    pub(in crate::storage) shard: u32,
    /// File numbers that nobody else uses.
    pub(in crate::storage) numbers: Range<u64>,
    /// No record has this number, nor a higher one.
    pub(in crate::storage) sequence: Sequence,
    /// Every collection that occurs.
    pub(in crate::storage) collections: BTreeMap<Arc<str>, CollectionId>,
    /// Values of this length or more go into blob files.
    pub(in crate::storage) blob_bytes_min: usize,
    /// Bytes after which a table ends.
    pub(in crate::storage) table_bytes: u64,
}

/// What has been staged.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// The oldest first; tables of a run do not overlap.
    pub(in crate::storage) runs: Vec<Vec<TableMeta>>,
    /// Blob files.
    pub(in crate::storage) blobs: Vec<u64>,
    /// The highest number that an entry has.
    pub(in crate::storage) sequence: Sequence,
    /// Values.
    pub(in crate::storage) keys: u64,
}

/// Stages rows for one shard.
pub(in crate::storage) struct Stage {
    disk: Rc<dyn Disk>,
    place: Place,
    /// Tables may hold several collections: their numbers ascend as their names do.
    in_order: bool,
    table: Option<Builder>,
    /// Of the run: the last table key in the order of rows.
    last: Option<(Arc<str>, Vec<u8>)>,
    blobs: Option<blob::Writer>,
    pending: Vec<Large>,
    pending_bytes: usize,
    placing: Option<Placing>,
    staged: Staged,
}

struct Large {
    collection: Arc<str>,
    key: Box<[u8]>,
    blob: BlobRef,
    data: Bytes,
}

impl Stage {
    pub(in crate::storage) fn new(disk: Rc<dyn Disk>, place: Place) -> Self {
        let in_order = place.collections.values().is_sorted();
        let staged = Staged { sequence: place.sequence, ..Staged::default() };
        Self {
            disk,
            place,
            in_order,
            table: None,
            last: None,
            blobs: None,
            pending: Vec::new(),
            pending_bytes: 0,
            placing: None,
            staged,
        }
    }

    /// Adds a value.
    pub(in crate::storage) async fn add(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let Kept::Value(value) = &entry.kept else { return Ok(()) };
        let id = self.place.collections.get(&entry.collection).copied();
        let id = id.ok_or_else(|| {
            BackupError::Refused(format!(
                "manifest.bin does not name collection {:?}",
                entry.collection
            ))
        })?;
        self.turn(entry).await?;
        let mut table_key = Vec::with_capacity(4 + entry.key.len());
        push_table_key(id, &entry.key, &mut table_key);
        self.last = Some((Arc::clone(&entry.collection), entry.key.to_vec()));
        if entry.data.len() >= self.place.blob_bytes_min {
            let blob = self.large(entry, value.hash).await?;
            self.put(&table_key, ChangeRef::Blob(value.meta, blob)).await?;
        } else {
            self.put(&table_key, inline(value.meta, &entry.data)).await?;
        }
        self.staged.keys += 1;
        Ok(())
    }

    /// Ends the table or the run where this entry wants that.
    async fn turn(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let Some((collection, key)) = &self.last else {
            self.staged.runs.push(Vec::new());
            return Ok(());
        };
        let begins_anew = (collection, &**key) >= (&entry.collection, &*entry.key);
        let is_full = |table: &Builder| table.estimated_bytes() >= self.place.table_bytes;
        let other = *collection != entry.collection;
        if begins_anew || (other && !self.in_order) || self.table.as_ref().is_some_and(is_full) {
            self.end_table().await?;
        }
        if begins_anew {
            self.write_large().await?;
            self.staged.runs.push(Vec::new());
            self.staged.sequence += 1;
        }
        Ok(())
    }

    async fn put(&mut self, table_key: &[u8], change: ChangeRef<'_>) -> Result<(), BackupError> {
        let table = match &mut self.table {
            Some(table) => table,
            none => {
                let number = next_number(&mut self.place.numbers)?;
                let path = table::path(&self.place.dir, number);
                let binding = binding(&self.place, number);
                let options = BuilderOptions::default();
                none.insert(Builder::begin(Rc::clone(&self.disk), path, binding, options).await?)
            }
        };
        Ok(table.add(table_key, self.staged.sequence, change).await?)
    }

    async fn end_table(&mut self) -> Result<(), BackupError> {
        if let Some(table) = self.table.take() {
            let meta = table.finish().await?;
            if let Some(run) = self.staged.runs.last_mut() {
                run.push(meta);
            }
        }
        Ok(())
    }

    /// Gives a large value its place.
    async fn large(&mut self, entry: &Entry, hash: u64) -> Result<BlobRef, BackupError> {
        let bytes = u32::try_from(entry.data.len()).map_err(|_| {
            BackupError::Refused(format!(
                "a value of {} bytes is longer than any here",
                entry.data.len()
            ))
        })?;
        let room = Head::room(&entry.collection, &entry.key, entry.data.len());
        let waiting = self.pending_bytes as u64 + room;
        if self.blobs.as_ref().is_none_or(|blobs| blobs.is_full(waiting)) {
            self.begin_blob_file().await?;
        }
        let sequence = self.staged.sequence;
        let head = Head { collection: &entry.collection, key: &entry.key, sequence, bytes, hash };
        let placing = self.placing.get_or_insert_with(|| match &self.blobs {
            Some(blobs) => blobs.placing(),
            None => unreachable!("a file has just been begun"),
        });
        let blob = placing.place(&head);
        let (collection, key) = (Arc::clone(&entry.collection), entry.key.clone());
        self.pending.push(Large { collection, key, blob, data: entry.data.clone() });
        self.pending_bytes += room as usize;
        if self.pending_bytes >= GROUP_BYTES {
            self.write_large().await?;
        }
        Ok(blob)
    }

    async fn begin_blob_file(&mut self) -> Result<(), BackupError> {
        self.end_blob_file().await?;
        let number = next_number(&mut self.place.numbers)?;
        let binding = binding(&self.place, number);
        self.staged.blobs.push(number);
        self.blobs = Some(blob::Writer::create(&*self.disk, &self.place.dir, binding).await?);
        Ok(())
    }

    async fn write_large(&mut self) -> Result<(), BackupError> {
        let (Some(blobs), Some(end)) = (&mut self.blobs, self.placing.take()) else {
            return Ok(());
        };
        blobs.reserve(end).await?;
        let sequence = self.staged.sequence;
        let spots = self.pending.iter().map(|large| Spot {
            head: Head {
                collection: &large.collection,
                key: &large.key,
                sequence,
                bytes: large.blob.bytes,
                hash: large.blob.hash,
            },
            blob: large.blob,
            data: &large.data,
        });
        let group = blobs.fill(spots, end);
        blobs.write(group).await?;
        blobs.accept(end);
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    async fn end_blob_file(&mut self) -> Result<(), BackupError> {
        self.write_large().await?;
        let Some(mut blobs) = self.blobs.take() else { return Ok(()) };
        let (position, synced) = blobs.sync_beside();
        synced.await?;
        blobs.note_synced(position);
        let file = Rc::clone(blobs.file());
        blobs.finish().await;
        file.close().await;
        Ok(())
    }

    /// Makes everything durable under its name.
    pub(in crate::storage) async fn finish(mut self) -> Result<Staged, BackupError> {
        let finished = async {
            self.end_table().await?;
            self.end_blob_file().await?;
            let dir = &self.place.dir;
            let synced = self.disk.sync_dir(dir).await;
            synced.map_err(|error| StorageError::io("cannot sync the folder", dir, error))?;
            Ok(())
        };
        match finished.await {
            Ok(()) => Ok(self.staged),
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Removes what was written.
    pub(in crate::storage) async fn abandon(mut self) {
        if let Some(table) = self.table.take() {
            table.abandon().await;
        }
        if let Some(blobs) = self.blobs.take() {
            blobs.file().close().await;
        }
        self.staged.remove(&*self.disk, &self.place.dir).await;
    }
}

impl Staged {
    /// Removes the files, with calls that block, where they will not be needed.
    pub fn discard(&self, place: &Place) {
        // A disk that blocks is always ready.
        let _ = self.remove(&StdDisk, &place.dir).now_or_never();
    }

    /// Removes the files. What stays is removed by the next start.
    pub(in crate::storage) async fn remove(&self, disk: &dyn Disk, dir: &std::path::Path) {
        for meta in self.runs.iter().flatten() {
            let _ = disk.remove(&table::path(dir, meta.number)).await;
        }
        for number in &self.blobs {
            let _ = disk.remove(&blob::path(dir, *number)).await;
        }
    }
}

fn inline(meta: Meta, data: &Bytes) -> ChangeRef<'_> {
    ChangeRef::Inline(meta, data)
}

fn binding(place: &Place, number: u64) -> Binding {
    Binding { directory_id: place.directory_id, shard: place.shard, number }
}

fn next_number(numbers: &mut Range<u64>) -> Result<u64, BackupError> {
    numbers.next().ok_or_else(|| {
        BackupError::Refused("the restore makes more files than a shard can have at once".into())
    })
}
