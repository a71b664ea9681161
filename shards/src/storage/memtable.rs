//! Entries in memory, layer over layer: what waits for the log, what is visible, what waits for its flush.
//!
//! ```text
//! collection ─► staged    key → newest staged change      deciders look here first
//!               active    key → entry                     ┐ visible: readers look here
//!               frozen …  key → entry, newest layer first ┘
//! ```
//!
//! Always true: a staged change is in exactly one group that is queued or in flight, the one with the same stamp; in every
//! layer an entry is newer than those of its key in the layers below; a frozen layer never changes.

mod parts;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    rc::Rc,
    sync::Arc,
};

use super::{
    bugs::{Bug, is_planted},
    entry::{Change, CollectionId, Entry, Sequence},
    epoch::{Epoch, Look},
    key::Key,
    layer::{Hidden, Layer, Range, Visible},
    layers::Layers,
    part::{BatchId, Writers},
    totals::Totals,
};

/// What a collection takes beside its name. It stays until the restart, even when it is empty.
const COLLECTION_OVERHEAD_BYTES: u64 = 256;
/// Keys with overwritten entries that one step of a sweep looks at.
const SWEEP_KEYS: usize = if cfg!(test) { 4 } else { 4096 };

/// A collection of this shard, in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TableId(u32);

#[derive(Default)]
pub(super) struct Memtable {
    ids: HashMap<Arc<str>, TableId>,
    tables: Vec<Table>,
    active: Totals,
    /// Oldest first.
    frozen: VecDeque<Arc<Frozen>>,
    /// There are tables on the disk, so that a deleted key may lie below.
    has_tables: bool,
    collection_bytes: u64,
    /// Where the sweep goes on: a table, and a key in it.
    swept: (usize, Option<Key>),
    /// Changes of batches across shards that are under way.
    provisional: usize,
    /// Batches across shards that have changes in the active layer.
    batches: Vec<(BatchId, Writers)>,
}

struct Table {
    name: Arc<str>,
    /// Its number in tables, once it has been flushed.
    number: Option<CollectionId>,
    layer: Layer,
    staged: BTreeMap<Key, Staged>,
    provisional: BTreeMap<Key, parts::Provisional>,
}

struct Staged {
    change: Change,
    stamp: u64,
}

/// A layer that waits for its flush.
#[derive(Default)]
pub(super) struct Frozen {
    /// As in [`Memtable`] when it was frozen; later collections have none.
    tables: Vec<(Arc<str>, Layer)>,
    totals: Totals,
    /// Batches across shards that have changes here.
    batches: Vec<(BatchId, Writers)>,
    /// No record up to this one is in a newer layer.
    last: Sequence,
}

pub(super) fn collection_bytes(name: &str) -> u64 {
    name.len() as u64 + COLLECTION_OVERHEAD_BYTES
}

impl Memtable {
    pub(super) fn id(&self, collection: &str) -> Option<TableId> {
        self.ids.get(collection).copied()
    }

    pub(super) fn name(&self, id: TableId) -> &Arc<str> {
        &self.table(id).name
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.tables.iter().map(|table| &table.name)
    }

    /// The table of a collection, made if it is new.
    pub(super) fn intern(&mut self, collection: &str) -> TableId {
        if let Some(id) = self.id(collection) {
            return id;
        }
        let name: Arc<str> = Arc::from(collection);
        let id = TableId(self.tables.len() as u32);
        self.ids.insert(Arc::clone(&name), id);
        self.tables.push(Table {
            name,
            number: None,
            layer: Layer::default(),
            staged: BTreeMap::new(),
            provisional: BTreeMap::new(),
        });
        self.collection_bytes += collection_bytes(collection);
        id
    }

    /// The number of a collection in tables; `None` if no table can hold anything of it.
    pub(super) fn number(&self, id: TableId) -> Option<CollectionId> {
        self.table(id).number
    }

    /// Takes note of a collection's number in tables.
    pub(super) fn set_number(&mut self, collection: &str, number: CollectionId) {
        let id = self.intern(collection);
        self.tables[id.0 as usize].number = Some(number);
    }

    /// Puts a change over what is there, for those who decide what comes next.
    pub(super) fn stage(&mut self, id: TableId, key: Key, change: Change, stamp: u64) {
        self.tables[id.0 as usize].staged.insert(key, Staged { change, stamp });
    }

    /// Makes a change visible that was staged with `stamp`.
    pub(super) fn settle(
        &mut self,
        id: TableId,
        key: Key,
        entry: Entry,
        stamp: u64,
        look: &Look<'_>,
    ) {
        let staged = &mut self.tables[id.0 as usize].staged;
        if staged.get(&*key).is_some_and(|staged| staged.stamp == stamp) {
            staged.remove(&*key);
        }
        self.show(id, key, entry, look.now(), look);
    }

    /// Makes a change visible that is older than the process.
    pub(super) fn apply(&mut self, id: TableId, key: Key, entry: Entry) {
        let before = Look::before();
        self.show(id, key, entry, before.now(), &before);
    }

    /// Makes a change visible, as one of an epoch that is not later than that of this step.
    pub(super) fn show(
        &mut self,
        id: TableId,
        key: Key,
        Entry { sequence, change }: Entry,
        epoch: Epoch,
        look: &Look<'_>,
    ) {
        let below = self.has_below();
        self.active.note(epoch, sequence);
        let layer = &mut self.tables[id.0 as usize].layer;
        layer.put(key, Visible { epoch, sequence, change }, below, look, &mut self.active);
    }

    /// Whether a key that is not in the active layer may be in one below.
    fn has_below(&self) -> bool {
        (self.has_tables || !self.frozen.is_empty()) && !is_planted(Bug::NoTombstone)
    }

    /// Lets go of some of what has been overwritten in the active layer and no living snapshot wants. What has been frozen
    /// goes with its layer.
    pub(super) fn sweep(&mut self, look: &Look<'_>) {
        let below = self.has_below();
        let (mut index, mut from) = std::mem::take(&mut self.swept);
        let mut left = SWEEP_KEYS;
        while self.active.overwritten_bytes > 0
            && left > 0
            && let Some(table) = self.tables.get_mut(index)
        {
            from = table.layer.sweep(from.as_ref(), below, look, &mut self.active, &mut left);
            if from.is_none() {
                index += 1;
            }
        }
        if index < self.tables.len() {
            self.swept = (index, from);
        }
    }

    /// Lets go of all that has been overwritten in the active layer.
    pub(super) fn forget_overwritten(&mut self) {
        let below = self.has_below();
        for table in &mut self.tables {
            table.layer.forget_overwritten(below, &mut self.active);
        }
    }

    /// Takes note of a batch across shards that has changes in the active layer.
    pub(super) fn add_batch(&mut self, id: BatchId, writers: &Writers) {
        self.batches.push((id, Arc::clone(writers)));
    }

    /// Forgets everything staged.
    pub(super) fn unstage_all(&mut self) {
        for table in &mut self.tables {
            table.staged.clear();
        }
    }

    /// Moves what is visible and not yet frozen into a layer of its own; `last` is the last record of the log so far.
    pub(super) fn freeze(&mut self, last: Sequence) {
        if is_planted(Bug::OverwrittenNotFrozen) {
            self.forget_overwritten();
        }
        let tables = self.tables.iter_mut();
        let tables =
            tables.map(|table| (Arc::clone(&table.name), std::mem::take(&mut table.layer)));
        let frozen = Frozen {
            tables: tables.collect(),
            totals: std::mem::take(&mut self.active),
            batches: std::mem::take(&mut self.batches),
            last,
        };
        self.frozen.push_back(Arc::new(frozen));
        self.swept = (0, None);
    }

    /// The layer that is to be flushed next.
    pub(super) fn oldest_frozen(&self) -> Option<&Arc<Frozen>> {
        self.frozen.front()
    }

    /// Lets go of the oldest layer, which is in a table now, or had nothing in it.
    pub(super) fn flushed(&mut self) {
        self.frozen.pop_front();
    }

    pub(super) fn set_has_tables(&mut self, has_tables: bool) {
        self.has_tables = has_tables;
    }

    pub(super) fn frozen_count(&self) -> usize {
        self.frozen.len()
    }

    /// What the active layer holds.
    pub(super) fn active(&self) -> &Totals {
        &self.active
    }

    /// The frozen layers, newest first.
    pub(super) fn frozen(&self) -> impl Iterator<Item = &Arc<Frozen>> {
        self.frozen.iter().rev()
    }

    /// What a snapshot sees of the active layer: collection, key and entry.
    pub(super) fn active_at(
        &self,
        epoch: Epoch,
    ) -> impl Iterator<Item = (&Arc<str>, &Key, &Visible)> {
        let tables = self.tables.iter();
        tables.flat_map(move |table| {
            let seen = table.layer.all_at(epoch);
            seen.map(move |(key, visible)| (&table.name, key, visible))
        })
    }

    /// What each layer holds.
    pub(super) fn totals(&self) -> impl Iterator<Item = &Totals> {
        std::iter::once(&self.active).chain(self.frozen.iter().map(|frozen| &frozen.totals))
    }

    /// Whether a record in a layer newer than the oldest frozen one refers to a blob file, or did before it was overwritten
    /// there.
    pub(super) fn mentions(&self, file: u64) -> bool {
        let frozen = self.frozen.iter().skip(1).map(|frozen| &frozen.totals);
        std::iter::once(&self.active).chain(frozen).any(|totals| totals.blobs.contains_key(&file))
            || self.proposes(file)
    }

    /// Memory that all layers count for.
    pub(super) fn bytes(&self) -> u64 {
        self.collection_bytes + self.totals().map(|totals| totals.bytes).sum::<u64>()
    }

    /// Memory of what is kept for snapshots only.
    pub(super) fn overwritten_bytes(&self) -> u64 {
        self.totals().map(|totals| totals.overwritten_bytes).sum()
    }

    /// The newest visible change of a key, if a layer has one.
    pub(super) fn visible(&self, id: TableId, key: &[u8]) -> Option<&Change> {
        let active = self.table(id).layer.find(key);
        let newest =
            active.or_else(|| self.frozen.iter().rev().find_map(|layer| layer.find(id, key)));
        newest.map(|newest| &newest.change)
    }

    /// What will be visible once everything staged has settled.
    pub(super) fn latest(&self, id: TableId, key: &[u8]) -> Option<&Change> {
        match self.table(id).staged.get(key) {
            Some(staged) => Some(&staged.change),
            None => self.visible(id, key),
        }
    }

    pub(super) fn is_staged(&self, id: TableId, key: &[u8]) -> bool {
        self.table(id).staged.contains_key(key)
    }

    /// Puts the visible entries of a range into `layers`, newest layer first.
    pub(super) fn push_visible<'a>(
        &'a self,
        id: TableId,
        range: Range<'a>,
        layers: &mut Layers<'a>,
    ) {
        let frozen = self.frozen.iter().rev().filter_map(|layer| layer.layer(id));
        for layer in std::iter::once(&self.table(id).layer).chain(frozen) {
            layers.push(layer.range(range));
        }
    }

    /// The same of what a snapshot sees, with the layers of the past that it needs, newest first.
    pub(super) fn push_visible_at<'a>(
        &'a self,
        id: TableId,
        range: Range<'a>,
        epoch: Epoch,
        past: impl Iterator<Item = &'a Arc<Frozen>>,
        hidden: &Rc<Hidden<'a>>,
        layers: &mut Layers<'a>,
    ) {
        let frozen = self.frozen().chain(past).filter_map(|frozen| frozen.layer(id));
        for layer in std::iter::once(&self.table(id).layer).chain(frozen) {
            layers.push(layer.range_at(range, epoch, Rc::clone(hidden)));
        }
    }

    /// The same, as it will be once everything staged has settled.
    pub(super) fn push_latest<'a>(
        &'a self,
        id: TableId,
        range: Range<'a>,
        layers: &mut Layers<'a>,
    ) {
        let staged = self.table(id).staged.range::<[u8], _>(range);
        layers.push(staged.map(|(key, staged)| (key, &staged.change)));
        self.push_visible(id, range, layers);
    }

    fn table(&self, id: TableId) -> &Table {
        &self.tables[id.0 as usize]
    }
}

impl Frozen {
    /// Nothing, up to a record.
    pub(super) fn empty(last: Sequence) -> Self {
        Self { last, ..Self::default() }
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Batches across shards that have changes here.
    pub(super) fn batches(&self) -> &[(BatchId, Writers)] {
        &self.batches
    }

    /// No record up to this one is in a newer layer.
    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    /// Each collection that has entries, with them.
    pub(super) fn collections(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeMap<Key, Visible>)> {
        let tables = self.tables.iter().filter(|(_, layer)| !layer.is_empty());
        tables.map(|(name, layer)| (name, layer.newest()))
    }

    /// What a snapshot sees of a collection; none if there is no such collection here.
    pub(super) fn at(
        &self,
        name: &str,
        epoch: Epoch,
    ) -> Option<impl Iterator<Item = (&Key, &Visible)>> {
        let table = self.tables.iter().find(|(other, _)| **other == *name);
        table.map(|(_, layer)| layer.all_at(epoch))
    }

    fn layer(&self, id: TableId) -> Option<&Layer> {
        self.tables.get(id.0 as usize).map(|(_, layer)| layer)
    }

    fn find(&self, id: TableId, key: &[u8]) -> Option<&Visible> {
        self.layer(id)?.find(key)
    }
}

/// The range from `from` on, up to and without `to`; `None` if nothing can be in it.
pub(super) fn bounds<'a>(from: &'a [u8], to: Option<&'a [u8]>) -> Option<Range<'a>> {
    match to {
        Some(to) if from >= to => None,
        Some(to) => Some((Bound::Included(from), Bound::Excluded(to))),
        None => Some((Bound::Included(from), Bound::Unbounded)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::storage::{Meta, Value, entry::BlobRef, totals::ENTRY_OVERHEAD_BYTES};

    fn value(text: &'static str) -> Change {
        Change::Inline(Value { data: Bytes::from_static(text.as_bytes()), meta: Meta::default() })
    }

    fn entry(sequence: Sequence, change: Change) -> Entry {
        Entry { sequence, change }
    }

    #[test]
    fn what_is_staged_is_seen_by_deciders_only_until_it_settles() {
        let mut memtable = Memtable::default();
        let id = memtable.intern("c");
        let key = Key::new(b"k");
        memtable.stage(id, key.clone(), value("one"), 1);
        assert_eq!(memtable.visible(id, b"k"), None);
        assert_eq!(memtable.latest(id, b"k"), Some(&value("one")));
        memtable.stage(id, key.clone(), Change::Tombstone, 2);
        assert_eq!(memtable.latest(id, b"k"), Some(&Change::Tombstone));
        memtable.settle(id, key.clone(), entry(1, value("one")), 1, &Look::before());
        assert_eq!(memtable.visible(id, b"k"), Some(&value("one")));
        assert_eq!(
            memtable.latest(id, b"k"),
            Some(&Change::Tombstone),
            "the delete is still staged"
        );
        memtable.settle(id, key, entry(2, Change::Tombstone), 2, &Look::before());
        assert_eq!(memtable.visible(id, b"k"), None, "nothing lies below that it must hide");
        assert!(!memtable.is_staged(id, b"k"));
        assert!(memtable.active().is_empty());
        assert_eq!(memtable.bytes(), collection_bytes("c"));
    }

    #[test]
    fn newer_layers_hide_older_ones_and_so_do_their_tombstones() {
        let mut memtable = Memtable::default();
        let id = memtable.intern("c");
        for (sequence, key) in [(1, b"a"), (2, b"b"), (3, b"c")] {
            memtable.apply(id, Key::new(key), entry(sequence, value("old")));
        }
        memtable.freeze(3);
        memtable.apply(id, Key::new(b"a"), entry(4, Change::Tombstone));
        memtable.apply(id, Key::new(b"b"), entry(5, value("new")));
        memtable.freeze(5);
        let late = memtable.intern("d");
        memtable.apply(late, Key::new(b"a"), entry(6, value("other")));
        assert_eq!(memtable.visible(id, b"a"), Some(&Change::Tombstone));
        assert_eq!(memtable.visible(id, b"b"), Some(&value("new")));
        assert_eq!(memtable.visible(id, b"c"), Some(&value("old")));
        assert_eq!(memtable.visible(late, b"b"), None);
        assert_eq!(memtable.frozen_count(), 2);
        memtable.flushed();
        memtable.set_has_tables(true);
        assert_eq!(memtable.visible(id, b"c"), None, "it is in a table now");
        memtable.apply(id, Key::new(b"c"), entry(7, Change::Tombstone));
        assert_eq!(
            memtable.visible(id, b"c"),
            Some(&Change::Tombstone),
            "and must be hidden there"
        );
    }

    #[test]
    fn totals_follow_every_change() {
        let mut memtable = Memtable::default();
        let id = memtable.intern("c");
        memtable.set_has_tables(true);
        let blob = |file| {
            let blob = BlobRef { file, offset: 4096, bytes: 5000, hash: 1 };
            Change::Blob(Meta::default(), blob)
        };
        let changes = [value("a"), blob(7), blob(8), Change::Tombstone, value("longer"), blob(8)];
        for (sequence, change) in (1..).zip(changes) {
            memtable.apply(id, Key::new(b"k"), entry(sequence, change));
        }
        let totals = memtable.active();
        assert_eq!((totals.values, totals.tombstones, totals.sequence), (1, 0, 6));
        assert_eq!(totals.bytes, 1 + ENTRY_OVERHEAD_BYTES);
        assert_eq!((totals.blobs[&7], totals.blobs[&8]), (0, 5000));
    }

    #[test]
    fn forgetting_the_staged_brings_back_what_is_visible() {
        let mut memtable = Memtable::default();
        let id = memtable.intern("c");
        memtable.apply(id, Key::new(b"k"), entry(1, value("old")));
        memtable.stage(id, Key::new(b"k"), value("new and longer"), 1);
        memtable.stage(id, Key::new(b"l"), value("new"), 2);
        memtable.unstage_all();
        assert_eq!(memtable.latest(id, b"k"), Some(&value("old")));
        assert_eq!(memtable.latest(id, b"l"), None);
    }

    #[test]
    fn ranges_that_hold_nothing_are_empty_not_errors() {
        assert!(bounds(b"b", Some(b"a")).is_none());
        assert!(bounds(b"a", Some(b"a")).is_none());
        assert!(bounds(b"a", None).is_some());
    }
}
