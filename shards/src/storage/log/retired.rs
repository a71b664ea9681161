//! What an earlier run left of a log that nothing is added to any more. Its records are durable, and each segment goes when
//! its records are in tables, the last one too.

use super::{LogOptions, sealed::SealedSegments};
use crate::storage::StorageError;

/// A log without a writing end.
pub(in crate::storage) struct Retired {
    pub(super) options: LogOptions,
    pub(super) segments: SealedSegments,
    /// The sequence behind its last record.
    pub(super) end: u64,
}

impl Retired {
    /// Whether [`Retired::drop_before`] would find something.
    pub(in crate::storage) fn can_drop_before(&self, sequence: u64) -> bool {
        self.segments.can_drop_before(sequence, self.end)
    }

    /// Removes the segments whose records all come before `sequence`.
    pub(in crate::storage) async fn drop_before(
        &mut self,
        sequence: u64,
    ) -> Result<(), StorageError> {
        self.segments.drop_before(&self.options, sequence, self.end).await
    }

    /// The sequence behind its last record.
    pub(in crate::storage) fn end(&self) -> u64 {
        self.end
    }

    pub(in crate::storage) fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    pub(in crate::storage) fn segments(&self) -> u64 {
        self.segments.count()
    }
}
