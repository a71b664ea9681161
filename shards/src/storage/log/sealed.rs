//! Segments that are not written to any more, and how they go: from the front, once their records are needed no longer.
//!
//! Always true: numbers and sequences ascend; where one ends, the next begins.

use std::collections::VecDeque;

use super::{LogOptions, segment};
use crate::storage::StorageError;

/// A segment that is not written to any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    pub(super) number: u64,
    /// Of its first record.
    pub(super) sequence: u64,
    pub(super) bytes: u64,
}

/// Those of a log, oldest first.
#[derive(Debug, Default)]
pub(super) struct SealedSegments(VecDeque<Sealed>);

impl SealedSegments {
    pub(super) fn push(&mut self, segment: Sealed) {
        debug_assert!(self.last_number().is_none_or(|last| last < segment.number));
        self.0.push_back(segment);
    }

    pub(super) fn last_number(&self) -> Option<u64> {
        self.0.back().map(|last| last.number)
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|segment| segment.bytes).sum()
    }

    /// Whether all records of the oldest come before `sequence`; `end` is the one behind all of them.
    pub(super) fn can_drop_before(&self, sequence: u64, end: u64) -> bool {
        let next = self.0.get(1).map_or(end, |next| next.sequence);
        !self.0.is_empty() && next <= sequence
    }

    /// Removes those whose records all come before `sequence`. When it fails, what is left is as good as before, and the
    /// next call tries again.
    pub(super) async fn drop_before(
        &mut self,
        options: &LogOptions,
        sequence: u64,
        end: u64,
    ) -> Result<(), StorageError> {
        let LogOptions { format, disk, dir, .. } = options;
        let mut dropped = false;
        while self.can_drop_before(sequence, end)
            && let Some(oldest) = self.0.front()
        {
            let path = segment::path(format, dir, oldest.number);
            let removed = disk.remove(&path).await;
            removed.map_err(|error| StorageError::io("cannot remove", &path, error))?;
            self.0.pop_front();
            dropped = true;
        }
        if dropped {
            let synced = disk.sync_dir(dir).await;
            synced.map_err(|error| StorageError::io("cannot sync the folder", dir, error))?;
        }
        Ok(())
    }
}

impl Extend<Sealed> for SealedSegments {
    fn extend<I: IntoIterator<Item = Sealed>>(&mut self, segments: I) {
        segments.into_iter().for_each(|segment| self.push(segment));
    }
}
