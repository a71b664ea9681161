//! A backup of all shards: one snapshot, a cut of each shard, then copies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use futures_util::future::join_all;
use glommio::timer::sleep;

use super::{Backup, Job, Runner, Stage, runner::LOOK};
use crate::storage::{BackupError, Copied, Draft, Keep, Manifest, StorageError, prune};

/// Times that a cut is taken again.
const TRIES_MAX: u32 = 20;

/// A snapshot that a reactor holds for a job, until this is dropped.
pub(super) struct Instance {
    pub(super) epoch: u64,
    over: Arc<AtomicBool>,
    /// Whether it was alive to the end.
    ended: Receiver<bool>,
}

/// What a shard tells.
enum Told<T> {
    /// The snapshot is not needed here any more.
    Cut,
    /// It has ended.
    Ended(Result<T, BackupError>),
}

impl Runner {
    /// Writes a backup, then throws away what need not be kept beside it.
    pub(super) fn back_up(
        &self,
        job: &Arc<Job>,
        directory: &str,
        incremental: (bool, Option<&str>),
        keep: Keep,
    ) -> Result<Backup, BackupError> {
        let mut tries = 0;
        let (draft, manifest, size_bytes) = loop {
            match self.try_to_back_up(job, directory, incremental) {
                // More was overwritten in the instant of the cut than is kept for snapshots.
                Err(BackupError::Storage(StorageError::Outdated { .. })) if tries < TRIES_MAX => {
                    tries += 1;
                    job.control.begin_again();
                }
                done => break done?,
            }
        };
        let removed = if keep == Keep::default() {
            0
        } else {
            match prune(draft.above(), self.directory_id, keep) {
                Ok(gone) => {
                    gone.iter().for_each(|name| tracing::info!("backup {name} is no longer kept"));
                    gone.len()
                }
                Err(error) => {
                    tracing::warn!("old backups were not removed: {error}");
                    0
                }
            }
        };
        Ok(Backup {
            directory: draft.shown().display().to_string(),
            id: manifest.id.to_string(),
            parent: manifest.parent.map(|parent| parent.to_string()),
            created_at_ms: manifest.created_at_ms,
            keys: manifest.keys,
            deletions: manifest.deletions,
            bytes: manifest.bytes,
            size_bytes,
            removed,
        })
    }

    fn try_to_back_up(
        &self,
        job: &Arc<Job>,
        directory: &str,
        incremental: (bool, Option<&str>),
    ) -> Result<(Draft, Manifest, u64), BackupError> {
        job.set_stage(Stage::Preparing);
        let draft = Draft::begin(self.jobs.roots(), directory, incremental, self.source())?;
        let finished = self.write(job, &draft).and_then(|copied| {
            job.set_stage(Stage::Finishing);
            draft.finish(copied)
        });
        match finished {
            Ok((manifest, size_bytes)) => Ok((draft, manifest, size_bytes)),
            Err(error) => {
                draft.abandon();
                Err(error)
            }
        }
    }

    fn write(&self, job: &Arc<Job>, draft: &Draft) -> Result<Vec<Copied>, BackupError> {
        let (folder, id, parent) = (draft.folder.clone(), draft.id, draft.parent.clone());
        self.of_each_shard(job, move |shard, epoch, control, cut| {
            let (folder, parent) = (folder.clone(), parent.clone());
            async move { shard.copy(epoch, (folder, id), parent, control, cut).await }
        })
    }

    /// Has every shard do something with what it had at one instant.
    pub(super) fn of_each_shard<T, F>(
        &self,
        job: &Arc<Job>,
        work: impl Fn(crate::storage::Shard, u64, Arc<crate::storage::Control>, Box<dyn FnOnce()>) -> F
        + Clone
        + Send
        + 'static,
    ) -> Result<Vec<T>, BackupError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BackupError>> + 'static,
    {
        job.set_stage(Stage::Preparing);
        let instance = self.take_instance(job)?;
        let epoch = instance.epoch;
        let (sender, receiver) = crossbeam_channel::unbounded();
        for reactor in 0..self.reach.count() {
            let (sender, work, control) = (sender.clone(), work.clone(), Arc::clone(&job.control));
            self.reach.send(reactor, move |core| async move {
                let shards = core.router.local_shards().iter().map(|shard| {
                    let (told, ended) = (sender.clone(), sender.clone());
                    let cut = Box::new(move || drop(told.send(Told::Cut)));
                    let done = work(shard.clone(), epoch, Arc::clone(&control), cut);
                    async move { drop(ended.send(Told::Ended(done.await))) }
                });
                join_all(shards.collect::<Vec<_>>()).await;
            });
        }
        drop(sender);
        let shards = self.partition.shards() as usize;
        let (mut cuts, mut done, mut failure) = (0, Vec::new(), None);
        let (mut instance, mut ended) = (Some(instance), 0);
        self.gather(job, &receiver, |told| {
            match told {
                Told::Cut => cuts += 1,
                Told::Ended(Ok(part)) => {
                    ended += 1;
                    done.push(part);
                }
                Told::Ended(Err(error)) => {
                    ended += 1;
                    // The others need not go on.
                    job.control.fail();
                    if failure.is_none() || matches!(failure, Some(BackupError::Cancelled)) {
                        failure = Some(error);
                    }
                }
            }
            if cuts == shards
                && let Some(instance) = instance.take()
            {
                job.set_stage(Stage::Copying);
                if !instance.end() {
                    job.control.fail();
                    failure = Some(BackupError::Refused(
                        "shards took too long to freeze what they had; ask again".into(),
                    ));
                }
            }
            Ok(ended == shards)
        })?;
        match failure {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    /// Takes a snapshot on the first reactor.
    fn take_instance(&self, job: &Job) -> Result<Instance, BackupError> {
        let over = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let (told, ended) = crossbeam_channel::bounded(1);
        let until = Arc::clone(&over);
        self.reach.send(0, move |core| async move {
            let snapshot = core.router.snapshots().take(Instant::now());
            let _ = sender.send(snapshot.epoch());
            while !until.load(SeqCst) {
                sleep(Duration::from_millis(1)).await;
            }
            let _ = told.send(snapshot.is_alive());
        });
        let mut epoch = 0;
        self.gather(job, &receiver, |taken| {
            epoch = taken;
            Ok(true)
        })?;
        Ok(Instance { epoch, over, ended })
    }
}

impl Instance {
    /// Lets go of it, and tells whether all that it sees was kept until now.
    fn end(self) -> bool {
        self.over.store(true, SeqCst);
        self.ended.recv_timeout(200 * LOOK).unwrap_or(false)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
    }
}
