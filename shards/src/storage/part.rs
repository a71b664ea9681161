//! What a batch across shards does to this shard, from its locks to its end.
//!
//! ```text
//!  lock ─► (waits) ─► held ─► prepare: changes staged ─► logged: the vote is yes ─► finish ─┬─ committed: into the memtable
//!            │                     │ refused                                               └─ aborted: an abort record
//!            └─────────────────────┴──► finish: locks free, nothing else
//! ```
//!
//! The changes themselves lie in the memtable, beside its layers, where readers find them once the verdict is committed.
//! `docs/explanation/transactions.md` tells how the shards of a batch come to one mind.

use std::{collections::BTreeMap, fmt, rc::Rc, sync::Arc};

use super::{
    entry::Sequence,
    epoch::{Epochs, Verdict},
    key::Key,
    locks::LockSet,
    memtable::TableId,
    ticket::Outcome,
};

/// Names a batch across shards for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// Random, one for each process.
    pub process: u64,
    /// Grows; no two of a process are alike.
    pub number: u64,
}

/// A batch across shards: what its coordinator and all its shards know of it.
#[derive(Debug)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// What became of it.
    pub verdict: Verdict,
}

/// The shards that a batch writes to, ascending.
pub type Writers = Arc<[u32]>;

/// The parts of one shard that are under way.
#[derive(Default)]
pub(super) struct Parts(BTreeMap<BatchId, Part>);

/// What a batch does to this shard.
pub(super) struct Part {
    pub(super) batch: Arc<Batch>,
    pub(super) locks: LockSet,
    /// The number under which it waits for its locks, and what it waits for.
    pub(super) waiting: Option<(u64, Rc<Outcome>)>,
    /// Once it is on its way to the log.
    pub(super) staged: Option<Staged>,
}

/// What is on its way to the log, or there.
pub(super) struct Staged {
    pub(super) writers: Writers,
    /// The keys that are written; their changes are in the memtable.
    pub(super) keys: Vec<(TableId, Key)>,
    /// Of the newest record of the part in the log, once that is there.
    pub(super) sequence: Option<Sequence>,
}

impl BatchId {
    pub(super) const BYTES: usize = 16;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.process.to_le_bytes());
        out[8..].copy_from_slice(&self.number.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let half = |at: usize| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(half)
        };
        Self { process: half(0), number: half(8) }
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.process, self.number)
    }
}

impl Parts {
    /// Takes note of a batch that holds its locks, or waits for them.
    pub(super) fn begin(
        &mut self,
        batch: &Arc<Batch>,
        locks: LockSet,
        waiting: Option<(u64, Rc<Outcome>)>,
    ) {
        let part = Part { batch: Arc::clone(batch), locks, waiting, staged: None };
        self.0.insert(batch.id, part);
    }

    pub(super) fn get_mut(&mut self, id: BatchId) -> Option<&mut Part> {
        self.0.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: BatchId) -> Option<Part> {
        self.0.remove(&id)
    }

    /// Those that are not in the log.
    pub(super) fn unlogged(&mut self) -> impl Iterator<Item = &mut Part> {
        let is_logged = |part: &Part| part.staged.as_ref().is_some_and(|s| s.sequence.is_some());
        self.0.values_mut().filter(move |part| !is_logged(part))
    }

    /// What has been committed and not yet ended. Its locks stay.
    pub(super) fn take_committed(&mut self, epochs: &Epochs) -> Vec<(Arc<Batch>, Staged)> {
        let committed = |part: &&mut Part| part.batch.verdict.committed(epochs).is_some();
        let parts = self.0.values_mut().filter(committed);
        parts.filter_map(|part| Some((Arc::clone(&part.batch), part.staged.take()?))).collect()
    }

    /// Those that are on their way to the log, or there.
    pub(super) fn staged(&mut self) -> impl Iterator<Item = (BatchId, &mut Staged)> {
        self.0.iter_mut().filter_map(|(id, part)| Some((*id, part.staged.as_mut()?)))
    }
}
