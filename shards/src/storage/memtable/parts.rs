//! Changes of batches across shards that are under way. They lie above all layers: their keys are locked, so nothing newer
//! can come, and readers see them from the instant of the verdict on.

use std::sync::Arc;

use super::{Memtable, TableId};
use crate::storage::{
    bugs::{Bug, is_planted},
    entry::Change,
    epoch::{Epoch, Epochs},
    key::Key,
    layer::Range,
    layers::Layers,
    part::{Batch, BatchId},
};

/// A change that counts if its batch does.
pub(super) struct Provisional {
    change: Change,
    batch: Arc<Batch>,
}

impl Provisional {
    /// The epoch from which on it is seen, if it is.
    fn committed(&self, epochs: &Epochs) -> Option<Epoch> {
        let committed = self.batch.verdict.committed(epochs);
        if is_planted(Bug::SeenUndecided) {
            return committed.or(Some(0));
        }
        committed.filter(|_| !is_planted(Bug::HalfVisible))
    }
}

impl Memtable {
    /// Whether any batch is under way that writes here.
    pub(in crate::storage) fn has_provisional(&self) -> bool {
        self.provisional > 0
    }

    /// Puts a change beside the layers.
    pub(in crate::storage) fn propose(
        &mut self,
        id: TableId,
        key: Key,
        change: Change,
        batch: &Arc<Batch>,
    ) {
        let proposed = Provisional { change, batch: Arc::clone(batch) };
        let before = self.tables[id.0 as usize].provisional.insert(key, proposed);
        self.provisional += usize::from(before.is_none());
    }

    /// A large value of a change has found its place in a blob file.
    pub(in crate::storage) fn place_proposed(
        &mut self,
        id: TableId,
        key: &[u8],
        placed: Change,
        batch: BatchId,
    ) {
        // If it has been withdrawn, another batch may have proposed something for the key.
        let proposed = self.tables[id.0 as usize].provisional.get_mut(key);
        if let Some(proposed) = proposed.filter(|proposed| proposed.batch.id == batch) {
            proposed.change = placed;
        }
    }

    /// What was proposed for a key.
    pub(in crate::storage) fn proposed(&self, id: TableId, key: &[u8]) -> Option<&Change> {
        self.table(id).provisional.get(key).map(|proposed| &proposed.change)
    }

    /// Forgets a change that was proposed.
    pub(in crate::storage) fn withdraw(&mut self, id: TableId, key: &[u8]) -> Option<Change> {
        let withdrawn = self.tables[id.0 as usize].provisional.remove(key)?;
        self.provisional -= 1;
        Some(withdrawn.change)
    }

    /// The change of a key, if its batch has been committed and has not ended here.
    pub(in crate::storage) fn committed(
        &self,
        id: TableId,
        key: &[u8],
        epochs: &Epochs,
    ) -> Option<&Change> {
        let proposed = self.table(id).provisional.get(key)?;
        proposed.committed(epochs).map(|_| &proposed.change)
    }

    /// Puts the changes of a range into `layers` whose batches were committed no later than `snapshot`.
    pub(in crate::storage) fn push_committed<'a>(
        &'a self,
        id: TableId,
        range: Range<'a>,
        (epochs, snapshot): (&'a Epochs, Epoch),
        layers: &mut Layers<'a>,
    ) {
        let proposed = self.table(id).provisional.range::<[u8], _>(range);
        let committed = proposed.filter(move |(_, proposed)| {
            let committed = proposed.committed(epochs);
            committed.is_some_and(|epoch| epoch <= snapshot)
        });
        layers.push(committed.map(|(key, proposed)| (key, &proposed.change)));
    }

    /// Takes note of a change of the log that is hidden by a later one, which may not be durable.
    pub(in crate::storage) fn note_hidden(&mut self, change: &Change) {
        if let Change::Blob(_, blob) = change {
            self.active.blobs.entry(blob.file).or_default();
        }
    }

    /// Whether a change that was proposed refers to a blob file.
    pub(in crate::storage) fn proposes(&self, file: u64) -> bool {
        let refers = |proposed: &Provisional| matches!(&proposed.change, Change::Blob(_, blob) if blob.file == file);
        self.provisional > 0
            && self.tables.iter().any(|table| table.provisional.values().any(refers))
    }
}
