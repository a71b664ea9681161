//! A backup into the shards of a server that runs: staged, then switched in at one instant.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{Job, Restore, Runner, Stage, runner::quietly};
use crate::storage::{
    BackupError, Pending, Place, Reader, Restored, Staged, Switch, read_through, stage_all,
};

/// What a shard tells while it is switched.
enum Told {
    /// What it had is flushed.
    Near,
    /// Writers are held, and this is the step that it will take.
    Ready(u32, Vec<u8>),
    /// Writers go on; whether it was switched.
    Ended(Result<bool, BackupError>),
}

/// How long shards may take until all are ready.
const READY_MAX: Duration = Duration::from_secs(120);

impl Runner {
    pub(super) fn restore(
        &self,
        job: &Arc<Job>,
        directory: &str,
        (replace, dry_run): (bool, bool),
        collection: &str,
    ) -> Result<Restore, BackupError> {
        job.set_stage(Stage::Preparing);
        let (folder, parent) = self.jobs.roots().existing(directory)?;
        let mut reader = Reader::open(&folder, &parent, collection)?;
        let (schema_version, backups) = (reader.schema_version(), reader.links());
        let restored = if dry_run {
            job.set_stage(Stage::Reading);
            quietly(|| read_through(&mut reader, &job.control))??
        } else {
            self.put(job, reader, replace)?
        };
        let Restored { keys, bytes } = restored;
        Ok(Restore { schema_version, keys, bytes, backups, dry_run })
    }

    fn put(
        &self,
        job: &Arc<Job>,
        mut reader: Reader,
        replace: bool,
    ) -> Result<Restored, BackupError> {
        let no_files = || {
            BackupError::Refused(
                "storage.engine = \"memory\" keeps no files that a backup could be put into".into(),
            )
        };
        let data_dir = self.data_dir.as_ref().ok_or_else(no_files)?;
        let places = self.places(job, reader.collections().into_iter().collect())?;
        job.set_stage(Stage::Reading);
        let staged =
            quietly(|| stage_all(places.clone(), &self.partition, &mut reader, &job.control));
        let (staged, restored) = staged??;
        job.set_stage(Stage::Switching);
        let switch = Switch::new(self.reach.count(), replace);
        match self.switch(job, &staged, &switch, data_dir) {
            Ok(()) => Ok(restored),
            Err(error) => {
                if !switch.is_decided() {
                    staged.iter().zip(&places).for_each(|(staged, place)| staged.discard(place));
                }
                Err(error)
            }
        }
    }

    /// What each shard gives to those who stage rows for it, by number.
    fn places(&self, job: &Job, names: Vec<String>) -> Result<Vec<Place>, BackupError> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let names: Arc<[String]> = names.into();
        for reactor in 0..self.reach.count() {
            let (sender, names) = (sender.clone(), Arc::clone(&names));
            self.reach.send(reactor, move |core| async move {
                for shard in core.router.local_shards() {
                    let _ = sender.send((shard.number(), shard.place(&names).await));
                }
            });
        }
        drop(sender);
        let (mut places, shards) = (BTreeMap::new(), self.partition.shards() as usize);
        self.gather(job, &receiver, |(shard, place)| {
            places.insert(shard, place?);
            Ok(places.len() == shards)
        })?;
        Ok(places.into_values().collect())
    }

    /// Switches all shards, or none.
    fn switch(
        &self,
        job: &Arc<Job>,
        staged: &[Staged],
        switch: &Arc<Switch>,
        data_dir: &std::path::Path,
    ) -> Result<(), BackupError> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let reactors = self.reach.count();
        for reactor in 0..reactors {
            let own = staged.iter().skip(reactor).step_by(reactors).cloned();
            let own: Vec<Staged> = own.collect();
            let (sender, switch) = (sender.clone(), Arc::clone(switch));
            self.reach.send(reactor, move |core| async move {
                let shards = core.router.local_shards().iter().zip(own).map(|(shard, staged)| {
                    let (near, ready, ended) = (sender.clone(), sender.clone(), sender.clone());
                    let (switch, core, number) = (Arc::clone(&switch), &core, shard.number());
                    async move {
                        let near = move || drop(near.send(Told::Near));
                        let ready = |edit, own| {
                            core.ready.borrow_mut().push(own);
                            drop(ready.send(Told::Ready(number, edit)));
                        };
                        let switched = shard.switch(staged, switch, near, ready).await;
                        let _ = ended.send(Told::Ended(switched));
                    }
                });
                join_all(shards.collect::<Vec<_>>()).await;
            });
        }
        drop(sender);
        let decided = self.decide(job, switch, data_dir, &receiver);
        if let Err((error, mut ended)) = decided {
            switch.give_up();
            let shards = self.partition.shards() as usize;
            while ended < shards {
                self.gather(job, &receiver, |told| Ok(matches!(told, Told::Ended(_))))?;
                ended += 1;
            }
            self.forget_ready();
            return Err(error);
        }
        for reactor in 0..reactors {
            let switch = Arc::clone(switch);
            self.reach.send(reactor, move |core| async move {
                let ready = core.ready.take();
                switch.meet(ready);
            });
        }
        let (mut ended, mut failure) = (0, None);
        self.gather(job, &receiver, |told| {
            if let Told::Ended(switched) = told {
                ended += 1;
                failure = failure.take().or(switched.err());
            }
            Ok(ended == self.partition.shards())
        })?;
        if let Some(error) = failure {
            let text = format!(
                "it was restored, and is seen; a restart has to end it, since a shard failed: {error}"
            );
            return Err(BackupError::Refused(text));
        }
        if let Err(error) = Pending::remove(data_dir) {
            tracing::warn!("the next start finds a restore that has been carried out: {error}");
        }
        Ok(())
    }

    /// Waits until all shards are ready, and writes the decision; otherwise says why not, and how many shards have ended.
    fn decide(
        &self,
        job: &Arc<Job>,
        switch: &Switch,
        data_dir: &std::path::Path,
        receiver: &crossbeam_channel::Receiver<Told>,
    ) -> Result<(), (BackupError, usize)> {
        let shards = self.partition.shards() as usize;
        let (mut near, mut ended, mut edits) = (0, 0, BTreeMap::new());
        let begun = Instant::now();
        loop {
            let mut failure = None;
            let taken = receiver.recv_timeout(super::runner::LOOK);
            match taken {
                Ok(Told::Near) => {
                    near += 1;
                    if near == shards {
                        switch.hold();
                    }
                }
                Ok(Told::Ready(shard, edit)) => {
                    edits.insert(shard, Arc::from(edit));
                }
                Ok(Told::Ended(switched)) => {
                    ended += 1;
                    failure = Some(switched.err().unwrap_or(BackupError::Cancelled));
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Err(_) => {
                    failure = Some(BackupError::Refused("a reactor did not end its part".into()))
                }
            }
            if job.control.is_cancelled() {
                failure = failure.or(Some(BackupError::Cancelled));
            }
            if begun.elapsed() > READY_MAX {
                let late = BackupError::Refused(
                    "shards did not become ready; ask again when less is written".into(),
                );
                failure = failure.or(Some(late));
            }
            if let Some(error) = failure {
                return Err((error, ended));
            }
            if edits.len() == shards {
                break;
            }
        }
        let written = Pending::new(self.directory_id, edits).write(data_dir);
        written.map_err(|error| (error, ended))?;
        switch.decide();
        Ok(())
    }

    fn forget_ready(&self) {
        for reactor in 0..self.reach.count() {
            self.reach.send(reactor, |core| async move { core.ready.borrow_mut().clear() });
        }
    }
}
