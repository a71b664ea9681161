//! What operators ask of a shard while it serves: a copy of what it had at an instant, a look at all its files, tables merged,
//! and a backup in the place of what it has.

use std::{pin::pin, sync::Arc};

use futures_util::future::{Either, LocalBoxFuture, select};

use super::{Shard, StorageError};
use crate::storage::{
    background::{self, Desk, Lost, Urgency},
    backup::{
        self, BackupError, BackupId, Chain, Control, Copied, CopyJob, Folder, Inspection, Place,
        Ready, Staged, Switch, Verified,
    },
    compaction::{KeyRange, Plan},
    epoch::Epoch,
    merges,
    ticket::Ticket,
};

/// What compaction did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compacted {
    /// Tables before it.
    pub tables_before: u64,
    /// Tables that it read.
    pub tables_merged: u64,
    /// Tables after it.
    pub tables_after: u64,
    /// Bytes of tables before it.
    pub bytes_before: u64,
    /// Bytes of tables after it.
    pub bytes_after: u64,
    /// Entries that were flushed first.
    pub flushed: u64,
}

impl Shard {
    /// Copies what a snapshot sees, to files in `folder`. `cut` is called when the snapshot is not needed any more.
    ///
    /// # Errors
    /// A file is damaged, a disk is full or fails, or somebody asked for the end.
    pub async fn copy(
        &self,
        epoch: Epoch,
        (folder, backup): (Folder, BackupId),
        parent: Option<Chain>,
        control: Arc<Control>,
        cut: impl FnOnce(),
    ) -> Result<Copied, BackupError> {
        let taken = backup::cut(self, &self.0, epoch).await?;
        cut();
        control.expect_bytes(taken.sources.bytes);
        let job = CopyJob { sources: taken.sources, folder, backup, parent, control };
        let copied = self.care(move |desk| Box::pin(async move { job.run(&desk).await })).await;
        // Files that wait for this may go.
        drop(taken.view);
        self.0.tidy.raise();
        copied
    }

    /// Reads all files that count at this moment, and names what is damaged.
    ///
    /// # Errors
    /// Somebody asked for the end, or the disk fails.
    pub async fn inspect(
        &self,
        epoch: Epoch,
        control: Arc<Control>,
        cut: impl FnOnce(),
    ) -> Result<Verified, BackupError> {
        let taken = backup::cut(self, &self.0, epoch).await?;
        cut();
        control.expect_bytes(taken.sources.bytes);
        let job = Inspection { sources: taken.sources, control };
        let found = self.care(move |desk| Box::pin(async move { job.run(&desk).await })).await;
        drop(taken.view);
        self.0.tidy.raise();
        found
    }

    /// Has a walk over all of the shard done beside the reactor, when those of its other shards are over.
    async fn care<T: Send + 'static>(
        &self,
        work: impl FnOnce(Desk) -> LocalBoxFuture<'static, Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let done = async {
            let _turn = self.0.walks.lock().await;
            background::run(&*self.0.background, Urgency::Care, work).await
        };
        match select(pin!(done), Ticket::new(&self.0.ending)).await {
            Either::Left((Ok(done), _)) => done,
            Either::Left((Err(Lost::Panicked(cause)), _)) => {
                Err(StorageError::Background { cause }.into())
            }
            // Dropping the work gives it up.
            Either::Left((Err(Lost::Stopped), _)) | Either::Right(_) => Err(BackupError::Cancelled),
        }
    }

    /// What those need who stage the rows of a backup with these collections for this shard.
    ///
    /// # Errors
    /// The shard takes no writes, or keeps nothing beyond the process.
    pub async fn place(&self, names: &[String]) -> Result<Place, BackupError> {
        match &self.0.store {
            Some(store) => Ok(backup::place(&self.0, store, names).await?),
            None => Err(BackupError::Refused(
                "storage.engine = \"memory\" keeps no files that a backup could be put beside"
                    .into(),
            )),
        }
    }

    /// Puts what was staged in the place of what is there, or over it, at the instant of `switch`; false if that was given up.
    ///
    /// # Errors
    /// The shard does not become quiet, or its disk fails.
    pub async fn switch(
        &self,
        staged: Staged,
        switch: Arc<Switch>,
        near: impl FnOnce(),
        ready: impl FnOnce(Vec<u8>, Ready),
    ) -> Result<bool, BackupError> {
        let Some(store) = &self.0.store else { return Ok(false) };
        let switched = backup::switch(self, &self.0, store, staged, switch, near, ready).await;
        // Files of before may go.
        store.sweep().await;
        Ok(switched?)
    }

    /// One step: from here on readers see what was restored.
    pub(in crate::storage) fn install_restore(&self, prepared: super::Prepared, sequence: u64) {
        if let Some(store) = &self.0.store {
            store.take_step(&self.0, prepared, |state, before| state.restored(sequence, before));
        }
    }

    /// Flushes what is in memory, then merges all tables of a collection, or of all, to the bottom of the tree.
    ///
    /// # Errors
    /// A file is damaged, or the disk is full or fails. A merge that is under way ends before somebody's wish for the end is
    /// looked at.
    pub async fn compact(
        &self,
        collection: Option<&str>,
        control: &Control,
    ) -> Result<Compacted, BackupError> {
        let Some(store) = &self.0.store else { return Ok(Compacted::default()) };
        let flushed = backup::flush(&self.0, store, control).await?;
        let _turn = store.merging.lock().await;
        if control.is_cancelled() {
            return Err(BackupError::Cancelled);
        }
        let before = self.tables();
        let mut done = Compacted {
            tables_before: before.0,
            tables_after: before.0,
            bytes_before: before.1,
            bytes_after: before.1,
            flushed,
            ..Compacted::default()
        };
        let shape = merges::look(&self.0);
        let range = match collection {
            None => None,
            Some(name) => {
                let id = self.0.state.borrow().view.version.collections().id(name);
                let Some(id) = id else { return Ok(done) };
                let (smallest, largest) = (id.start(), id.end());
                let copied = |key: &[u8]| bytes::Bytes::copy_from_slice(key);
                Some(KeyRange { smallest: copied(&smallest), largest: copied(&largest[..]) })
            }
        };
        let plan = Plan::whole(&shape, &self.0.policy.borrow(), range);
        let Some(plan) = plan else { return Ok(done) };
        done.tables_merged = plan.inputs.iter().map(|input| input.tables.len() as u64).sum();
        merges::carry_out(&self.0, store, &plan).await?;
        self.0.tidy.raise();
        (done.tables_after, done.bytes_after) = self.tables();
        Ok(done)
    }

    /// Tables, and their bytes.
    fn tables(&self) -> (u64, u64) {
        let state = self.0.state.borrow();
        let tables = || state.view.version.tables();
        (tables().count() as u64, tables().map(|table| table.meta.bytes).sum())
    }

    /// The number of the shard.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.state.borrow().number()
    }
}
