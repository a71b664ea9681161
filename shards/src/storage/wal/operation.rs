//! What a record says: one set or delete after the other.
//!
//! Written and measured from borrowed parts, so that logging a value copies it once, into the buffer of the disk. Reading
//! gives values in memory of their own: nothing keeps the read buffer alive.

use crate::{
    limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX},
    storage::{
        entry::{BlobRef, Change, ChangeRef},
        value::{Meta, Value, copied},
        varint,
    },
};

const SET: u8 = 1;
const DELETE: u8 = 2;
const SET_BLOB: u8 = 3;

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

/// Bytes of the count that a payload begins with.
pub(in crate::storage) fn count_length(count: u64) -> usize {
    varint::length(count)
}

/// One operation as read back: collection, key and change.
pub(in crate::storage) type Read<'a> = (&'a str, &'a [u8], Change);

/// Calls `apply` with each operation of a payload; `None` if the payload is not one that we write.
pub(in crate::storage) fn read_all<'a>(
    payload: &'a [u8],
    mut apply: impl FnMut(Read<'a>),
) -> Option<()> {
    let (count, mut rest) = varint::read(payload)?;
    for _ in 0..count {
        let (read, behind) = read(rest)?;
        apply(read);
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

fn meta_length(meta: &Meta) -> usize {
    varint::length(meta.size)
        + varint::length(u64::from(meta.compression))
        + 4
        + 8
        + varint::length(version_code(meta.version))
}

fn write_meta<'b>(meta: &Meta, out: &'b mut [u8]) -> &'b mut [u8] {
    let out = varint::write(meta.size, out);
    let out = varint::write(u64::from(meta.compression), out);
    let out = put(out, &meta.checksum.to_le_bytes());
    let out = put(out, &meta.created_at.to_le_bytes());
    varint::write(version_code(meta.version), out)
}

fn read_meta(bytes: &[u8]) -> Option<(Meta, &[u8])> {
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
    operations: impl ExactSizeIterator<Item = Operation<'a>>,
    out: &mut [u8],
) {
    let mut out = varint::write(operations.len() as u64, out);
    for operation in operations {
        out = operation.write(out);
    }
    debug_assert!(out.is_empty(), "{} bytes too many were reserved", out.len());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn payload(operations: &[Operation<'_>]) -> Vec<u8> {
        let bytes: usize = operations.iter().map(Operation::length).sum();
        let mut out = vec![0; count_length(operations.len() as u64) + bytes];
        write_all(operations.iter().copied(), &mut out);
        out
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
        let mut back = Vec::new();
        read_all(&payload, |read| back.push(read)).unwrap();
        assert_eq!(back.len(), operations.len());
        for (read, written) in back.iter().zip(&operations) {
            assert_eq!((read.0, read.1), (written.collection, written.key));
            assert_eq!(read.2.borrowed(), written.change);
        }
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
    fn lengths_beyond_the_payload_take_no_memory() {
        let mut bytes = vec![1, SET, 1, b'c', 1, b'k', 0, 0];
        bytes.extend([0; 12]);
        bytes.push(0);
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert!(read_all(&bytes, |_| ()).is_none());
    }
}
