//! Records on their way to the log together: one write, one sync, one wake-up.
//!
//! Always true: the spans divide `writes` completely and in order; `bytes` is what the records take in the log, and
//! `blob_bytes` what their large values take in the blob file.

use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_64;

use super::{
    blob::{Head, Placing, Spot},
    entry::{BlobRef, Change, ChangeRef, Entry, Sequence},
    key::Key,
    log::{Records, record_bytes},
    memtable::{Memtable, TableId},
    part::BatchId,
    ticket::Outcome,
    value::Value,
    wal::{self, Mark, Operation, count_length},
};

/// A group takes no more records once it is this long; the next one gathers behind it.
pub(super) const GROUP_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Group {
    writes: Vec<Write>,
    spans: Vec<Span>,
    pub(super) bytes: u64,
    pub(super) blob_bytes: u64,
    /// It is to be durable whatever the sync mode.
    pub(super) must_sync: bool,
    /// It is made of marks for which room has been kept.
    pub(super) has_room: bool,
    pub(super) outcome: Rc<Outcome>,
}

/// One change of one entry, as staged in the memtable under the same stamp.
struct Write {
    table: TableId,
    key: Key,
    /// With its data, however large.
    change: Change,
    /// Its data belongs into the blob file; and its place there, once that is known.
    blob: Option<BlobRef>,
    stamp: u64,
}

/// One record: writes up to `end`, not counting those of the span before.
struct Span {
    end: usize,
    payload_bytes: usize,
    /// What it says of batches across shards.
    marks: Vec<Mark>,
}

/// A large value that waits for its place.
const NOWHERE: BlobRef = BlobRef { file: 0, offset: 0, bytes: 0, hash: 0 };

impl Group {
    pub(super) fn is_full(&self) -> bool {
        self.bytes + self.blob_bytes >= GROUP_BYTES_MAX
    }

    /// Records in it.
    pub(super) fn records(&self) -> u64 {
        self.spans.len() as u64
    }

    /// The batches that it says to count.
    pub(super) fn commit_marks(&self) -> impl Iterator<Item = BatchId> {
        let marks = self.spans.iter().flat_map(|span| &span.marks);
        marks.filter_map(|mark| match mark {
            Mark::Commit(id) => Some(*id),
            Mark::Part(..) | Mark::Abort(_) => None,
        })
    }

    /// Writes that it has memory for.
    pub(super) fn capacity(&self) -> usize {
        self.writes.capacity()
    }

    /// Adds a write to the record that is being made, and says how long it is there. Data of `blob_bytes_min` or more goes
    /// into the blob file.
    pub(super) fn push(
        &mut self,
        (collection, table): (&str, TableId),
        (key, change): (Key, Change),
        stamp: u64,
        blob_bytes_min: usize,
    ) -> usize {
        let mut write = Write { table, key, change, blob: None, stamp };
        if let Change::Inline(value) = &write.change
            && value.data.len() >= blob_bytes_min
        {
            write.blob = Some(NOWHERE);
            self.blob_bytes += Head::room(collection, &write.key, value.data.len());
        }
        let change = write.logged();
        let length = Operation { collection, key: &write.key, change }.length();
        self.writes.push(write);
        length
    }

    /// Makes one record of marks and the writes added since the last call; `operation_bytes` is the sum of their lengths.
    pub(super) fn end_record(&mut self, marks: Vec<Mark>, operation_bytes: usize) {
        let start = self.spans.last().map_or(0, |span| span.end);
        let end = self.writes.len();
        debug_assert!(start < end || !marks.is_empty(), "a record of nothing says nothing");
        let mark_bytes = marks.iter().map(Mark::length).sum::<usize>();
        let count = (marks.len() + end - start) as u64;
        let payload_bytes = count_length(count) + mark_bytes + operation_bytes;
        self.spans.push(Span { end, payload_bytes, marks });
        self.bytes += record_bytes(payload_bytes) as u64;
    }

    /// Gives every large value its place, and says where they end. `sequence` is that of the first record.
    pub(super) fn place(
        &mut self,
        names: &Memtable,
        mut placing: Placing,
        sequence: Sequence,
    ) -> Placing {
        for (sequence, write) in in_records(&self.spans, self.writes.iter_mut(), sequence) {
            let Some((value, _)) = write.large() else { continue };
            let hash = xxh3_64(&value.data);
            let head = write.head(names, value, hash, sequence);
            write.blob = Some(placing.place(&head));
        }
        placing
    }

    /// The large values, in their places.
    pub(super) fn spots<'a>(
        &'a self,
        names: &'a Memtable,
        sequence: Sequence,
    ) -> impl Iterator<Item = Spot<'a>> {
        let writes = in_records(&self.spans, self.writes.iter(), sequence);
        writes.filter_map(|(sequence, write)| {
            let (value, blob) = write.large()?;
            let head = write.head(names, value, blob.hash, sequence);
            Some(Spot { head, blob, data: &value.data })
        })
    }

    /// Writes all records.
    pub(super) fn write(&self, names: &Memtable, records: &mut Records<'_>) {
        let mut start = 0;
        for span in &self.spans {
            let operations = self.writes[start..span.end].iter().map(|write| Operation {
                collection: names.name(write.table),
                key: &write.key,
                change: write.logged(),
            });
            records.push(span.payload_bytes, |out| wal::write_all(&span.marks, operations, out));
            start = span.end;
        }
    }

    /// The records that are parts of batches across shards, counted from 0.
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, BatchId)> {
        let spans = self.spans.iter().enumerate();
        spans.filter_map(|(record, span)| Some((record, span.part()?)))
    }

    /// Takes all writes out, each with its stamp, if it went to the blob file its data, and the batch that it is a part of.
    pub(super) fn settle(
        &mut self,
        first: Sequence,
        mut settle: impl FnMut(TableId, Key, Entry, u64, Option<Value>, Option<BatchId>),
    ) {
        let Self { writes, spans, .. } = self;
        for (sequence, write) in in_records(spans, writes.drain(..), first) {
            let Write { table, key, change, blob, stamp } = write;
            let part = spans[(sequence - first) as usize].part();
            let (change, large) = match (change, blob) {
                (Change::Inline(value), Some(blob)) => {
                    (Change::Blob(value.meta, blob), Some(value))
                }
                (change, _) => (change, None),
            };
            settle(table, key, Entry { sequence, change }, stamp, large, part);
        }
    }

    /// Empties it for the next use, keeping its memory. The outcome is a new one.
    pub(super) fn reset(&mut self) {
        self.writes.clear();
        self.spans.clear();
        self.bytes = 0;
        self.blob_bytes = 0;
        self.must_sync = false;
        self.has_room = false;
        self.outcome = Rc::default();
    }
}

/// Each write with the sequence of its record.
fn in_records<W>(
    spans: &[Span],
    writes: impl Iterator<Item = W>,
    first: Sequence,
) -> impl Iterator<Item = (Sequence, W)> {
    let mut record = 0;
    writes.enumerate().map(move |(index, write)| {
        while spans[record].end <= index {
            record += 1;
        }
        (first + record as u64, write)
    })
}

impl Span {
    fn part(&self) -> Option<BatchId> {
        match self.marks.first() {
            Some(Mark::Part(id, _)) => Some(*id),
            _ => None,
        }
    }
}

impl Write {
    /// What the log says of it.
    fn logged(&self) -> ChangeRef<'_> {
        match (&self.change, self.blob) {
            (Change::Inline(value), Some(blob)) => ChangeRef::Blob(value.meta, blob),
            (change, _) => change.borrowed(),
        }
    }

    fn large(&self) -> Option<(&Value, BlobRef)> {
        match (&self.change, self.blob) {
            (Change::Inline(value), Some(blob)) => Some((value, blob)),
            _ => None,
        }
    }

    fn head<'a>(
        &'a self,
        names: &'a Memtable,
        value: &Value,
        hash: u64,
        sequence: Sequence,
    ) -> Head<'a> {
        let bytes = value.data.len() as u32;
        Head { collection: names.name(self.table), key: &self.key, sequence, bytes, hash }
    }
}
