//! Writes what a cut shows, as data files, on a thread that may block. With a parent, only what is not in there.
//!
//! ```text
//! layers ─┐                     ┌─ the same in the parent ─► left out
//! tables ─┴─► rows, in order ───┤
//! parent ───► heads, in order ──┴─ only in the parent ─────► a deletion
//! ```
//!
//! Three batches are under way at once: of one rows are looked up, of the one before large values are read, and the one before
//! that is written. So no step waits for the disk of another, and memory is bounded by five times [`BATCH_BYTES`] or a
//! value: what lies between values that are read together is kept with them.
//!
//! A value is the same if it was written by the same record, and if length, hash and metadata are the same too: a record that
//! a power cut took may have given its number to another one.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use bytes::Bytes;
use futures_util::future::try_join3;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BackupError, Control, Folder,
    blobs::Blobs,
    chain::{Chain, Rows},
    chunk::{Kept, KeptValue},
    cut::Sources,
    data::DataWriter,
    manifest::DataFile,
    meta::BackupId,
    rows::{CutRow, CutRows},
    stream::Entry,
};
use crate::storage::{
    background::{Desk, GivenUp},
    entry::{BlobRef, Change},
};

/// The ending of a folder that is not finished.
pub(super) const PARTIAL: &str = ".partial";
/// Bytes of values after which a batch ends.
const BATCH_BYTES: u64 = if cfg!(test) { 32 * 1024 } else { 2 * 1024 * 1024 };
/// Entries after which a batch ends.
const BATCH_ENTRIES: usize = if cfg!(test) { 16 } else { 4096 };

/// The copy of one shard.
pub struct CopyJob {
    pub(in crate::storage) sources: Sources,
    /// Where the files go.
    pub folder: Folder,
    /// The backup that they belong to.
    pub backup: BackupId,
    /// Of an incremental.
    pub parent: Option<Chain>,
    /// Shared by the copies of all shards.
    pub control: Arc<Control>,
}

/// What a copy came to.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// Durable; their names are once the folder is synced.
    pub files: Vec<DataFile>,
    /// Values in them.
    pub keys: u64,
    /// Keys of the parent that are gone.
    pub deletions: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Collections that occur.
    pub collections: BTreeSet<String>,
}

impl CopyJob {
    /// Copies. Whatever it leaves behind when it fails lies in the folder, which is of no use then.
    pub(in crate::storage) async fn run(self, desk: &Desk) -> Result<Copied, BackupError> {
        let Self { sources, folder, backup, parent, control } = self;
        let parent = match parent {
            Some(chain) => Some(Parent::new(chain.rows_of(sources.shard))?),
            None => None,
        };
        let disk = desk.disk.helped();
        let pacer = Pacer { desk, control: &control };
        let gather =
            Gather { pacer, rows: CutRows::new(Rc::clone(&disk), &sources), waiting: None, parent };
        let mut blobs = Blobs::new(Rc::clone(&disk), &sources);
        let writer = DataWriter::new(disk, folder, backup, sources.shard);
        let write = Write { pacer, writer, copied: Copied::default() };
        let done = copy(gather, &mut blobs, write).await;
        blobs.close().await;
        done
    }
}

async fn copy(
    mut gather: Gather<'_>,
    blobs: &mut Blobs,
    mut write: Write<'_>,
) -> Result<Copied, BackupError> {
    let (mut gathered, mut fetched) = (gather.batch().await?, Vec::new());
    while !(gathered.is_empty() && fetched.is_empty()) {
        let written = write.all(fetched);
        (gathered, fetched, ()) =
            try_join3(gather.batch(), fetch(blobs, gathered), written).await?;
    }
    write.finish().await
}

/// What a backup is to say of a key.
struct Item {
    collection: Arc<str>,
    key: Box<[u8]>,
    kept: Kept,
    data: Data,
}

enum Data {
    Here(Bytes),
    In(BlobRef),
}

/// Lets others on the thread have their turn, and ends the work if nobody wants it.
#[derive(Clone, Copy)]
struct Pacer<'a> {
    desk: &'a Desk,
    control: &'a Control,
}

impl Pacer<'_> {
    async fn spend(&self, bytes: u64) -> Result<(), BackupError> {
        /// What an entry costs beside its bytes.
        const ENTRY_BYTES: u64 = 32;

        self.control.check()?;
        let paced = self.desk.pace.spend(ENTRY_BYTES + bytes).await;
        paced.map_err(|GivenUp| BackupError::Cancelled)
    }
}

/// Finds out what is to be written.
struct Gather<'a> {
    pacer: Pacer<'a>,
    rows: CutRows<'a>,
    /// A row that comes behind keys of the parent which are gone.
    waiting: Option<CutRow<'a>>,
    parent: Option<Parent>,
}

impl Gather<'_> {
    /// The next items; none at the end.
    async fn batch(&mut self) -> Result<Vec<Item>, BackupError> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && items.len() < BATCH_ENTRIES {
            let Some(item) = self.next().await? else { break };
            bytes += item.bytes();
            items.push(item);
        }
        Ok(items)
    }

    async fn next(&mut self) -> Result<Option<Item>, BackupError> {
        loop {
            if self.waiting.is_none() {
                self.waiting = self.rows.next().await?;
            }
            if let Some(parent) = &mut self.parent {
                let before = self.waiting.as_ref().map(|row| (&**row.collection, &*row.key));
                if let Some(gone) = parent.take_before(before)? {
                    return Ok(Some(Item::deletion(gone)));
                }
            }
            let Some(row) = self.waiting.take() else { return Ok(None) };
            let key_bytes = row.key.len() as u64;
            if let Some(item) = self.changed(row)? {
                return Ok(Some(item));
            }
            self.pacer.spend(key_bytes).await?;
        }
    }

    /// None if the parent has the same, or there is no value.
    fn changed(&mut self, row: CutRow<'_>) -> Result<Option<Item>, BackupError> {
        let CutRow { collection, key, sequence, change } = row;
        let (meta, bytes, hash, data) = match change {
            Change::Tombstone => return Ok(None),
            Change::Inline(value) => {
                let hash = xxh3_64(&value.data);
                (value.meta, value.data.len() as u64, hash, Data::Here(value.data))
            }
            Change::Blob(meta, blob) => (meta, blob.bytes.into(), blob.hash, Data::In(blob)),
        };
        let value = KeptValue { sequence, meta, bytes, hash };
        let same = match &mut self.parent {
            Some(parent) => {
                parent.take_same(collection, &key)?.is_some_and(|kept| is_same(&kept, &value))
            }
            None => false,
        };
        if same {
            self.pacer.control.note(1, key.len() as u64 + bytes);
            return Ok(None);
        }
        let (collection, key) = (Arc::clone(collection), key.into());
        Ok(Some(Item { collection, key, kept: Kept::Value(value), data }))
    }
}

impl Item {
    fn deletion(gone: Entry) -> Self {
        let Entry { collection, key, .. } = gone;
        Self { collection, key, kept: Kept::Deleted, data: Data::Here(Bytes::new()) }
    }

    fn bytes(&self) -> u64 {
        let data_bytes = match &self.data {
            Data::Here(data) => data.len() as u64,
            Data::In(blob) => blob.bytes.into(),
        };
        self.key.len() as u64 + data_bytes
    }
}

/// Reads the large values of a batch.
async fn fetch(blobs: &mut Blobs, mut items: Vec<Item>) -> Result<Vec<Item>, BackupError> {
    let wanted: Vec<BlobRef> = items
        .iter()
        .filter_map(|item| match item.data {
            Data::In(blob) => Some(blob),
            Data::Here(_) => None,
        })
        .collect();
    let read = blobs.read(&wanted).await?;
    let places = items.iter_mut().filter(|item| matches!(item.data, Data::In(_)));
    places.zip(read).for_each(|(item, data)| item.data = Data::Here(data));
    Ok(items)
}

/// Writes the data files.
struct Write<'a> {
    pacer: Pacer<'a>,
    writer: DataWriter,
    copied: Copied,
}

impl Write<'_> {
    async fn all(&mut self, items: Vec<Item>) -> Result<(), BackupError> {
        for item in items {
            self.one(&item).await?;
        }
        Ok(())
    }

    async fn one(&mut self, item: &Item) -> Result<(), BackupError> {
        let Item { collection, key, kept, data: Data::Here(data) } = item else {
            unreachable!("what is written has been read");
        };
        match kept {
            Kept::Deleted => self.copied.deletions += 1,
            Kept::Value(_) => self.copied.keys += 1,
        }
        if !self.copied.collections.contains(&**collection) {
            self.copied.collections.insert(collection.to_string());
        }
        self.copied.bytes += item.bytes();
        let written = self.writer.push(collection, key, kept, data).await?;
        if written > 0 {
            self.pacer.control.spend(written).await;
        }
        if let Kept::Value(_) = kept {
            self.pacer.control.note(1, item.bytes());
        }
        self.pacer.spend(item.bytes()).await
    }

    async fn finish(mut self) -> Result<Copied, BackupError> {
        let written = self.writer.finish().await?;
        self.pacer.control.spend(written).await;
        self.copied.files = std::mem::take(&mut self.writer.files);
        self.pacer.control.check()?;
        Ok(self.copied)
    }
}

fn is_same(kept: &Kept, value: &KeptValue) -> bool {
    // 0: nobody knows which record it was.
    value.sequence != 0 && *kept == Kept::Value(*value)
}

/// The rows of the parent, and the next of them.
struct Parent {
    rows: Rows,
    next: Option<Entry>,
}

impl Parent {
    fn new(mut rows: Rows) -> Result<Self, BackupError> {
        let next = rows.next_entry()?;
        Ok(Self { rows, next })
    }

    fn take(&mut self) -> Result<Option<Entry>, BackupError> {
        let taken = self.next.take();
        if taken.is_some() {
            self.next = self.rows.next_entry()?;
        }
        Ok(taken)
    }

    /// The next row if it stands before this place; none: before the end.
    fn take_before(&mut self, place: Option<(&str, &[u8])>) -> Result<Option<Entry>, BackupError> {
        let is_before =
            |row: &Entry| place.is_none_or(|place| (&*row.collection, &*row.key) < place);
        if self.next.as_ref().is_some_and(is_before) { self.take() } else { Ok(None) }
    }

    /// What is kept at this place.
    fn take_same(&mut self, name: &Arc<str>, key: &[u8]) -> Result<Option<Kept>, BackupError> {
        let is_same = |row: &Entry| (&*row.collection, &*row.key) == (&**name, key);
        if !self.next.as_ref().is_some_and(is_same) {
            return Ok(None);
        }
        Ok(self.take()?.map(|row| row.kept))
    }
}
