//! Where the shards of a reactor have work done that takes long.

use std::{io, rc::Rc};

use super::background::{Background, BackgroundThread};

/// Where work is done that takes long. Cloning shares it.
#[derive(Clone)]
pub struct Workshop(pub(super) Rc<dyn Background>);

impl Workshop {
    /// A thread of the lowest priority, on this CPU.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn thread(cpu: Option<usize>) -> io::Result<Self> {
        Ok(Self(Rc::new(BackgroundThread::start(cpu)?)))
    }

    /// Here, on that disk, as part of [`Shard::run`](super::Shard::run).
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn inline(disk: Rc<dyn super::disk::Disk>) -> Self {
        Self(Rc::new(super::background::Inline(disk)))
    }
}
