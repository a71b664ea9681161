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
    epoch::Epoch,
    ticket::Ticket,
};

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
        let job = Inspection { sources: taken.sources, control };
        let found = self.care(move |desk| Box::pin(async move { job.run(&desk).await })).await;
        drop(taken.view);
        self.0.tidy.raise();
        found
    }

    /// Has work done that nobody waits for, beside the reactor.
    async fn care<T: Send + 'static>(
        &self,
        work: impl FnOnce(Desk) -> LocalBoxFuture<'static, Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let done = background::run(&*self.0.background, Urgency::Care, work);
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

    /// The number of the shard.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.state.borrow().number()
    }
}
