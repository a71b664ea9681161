//! Where the shards of a reactor have work done that takes long.

use std::{io, rc::Rc, sync::Arc};

use super::{
    background::{Background, BackgroundThread},
    compaction::MergeSlots,
    epoch::Epochs,
};
use crate::counters::Counter;

/// Where work is done that takes long. Cloning shares it.
#[derive(Clone)]
pub struct Workshop {
    pub(super) background: Rc<dyn Background>,
    pub(super) slots: MergeSlots,
    pub(super) epochs: Epochs,
    /// Steps of recovery so far, for whoever wonders whether it goes on.
    pub(super) steps: Arc<Counter>,
}

impl Workshop {
    /// A thread of the lowest priority, on this CPU; merges wait for a slot. The epochs are those of all shards of the process.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn thread(cpu: Option<usize>, slots: MergeSlots, epochs: Epochs) -> io::Result<Self> {
        let background = Rc::new(BackgroundThread::start(cpu)?);
        Ok(Self { background, slots, epochs, steps: Arc::default() })
    }

    /// The same, which counts the steps of recovery there. The thread that opens shards with this is the counter's only writer.
    #[must_use]
    pub fn with_steps(self, steps: Arc<Counter>) -> Self {
        Self { steps, ..self }
    }

    /// Here, on that disk, as part of [`Shard::run`](super::Shard::run).
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn inline(disk: Rc<dyn super::disk::Disk>) -> Self {
        let background = Rc::new(super::background::Inline(disk));
        let steps = Arc::default();
        Self { background, slots: MergeSlots::new(1), epochs: Epochs::new(1), steps }
    }

    /// The same with these epochs.
    #[cfg(test)]
    pub(super) fn with_epochs(self, epochs: Epochs) -> Self {
        Self { epochs, ..self }
    }
}
