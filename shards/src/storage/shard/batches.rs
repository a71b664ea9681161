//! A shard's side of batches across shards. `docs/explanation/transactions.md` has the protocol.

use std::{rc::Rc, sync::Arc};

use super::Shard;
use crate::storage::{
    StorageError,
    answer::Answer,
    bugs::{Bug, is_planted},
    group::Group,
    locks::LockSet,
    log::AppendError,
    part::{Batch, BatchId, Writers},
    partners::Partners,
    ticket::Ticket,
    traces::{Decisions, Traces},
    transaction::{self, CollectionWrites, Transaction},
};

impl Shard {
    /// What the log says of batches across shards; to be asked before [`Shard::resolve`].
    #[must_use]
    pub fn traces(&self) -> Traces {
        self.0.stash.borrow().traces().clone()
    }

    /// Ends all batches across shards that the log speaks of: to be called once, before [`Shard::run`], with what
    /// follows from the traces of all shards. No shard may run before all have been told.
    ///
    /// # Errors
    /// The log takes no records.
    pub async fn resolve(&self, decisions: &Decisions) -> Result<(), StorageError> {
        let stash = self.0.stash.take();
        // One that nobody decided is one that nobody committed.
        let decide = |id| decisions.get(id).unwrap_or(false);
        let marks = stash.resolve(&mut self.0.state.borrow_mut().memtable, decide);
        let mut journal = self.0.journal.borrow_mut().take();
        if let Some(journal) = journal.as_mut().filter(|_| !marks.is_empty()) {
            let mut group = Group::default();
            group.has_room = true;
            group.end_record(marks, 0);
            journal.append(&group, &self.0.state).await.map_err(AppendError::into_inner)?;
            let (position, synced) = journal.sync_beside();
            synced.await?;
            journal.note_synced(position);
        }
        self.0.journal.replace(journal);
        Ok(())
    }

    /// Gives this shard a way to the others.
    pub fn join(&self, partners: Rc<dyn Partners>) {
        // The first way stays.
        let _ = self.0.partners.set(partners);
    }

    /// Takes the locks of a batch and keeps them until [`Shard::finish`]; false if something is in the way.
    #[must_use]
    pub fn try_lock(&self, batch: &Arc<Batch>, locks: LockSet) -> bool {
        self.0.state.borrow_mut().try_lock(batch, locks)
    }

    /// Takes the locks of a batch, waits for what is in the way, and keeps them until [`Shard::finish`]. Then all that was
    /// written before is visible.
    ///
    /// # Errors
    /// [`StorageError::GivenUp`] if the batch ends before.
    pub fn lock(&self, batch: &Arc<Batch>, locks: LockSet) -> Answer<()> {
        let granted = self.0.state.borrow_mut().lock(batch, locks);
        let before = self.0.state.borrow().ticket_of_latest();
        if granted.is_done() && before.is_done() {
            return Answer::Now(Ok(()));
        }
        let shard = self.clone();
        Answer::Later(Box::pin(async move {
            granted.await?;
            let before = shard.0.state.borrow().ticket_of_latest();
            // What has failed is not there; the batch may go on.
            let _ = before.await;
            Ok(())
        }))
    }

    /// Runs `f` as this shard's share of a batch whose locks are held. Its ticket resolves when the share can be
    /// committed, as durable as the sync mode says. Without `writers` it only reads. Where `is_yes` does not hold of the
    /// result, there will be no part, and the ticket resolves when what was read is durable. Otherwise as
    /// [`Shard::transact`].
    pub fn prepare<T: 'static, E: From<StorageError> + 'static>(
        &self,
        batch: &Arc<Batch>,
        writers: Option<Writers>,
        f: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + 'static,
        is_yes: impl Fn(&T) -> bool + 'static,
    ) -> Answer<(T, Ticket), E> {
        let batch = Arc::clone(batch);
        self.count(|operations| &mut operations.transactions);
        self.run_step(f, move |shard, result, own| {
            let writers = writers.as_ref().filter(|_| is_yes(result));
            shard.stage_share(&batch, writers, own)
        })
    }

    fn stage_share(
        &self,
        batch: &Arc<Batch>,
        writers: Option<&Writers>,
        own: &mut [CollectionWrites],
    ) -> Result<Ticket, StorageError> {
        let mut state = self.0.state.borrow_mut();
        let Some(writers) = writers else {
            debug_assert!(own.is_empty(), "it only reads, or writes nothing after a no");
            if is_planted(Bug::NoBeforeDurable) {
                return Ok(Ticket::resolved());
            }
            return Ok(state.ticket_of_latest());
        };
        let ticket = state.stage_part(batch, Arc::clone(writers), transaction::drafts(own))?;
        drop(state);
        self.0.work.raise();
        Ok(ticket)
    }

    /// Ends a batch here, as its verdict says, and frees its locks. The ticket resolves when what had to be logged for that
    /// is.
    ///
    /// # Errors
    /// The log takes no records: what the start finds decides.
    pub fn finish(&self, batch: &Batch) -> Result<Ticket, StorageError> {
        let finished = self.0.state.borrow_mut().finish(batch);
        if let Some(given_up) = finished.given_up {
            given_up.settle(Err(StorageError::GivenUp));
        }
        for granted in finished.granted {
            granted.settle(Ok(()));
        }
        self.0.work.raise();
        finished.ticket
    }

    /// Makes durable what has been logged so far, in every sync mode.
    ///
    /// # Errors
    /// The shard is closed or poisoned.
    pub fn sync(&self) -> Result<Ticket, StorageError> {
        let ticket = self.0.state.borrow_mut().stage_marks(Vec::new());
        self.0.work.raise();
        ticket
    }

    /// Notes in the log, durably, that these batches count.
    ///
    /// # Errors
    /// The shard is closed or poisoned.
    pub fn note_committed(&self, batches: &[BatchId]) -> Result<Ticket, StorageError> {
        let ticket = self.0.state.borrow_mut().stage_commits(batches);
        self.0.work.raise();
        ticket
    }
}
