//! Where the shards of a reactor have work done that takes long.

use std::{io, rc::Rc};

use super::{
    background::{Background, BackgroundThread},
    compaction::MergeSlots,
    epoch::Epochs,
};

/// Where work is done that takes long. Cloning shares it.
#[derive(Clone)]
pub struct Workshop {
    pub(super) background: Rc<dyn Background>,
    pub(super) slots: MergeSlots,
    pub(super) epochs: Epochs,
}

impl Workshop {
    /// A thread of the lowest priority, on this CPU; merges wait for a slot. The epochs are those of all shards of the process.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn thread(cpu: Option<usize>, slots: MergeSlots, epochs: Epochs) -> io::Result<Self> {
        Ok(Self { background: Rc::new(BackgroundThread::start(cpu)?), slots, epochs })
    }

    /// Here, on that disk, as part of [`Shard::run`](super::Shard::run).
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn inline(disk: Rc<dyn super::disk::Disk>) -> Self {
        let background = Rc::new(super::background::Inline(disk));
        Self { background, slots: MergeSlots::new(1), epochs: Epochs::new(1) }
    }

    /// The same with these epochs.
    #[cfg(test)]
    pub(super) fn with_epochs(self, epochs: Epochs) -> Self {
        Self { epochs, ..self }
    }
}
