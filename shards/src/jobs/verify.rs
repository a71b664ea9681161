//! Looks for damage: in a backup, or in the files of the shards.

use std::sync::Arc;

use super::{Job, Runner, Stage, Verify, runner::quietly};
use crate::storage::{BackupError, Verified, verify};

impl Runner {
    pub(super) fn verify(&self, job: &Arc<Job>, directory: &str) -> Result<Verify, BackupError> {
        job.set_stage(Stage::Reading);
        let (folder, parent) = self.jobs.roots().existing(directory)?;
        let found = quietly(|| verify(&folder, &parent, &job.control))??;
        Ok(Verify::of([found]))
    }

    pub(super) fn inspect(&self, job: &Arc<Job>) -> Result<Verify, BackupError> {
        let found = self.of_each_shard(job, |shard, epoch, control, cut| async move {
            shard.inspect(epoch, control, cut).await
        })?;
        Ok(Verify::of(found))
    }
}

impl Verify {
    fn of(found: impl IntoIterator<Item = Verified>) -> Self {
        let mut all = Self::default();
        for found in found {
            all.keys += found.keys;
            all.bytes += found.bytes;
            all.files += found.files;
            all.damages_total += found.damages_total;
            all.damages.extend(found.damages);
        }
        all
    }
}
