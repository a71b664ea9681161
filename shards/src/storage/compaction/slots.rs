//! How many merges run at once in the process: the one thing that shards of different reactors share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Slots for merges. Cloning shares them.
#[derive(Clone, Debug)]
pub struct MergeSlots(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    taken: AtomicUsize,
    max: AtomicUsize,
}

/// One merge may run; given back when dropped.
pub(in crate::storage) struct Slot(MergeSlots);

impl MergeSlots {
    /// So many, all free.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Counts { taken: AtomicUsize::new(0), max: AtomicUsize::new(max) }))
    }

    /// Changes how many there are; those that are taken stay so.
    pub fn set_max(&self, max: usize) {
        self.0.max.store(max, Relaxed);
    }

    /// How many there are.
    pub fn max(&self) -> usize {
        self.0.max.load(Relaxed)
    }

    /// How many are taken: merges that run.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Relaxed)
    }

    /// A slot, if one is free.
    pub(in crate::storage) fn take(&self) -> Option<Slot> {
        // The counts guard nothing but themselves.
        let max = self.0.max.load(Relaxed);
        let more = |taken| (taken < max).then_some(taken + 1);
        let taken = self.0.taken.fetch_update(Relaxed, Relaxed, more);
        taken.is_ok().then(|| Slot(self.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.taken.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_run_than_there_are_slots_also_when_that_changes() {
        let slots = MergeSlots::new(2);
        let (one, two) = (slots.take(), slots.clone().take());
        assert!(one.is_some() && two.is_some() && slots.take().is_none());
        drop(one);
        let three = slots.take();
        assert!(three.is_some() && slots.take().is_none());
        slots.set_max(1);
        drop(two);
        assert!(slots.take().is_none());
        assert_eq!((slots.taken(), slots.max()), (1, 1));
        drop(three);
        assert!(slots.take().is_some());
    }
}
