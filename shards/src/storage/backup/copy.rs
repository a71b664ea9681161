//! Writes what a cut shows, as data files, on a thread that may block. With a parent, only what is not in there.
//!
//! ```text
//! layers ─┐                     ┌─ the same in the parent ─► left out
//! tables ─┴─► rows, in order ───┤
//! parent ───► heads, in order ──┴─ only in the parent ─────► a deletion
//! ```
//!
//! A value is the same if it was written by the same record, and if length, hash and metadata are the same too: a record that
//! a power cut took may have given its number to another one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    iter::Peekable,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BackupError, Folder,
    chain::{Chain, Rows},
    chunk::{Kept, KeptValue},
    cut::Sources,
    data::DataWriter,
    manifest::DataFile,
    meta::BackupId,
    stream::Entry,
};
use crate::storage::{
    StorageError,
    background::{Desk, GivenUp},
    blob::BlobFile,
    compaction::Inputs,
    disk::Disk,
    entry::{BlobRef, COLLECTION_ID_BYTES, Change, Sequence},
    header::Binding,
    key::Key,
    layer::Visible,
    memtable::Frozen,
    merge::{Merge, Source, Target},
};

/// The ending of a folder that is not finished.
pub(super) const PARTIAL: &str = ".partial";

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

/// How long work is to go on, how fast, and how far it is.
#[derive(Debug)]
pub struct Control {
    /// Somebody asked for the end.
    cancelled: AtomicBool,
    /// A part of it has failed: the others need not go on.
    failed: AtomicBool,
    keys: AtomicU64,
    bytes: AtomicU64,
    bytes_total: AtomicU64,
    begun: Instant,
    /// Bytes a second; 0: as fast as it goes.
    rate: u64,
    spent: AtomicU64,
    /// Those who are too fast; whoever calls [`Control::tick`] wakes them.
    waiting: (Sender<Waker>, Receiver<Waker>),
}

impl Control {
    /// Of work that begins, for so many bytes a second at most; 0: as fast as it goes.
    #[must_use]
    pub fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self {
            cancelled: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            keys: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            begun: Instant::now(),
            rate,
            spent: AtomicU64::new(0),
            waiting: crossbeam_channel::unbounded(),
        })
    }

    /// Ends the work soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.tick();
    }

    /// Whether it is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed) || self.failed.load(Relaxed)
    }

    /// Ends all parts, because one of them has failed.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Relaxed);
        self.tick();
    }

    /// Begins anew after a failure.
    pub(crate) fn begin_again(&self) {
        self.failed.store(false, Relaxed);
        for number in [&self.keys, &self.bytes, &self.bytes_total] {
            number.store(0, Relaxed);
        }
    }

    /// Entries and bytes that are done, and about how many bytes there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64, u64) {
        (self.keys.load(Relaxed), self.bytes.load(Relaxed), self.bytes_total.load(Relaxed))
    }

    /// To be called every few milliseconds while work goes on.
    pub fn tick(&self) {
        self.waiting.1.try_iter().for_each(Waker::wake);
    }

    /// So many bytes more are to be expected.
    pub fn expect_bytes(&self, bytes: u64) {
        self.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(super) fn note(&self, keys: u64, bytes: u64) {
        self.keys.fetch_add(keys, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// An error if somebody wants it to end.
    pub(super) fn check(&self) -> Result<(), BackupError> {
        if self.is_cancelled() { Err(BackupError::Cancelled) } else { Ok(()) }
    }

    /// Waits until so many bytes more are not too fast.
    pub(in crate::storage) async fn spend(&self, bytes: u64) {
        self.spent.fetch_add(bytes, Relaxed);
        poll_fn(|cx| {
            if self.too_fast().is_none() || self.is_cancelled() {
                return Poll::Ready(());
            }
            let _ = self.waiting.0.send(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The same on a thread that may sleep.
    #[expect(clippy::disallowed_methods, reason = "for threads that do nothing else")]
    pub(super) fn spend_here(&self, bytes: u64) {
        const NAP_MAX: Duration = Duration::from_millis(50);

        self.spent.fetch_add(bytes, Relaxed);
        while let Some(early) = self.too_fast().filter(|_| !self.is_cancelled()) {
            std::thread::sleep(early.min(NAP_MAX));
        }
    }

    /// How much too early it is for what has been done.
    fn too_fast(&self) -> Option<Duration> {
        if self.rate == 0 {
            return None;
        }
        let due = Duration::from_secs_f64(self.spent.load(Relaxed) as f64 / self.rate as f64);
        due.checked_sub(self.begun.elapsed()).filter(|early| !early.is_zero())
    }
}

impl CopyJob {
    /// Copies. Whatever it leaves behind when it fails lies in the folder, which is of no use then.
    pub(in crate::storage) async fn run(self, desk: &Desk) -> Result<Copied, BackupError> {
        let Self { sources, folder, backup, parent, control } = self;
        let parent = match parent {
            Some(chain) => Some(Parent::new(chain.rows_of(sources.shard, false))?),
            None => None,
        };
        control.expect_bytes(sources.bytes);
        let writer = DataWriter::new(Rc::clone(&desk.disk), folder, backup, sources.shard);
        let blobs = Blobs::new(Rc::clone(&desk.disk), &sources);
        let mut copy =
            Copy { desk, control: &control, writer, blobs, parent, copied: Copied::default() };
        let done = copy.all(&sources).await;
        copy.blobs.close().await;
        done.map(|()| copy.copied)
    }
}

struct Copy<'a> {
    desk: &'a Desk,
    control: &'a Control,
    writer: DataWriter,
    blobs: Blobs,
    parent: Option<Parent>,
    copied: Copied,
}

impl Copy<'_> {
    async fn all(&mut self, sources: &Sources) -> Result<(), BackupError> {
        let in_layers =
            sources.layers.iter().flat_map(|layer| layer.collections().map(|(name, _)| name));
        let names: BTreeSet<&Arc<str>> =
            in_layers.chain(sources.rows.keys()).chain(sources.collections.keys()).collect();
        for name in names {
            self.collection(sources, name).await?;
        }
        while let Some(gone) = self.parent.as_mut().map(Parent::take).transpose()?.flatten() {
            self.delete(&gone).await?;
        }
        let written = self.writer.finish().await?;
        self.control.spend(written).await;
        self.copied.files = std::mem::take(&mut self.writer.files);
        self.control.check()
    }

    async fn collection(&mut self, sources: &Sources, name: &Arc<str>) -> Result<(), BackupError> {
        let mut memory = Memory::new(sources, name);
        let mut tables = Tables::new(Rc::clone(&self.desk.disk), sources, name).await?;
        loop {
            let in_tables = tables.key();
            let from_memory = match (memory.key(), in_tables) {
                (None, None) => return Ok(()),
                (Some(key), Some(other)) => **key <= *other,
                (key, _) => key.is_some(),
            };
            if from_memory {
                let Some((key, sequence, change)) = memory.next() else { return Ok(()) };
                if in_tables.is_some_and(|other| *other == **key) {
                    tables.advance().await?;
                }
                self.row(name, key, sequence, change).await?;
            } else {
                let Some((key, sequence, change)) = tables.current()? else { return Ok(()) };
                self.row(name, &key, sequence, &change).await?;
                tables.advance().await?;
            }
        }
    }

    /// One key and the change that is its newest.
    async fn row(
        &mut self,
        name: &Arc<str>,
        key: &[u8],
        sequence: Sequence,
        change: &Change,
    ) -> Result<(), BackupError> {
        let (meta, bytes, hash) = match change {
            Change::Tombstone => return Ok(()),
            Change::Inline(value) => (value.meta, value.data.len() as u64, xxh3_64(&value.data)),
            Change::Blob(meta, blob) => (*meta, u64::from(blob.bytes), blob.hash),
        };
        let value = KeptValue { sequence, meta, bytes, hash };
        while let Some(parent) = &mut self.parent
            && let Some(gone) = parent.take_before(name, key)?
        {
            self.delete(&gone).await?;
        }
        self.control.note(1, key.len() as u64 + bytes);
        let same = match &mut self.parent {
            Some(parent) => parent.take_same(name, key)?.is_some_and(|kept| is_same(&kept, &value)),
            None => false,
        };
        if same {
            return self.paced(key.len() as u64).await;
        }
        let read;
        let data = match change {
            Change::Blob(_, blob) => {
                read = self.blobs.read(*blob).await?;
                &read
            }
            Change::Inline(value) => &value.data,
            Change::Tombstone => return Ok(()),
        };
        self.push(name, key, &Kept::Value(value), data).await?;
        self.copied.keys += 1;
        Ok(())
    }

    async fn delete(&mut self, gone: &Entry) -> Result<(), BackupError> {
        self.copied.deletions += 1;
        self.push(&gone.collection, &gone.key, &Kept::Deleted, &[]).await
    }

    async fn push(
        &mut self,
        name: &Arc<str>,
        key: &[u8],
        kept: &Kept,
        data: &[u8],
    ) -> Result<(), BackupError> {
        if !self.copied.collections.contains(&**name) {
            self.copied.collections.insert(name.to_string());
        }
        self.copied.bytes += (key.len() + data.len()) as u64;
        let written = self.writer.push(name, key, kept, data).await?;
        if written > 0 {
            self.control.spend(written).await;
        }
        self.paced((key.len() + data.len()) as u64).await
    }

    /// Others on the thread have their turn.
    async fn paced(&self, bytes: u64) -> Result<(), BackupError> {
        /// What an entry costs beside its bytes.
        const ENTRY_BYTES: u64 = 32;

        self.control.check()?;
        let paced = self.desk.pace.spend(ENTRY_BYTES + bytes).await;
        paced.map_err(|GivenUp| BackupError::Cancelled)
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

    /// The next row if it stands before this place.
    fn take_before(&mut self, name: &Arc<str>, key: &[u8]) -> Result<Option<Entry>, BackupError> {
        let is_before = |row: &Entry| (&*row.collection, &*row.key) < (&**name, key);
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

/// What memory had of one collection: of each key the newest change that the snapshot sees.
struct Memory<'a> {
    /// The newest first.
    layers: Vec<Peekable<Box<dyn Iterator<Item = Row<'a>> + 'a>>>,
}

type Row<'a> = (&'a Key, Sequence, &'a Change);

impl<'a> Memory<'a> {
    fn new(sources: &'a Sources, name: &'a Arc<str>) -> Self {
        let unordered = |(key, change): (&'a Key, &'a Change)| (key, 0u64, change);
        let rows = sources.rows.get(name).map(BTreeMap::iter);
        let rows =
            rows.map(|rows| Box::new(rows.map(unordered)) as Box<dyn Iterator<Item = Row<'a>>>);
        let layers = sources.layers.iter().filter_map(|layer| of_layer(layer, name, sources.epoch));
        Self { layers: rows.into_iter().chain(layers).map(Iterator::peekable).collect() }
    }

    fn key(&mut self) -> Option<&'a Key> {
        self.layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, ..)| *key)).min()
    }

    fn next(&mut self) -> Option<Row<'a>> {
        let key = self.key()?;
        let mut newest = None;
        for layer in &mut self.layers {
            if let Some(row) = layer.next_if(|(other, ..)| *other == key) {
                newest.get_or_insert(row);
            }
        }
        newest
    }
}

fn of_layer<'a>(
    layer: &'a Frozen,
    name: &'a str,
    epoch: u64,
) -> Option<Box<dyn Iterator<Item = Row<'a>> + 'a>> {
    let rows = layer.at(name, epoch)?;
    let row = |(key, visible): (&'a Key, &'a Visible)| (key, visible.sequence, &visible.change);
    Some(Box::new(rows.map(row)))
}

/// What tables had of one collection: of each key the newest change.
struct Tables {
    merge: Option<Merge>,
    end: [u8; COLLECTION_ID_BYTES],
    /// The table key that is current.
    table_key: Vec<u8>,
}

impl Tables {
    async fn new(
        disk: Rc<dyn Disk>,
        sources: &Sources,
        name: &Arc<str>,
    ) -> Result<Self, StorageError> {
        let Some(id) = sources.collections.get(name) else {
            return Ok(Self { merge: None, end: [0; COLLECTION_ID_BYTES], table_key: Vec::new() });
        };
        let (start, end) = (id.start(), id.end());
        let binding =
            Binding { directory_id: sources.directory_id, shard: sources.shard, number: 0 };
        let mut runs: Vec<Box<dyn Source>> = Vec::new();
        for run in &sources.runs {
            let first = run.partition_point(|meta| meta.largest[..] < start[..]);
            let rest = &run[first..];
            let metas = &rest[..rest.partition_point(|meta| meta.smallest[..] < end[..])];
            if !metas.is_empty() {
                runs.push(Box::new(Inputs::new(
                    Rc::clone(&disk),
                    sources.dir.clone(),
                    binding,
                    metas,
                )));
            }
        }
        let mut merge = Merge::new(runs);
        merge.seek(Target::From(&start)).await?;
        let mut this = Self { merge: Some(merge), end, table_key: Vec::new() };
        this.settle();
        Ok(this)
    }

    /// Notes where it is.
    fn settle(&mut self) {
        self.table_key.clear();
        if let Some((table_key, _)) = self.merge.as_ref().and_then(Merge::place)
            && *table_key < self.end[..]
        {
            self.table_key.extend_from_slice(table_key);
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.table_key.get(COLLECTION_ID_BYTES..)
    }

    fn current(&self) -> Result<Option<(Vec<u8>, Sequence, Change)>, StorageError> {
        let (Some(key), Some(merge)) = (self.key(), &self.merge) else { return Ok(None) };
        let sequence = merge.place().map_or(0, |(_, sequence)| sequence);
        Ok(Some((key.to_vec(), sequence, merge.shared()?)))
    }

    /// To the next key.
    async fn advance(&mut self) -> Result<(), StorageError> {
        let Some(merge) = &mut self.merge else { return Ok(()) };
        merge.advance().await?;
        while merge.place().is_some_and(|(table_key, _)| *table_key == *self.table_key) {
            merge.advance().await?;
        }
        self.settle();
        Ok(())
    }
}

/// The blob files that were read from.
struct Blobs {
    disk: Rc<dyn Disk>,
    dir: std::path::PathBuf,
    binding: Binding,
    open: HashMap<u64, BlobFile>,
}

/// Files that are open at once.
const BLOB_FILES_MAX: usize = 64;

impl Blobs {
    fn new(disk: Rc<dyn Disk>, sources: &Sources) -> Self {
        let binding =
            Binding { directory_id: sources.directory_id, shard: sources.shard, number: 0 };
        Self { disk, dir: sources.dir.clone(), binding, open: HashMap::new() }
    }

    async fn read(&mut self, blob: BlobRef) -> Result<Bytes, StorageError> {
        if !self.open.contains_key(&blob.file) {
            if self.open.len() >= BLOB_FILES_MAX {
                self.close().await;
            }
            let binding = Binding { number: blob.file, ..self.binding };
            let file = BlobFile::open(&*self.disk, &self.dir, binding).await?;
            self.open.insert(blob.file, file);
        }
        match self.open.get(&blob.file) {
            Some(file) => file.read(blob).await,
            None => Err(StorageError::Background { cause: "a blob file is not open".into() }),
        }
    }

    async fn close(&mut self) {
        for (_, file) in self.open.drain() {
            file.close().await;
        }
    }
}
