//! Reads and writes in one step of a shard: all of it one record of the log, or nothing.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use bytes::Bytes;

use super::{
    StorageError,
    cache::Cache,
    collect::Rewrite,
    entry::{BlobRef, Change, Probe},
    fetch::{Fetched, Miss},
    key::Key,
    layers::Layers,
    memtable::{TableId, bounds},
    page::{Draft, Page, PageLimit, gather},
    state::{self, State, check_names, check_record},
    totals::entry_bytes,
    value::Value,
    view::{Progress, Search},
    wal::Operation,
};

/// What a transaction wrote to one collection: the newest change of each key.
pub(super) type CollectionWrites = (Arc<str>, BTreeMap<Key, Change>);

/// The view of a transaction: everything staged before it, and over that its own writes.
///
/// Its own writes touch nothing of the shard until it ends well; a closure that fails or panics leaves no trace.
pub struct Transaction<'a> {
    state: &'a State,
    cache: &'a Cache,
    fetched: &'a Fetched,
    /// What has to be read before it can be run again.
    misses: Vec<Miss>,
    own: Vec<CollectionWrites>,
    /// Bytes by which the entries grow, less than zero if they shrink.
    growth: i64,
    operation_bytes: usize,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(state: &'a State, cache: &'a Cache, fetched: &'a Fetched) -> Self {
        let (misses, own) = (Vec::new(), Vec::new());
        Self { state, cache, fetched, misses, own, growth: 0, operation_bytes: 0 }
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`] and what the disk says.
    pub fn get(&mut self, collection: &str, key: &[u8]) -> Result<Option<Value>, StorageError> {
        let (meta, blob) = match self.find(collection, key)? {
            None | Some(Change::Tombstone) => return Ok(None),
            Some(Change::Inline(value)) => return Ok(Some(value)),
            Some(Change::Blob(meta, blob)) => (meta, blob),
        };
        Ok(Some(Value { data: self.data(blob)?, meta }))
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`] and what the disk says.
    pub fn has(&mut self, collection: &str, key: &[u8]) -> Result<bool, StorageError> {
        let found = self.find(collection, key)?;
        Ok(found.is_some_and(|change| change != Change::Tombstone))
    }

    /// The length of a key's value, if it has one. Large data are not read for that.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`] and what the disk says.
    pub fn data_bytes(
        &mut self,
        collection: &str,
        key: &[u8],
    ) -> Result<Option<usize>, StorageError> {
        Ok(match self.find(collection, key)? {
            None | Some(Change::Tombstone) => None,
            Some(Change::Inline(value)) => Some(value.data.len()),
            Some(Change::Blob(_, blob)) => Some(blob.bytes as usize),
        })
    }

    /// Whether everything that was asked for so far was here. Those who ask for all of it first, and then this, are run
    /// twice at most.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`].
    pub fn check_here(&self) -> Result<(), StorageError> {
        if self.misses.is_empty() { Ok(()) } else { Err(StorageError::OnDisk) }
    }

    /// Rows from `from` on, up to and without `to`, in key order.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`] and what the disk says.
    pub fn scan(
        &mut self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
    ) -> Result<Page, StorageError> {
        if bounds(from, to).is_none() {
            return Ok(Page::default());
        }
        let (state, fetched) = (self.state, self.fetched);
        let Some(id) = state.memtable.id(collection) else {
            return Ok(self.draft_of_own(collection, from, to, limit).page);
        };
        // What has been read of tables reaches up to some key; there may be more behind it.
        let mut chunks = Vec::new();
        let mut reached = None;
        if let Some(number) = state.memtable.number(id).filter(|_| state.view.has_tables()) {
            let mut at = from;
            let to = to.map(Key::new);
            loop {
                let Some(rows) = fetched.rows(id, at, &to) else {
                    reached = Some((at, Miss::Rows(id, number, Key::new(at), to, limit)));
                    break;
                };
                chunks.push(rows);
                let Some(end) = &rows.end else { break };
                at = end;
            }
        }
        let end = reached.as_ref().map_or(to, |(at, _)| Some(*at));
        let draft = match bounds(from, end) {
            None => Draft::default(),
            Some(range) => {
                let mut layers = Layers::default();
                if let Some(own) = self.own_of(collection) {
                    layers.push(own.range::<[u8], _>(range));
                }
                state.memtable.push_latest(id, range, &mut layers);
                let rows = chunks.into_iter().flat_map(|rows| &rows.rows);
                layers.push(rows.map(|(key, change)| (key, change)));
                gather(layers, limit)
            }
        };
        if draft.page.next.is_none()
            && let Some((_, miss)) = reached
        {
            return Err(self.miss(miss));
        }
        self.complete(draft)
    }

    /// Sets a value.
    ///
    /// # Errors
    /// What the shard refuses.
    pub fn set(&mut self, collection: &str, key: &[u8], value: Value) -> Result<(), StorageError> {
        self.state.check_writable()?;
        check_names(collection, key)?;
        let change = Change::Inline(value.compacted());
        let growth = self.state.check_room(collection, key, &change, self.growth)?;
        self.put(collection, key, change, growth)
    }

    /// Deletes a key and says whether it had a value.
    ///
    /// # Errors
    /// [`StorageError::OnDisk`], what the shard refuses, and what the disk says.
    pub fn delete(&mut self, collection: &str, key: &[u8]) -> Result<bool, StorageError> {
        self.state.check_writable()?;
        check_names(collection, key)?;
        match self.find(collection, key)? {
            None | Some(Change::Tombstone) => Ok(false),
            Some(before) => {
                let growth = -(entry_bytes(key, &before) as i64);
                self.put(collection, key, Change::Tombstone, growth)?;
                Ok(true)
            }
        }
    }

    /// The same for one delete of several writes, which says that the key is gone also where it was gone before: what took
    /// it away may be lost in a power cut, and the others stay.
    ///
    /// # Errors
    /// As [`Transaction::delete`].
    pub fn delete_for_good(&mut self, collection: &str, key: &[u8]) -> Result<bool, StorageError> {
        let had_value = self.delete(collection, key)?;
        // In a collection that nobody has written there is nothing to come back.
        if !had_value && self.state.memtable.id(collection).is_some() {
            self.put(collection, key, Change::Tombstone, 0)?;
        }
        Ok(had_value)
    }

    /// Writes a large value again, to the active blob file, if `blob` is its place and nothing newer is on its way.
    pub(super) fn rewrite(
        &mut self,
        collection: &str,
        key: &[u8],
        blob: BlobRef,
    ) -> Result<Rewrite, StorageError> {
        let state = self.state;
        let Some(id) = state.memtable.id(collection) else { return Ok(Rewrite::Gone) };
        let visible = match state.memtable.visible(id, key) {
            Some(change) => Some(change.clone()),
            None => self.find_in_tables(id, key)?,
        };
        let Some(Change::Blob(meta, _)) = visible.filter(|change| change.is_at(blob)) else {
            return Ok(Rewrite::Gone);
        };
        if state.memtable.is_staged(id, key) {
            return Ok(Rewrite::Staged);
        }
        let data = self.data(blob)?;
        self.set(collection, key, Value { data, meta })?;
        Ok(Rewrite::Done)
    }

    /// What it wrote, one change for each key; or what it missed, which counts before all else.
    pub(super) fn into_parts(self) -> (Vec<CollectionWrites>, Vec<Miss>) {
        (self.own, self.misses)
    }

    /// The newest change of a key. None if there never was one.
    pub(super) fn find(
        &mut self,
        collection: &str,
        key: &[u8],
    ) -> Result<Option<Change>, StorageError> {
        if let Some(own) = self.own_of(collection).and_then(|own| own.get(key)) {
            return Ok(Some(own.clone()));
        }
        let state = self.state;
        let Some(id) = state.memtable.id(collection) else { return Ok(None) };
        if let Some(change) = state.memtable.latest(id, key) {
            return Ok(Some(change.clone()));
        }
        self.find_in_tables(id, key)
    }

    /// The newest change of a key in tables.
    fn find_in_tables(&mut self, id: TableId, key: &[u8]) -> Result<Option<Change>, StorageError> {
        if let Some(change) = self.fetched.entry(id, key) {
            return Ok(change.clone());
        }
        let state = self.state;
        let Some(number) = state.memtable.number(id) else { return Ok(None) };
        let mut search = Search::new(Rc::clone(&state.view), Probe::new(number, key));
        match search.look(self.cache)? {
            Progress::Done(change) => Ok(change),
            Progress::Needs(..) => Err(self.miss(Miss::Entry(id, number, Key::new(key)))),
        }
    }

    fn data(&mut self, blob: BlobRef) -> Result<Bytes, StorageError> {
        let here = self.fetched.data(blob).cloned();
        let here = here.or_else(|| self.cache.get(blob.file, blob.offset));
        here.ok_or_else(|| self.miss(Miss::Data(blob)))
    }

    /// Gives the rows their data.
    fn complete(&mut self, Draft { mut page, blobs }: Draft) -> Result<Page, StorageError> {
        for (row, blob) in blobs {
            if let Ok(data) = self.data(blob) {
                page.rows[row].1.data = data;
            }
        }
        self.check_here()?;
        Ok(page)
    }

    fn miss(&mut self, miss: Miss) -> StorageError {
        self.misses.push(miss);
        StorageError::OnDisk
    }

    fn draft_of_own(
        &self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
    ) -> Draft {
        let mut layers = Layers::default();
        if let (Some(own), Some(range)) = (self.own_of(collection), bounds(from, to)) {
            layers.push(own.range::<[u8], _>(range));
        }
        gather(layers, limit)
    }

    fn own_of(&self, collection: &str) -> Option<&BTreeMap<Key, Change>> {
        self.own.iter().find(|(name, _)| **name == *collection).map(|(_, own)| own)
    }

    fn put(
        &mut self,
        collection: &str,
        key: &[u8],
        change: Change,
        growth: i64,
    ) -> Result<(), StorageError> {
        // A key written twice is counted twice here: the bound is a little stricter than it need be.
        let bytes = Operation { collection, key, change: change.borrowed() }.length();
        check_record(self.operation_bytes + bytes)?;
        self.operation_bytes += bytes;
        self.growth += growth;
        let own = match self.own.iter().position(|(name, _)| **name == *collection) {
            Some(index) => &mut self.own[index].1,
            None => {
                let memtable = &self.state.memtable;
                let known = memtable.id(collection).map(|id| Arc::clone(memtable.name(id)));
                self.own.push((known.unwrap_or_else(|| Arc::from(collection)), BTreeMap::new()));
                let last = self.own.len() - 1;
                &mut self.own[last].1
            }
        };
        own.insert(Key::new(key), change);
        Ok(())
    }
}

/// All changes of a transaction in the form that the state stages.
pub(super) fn drafts(own: &mut [CollectionWrites]) -> impl Iterator<Item = (&str, state::Draft)> {
    own.iter_mut().flat_map(|(name, own)| {
        let name: &str = name;
        std::mem::take(own).into_iter().map(move |draft| (name, draft))
    })
}
