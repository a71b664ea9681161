//! Reads and writes in one step of a shard: all of it one record of the log, or nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    StorageError,
    entry::Change,
    key::Key,
    layers::Layers,
    memtable::{bounds, entry_bytes},
    page::{Page, PageLimit, gather},
    state::{Draft, State, check_names, check_record},
    value::Value,
    wal::Operation,
};

/// What a transaction wrote to one collection: the newest change of each key.
pub(super) type CollectionWrites = (Arc<str>, BTreeMap<Key, Change>);

/// The view of a transaction: everything staged before it, and over that its own writes.
///
/// Its own writes touch nothing of the shard until it ends well; a closure that fails or panics leaves no trace.
pub struct Transaction<'a> {
    state: &'a State,
    own: Vec<CollectionWrites>,
    /// Bytes by which the entries grow, less than zero if they shrink.
    growth: i64,
    operation_bytes: usize,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self { state, own: Vec::new(), growth: 0, operation_bytes: 0 }
    }

    /// The value of a key, if it has one.
    pub fn get(&mut self, collection: &str, key: &[u8]) -> Result<Option<Value>, StorageError> {
        Ok(match self.find(collection, key) {
            Some(Change::Inline(value)) => Some(value.clone()),
            _ => None,
        })
    }

    /// Rows from `from` on, up to and without `to`, in key order.
    pub fn scan(
        &mut self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
    ) -> Result<Page, StorageError> {
        let Some(range) = bounds(from, to) else { return Ok(Page::default()) };
        let mut layers = Layers::default();
        if let Some(own) = self.own_of(collection) {
            layers.push(own.range::<[u8], _>(range));
        }
        if let Some(id) = self.state.memtable.id(collection) {
            self.state.memtable.push_latest(id, range, &mut layers);
        }
        Ok(gather(layers, limit).page)
    }

    /// Sets a value.
    pub fn set(&mut self, collection: &str, key: &[u8], value: Value) -> Result<(), StorageError> {
        self.state.check_open()?;
        check_names(collection, key)?;
        let change = Change::Inline(value.compacted());
        let growth = self.state.check_room(collection, key, &change, self.growth)?;
        self.put(collection, key, change, growth)
    }

    /// Deletes a key and says whether it had a value.
    pub fn delete(&mut self, collection: &str, key: &[u8]) -> Result<bool, StorageError> {
        self.state.check_open()?;
        check_names(collection, key)?;
        match self.find(collection, key) {
            None | Some(Change::Tombstone) => Ok(false),
            Some(before) => {
                let growth = -(entry_bytes(key, before) as i64);
                self.put(collection, key, Change::Tombstone, growth)?;
                Ok(true)
            }
        }
    }

    /// What it wrote, one change for each key, and the bytes they take in the log.
    pub(super) fn into_drafts(self) -> Vec<CollectionWrites> {
        self.own
    }

    fn find(&self, collection: &str, key: &[u8]) -> Option<&Change> {
        match self.own_of(collection).and_then(|own| own.get(key)) {
            Some(own) => Some(own),
            None => self.state.memtable.latest(self.state.memtable.id(collection)?, key),
        }
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
pub(super) fn drafts(own: &mut [CollectionWrites]) -> impl Iterator<Item = (&str, Draft)> {
    own.iter_mut().flat_map(|(name, own)| {
        let name: &str = name;
        std::mem::take(own).into_iter().map(move |draft| (name, draft))
    })
}
