//! The part of a table that was read from the disk last: one block at first, more and more for those who go on.

use bytes::Bytes;

use super::{footer::Span, reader::Table};
use crate::storage::StorageError;

/// What the reads of one walk take, one after the other, the last for all that follow: short scans read no more than they
/// need, long ones are not held up. No block is left out that is longer.
const GROWING_BYTES: [u64; 6] = [0, 0, 32 * 1024, 64 * 1024, 128 * 1024, 256 * 1024];
const LARGE_BYTES: [u64; 1] = [256 * 1024];

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Direction {
    Forward,
    Backward,
}

pub(super) struct Window {
    bytes: Bytes,
    start: u64,
    steps: &'static [u64],
    reads: usize,
}

impl Window {
    /// For one who may stop soon.
    pub(super) fn growing() -> Self {
        Self { bytes: Bytes::new(), start: 0, steps: &GROWING_BYTES, reads: 0 }
    }

    /// For one who will read everything.
    pub(super) fn large() -> Self {
        Self { steps: &LARGE_BYTES, ..Self::growing() }
    }

    /// A new walk begins.
    pub(super) fn restart(&mut self) {
        self.reads = 0;
    }

    /// The bytes of `span`, if they have been read.
    pub(super) fn at_hand(&self, span: Span) -> Option<Bytes> {
        let at = usize::try_from(span.offset.checked_sub(self.start)?).ok()?;
        let end = at.checked_add(usize::try_from(span.bytes).ok()?)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(at..end))
    }

    /// Whether `span` is all that it holds.
    pub(super) fn is_just(&self, span: Span) -> bool {
        self.start == span.offset && self.bytes.len() as u64 == span.bytes
    }

    /// Reads `span`, and more of what lies in the way.
    pub(super) async fn read(
        &mut self,
        table: &Table,
        span: Span,
        direction: Direction,
    ) -> Result<(), StorageError> {
        let wanted = self.steps[self.reads.min(self.steps.len() - 1)].max(span.bytes);
        self.reads += 1;
        let data = table.data();
        let (data_end, span_end) = (data.offset + data.bytes, span.offset + span.bytes);
        let (start, end) = match direction {
            Direction::Forward => (span.offset, data_end.min(span.offset + wanted)),
            Direction::Backward => (data.offset.max(span_end.saturating_sub(wanted)), span_end),
        };
        // Room for the next comes from what is given up.
        self.bytes = Bytes::new();
        self.bytes = table.read(Span { offset: start, bytes: end - start }).await?;
        self.start = start;
        Ok(())
    }
}
