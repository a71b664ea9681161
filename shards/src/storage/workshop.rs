//! Where the shards of a reactor have work done that takes long.

use std::{io, rc::Rc, sync::Arc};

use futures_util::lock::Mutex;

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
    /// Held by who walks over all that a shard has: one at a time, so that what that takes is the memory of one.
    pub(super) walks: Rc<Mutex<()>>,
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
        Ok(Self { background, slots, epochs, walks: Rc::default(), steps: Arc::default() })
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
        let (walks, steps) = (Rc::default(), Arc::default());
        Self { background, slots: MergeSlots::new(1), epochs: Epochs::new(1), walks, steps }
    }

    /// The same with these epochs.
    #[cfg(test)]
    pub(super) fn with_epochs(self, epochs: Epochs) -> Self {
        Self { epochs, ..self }
    }
}
