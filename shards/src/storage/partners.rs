//! The other shards, as a flush needs them: what a memtable holds of batches across shards may leave the log only when all
//! of them can vouch for it. `docs/explanation/transactions.md`, "A part in the log", has the rules.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::{LocalBoxFuture, try_join_all};

use super::{
    StorageError,
    part::{BatchId, Writers},
};

/// A way to all shards of the process.
pub trait Partners {
    /// Makes durable what that shard has logged so far.
    fn sync(&self, shard: u32) -> LocalBoxFuture<'static, Result<(), StorageError>>;

    /// Has that shard note, durably, that these batches count.
    fn note_committed(
        &self,
        shard: u32,
        batches: Arc<[BatchId]>,
    ) -> LocalBoxFuture<'static, Result<(), StorageError>>;
}

/// Makes sure that each other writer of these batches, which have been committed, knows so by itself and for ever.
pub(super) async fn secure(
    partners: &dyn Partners,
    shard: u32,
    batches: &[(BatchId, Writers)],
) -> Result<(), StorageError> {
    let mut of_partners: BTreeMap<u32, Vec<BatchId>> = BTreeMap::new();
    for (id, writers) in batches {
        for writer in writers.iter().filter(|writer| **writer != shard) {
            of_partners.entry(*writer).or_default().push(*id);
        }
    }
    // All parts first: nobody may know that a batch counts of which a part can still be lost.
    try_join_all(of_partners.keys().map(|partner| partners.sync(*partner))).await?;
    let noted = of_partners
        .into_iter()
        .map(|(partner, batches)| partners.note_committed(partner, batches.into()));
    try_join_all(noted).await?;
    Ok(())
}
