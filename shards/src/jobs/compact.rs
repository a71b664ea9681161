//! Merges the tables of all shards.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Job, Runner, Stage};
use crate::storage::{BackupError, Compacted};

impl Runner {
    pub(super) fn compact(
        &self,
        job: &Arc<Job>,
        collection: Option<String>,
    ) -> Result<Compacted, BackupError> {
        job.set_stage(Stage::Merging);
        let (sender, receiver) = crossbeam_channel::unbounded();
        for reactor in 0..self.reach.count() {
            let (sender, collection) = (sender.clone(), collection.clone());
            let control = Arc::clone(&job.control);
            self.reach.send(reactor, move |core| async move {
                let shards = core.router.local_shards().iter().map(|shard| async {
                    let _ = sender.send(shard.compact(collection.as_deref(), &control).await);
                });
                join_all(shards.collect::<Vec<_>>()).await;
            });
        }
        drop(sender);
        let (mut all, mut failure, mut ended) = (Compacted::default(), None, 0);
        self.gather(job, &receiver, |compacted| {
            ended += 1;
            match compacted {
                Ok(one) => {
                    all.tables_before += one.tables_before;
                    all.tables_merged += one.tables_merged;
                    all.tables_after += one.tables_after;
                    all.bytes_before += one.bytes_before;
                    all.bytes_after += one.bytes_after;
                    all.flushed += one.flushed;
                }
                Err(error) => {
                    job.control.fail();
                    failure.get_or_insert(error);
                }
            }
            Ok(ended == self.partition.shards())
        })?;
        failure.map_or(Ok(all), Err)
    }
}
