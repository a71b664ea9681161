//! What has been read from the disk for those who cannot wait: rows of a range, and everything that a transaction missed.
//!
//! Always true: what is here is the newest of its key in tables, as long as no flush has been installed since it was read;
//! data of large values is true for ever.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use bytes::Bytes;

use super::{
    StorageError,
    cache::Cache,
    entry::{BlobRef, Change, CollectionId, Probe, push_table_key},
    key::Key,
    memtable::TableId,
    merge::Target,
    page::PageLimit,
    view::{Progress, Search, View},
};
use crate::storage::entry::COLLECTION_ID_BYTES;

/// Entries that one read of a range looks at, rows and what they hide: others want their turn.
const ENTRIES_MAX: usize = 4096;

/// Live rows of a range.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<(Key, Change)>,
    /// The key that the rows go up to, exclusive; `None` if they are all of the range.
    pub(super) end: Option<Key>,
}

/// Reads rows of a collection from the tables of a view, from `from` on, up to and without `to`.
pub(super) async fn rows(
    view: &View,
    cache: &Rc<Cache>,
    collection: CollectionId,
    (from, to): (&[u8], Option<&[u8]>),
    limit: PageLimit,
) -> Result<Rows, StorageError> {
    let (mut start, mut end) = (Vec::new(), Vec::new());
    push_table_key(collection, from, &mut start);
    match to {
        Some(to) => push_table_key(collection, to, &mut end),
        None => end.extend_from_slice(&collection.end()),
    }
    let mut found = Rows::default();
    let (mut bytes, mut looked) = (0usize, 0);
    let mut merge = view.merge(cache, &start, &end);
    merge.seek(Target::From(&start)).await?;
    while let Some(newest) = merge.next_newest().await? {
        if newest.table_key >= &end[..] {
            break;
        }
        let key = Key::new(&newest.table_key[COLLECTION_ID_BYTES..]);
        if found.rows.len() >= limit.rows.max(1) || bytes > limit.bytes || looked >= ENTRIES_MAX {
            found.end = Some(key);
            break;
        }
        looked += 1;
        let data_bytes = match &newest.entry.change {
            Change::Tombstone => continue,
            Change::Inline(value) => value.data.len(),
            Change::Blob(_, blob) => blob.bytes as usize,
        };
        bytes = bytes.saturating_add(key.len() + data_bytes);
        found.rows.push((key, newest.entry.change.clone()));
    }
    Ok(found)
}

/// Something that a transaction asked for and memory could not tell.
#[derive(Clone, Debug)]
pub(super) enum Miss {
    /// The newest change of a key in tables.
    Entry(TableId, CollectionId, Key),
    /// The data of a large value.
    Data(BlobRef),
    /// Rows of tables, from one key on up to another.
    Rows(TableId, CollectionId, Key, Option<Key>, PageLimit),
}

/// What has been read for a transaction.
#[derive(Default)]
pub(super) struct Fetched {
    entries: HashMap<TableId, BTreeMap<Key, Option<Change>>>,
    data: HashMap<(u64, u64), Bytes>,
    /// By where the range ends that they were read for, and by the key that they begin with: ranges of one transaction can
    /// begin alike and end otherwise.
    rows: HashMap<TableId, BTreeMap<Option<Key>, BTreeMap<Key, Rows>>>,
    /// Flushes that had been installed when it was read.
    flushes: u64,
}

impl Fetched {
    /// Forgets what may not be true any more.
    pub(super) fn renew(&mut self, flushes: u64) {
        if self.flushes != flushes {
            self.entries.clear();
            self.rows.clear();
            self.flushes = flushes;
        }
    }

    pub(super) fn entry(&self, id: TableId, key: &[u8]) -> Option<&Option<Change>> {
        self.entries.get(&id)?.get(key)
    }

    pub(super) fn data(&self, blob: BlobRef) -> Option<&Bytes> {
        self.data.get(&(blob.file, blob.offset))
    }

    /// Rows from `from` on, of a range that ends at `to`.
    pub(super) fn rows(&self, id: TableId, from: &[u8], to: &Option<Key>) -> Option<&Rows> {
        self.rows.get(&id)?.get(to)?.get(from)
    }

    /// Reads what was missed. `flushes` is of the moment of the view.
    pub(super) async fn fetch(
        &mut self,
        view: &Rc<View>,
        cache: &Rc<Cache>,
        flushes: u64,
        misses: Vec<Miss>,
    ) -> Result<(), StorageError> {
        self.renew(flushes);
        for miss in misses {
            match miss {
                Miss::Entry(id, collection, key) => {
                    let mut search = Search::new(Rc::clone(view), Probe::new(collection, &key));
                    let change = match search.look(cache)? {
                        Progress::Done(change) => change,
                        Progress::Needs(table, span) => search.finish(cache, table, span).await?,
                    };
                    self.entries.entry(id).or_default().insert(key, change);
                }
                Miss::Data(blob) => {
                    let data = view.read(cache, blob).await?;
                    self.data.insert((blob.file, blob.offset), data);
                }
                Miss::Rows(id, collection, from, to, limit) => {
                    let range = (&*from, to.as_deref());
                    let rows = rows(view, cache, collection, range, limit).await?;
                    self.rows.entry(id).or_default().entry(to).or_default().insert(from, rows);
                }
            }
        }
        Ok(())
    }
}
