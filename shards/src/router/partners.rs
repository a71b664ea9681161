//! The way from one shard to the others, for its flushes.

use std::{rc::Weak, sync::Arc};

use futures_util::future::LocalBoxFuture;

use super::{Router, operation::Operation};
use crate::storage::{BatchId, Partners, StorageError};

/// Over the router of the shard's reactor, for as long as that lives.
pub struct ByRouter(pub Weak<Router>);

impl Partners for ByRouter {
    fn sync(&self, shard: u32) -> LocalBoxFuture<'static, Result<(), StorageError>> {
        self.ask(shard, Operation::Sync)
    }

    fn note_committed(
        &self,
        shard: u32,
        batches: Arc<[BatchId]>,
    ) -> LocalBoxFuture<'static, Result<(), StorageError>> {
        self.ask(shard, Operation::NoteCommitted(batches))
    }
}

impl ByRouter {
    fn ask(
        &self,
        shard: u32,
        operation: Operation,
    ) -> LocalBoxFuture<'static, Result<(), StorageError>> {
        let router = self.0.upgrade();
        Box::pin(async move {
            let failed = |cause: String| StorageError::Partner { shard, cause };
            let router = router.ok_or_else(|| failed("the reactor is gone".to_owned()))?;
            router.run(shard, operation).await.map_err(|error| failed(error.to_string()))?;
            Ok(())
        })
    }
}
