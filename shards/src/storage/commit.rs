//! The commit loop: takes a group, logs it, makes it durable as far as the sync mode says, then visible, then tells. Where
//! nothing is logged it does the rest: what was answered lasts from its flush on, and before the loop ends all is flushed.
//!
//! ```text
//!          ┌─────────────────────────────── next group, if one has gathered ◄────────────────┐
//!          ▼                                                                                 │
//! wait ─► write log and blobs ─► (always) sync ─► settle: visible ─► tickets ─► freeze if due ─► (interval) begin a sync if due
//!  ▲                                                                                         │
//!  └── nothing queued, or memory waits for its flush ◄───────────────────────────────────────┘
//! ```
//!
//! One group is in flight, and there is no timer before it: while one is written, the next gathers. The loop owns the log
//! and the active blob file; the state is borrowed only between waits.
//!
//! The sync of the interval goes on beside the groups. It begins when the oldest write that is not durable is half an
//! interval old, and groups wait for it when that write is a whole interval old: never is more than one interval of
//! answered writes in danger.

use std::{pin::pin, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{Either, join, select},
};

use super::{
    StorageError, blob,
    bugs::{Bug, is_planted},
    compaction::Grade,
    disk::Synced,
    entry::Sequence,
    flush,
    group::Group,
    journal::Journal,
    log::AppendError,
    shard::Inner,
    store::Store,
    ticket::Ticket,
};
use crate::settings::{Durability, SyncMode};

/// Frozen memtables that may wait for their flush; commits wait for room beyond.
const FROZEN_MAX: usize = 2;
/// A memtable is frozen when the log behind it is so many segments long: a start reads no more than about that. Without a
/// log, what it would be long: a crash loses no more.
const SEGMENTS_PER_MEMTABLE: u64 = 4;
/// The same for the blob files behind it: garbage in them is found when references get into tables.
const BLOB_BYTES_PER_MEMTABLE: u64 = 4 * blob::FILE_BYTES_MAX;

/// Runs until the shard is closed. A second call waits for the first.
pub(super) async fn run(inner: &Inner) {
    let journal = inner.journal.take();
    let (Some(journal), Some(store)) = (journal, &inner.store) else {
        // It ends well or by an error that the tickets have told.
        let _ = Ticket::new(&inner.stopped).await;
        return;
    };
    let _guard = Guard(inner);
    let record_bytes = journal.bytes();
    let committing = Loop {
        inner,
        store,
        journal,
        blobs: None,
        dirty_since: None,
        beside: None,
        stalled_since: None,
        record_bytes,
        blob_bytes: 0,
    };
    committing.run().await;
}

struct Loop<'a> {
    inner: &'a Inner,
    store: &'a Store,
    journal: Journal,
    blobs: Option<blob::Writer>,
    /// When the oldest group was logged that no sync covers yet.
    dirty_since: Option<Duration>,
    /// The sync of the interval.
    beside: Option<Beside>,
    /// Since when a queued group waits for flushes or merges.
    stalled_since: Option<Duration>,
    /// Bytes behind the active memtable, in the log and in blob files.
    record_bytes: u64,
    blob_bytes: u64,
}

/// A sync that goes on beside the groups.
struct Beside {
    /// When the oldest group was logged that it covers.
    since: Duration,
    /// When it was begun itself.
    begun: Duration,
    /// How far it reaches in the log and in the blob file.
    records_to: u64,
    values_to: Option<u64>,
    synced: Synced,
}

impl Loop<'_> {
    async fn run(mut self) {
        loop {
            self.look_at_sync().await;
            let group = self.next_group();
            let taken = group.is_some();
            if let Some(group) = group {
                self.commit(group).await;
                self.slow_down().await;
            }
            if self.is_freeze_due()
                && let Err(error) = self.freeze().await
            {
                self.poison(&error);
            }
            self.jump().await;
            self.cut().await;
            if self.until_sync() == Some(Duration::ZERO) {
                self.begin_sync();
            }
            let (queued, closing) = {
                let state = self.inner.state.borrow();
                (state.has_queued(), state.is_closing())
            };
            if queued && (taken || self.has_room() || self.inner.state.borrow().has_urgent()) {
                continue;
            }
            if closing && !queued {
                break;
            }
            self.wait().await;
        }
        if !self.is_poisoned()
            && let Err(error) = self.seal().await
        {
            self.poison(&error);
        }
        self.note_log();
        // Of a log that has failed.
        self.beside = None;
        self.journal.close().await;
    }

    /// Marks wait for no room: the flush of another shard may wait for them, and this one's flush for that.
    fn next_group(&mut self) -> Option<Group> {
        let has_room = self.has_room();
        let stalls = !has_room && self.inner.state.borrow().has_queued();
        match self.stalled_since {
            None if stalls => self.stalled_since = Some(self.inner.clock.now()),
            Some(since) if !stalls => {
                self.stalled_since = None;
                self.note_stall(since);
            }
            _ => {}
        }
        self.inner.state.borrow_mut().take(has_room)
    }

    /// Whether a group may be taken. Those that wait for nothing are refused here.
    fn has_room(&self) -> bool {
        let (waits, refusal) = {
            let state = self.inner.state.borrow();
            let open = !state.is_closing();
            let for_flush = open && state.memtable.frozen_count() >= FROZEN_MAX;
            let for_merge = open && self.grade() == Grade::Stop;
            let flush_failed = state.flush_failed.clone().filter(|_| for_flush);
            let merge_failed = state.merge_failed.clone().filter(|_| for_merge);
            let refusal = state.check_poisoned().err().or(flush_failed).or(merge_failed);
            (for_flush || for_merge, refusal)
        };
        if let Some(refusal) = refusal {
            self.fail(&refusal);
        }
        !waits
    }

    /// How merging wants groups to be taken.
    fn grade(&self) -> Grade {
        self.inner.pressure.get().grade(&self.inner.policy.borrow())
    }

    /// Lets merging catch up a little.
    async fn slow_down(&self) {
        if let Grade::After(delay) = self.grade() {
            let begun = self.inner.clock.now();
            select(self.inner.clock.sleep(delay), Ticket::new(&self.inner.ending)).await;
            self.note_stall(begun);
        }
    }

    /// Writers have waited since then for flushes or merges.
    fn note_stall(&self, since: Duration) {
        let stall = self.inner.clock.now() - since;
        self.inner.state.borrow_mut().stats.stall_time += stall;
    }

    /// One group, from the queue to its tickets.
    async fn commit(&mut self, mut group: Group) {
        let written = self.write(&mut group).await;
        if self.dirty_since.is_none() && self.is_dirty() {
            self.dirty_since = Some(self.inner.clock.now());
        }
        self.note_log();
        match written {
            Ok(sequence) => {
                self.record_bytes += group.bytes;
                self.blob_bytes += group.blob_bytes;
                let cache = &self.inner.cache;
                let keep = |blob: super::entry::BlobRef, value: super::Value| {
                    cache.insert(blob.file, blob.offset, value.data);
                };
                let outcome = self.inner.state.borrow_mut().settle(group, sequence, keep);
                outcome.settle(Ok(()));
            }
            Err(AppendError::NoSpace(error)) => {
                let behind = self.inner.state.borrow_mut().give_back_marks(&group);
                self.fail(&error);
                if let Some(behind) = behind {
                    behind.settle(Err(error));
                }
                self.ask_for_room();
            }
            Err(AppendError::Fatal(error)) => self.poison(&error),
        }
    }

    /// Has the memtable flushed, however small it is, if the log will be shorter by that: its disk may be another than that
    /// of the tables, where there is room.
    fn ask_for_room(&self) {
        let mut state = self.inner.state.borrow_mut();
        let has_place = state.memtable.frozen_count() == 0;
        state.freeze_asked |= has_place && self.journal.segments() > 1;
    }

    /// Writes a group, as durable as the mode says, and tells the sequence of its first record.
    async fn write(&mut self, group: &mut Group) -> Result<Sequence, AppendError> {
        if self.journal.begins_segment(group.bytes) && self.is_dirty() {
            // A sealed segment vouches for its records, and so for their values.
            self.sync().await.map_err(AppendError::Fatal)?;
        }
        let sequence = self.journal.sequence();
        let state = &self.inner.state;
        if group.records() == 0 {
            // It only wants to be durable.
        } else if group.blob_bytes == 0 {
            self.journal.append(group, state).await?;
        } else {
            self.make_blob_file(group.blob_bytes).await?;
            let Some(blobs) = &mut self.blobs else { return Ok(sequence) };
            let end = group.place(&state.borrow().memtable, blobs.placing(), sequence);
            blobs.reserve(end).await.map_err(AppendError::from_reserve)?;
            let values = blobs.fill(group.spots(&state.borrow().memtable, sequence), end);
            let append = self.journal.append(group, state);
            let (written, appended) = join(blobs.write(values), append).await;
            written.map_err(AppendError::Fatal)?;
            // Without its records the group is not part of the file: the next one comes in its place.
            appended?;
            blobs.accept(end);
        }
        if group.must_sync || self.inner.durability == Durability::Logged(SyncMode::Always) {
            self.sync().await.map_err(AppendError::Fatal)?;
        }
        Ok(sequence)
    }

    /// Makes sure that there is a blob file for so many bytes more.
    async fn make_blob_file(&mut self, bytes: u64) -> Result<(), AppendError> {
        if self.blobs.as_ref().is_some_and(|blobs| !blobs.is_full(bytes)) {
            return Ok(());
        }
        if self.is_dirty() {
            self.sync().await.map_err(AppendError::Fatal)?;
        }
        let next = self.store.begin_blob_file(self.inner).await?;
        if let Some(full) = self.blobs.replace(next) {
            full.finish().await;
        }
        Ok(())
    }

    fn is_freeze_due(&self) -> bool {
        let segments = SEGMENTS_PER_MEMTABLE * self.inner.segment_bytes;
        let state = self.inner.state.borrow();
        let active = state.memtable.active();
        let is_large = active.bytes >= self.inner.freeze_bytes
            || self.record_bytes >= segments
            || self.blob_bytes >= BLOB_BYTES_PER_MEMTABLE
            || state.freeze_asked;
        let has_place = state.memtable.frozen_count() < FROZEN_MAX;
        // Also when nothing is left of what was logged: the log is to be cut.
        is_large && has_place && state.check_open().is_ok()
    }

    /// Lets the active memtable be flushed. Its records are durable, and the next ones are in another segment.
    async fn freeze(&mut self) -> Result<(), StorageError> {
        if self.is_dirty() {
            self.sync().await?;
        }
        match self.restate_parts().await {
            Ok(()) => {}
            // It is tried again after the next group.
            Err(AppendError::NoSpace(_)) => return Ok(()),
            Err(AppendError::Fatal(error)) => return Err(error),
        }
        (self.record_bytes, self.blob_bytes) = (0, 0);
        self.note_log();
        self.inner.frozen.raise();
        Ok(())
    }

    /// Begins a segment, writes the parts of batches that are under way to it, so that all before it can be dropped some day,
    /// and freezes what came before them. Without room for a segment the last one goes on, and is dropped later: those
    /// before it make room.
    async fn restate_parts(&mut self) -> Result<(), AppendError> {
        match self.journal.rotate(&self.inner.state).await {
            Ok(()) | Err(AppendError::NoSpace(_)) => {}
            Err(error) => return Err(error),
        }
        let first = self.journal.sequence();
        let group = self.inner.state.borrow_mut().restate();
        if group.records() > 0 && !is_planted(Bug::PartsNotRestated) {
            self.journal.append(&group, &self.inner.state).await?;
            self.sync().await.map_err(AppendError::Fatal)?;
        }
        let mut state = self.inner.state.borrow_mut();
        // What has ended meanwhile is frozen as well.
        state.freeze(&group, first);
        state.freeze_asked = false;
        Ok(())
    }

    /// Goes on with the number that a restore has made the next one. Without room it is tried again.
    async fn jump(&mut self) {
        let Some(sequence) = self.inner.state.borrow().jump_to else { return };
        if self.is_poisoned() {
            return;
        }
        match self.journal.jump(sequence, &self.inner.state).await {
            Ok(()) => self.inner.state.borrow_mut().jump_to = None,
            Err(AppendError::NoSpace(error)) => {
                tracing::warn!(
                    "shard {}: {error}; a restore waits for room in the log",
                    self.store.shard
                );
            }
            Err(AppendError::Fatal(error)) => self.poison(&error),
        }
    }

    /// Removes segments whose records are all in tables.
    async fn cut(&mut self) {
        let mut flushed = self.inner.state.borrow().flushed;
        if is_planted(Bug::LogCutEarly) {
            flushed = self.journal.sequence() - 1;
        }
        if self.is_poisoned() || !self.journal.can_drop_before(flushed + 1) {
            return;
        }
        if let Err(error) = self.journal.drop_before(flushed + 1).await {
            tracing::warn!("shard {}: {error}; tried again later", self.store.shard);
        }
        self.note_log();
    }

    /// Makes all that was written last: a mark vouches for it in the log, or it is flushed.
    async fn seal(&mut self) -> Result<(), StorageError> {
        if self.is_dirty() {
            self.sync().await?;
        }
        if let Some(blobs) = self.blobs.take() {
            blobs.finish().await;
        }
        if self.inner.durability == Durability::Flushed && !is_planted(Bug::LeftInMemory) {
            self.flush_all().await?;
        }
        self.journal.seal().await
    }

    /// Leaves nothing in memory.
    async fn flush_all(&mut self) -> Result<(), StorageError> {
        let (shard, bytes, is_fresh) = {
            let memtable = &self.inner.state.borrow().memtable;
            (self.store.shard, memtable.bytes(), memtable.active().sequence == 0)
        };
        if !is_fresh {
            self.freeze().await?;
        }
        if self.inner.state.borrow().memtable.frozen_count() > 0 {
            tracing::info!("shard {shard}: flushing {bytes} bytes of entries that no log holds");
        }
        flush::flush_all(self.inner, self.store).await;
        self.cut().await;
        Ok(())
    }

    /// Nothing more is written: what the disk holds is unknown.
    fn poison(&self, error: &StorageError) {
        self.inner.poison(error);
        self.fail(error);
    }

    /// Everything staged fails: what is queued may rest on what has failed.
    fn fail(&self, error: &StorageError) {
        let forgotten = self.inner.state.borrow_mut().forget_staged();
        for outcome in forgotten {
            outcome.settle(Err(error.clone()));
        }
    }

    /// Until there is work, or something is to be done about a sync.
    async fn wait(&mut self) {
        let left = self.until_sync();
        let work = pin!(self.inner.work.wait());
        let ended = match (&mut self.beside, left) {
            (Some(beside), _) => match select(work, &mut beside.synced).await {
                Either::Left(_) => None,
                Either::Right((synced, _)) => Some(synced),
            },
            (None, Some(left)) => {
                select(work, self.inner.clock.sleep(left)).await;
                None
            }
            (None, None) => {
                work.await;
                None
            }
        };
        if let Some(synced) = ended {
            self.end_sync_or_poison(synced);
        }
    }

    /// Time until a sync is to begin; `None` if none will be.
    fn until_sync(&self) -> Option<Duration> {
        let Durability::Logged(SyncMode::Interval(interval)) = self.inner.durability else {
            return None;
        };
        let since = self.dirty_since.filter(|_| self.beside.is_none() && !self.is_poisoned())?;
        Some((since + interval / 2).saturating_sub(self.inner.clock.now()))
    }

    /// Begins the sync of the interval.
    fn begin_sync(&mut self) {
        let begun = self.inner.clock.now();
        let since = self.dirty_since.take().unwrap_or(begun);
        let (records_to, records) = self.journal.sync_beside();
        let values = self.dirty_blobs().map(|blobs| blobs.sync_beside());
        let (values_to, values) = values.unzip();
        let synced = Box::pin(async move {
            let values = async { if let Some(values) = values { values.await } else { Ok(()) } };
            let (values, records) = join(values, records).await;
            values.and(records)
        });
        self.beside = Some(Beside { since, begun, records_to, values_to, synced });
    }

    /// Takes note of the sync of the interval if it has ended; waits for it if it takes so long that more than an interval
    /// of writes would be in danger.
    async fn look_at_sync(&mut self) {
        let Durability::Logged(SyncMode::Interval(interval)) = self.inner.durability else {
            return;
        };
        let now = self.inner.clock.now();
        let Some(beside) = &mut self.beside else { return };
        let is_late = now >= beside.since + interval;
        let ended = if is_late {
            Some((&mut beside.synced).await)
        } else {
            (&mut beside.synced).now_or_never()
        };
        if let Some(synced) = ended {
            self.end_sync_or_poison(synced);
        }
    }

    fn end_sync_or_poison(&mut self, synced: Result<(), StorageError>) {
        if let Err(error) = self.end_sync(synced) {
            self.poison(&error);
        }
    }

    fn end_sync(&mut self, synced: Result<(), StorageError>) -> Result<(), StorageError> {
        let Some(beside) = self.beside.take() else { return synced };
        synced?;
        self.journal.note_synced(beside.records_to);
        if let (Some(blobs), Some(position)) = (&mut self.blobs, beside.values_to) {
            blobs.note_synced(position);
        }
        let stats = &mut self.inner.state.borrow_mut().stats;
        stats.syncs += 1;
        stats.sync_times.record(self.inner.clock.now() - beside.begun);
        Ok(())
    }

    /// Makes everything durable that has been written. The log may vouch for it only after its values are durable too.
    async fn sync(&mut self) -> Result<(), StorageError> {
        // A later one may say that all is well after this one has failed.
        if let Some(beside) = &mut self.beside {
            let synced = (&mut beside.synced).await;
            self.end_sync(synced)?;
        }
        self.begin_sync();
        if let Some(beside) = &mut self.beside {
            let synced = (&mut beside.synced).await;
            self.end_sync(synced)?;
        }
        Ok(())
    }

    /// Whether records or values were written that no sync covers.
    fn is_dirty(&self) -> bool {
        self.journal.is_dirty() || self.dirty_blobs().is_some()
    }

    fn dirty_blobs(&self) -> Option<&blob::Writer> {
        let dirty = |blobs: &&blob::Writer| blobs.is_dirty() && !is_planted(Bug::ValuesNotSynced);
        self.blobs.as_ref().filter(dirty)
    }

    fn is_poisoned(&self) -> bool {
        self.inner.state.borrow().poisoned().is_some()
    }

    fn note_log(&self) {
        let stats = &mut self.inner.state.borrow_mut().stats;
        stats.log_bytes = self.journal.bytes();
        stats.segments = self.journal.segments();
    }
}

/// Tells that the loop has ended, also when the host has dropped it half way: then what it was writing is unknown.
struct Guard<'a>(&'a Inner);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut forgotten = Vec::new();
        let mut result = Ok(());
        {
            let mut state = self.0.state.borrow_mut();
            if !state.is_closing() || state.has_queued() {
                state.close();
                result = state.check_open();
                forgotten = state.forget_staged();
            }
        }
        for outcome in &forgotten {
            outcome.settle(result.clone());
        }
        self.0.stopped.settle(result);
    }
}
