//! Records on their way to the log together: one write, one sync, one wake-up.
//!
//! Always true: the spans divide `operations` completely and in order; `bytes` is what the records take in the log.

use std::rc::Rc;

use super::{
    key::Key,
    log::{Records, record_bytes},
    memtable::{Memtable, TableId},
    ticket::Outcome,
    value::Value,
    wal::{self, Operation, count_length},
};

/// A group takes no more records once it is this long; the next one gathers behind it.
pub(super) const GROUP_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Group {
    pub(super) operations: Vec<Change>,
    spans: Vec<Span>,
    pub(super) bytes: u64,
    pub(super) outcome: Rc<Outcome>,
}

/// One change of one entry, as staged in the memtable under the same stamp.
pub(super) struct Change {
    pub(super) table: TableId,
    pub(super) key: Key,
    pub(super) value: Option<Value>,
    pub(super) stamp: u64,
}

/// One record: operations up to `end`, not counting those of the span before.
struct Span {
    end: usize,
    payload_bytes: usize,
}

impl Group {
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES_MAX
    }

    /// Makes one record of the operations added since the last call; `operation_bytes` is the sum of their lengths.
    pub(super) fn end_record(&mut self, operation_bytes: usize) {
        let start = self.spans.last().map_or(0, |span| span.end);
        let end = self.operations.len();
        debug_assert!(start < end, "a record without operations says nothing");
        let payload_bytes = count_length((end - start) as u64) + operation_bytes;
        self.spans.push(Span { end, payload_bytes });
        self.bytes += record_bytes(payload_bytes) as u64;
    }

    /// Writes all records.
    pub(super) fn write(&self, names: &Memtable, records: &mut Records<'_>) {
        let mut start = 0;
        for span in &self.spans {
            let operations = self.operations[start..span.end].iter().map(|change| Operation {
                collection: names.table(change.table).name(),
                key: &change.key,
                value: change.value.as_ref(),
            });
            records.push(span.payload_bytes, |out| wal::write_all(operations, out));
            start = span.end;
        }
    }

    /// Empties it for the next use, keeping its memory. The outcome is a new one.
    pub(super) fn reset(&mut self) {
        self.operations.clear();
        self.spans.clear();
        self.bytes = 0;
        self.outcome = Rc::default();
    }
}
