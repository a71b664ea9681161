//! What a shard knows of batches across shards that are under way.

use std::{rc::Rc, sync::Arc};

use super::{Draft, State};
use crate::storage::{
    StorageError,
    bugs::{Bug, is_planted},
    entry::{Entry, Sequence},
    epoch::Epoch,
    group::Group,
    key::Key,
    locks::{Acquired, LockSet},
    memtable::TableId,
    owed::Owed,
    part::{Batch, BatchId, Part, Staged, Writers},
    ticket::{Outcome, Ticket},
    wal::Mark,
};

/// How the end of a batch went here.
pub(in crate::storage) struct Finished {
    /// Ready when what had to be logged for it is.
    pub(in crate::storage) ticket: Result<Ticket, StorageError>,
    /// Those who have their locks now.
    pub(in crate::storage) granted: Vec<Rc<Outcome>>,
    /// What the batch itself still waited for.
    pub(in crate::storage) given_up: Option<Rc<Outcome>>,
}

impl State {
    /// Takes the locks of a batch, if nothing has to be waited for.
    pub(in crate::storage) fn try_lock(&mut self, batch: &Arc<Batch>, locks: LockSet) -> bool {
        let held = self.locks.try_acquire(&locks);
        if held {
            self.parts.begin(batch, locks, None);
        }
        held
    }

    /// Takes the locks of a batch, or tells what resolves when they are held.
    pub(in crate::storage) fn lock(&mut self, batch: &Arc<Batch>, locks: LockSet) -> Ticket {
        let (waiting, ticket) = match self.locks.acquire(&locks) {
            Acquired::Now => (None, Ticket::resolved()),
            Acquired::Later(number, granted) => {
                let ticket = Ticket::new(&granted);
                (Some((number, granted)), ticket)
            }
        };
        self.parts.begin(batch, locks, waiting);
        ticket
    }

    /// Makes a part of checked changes: one record, which nobody but the readers of a committed batch sees.
    pub(in crate::storage) fn stage_part<'a>(
        &mut self,
        batch: &Arc<Batch>,
        writers: Writers,
        drafts: impl Iterator<Item = (&'a str, Draft)>,
    ) -> Result<Ticket, StorageError> {
        self.check_writable()?;
        if self.parts.get_mut(batch.id).is_none() {
            return Err(StorageError::GivenUp);
        }
        let mut keys = Vec::new();
        let mut operation_bytes = 0;
        let has_tree = self.has_tree();
        if has_tree {
            self.gather();
        }
        let bytes_before = self.gathering_bytes();
        for (collection, (key, change)) in drafts {
            self.stamp += 1;
            let table = self.memtable.intern(collection);
            self.memtable.propose(table, key.clone(), change.clone(), batch);
            keys.push((table, key.clone()));
            if let Some(group) = self.queue.back_mut().filter(|_| has_tree) {
                let (place, draft) = ((collection, table), (key, change));
                operation_bytes += group.push(place, draft, self.stamp, self.blob_bytes_min);
            }
        }
        let (ticket, sequence) = match self.queue.back_mut().filter(|_| has_tree) {
            Some(group) => {
                group.end_record(vec![Mark::Part(batch.id, Arc::clone(&writers))], operation_bytes);
                (Ticket::new(&group.outcome), None)
            }
            None => (Ticket::resolved(), Some(self.stamp)),
        };
        self.staged_bytes += self.gathering_bytes() - bytes_before;
        if let Some(part) = self.parts.get_mut(batch.id) {
            part.staged = Some(Staged { writers, keys, sequence });
        }
        Ok(ticket)
    }

    /// Notes that these batches count, where that is not noted yet and somebody may need it. Otherwise as
    /// [`State::stage_marks`].
    pub(in crate::storage) fn stage_commits(
        &mut self,
        batches: &[BatchId],
    ) -> Result<Ticket, StorageError> {
        self.check_open()?;
        let mut marks = Vec::new();
        for id in batches {
            if self.owed.take(*id) {
                marks.push(Mark::Commit(*id));
            }
        }
        self.stage_marks(marks)
    }

    /// Makes a record of nothing but marks, if there are any, which waits for no room. Its ticket resolves when all that is
    /// logged so far is durable, in every sync mode.
    pub(in crate::storage) fn stage_marks(
        &mut self,
        marks: Vec<Mark>,
    ) -> Result<Ticket, StorageError> {
        self.check_open()?;
        if !self.has_tree() {
            return Ok(Ticket::resolved());
        }
        let group = self.urgent.get_or_insert_default();
        group.has_room = true;
        let (bytes, ticket) = add_marks(group, marks);
        self.staged_bytes += bytes;
        Ok(ticket)
    }

    /// Bytes that must be left in the log behind a group, for marks that may have to be written while the disk is full.
    pub(in crate::storage) fn bytes_left_behind(&self, group: &Group) -> u64 {
        if is_planted(Bug::NoRoomForMarks) {
            return 0;
        }
        let staged = self.urgent.as_ref().map_or(0, |group| group.bytes);
        self.owed.bytes() + Owed::bytes_of(group.parts().count()) + staged
    }

    /// The marks of a group have not been written. Whoever has asked for one of them meanwhile, and waits for no more than a
    /// sync, fails as well: the outcome is to be settled with the error after the borrow ends.
    pub(in crate::storage) fn give_back_marks(&mut self, group: &Group) -> Option<Rc<Outcome>> {
        group.commit_marks().for_each(|id| self.owed.give_back(id));
        let behind = self.urgent.take_if(|_| group.has_room)?;
        behind.commit_marks().for_each(|id| self.owed.give_back(id));
        Some(behind.outcome)
    }

    /// Makes the record that a batch does not count. It must not come before the part in the log: it would be dropped first.
    fn stage_abort(&mut self, id: BatchId, is_logged: bool) -> Result<Ticket, StorageError> {
        self.owed.forget(id);
        let marks = vec![Mark::Abort(id)];
        if is_logged || !self.has_tree() {
            return self.stage_marks(marks);
        }
        self.check_open()?;
        self.gather();
        let Some(group) = self.queue.back_mut() else { return Ok(Ticket::resolved()) };
        let (bytes, ticket) = add_marks(group, marks);
        self.staged_bytes += bytes;
        Ok(ticket)
    }

    /// Ends a batch here, as its verdict says.
    pub(in crate::storage) fn finish(&mut self, batch: &Batch) -> Finished {
        let Some(part) = self.parts.remove(batch.id) else {
            let ticket = Ok(Ticket::resolved());
            return Finished { ticket, granted: Vec::new(), given_up: None };
        };
        let Part { locks, waiting, staged, .. } = part;
        let mut ticket = Ok(Ticket::resolved());
        if let Some(Staged { writers, keys, sequence }) = staged {
            let epochs = self.epochs.clone();
            match batch.verdict.committed(&epochs) {
                Some(epoch) => self.apply_part(batch, &writers, keys, (sequence, epoch)),
                None => {
                    for (table, key) in &keys {
                        self.memtable.withdraw(*table, key);
                    }
                    // A power cut may leave the parts and take what came behind them.
                    if !is_planted(Bug::AbortNotLogged) {
                        ticket = self.stage_abort(batch.id, sequence.is_some());
                    }
                }
            }
        }
        let (granted, given_up) = match waiting {
            Some((number, outcome)) => (self.locks.give_up(number, &locks), Some(outcome)),
            None => (self.locks.release(&locks), None),
        };
        Finished { ticket, granted, given_up }
    }

    /// Makes ordinary entries of a part.
    fn apply_part(
        &mut self,
        batch: &Batch,
        writers: &Writers,
        keys: Vec<(TableId, Key)>,
        (sequence, epoch): (Option<Sequence>, Epoch),
    ) {
        // Nobody commits what has not been logged.
        let Some(sequence) = sequence else { return };
        let look = self.epochs.look();
        for (table, key) in keys {
            if let Some(change) = self.memtable.withdraw(table, &key) {
                self.memtable.show(table, key, Entry { sequence, change }, epoch, &look);
            }
        }
        self.memtable.add_batch(batch.id, writers);
    }

    /// The records of all parts that are logged and undecided, to be logged again. What has been committed gets into the
    /// memtable now: the log may say already that it counts, and must not say it before the part.
    pub(in crate::storage) fn restate(&mut self) -> Group {
        let epochs = self.epochs.clone();
        for (batch, staged) in self.parts.take_committed(&epochs) {
            let Some(epoch) = batch.verdict.committed(&epochs) else { continue };
            let Staged { writers, keys, sequence } = staged;
            self.apply_part(&batch, &writers, keys, (sequence, epoch));
        }
        let mut group = Group::default();
        for (id, staged) in self.parts.staged().filter(|(_, staged)| staged.sequence.is_some()) {
            let mut operation_bytes = 0;
            for (table, key) in &staged.keys {
                let Some(change) = self.memtable.proposed(*table, key).cloned() else { continue };
                let place = (&**self.memtable.name(*table), *table);
                // Large values keep their places.
                operation_bytes += group.push(place, (key.clone(), change), 0, usize::MAX);
            }
            group.end_record(vec![Mark::Part(id, Arc::clone(&staged.writers))], operation_bytes);
        }
        group
    }

    /// Freezes the active memtable, in which no part is that has not ended: those of `group` have been logged again from
    /// `first` on.
    pub(in crate::storage) fn freeze(&mut self, group: &Group, first: Sequence) {
        self.memtable.freeze(first - 1);
        self.freezes += 1;
        self.note_parts(group, first);
    }

    /// The records of a group that has been written begin with `sequence`.
    pub(super) fn note_parts(&mut self, group: &Group, sequence: Sequence) {
        for (record, id) in group.parts() {
            let part = self.parts.get_mut(id);
            if let Some(staged) = part.and_then(|part| part.staged.as_mut()) {
                staged.sequence = Some(sequence + record as u64);
                self.owed.add(id);
            }
        }
    }

    /// Forgets parts that will never be in the log. Where what the disk holds is unknown, no part is one of these.
    pub(super) fn forget_parts(&mut self) {
        if self.poisoned.is_some() {
            return;
        }
        for part in self.parts.unlogged() {
            for (table, key) in part.staged.take().into_iter().flat_map(|staged| staged.keys) {
                self.memtable.withdraw(table, &key);
            }
        }
    }

    fn gathering_bytes(&self) -> u64 {
        self.queue.back().map_or(0, |group| group.bytes + group.blob_bytes)
    }
}

/// Makes a record of marks, if there are any, in a group that is to be durable; tells its bytes, and who waits for it.
fn add_marks(group: &mut Group, marks: Vec<Mark>) -> (u64, Ticket) {
    let bytes_before = group.bytes;
    if !marks.is_empty() {
        group.end_record(marks, 0);
    }
    group.must_sync = true;
    (group.bytes - bytes_before, Ticket::new(&group.outcome))
}
