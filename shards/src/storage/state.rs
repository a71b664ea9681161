//! What a shard knows at one moment, and the one place where it changes. Every method is one short step: nothing here
//! waits.
//!
//! ```text
//!             stage                     take               settle
//! writer ───────────────► queue ─────────────► in flight ─────────► visible, tickets resolved
//!            refused:      │ back: gathering        │ no room: this group and all queued are forgotten
//!            Full, Busy …  │                        │ failed:  the same, and the shard is poisoned
//! ```

mod parts;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
};

use super::{
    StorageError,
    bugs::{Bug, is_planted},
    entry::{BlobRef, Change, Entry, Sequence},
    epoch::{Epoch, Epochs},
    group::Group,
    key::Key,
    layer::{Hidden, Range},
    layers::Layers,
    locks::Locks,
    log::PAYLOAD_BYTES_MAX,
    memtable::{Frozen, Memtable, TableId, collection_bytes},
    owed::Owed,
    part::Parts,
    past::Past,
    stats::{Level, Stats},
    ticket::{Outcome, Ticket},
    totals::entry_bytes,
    value::Value,
    version::SortedRun,
    view::View,
};
use crate::limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX};

/// Bytes that may wait for the log. What the requests in flight hold is bounded elsewhere; this bounds what they leave behind
/// when nobody waits for the tickets.
pub(super) const STAGED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Operations that an emptied group keeps room for.
const SPARE_OPERATIONS_MAX: usize = 4096;

pub(super) struct State {
    pub(super) memtable: Memtable,
    pub(super) stats: Stats,
    /// The files that belong to what is in memory.
    pub(super) view: Rc<View>,
    /// What snapshots want of what is in neither.
    past: Past,
    pub(super) epochs: Epochs,
    /// What batches across shards keep others from.
    pub(super) locks: Locks,
    parts: Parts,
    /// Marks that the log keeps room for.
    owed: Owed,
    /// Flushes that have been installed since the start: each moves entries from memory to tables.
    pub(super) flushes: u64,
    /// Why the last flush failed, if it did.
    pub(super) flush_failed: Option<StorageError>,
    /// Why the last merge failed, if it did.
    pub(super) merge_failed: Option<StorageError>,
    /// How often the active memtable has been frozen.
    pub(super) freezes: u64,
    /// The active memtable shall be frozen however small it is.
    pub(super) freeze_asked: bool,
    /// The number that the next record is to have.
    pub(super) jump_to: Option<Sequence>,
    /// Writers are refused for a moment: a restore is being switched in.
    pub(super) held: bool,
    /// The blob file that is written to.
    pub(super) blob_active: Option<u64>,
    /// All records up to this one are in tables.
    pub(super) flushed: Sequence,
    /// Blob files to which nothing newest refers once all records up to this one are in tables.
    pub(super) collected: BTreeMap<u64, Sequence>,
    /// Blob files in which something could not be read.
    pub(super) uncollectable: BTreeSet<u64>,
    /// Of all blob files but the one that is written, as they were looked at last.
    pub(super) blob_garbage_bytes: u64,
    shard: u32,
    memtable_bytes_max: u64,
    /// Entries outlive the process: they are committed in groups, and flushed.
    has_tree: bool,
    /// Values of this length or more go into blob files.
    blob_bytes_min: usize,
    queue: VecDeque<Group>,
    /// Marks, which rest on nothing that is queued.
    urgent: Option<Group>,
    in_flight: Option<Rc<Outcome>>,
    spare: Option<Group>,
    staged_bytes: u64,
    stamp: u64,
    poisoned: Option<Arc<str>>,
    closing: bool,
}

/// A change that has been checked, with its data.
pub(super) type Draft = (Key, Change);

impl State {
    pub(super) fn new(
        shard: u32,
        memtable_bytes_max: u64,
        has_tree: bool,
        blob_bytes_min: usize,
        epochs: Epochs,
    ) -> Self {
        Self {
            memtable: Memtable::default(),
            stats: Stats::default(),
            view: Rc::default(),
            past: Past::default(),
            epochs,
            locks: Locks::default(),
            parts: Parts::default(),
            owed: Owed::default(),
            flushes: 0,
            flush_failed: None,
            merge_failed: None,
            freezes: 0,
            freeze_asked: false,
            jump_to: None,
            held: false,
            blob_active: None,
            flushed: 0,
            collected: BTreeMap::new(),
            uncollectable: BTreeSet::new(),
            blob_garbage_bytes: 0,
            shard,
            memtable_bytes_max,
            has_tree,
            blob_bytes_min,
            queue: VecDeque::new(),
            urgent: None,
            in_flight: None,
            spare: None,
            staged_bytes: 0,
            stamp: 0,
            poisoned: None,
            closing: false,
        }
    }

    pub(super) fn has_tree(&self) -> bool {
        self.has_tree
    }

    /// Whether what the disk holds is known.
    pub(super) fn check_poisoned(&self) -> Result<(), StorageError> {
        match &self.poisoned {
            Some(cause) => {
                Err(StorageError::Poisoned { shard: self.shard, cause: Arc::clone(cause) })
            }
            None => Ok(()),
        }
    }

    /// Whether writes are taken at all.
    pub(super) fn check_open(&self) -> Result<(), StorageError> {
        self.check_poisoned()?;
        if self.closing {
            return Err(StorageError::Closed { shard: self.shard });
        }
        if self.staged_bytes >= STAGED_BYTES_MAX {
            return Err(StorageError::Busy { staged: self.staged_bytes, max: STAGED_BYTES_MAX });
        }
        Ok(())
    }

    /// Whether something may be written that is not there yet.
    pub(super) fn check_writable(&self) -> Result<(), StorageError> {
        self.check_open()?;
        if self.held { Err(StorageError::Held { shard: self.shard }) } else { Ok(()) }
    }

    /// Whether nothing is on its way into memory, or from there to tables.
    pub(super) fn is_quiet(&self) -> bool {
        !self.has_queued()
            && self.in_flight.is_none()
            && self.locks.is_empty()
            && !self.memtable.has_provisional()
            && self.memtable.active().sequence == 0
            && self.memtable.frozen_count() == 0
    }

    /// Whether there is memory for `value` in place of `before`, beside `growth` bytes that are already spoken for.
    pub(super) fn check_room(
        &self,
        collection: &str,
        key: &[u8],
        value: &Change,
        growth: i64,
    ) -> Result<i64, StorageError> {
        if self.has_tree {
            // Memory is made room in by flushing it.
            return Ok(0);
        }
        let id = self.memtable.id(collection);
        let before = id.and_then(|id| self.memtable.latest(id, key));
        let before = before.filter(|before| **before != Change::Tombstone);
        let before = before.map_or(0, |before| entry_bytes(key, before)) as i64;
        let mut more = entry_bytes(key, value) as i64 - before;
        if id.is_none() {
            more += collection_bytes(collection) as i64;
        }
        // What snapshots keep has a bound of its own: a scan makes no writer wait.
        let used = self.memtable.bytes() - self.memtable.overwritten_bytes();
        let used = used as i64 + growth;
        if more > 0 && used + more > self.memtable_bytes_max as i64 {
            return Err(StorageError::Full {
                used: used.max(0) as u64,
                max: self.memtable_bytes_max,
            });
        }
        Ok(more)
    }

    /// Makes one record of checked changes; there must be at least one.
    pub(super) fn stage<'a>(&mut self, drafts: impl Iterator<Item = (&'a str, Draft)>) -> Ticket {
        if !self.has_tree {
            self.apply(drafts);
            return Ticket::resolved();
        }
        self.gather();
        let Some(group) = self.queue.back_mut() else { return Ticket::resolved() };
        let bytes_before = group.bytes + group.blob_bytes;
        let mut operation_bytes = 0;
        for (collection, (key, change)) in drafts {
            self.stamp += 1;
            let table = self.memtable.intern(collection);
            self.memtable.stage(table, key.clone(), change.clone(), self.stamp);
            let (place, draft) = ((collection, table), (key, change));
            operation_bytes += group.push(place, draft, self.stamp, self.blob_bytes_min);
        }
        group.end_record(Vec::new(), operation_bytes);
        self.staged_bytes += group.bytes + group.blob_bytes - bytes_before;
        Ticket::new(&group.outcome)
    }

    /// Makes sure that a group gathers.
    fn gather(&mut self) {
        if self.queue.back().is_none_or(Group::is_full) {
            self.queue.push_back(self.spare.take().unwrap_or_default());
        }
    }

    /// Makes checked changes visible where there is no log.
    fn apply<'a>(&mut self, drafts: impl Iterator<Item = (&'a str, Draft)>) {
        self.stamp += 1;
        let look = self.epochs.look();
        for (collection, (key, change)) in drafts {
            let id = self.memtable.intern(collection);
            let entry = Entry { sequence: self.stamp, change };
            self.memtable.show(id, key, entry, look.now(), &look);
        }
        if self.memtable.overwritten_bytes() > self.memtable_bytes_max {
            self.memtable.forget_overwritten();
            self.past.raise_floor(look.now());
        }
    }

    /// The oldest frozen layer is in a table, or had nothing in it. `before` are the files without it.
    pub(super) fn flushed(&mut self, layer: &Arc<Frozen>, before: Rc<View>) {
        let look = self.epochs.look();
        self.past.keep(layer, before, &look);
        self.past.release(&look, self.memtable_bytes_max);
        self.flushed = layer.last();
        layer.batches().iter().for_each(|(id, _)| self.owed.forget(*id));
        self.flushes += u64::from(!is_planted(Bug::FlushNotTold));
        self.memtable.flushed();
        self.stats.flushes += 1;
        let version = Rc::clone(&self.view.version);
        self.collected.retain(|file, _| version.blobs().contains_key(file));
        self.memtable.set_has_tables(self.view.has_tables());
        for (name, _) in layer.collections() {
            if let Some(number) = version.collections().id(name) {
                self.memtable.set_number(name, number);
            }
        }
    }

    /// Tables of so many bytes have been merged, or moved: then nothing was written.
    pub(super) fn merged(&mut self, bytes: u64, written_bytes: u64) {
        self.memtable.set_has_tables(self.view.has_tables());
        self.stats.merges += 1;
        self.stats.merged_bytes += bytes;
        self.stats.merge_written_bytes += written_bytes;
    }

    /// For a decision that may rest on anything staged so far.
    pub(super) fn ticket_of_latest(&self) -> Ticket {
        let queued = self.queue.back().map(|group| &group.outcome);
        queued.or(self.in_flight.as_ref()).map_or_else(Ticket::resolved, Ticket::new)
    }

    /// The next group for the log: marks, or what is queued if there is room for that.
    pub(super) fn take(&mut self, has_room: bool) -> Option<Group> {
        let urgent = self.urgent.take();
        let group = match urgent {
            Some(group) => group,
            None if has_room => self.queue.pop_front()?,
            None => return None,
        };
        self.in_flight = Some(Rc::clone(&group.outcome));
        Some(group)
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty() || self.has_urgent()
    }

    pub(super) fn has_urgent(&self) -> bool {
        self.urgent.is_some()
    }

    /// Makes a group visible whose first record has this sequence. Its outcome is to be settled after the borrow ends: that
    /// wakes tasks. `large` is given the values that went to the blob file.
    pub(super) fn settle(
        &mut self,
        mut group: Group,
        sequence: Sequence,
        mut large: impl FnMut(BlobRef, Value),
    ) -> Rc<Outcome> {
        self.note_parts(&group, sequence);
        let (memtable, look) = (&mut self.memtable, self.epochs.look());
        group.settle(sequence, |table, key, entry, stamp, value, part| {
            if let (Change::Blob(_, blob), Some(value)) = (&entry.change, value) {
                large(*blob, value);
            }
            match part {
                None => memtable.settle(table, key, entry, stamp, &look),
                Some(id) => memtable.place_proposed(table, &key, entry.change, id),
            }
        });
        self.staged_bytes -= group.bytes + group.blob_bytes;
        self.stats.groups += 1;
        self.stats.group_records.record(group.records());
        self.in_flight = None;
        let outcome = Rc::clone(&group.outcome);
        if group.capacity() <= SPARE_OPERATIONS_MAX {
            group.reset();
            self.spare = Some(group);
        }
        outcome
    }

    /// Lets go of what no living snapshot wants, or of a part of it. Tells whether files may be free now.
    pub(super) fn release(&mut self) -> bool {
        let look = self.epochs.look();
        self.memtable.sweep(&look);
        self.past.release(&look, self.memtable_bytes_max)
    }

    /// Whether all that a snapshot sees is still here. What is read of it in the same step is whole then.
    pub(super) fn check_kept(&self, epoch: Option<Epoch>) -> Result<(), StorageError> {
        if epoch.is_none_or(|epoch| self.past.has(epoch)) {
            return Ok(());
        }
        Err(StorageError::Outdated { shard: self.shard, max: self.memtable_bytes_max })
    }

    /// The files that go with what [`State::push`] gives.
    pub(super) fn view_at(&self, epoch: Option<Epoch>) -> &Rc<View> {
        epoch.and_then(|epoch| self.past.view_at(epoch)).unwrap_or(&self.view)
    }

    /// The layers over those files that never change, newest first.
    pub(super) fn frozen_at(&self, epoch: Epoch) -> Vec<Arc<Frozen>> {
        self.memtable.frozen().chain(self.past.layers_at(epoch)).cloned().collect()
    }

    /// The last record in a frozen layer; 0 if there is none.
    pub(super) fn newest_frozen(&self) -> Sequence {
        self.memtable.frozen().next().map_or(0, |layer| layer.last())
    }

    /// The number of the shard.
    pub(super) fn number(&self) -> u32 {
        self.shard
    }

    /// The newest record that is visible.
    pub(super) fn newest_sequence(&self) -> Sequence {
        let newest = self.memtable.totals().map(|totals| totals.sequence).max();
        newest.unwrap_or(0).max(self.view.version.flushed_sequence())
    }

    /// Values of this length or more go into blob files.
    pub(super) fn blob_bytes_min(&self) -> usize {
        self.blob_bytes_min
    }

    /// Files have taken the place of all that was here; nothing is in memory. A memtable may have been frozen since that was
    /// seen, for the log to be cut; with writers held, it has nothing in it.
    pub(super) fn restored(&mut self, sequence: Sequence, before: Rc<View>) {
        debug_assert!(self.memtable.active().sequence == 0);
        let nothing = Arc::new(Frozen::empty(sequence));
        self.flushed(&nothing, before);
    }

    /// Puts what is visible of a range over files into `layers`, newest layer first: now, or at a snapshot. The rows end where
    /// too much was hidden.
    pub(super) fn push<'a>(
        &'a self,
        id: TableId,
        range: Range<'a>,
        epoch: Option<Epoch>,
        layers: &mut Layers<'a>,
    ) -> Rc<Hidden<'a>> {
        let hidden = Rc::<Hidden<'a>>::default();
        if self.memtable.has_provisional() {
            let snapshot = epoch.unwrap_or(Epoch::MAX);
            self.memtable.push_committed(id, range, (&self.epochs, snapshot), layers);
        }
        match epoch {
            None => self.memtable.push_visible(id, range, layers),
            Some(epoch) => {
                let past = self.past.layers_at(epoch);
                self.memtable.push_visible_at(id, range, epoch, past, &hidden, layers);
            }
        }
        hidden
    }

    /// Forgets the group in flight and everything behind it, which may rest on it. Marks do not, and stay while the log can be
    /// written. The outcomes are to be settled with the error after the borrow ends.
    pub(super) fn forget_staged(&mut self) -> Vec<Rc<Outcome>> {
        self.memtable.unstage_all();
        self.forget_parts();
        let urgent = self.urgent.take_if(|_| self.poisoned.is_some());
        self.staged_bytes = self.urgent.as_ref().map_or(0, |group| group.bytes);
        let queued = self.queue.drain(..).chain(urgent).map(|group| group.outcome);
        self.in_flight.take().into_iter().chain(queued).collect()
    }

    /// From now on writes are refused. The first cause counts.
    pub(super) fn poison(&mut self, cause: &StorageError) {
        self.poisoned.get_or_insert_with(|| Arc::from(cause.to_string()));
    }

    pub(super) fn poisoned(&self) -> Option<&Arc<str>> {
        self.poisoned.as_ref()
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Files of before are to be closed, too: nothing is kept for snapshots any more.
    pub(super) fn end_past(&mut self) {
        self.past.end();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Values less tombstones, over all layers and tables: exact where nothing has been overwritten.
    fn entries(&self) -> u64 {
        let tables = self.view.version.tables().map(|table| &table.meta);
        let tables = tables.map(|meta| (meta.entries - meta.tombstones, meta.tombstones));
        let layers = self.memtable.totals().map(|totals| (totals.values, totals.tombstones));
        let (values, tombstones) =
            layers.chain(tables).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        u64::saturating_sub(values, tombstones)
    }

    pub(super) fn snapshot(&self) -> Stats {
        let flushed_sequence = self.view.version.flushed_sequence();
        let sequences = self.memtable.totals().map(|totals| totals.sequence);
        let version = &self.view.version;
        let level = |runs: &Vec<Rc<SortedRun>>| {
            let tables = || runs.iter().flat_map(|run| &run.tables);
            let bytes = tables().map(|table| table.meta.bytes).sum();
            Level { tables: tables().count() as u64, bytes }
        };
        let in_tables = version.tables().flat_map(|table| &table.meta.blobs);
        let in_layers = self.memtable.totals().flat_map(|totals| totals.blobs.values());
        let live_bytes: u64 = in_tables.map(|blob| blob.bytes).chain(in_layers.copied()).sum();
        Stats {
            levels: version.levels().iter().map(level).collect(),
            frozen_memtables: self.memtable.frozen_count() as u64,
            blob_bytes: live_bytes + self.blob_garbage_bytes,
            blob_garbage_bytes: self.blob_garbage_bytes,
            entries: self.entries(),
            sequence: sequences.max().unwrap_or(0).max(flushed_sequence),
            flushed_sequence,
            memtable_bytes: self.memtable.bytes(),
            memtable_entries: self.memtable.totals().map(|sum| sum.values + sum.tombstones).sum(),
            snapshot_bytes: self.memtable.overwritten_bytes() + self.past.bytes(),
            staged_bytes: self.staged_bytes,
            tables: self.view.version.tables().count() as u64,
            table_bytes: self.view.version.tables().map(|table| table.meta.bytes).sum(),
            table_memory_bytes: self.view.table_memory_bytes(),
            blob_files: self.view.blobs.len() as u64,
            poisoned: self.poisoned.as_deref().map(str::to_owned),
            ..self.stats.clone()
        }
    }
}

/// Whether the log can hold these names.
pub(super) fn check_names(collection: &str, key: &[u8]) -> Result<(), StorageError> {
    check_length("a collection name", collection.len(), COLLECTION_BYTES_MAX)?;
    check_length("a key", key.len(), KEY_BYTES_MAX)
}

/// Whether a record can hold this many bytes of operations.
pub(super) fn check_record(operation_bytes: usize) -> Result<(), StorageError> {
    // The count before the operations takes a few bytes more.
    check_length("a transaction", operation_bytes, PAYLOAD_BYTES_MAX - 16)
}

fn check_length(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), StorageError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(StorageError::TooLarge { what, bytes: bytes as u64, max: bytes_max as u64 })
}
