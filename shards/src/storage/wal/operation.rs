//! What a record says: one set or delete after the other, and in front of them what they have to do with batches across
//! shards.
//!
//! Written and measured from borrowed parts, so that logging a value copies it once, into the buffer of the disk. Reading
//! gives values in memory of their own: nothing keeps the read buffer alive.

use crate::{
    limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX},
    storage::{
        entry::{BlobRef, Change, ChangeRef},
        part::{BatchId, Writers},
        value::{Meta, Value, copied},
        varint,
    },
};

const SET: u8 = 1;
const DELETE: u8 = 2;
const SET_BLOB: u8 = 3;
const PART: u8 = 4;
const COMMIT: u8 = 5;
const ABORT: u8 = 6;

const _: () = assert!(COLLECTION_BYTES_MAX <= u8::MAX as usize, "its length is one byte");

/// One change of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Operation<'a> {
    pub(in crate::storage) collection: &'a str,
    pub(in crate::storage) key: &'a [u8],
    pub(in crate::storage) change: ChangeRef<'a>,
}

impl Operation<'_> {
    /// Bytes that it takes in a payload.
    pub(in crate::storage) fn length(&self) -> usize {
        let key = varint::length(self.key.len() as u64) + self.key.len();
        let change = match &self.change {
            ChangeRef::Tombstone => 0,
            ChangeRef::Inline(meta, data) => {
                meta_length(meta) + varint::length(data.len() as u64) + data.len()
            }
            ChangeRef::Blob(meta, _) => meta_length(meta) + BlobRef::BYTES,
        };
        2 + self.collection.len() + key + change
    }

    /// Writes it at the start of `out` and gives what is left.
    fn write<'b>(&self, out: &'b mut [u8]) -> &'b mut [u8] {
        debug_assert!(self.collection.len() <= COLLECTION_BYTES_MAX);
        debug_assert!(self.key.len() <= KEY_BYTES_MAX);
        let kind = match self.change {
            ChangeRef::Tombstone => DELETE,
            ChangeRef::Inline(..) => SET,
            ChangeRef::Blob(..) => SET_BLOB,
        };
        let out = put(out, &[kind, self.collection.len() as u8]);
        let out = put(out, self.collection.as_bytes());
        let out = varint::write(self.key.len() as u64, out);
        let out = put(out, self.key);
        match &self.change {
            ChangeRef::Tombstone => out,
            ChangeRef::Inline(meta, data) => {
                let out = varint::write(data.len() as u64, write_meta(meta, out));
                put(out, data)
            }
            ChangeRef::Blob(meta, blob) => put(write_meta(meta, out), &blob.encode()),
        }
    }
}

/// What a record says of batches across shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Mark {
    /// The changes behind it are a part of this batch, which writes to these shards.
    Part(BatchId, Writers),
    /// This batch counts.
    Commit(BatchId),
    /// This batch does not count.
    Abort(BatchId),
}

impl Mark {
    /// Bytes that a commit or an abort record takes in a payload.
    pub(in crate::storage) const END_BYTES: usize = 1 + BatchId::BYTES;

    /// Bytes that it takes in a payload.
    pub(in crate::storage) fn length(&self) -> usize {
        let writers = match self {
            Self::Part(_, writers) => {
                let shards = writers.iter().map(|shard| varint::length(u64::from(*shard)));
                varint::length(writers.len() as u64) + shards.sum::<usize>()
            }
            Self::Commit(_) | Self::Abort(_) => 0,
        };
        Self::END_BYTES + writers
    }

    /// Writes it at the start of `out` and gives what is left.
    fn write<'b>(&self, out: &'b mut [u8]) -> &'b mut [u8] {
        match self {
            Self::Part(id, writers) => {
                let out = put(put(out, &[PART]), &id.encode());
                let out = varint::write(writers.len() as u64, out);
                writers.iter().fold(out, |out, shard| varint::write(u64::from(*shard), out))
            }
            Self::Commit(id) => put(put(out, &[COMMIT]), &id.encode()),
            Self::Abort(id) => put(put(out, &[ABORT]), &id.encode()),
        }
    }

    /// Reads one; `None` if the bytes are none.
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[kind], bytes) = bytes.split_first_chunk()?;
        let (id, bytes) = bytes.split_first_chunk()?;
        let id = BatchId::decode(id);
        match kind {
            COMMIT => Some((Self::Commit(id), bytes)),
            ABORT => Some((Self::Abort(id), bytes)),
            PART => {
                let (count, mut bytes) = varint::read(bytes)?;
                // Each takes a byte at least.
                let count = usize::try_from(count).ok().filter(|count| *count <= bytes.len())?;
                let mut writers = Vec::with_capacity(count);
                for _ in 0..count {
                    let (shard, behind) = varint::read(bytes)?;
                    writers.push(u32::try_from(shard).ok()?);
                    bytes = behind;
                }
                Some((Self::Part(id, writers.into()), bytes))
            }
            _ => None,
        }
    }
}

/// Bytes of the count that a payload begins with.
pub(in crate::storage) fn count_length(count: u64) -> usize {
    varint::length(count)
}

/// One operation as read back: collection, key and change.
pub(in crate::storage) type Read<'a> = (&'a str, &'a [u8], Change);

/// What a payload says, in order.
pub(in crate::storage) enum Said<'a> {
    /// Of a batch across shards.
    Mark(Mark),
    /// A change.
    Change(Read<'a>),
}

/// Calls `apply` with all that a payload says; `None` if the payload is not one that we write.
pub(in crate::storage) fn read_all<'a>(
    payload: &'a [u8],
    mut apply: impl FnMut(Said<'a>),
) -> Option<()> {
    let (count, mut rest) = varint::read(payload)?;
    let mut in_front = true;
    for _ in 0..count {
        let behind = if rest.first().is_some_and(|kind| matches!(*kind, PART | COMMIT | ABORT)) {
            // What is said of a batch comes before the changes.
            let (mark, behind) = Mark::read(rest).filter(|_| in_front)?;
            apply(Said::Mark(mark));
            behind
        } else {
            in_front = false;
            let (read, behind) = read(rest)?;
            apply(Said::Change(read));
            behind
        };
        rest = behind;
    }
    rest.is_empty().then_some(())
}

fn read(bytes: &[u8]) -> Option<(Read<'_>, &[u8])> {
    let (&[kind, collection_length], bytes) = bytes.split_first_chunk()?;
    let (collection, bytes) = bytes.split_at_checked(usize::from(collection_length))?;
    let collection = std::str::from_utf8(collection).ok()?;
    let (key, bytes) = read_slice(bytes, KEY_BYTES_MAX)?;
    let (change, bytes) = match kind {
        SET => {
            let (meta, bytes) = read_meta(bytes)?;
            let (data, bytes) = read_slice(bytes, usize::MAX)?;
            (Change::Inline(Value { data: copied(data), meta }), bytes)
        }
        SET_BLOB => {
            let (meta, bytes) = read_meta(bytes)?;
            let (blob, bytes) = BlobRef::read(bytes)?;
            (Change::Blob(meta, blob), bytes)
        }
        DELETE => (Change::Tombstone, bytes),
        _ => return None,
    };
    Some(((collection, key, change), bytes))
}

/// Bytes that metadata take.
pub(in crate::storage) fn meta_length(meta: &Meta) -> usize {
    varint::length(meta.size)
        + varint::length(u64::from(meta.compression))
        + 4
        + 8
        + varint::length(version_code(meta.version))
}

/// Writes metadata at the start of `out` and gives what is left.
pub(in crate::storage) fn write_meta<'b>(meta: &Meta, out: &'b mut [u8]) -> &'b mut [u8] {
    let out = varint::write(meta.size, out);
    let out = varint::write(u64::from(meta.compression), out);
    let out = put(out, &meta.checksum.to_le_bytes());
    let out = put(out, &meta.created_at.to_le_bytes());
    varint::write(version_code(meta.version), out)
}

/// Reads metadata from the start of `bytes` and gives what is left of them.
pub(in crate::storage) fn read_meta(bytes: &[u8]) -> Option<(Meta, &[u8])> {
    let (size, bytes) = varint::read(bytes)?;
    let (compression, bytes) = varint::read(bytes)?;
    let (checksum, bytes) = bytes.split_first_chunk()?;
    let (created_at, bytes) = bytes.split_first_chunk()?;
    let (version, bytes) = varint::read(bytes)?;
    let meta = Meta {
        size,
        compression: u32::try_from(compression).ok()?,
        checksum: u32::from_le_bytes(*checksum),
        created_at: i64::from_le_bytes(*created_at),
        version: version.checked_sub(1).map(u32::try_from).transpose().ok()?,
    };
    Some((meta, bytes))
}

fn read_slice(bytes: &[u8], bytes_max: usize) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = varint::read(bytes)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max)?;
    bytes.split_at_checked(length)
}

fn version_code(version: Option<u32>) -> u64 {
    version.map_or(0, |version| u64::from(version) + 1)
}

fn put<'b>(out: &'b mut [u8], bytes: &[u8]) -> &'b mut [u8] {
    let (place, out) = out.split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    out
}

/// Writes a whole payload; `out` has exactly the room for it.
pub(in crate::storage) fn write_all<'a>(
    marks: &[Mark],
    operations: impl ExactSizeIterator<Item = Operation<'a>>,
    out: &mut [u8],
) {
    let mut out = varint::write((marks.len() + operations.len()) as u64, out);
    for mark in marks {
        out = mark.write(out);
    }
    for operation in operations {
        out = operation.write(out);
    }
    debug_assert!(out.is_empty(), "{} bytes too many were reserved", out.len());
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use bytes::Bytes;

    use super::*;

    fn payload(operations: &[Operation<'_>]) -> Vec<u8> {
        payload_of(&[], operations)
    }

    fn payload_of(marks: &[Mark], operations: &[Operation<'_>]) -> Vec<u8> {
        let bytes = marks.iter().map(Mark::length).sum::<usize>()
            + operations.iter().map(Operation::length).sum::<usize>();
        let mut out = vec![0; count_length((marks.len() + operations.len()) as u64) + bytes];
        write_all(marks, operations.iter().copied(), &mut out);
        out
    }

    fn changes_of(payload: &[u8]) -> Option<Vec<Read<'_>>> {
        let mut changes = Vec::new();
        read_all(payload, |said| match said {
            Said::Change(read) => changes.push(read),
            Said::Mark(mark) => panic!("{mark:?}"),
        })?;
        Some(changes)
    }

    fn samples() -> Vec<Value> {
        let meta = |version| Meta {
            size: u64::MAX,
            compression: u32::MAX,
            checksum: 0xdead_beef,
            created_at: i64::MIN,
            version,
        };
        let value =
            |length, version| Value { data: Bytes::from(vec![9; length]), meta: meta(version) };
        vec![value(0, None), value(1, Some(0)), value(127, Some(u32::MAX)), value(20_000, None)]
    }

    #[test]
    fn operations_come_back_as_they_were() {
        let (values, long) = (samples(), vec![0xff; KEY_BYTES_MAX]);
        let name = "é".repeat(127) + "x";
        let blob = BlobRef { file: 1, offset: 2, bytes: u32::MAX, hash: u64::MAX };
        let mut changes = vec![Change::Tombstone, Change::Blob(values[2].meta, blob)];
        changes.extend(values.into_iter().map(Change::Inline));
        let mut operations: Vec<_> = changes
            .iter()
            .map(|change| Operation { collection: "c", key: b"", change: change.borrowed() })
            .collect();
        (operations[0].collection, operations[0].key) = (&name, &long);
        let payload = payload(&operations);
        let back = changes_of(&payload).unwrap();
        assert_eq!(back.len(), operations.len());
        for (read, written) in back.iter().zip(&operations) {
            assert_eq!((read.0, read.1), (written.collection, written.key));
            assert_eq!(read.2.borrowed(), written.change);
        }
    }

    #[test]
    fn marks_come_back_as_they_were_and_none_is_read_from_less() {
        let id = |number| BatchId { process: u64::MAX, number };
        let marks = [
            Mark::Part(id(1), Writers::from([0, 127, 128, u32::MAX])),
            Mark::Commit(id(2)),
            Mark::Abort(id(3)),
        ];
        let operation = Operation { collection: "c", key: b"k", change: ChangeRef::Tombstone };
        let bytes = marks.iter().map(Mark::length).sum::<usize>() + operation.length();
        let mut payload = vec![0; count_length(4) + bytes];
        write_all(&marks, [operation].into_iter(), &mut payload);
        let mut back = Vec::new();
        let mut changes = 0;
        read_all(&payload, |said| match said {
            Said::Mark(mark) => back.push(mark),
            Said::Change(_) => changes += 1,
        })
        .unwrap();
        assert_eq!((&back[..], changes), (&marks[..], 1));
        for length in 0..payload.len() {
            assert!(read_all(&payload[..length], |_| ()).is_none(), "{length}");
        }
        let mut huge = vec![1, PART];
        huge.extend([0; BatchId::BYTES]);
        huge.extend([0xff; 9]);
        assert!(read_all(&huge, |_| ()).is_none(), "no memory is taken for what cannot be there");
    }

    #[test]
    fn a_payload_cut_anywhere_is_refused() {
        let values = samples();
        let changes = values[..3].iter().map(|value| ChangeRef::Inline(value.meta, &value.data));
        let blob = BlobRef { file: 1, offset: 2, bytes: 3, hash: 4 };
        let changes = changes.chain([ChangeRef::Blob(values[1].meta, blob)]);
        let operations: Vec<_> =
            changes.map(|change| Operation { collection: "coll", key: b"key", change }).collect();
        let payload = payload(&operations);
        for length in 0..payload.len() {
            assert!(read_all(&payload[..length], |_| ()).is_none(), "{length}");
        }
        let longer = [&payload[..], &[0]].concat();
        assert!(read_all(&longer, |_| ()).is_none());
    }

    #[test]
    fn fuzz_operations() {
        let blob = BlobRef { file: 1, offset: 2, bytes: u32::MAX, hash: u64::MAX };
        let meta = Meta { version: Some(3), compression: 1, ..Meta::default() };
        let changes =
            [ChangeRef::Tombstone, ChangeRef::Blob(meta, blob), ChangeRef::Inline(meta, b"data")];
        let all = changes.map(|change| Operation { collection: "coll", key: b"key", change });
        let long = [Operation { collection: "c", key: &[9; 200], change: all[2].change }];
        let id = BatchId { process: 1, number: 2 };
        let part = [Mark::Part(id, Writers::from([0, 300])), Mark::Commit(id), Mark::Abort(id)];
        let seeds = vec![
            payload_of(&part, &all[..1]),
            payload(&[]),
            payload(&all),
            payload(&all[2..]),
            payload(&long),
        ];
        Campaign::new("operations", seeds).run(|bytes| {
            let (mut marks, mut read) = (Vec::new(), Vec::new());
            let all = read_all(bytes, |said| match said {
                Said::Mark(mark) => marks.push(mark),
                Said::Change(change) => read.push(change),
            });
            all.ok_or("no operations")?;
            let again: Vec<_> = read
                .iter()
                .map(|(collection, key, change)| Operation {
                    collection,
                    key,
                    change: change.borrowed(),
                })
                .collect();
            let again = payload_of(&marks, &again);
            assert_eq!(again, bytes, "there is one way to write operations");
            Ok((marks.len() + read.len()) as u64)
        });
    }

    #[test]
    fn lengths_beyond_the_payload_take_no_memory() {
        let mut bytes = vec![1, SET, 1, b'c', 1, b'k', 0, 0];
        bytes.extend([0; 12]);
        bytes.push(0);
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert!(read_all(&bytes, |_| ()).is_none());
    }
}
