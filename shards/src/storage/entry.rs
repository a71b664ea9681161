//! What the tree holds: entries, each a change of one key by one record of the log.
//!
//! ```text
//! table key   collection number, u32 big-endian ‖ key         orders by collection, then by key
//! entry       (table key, sequence, change)                   table keys ascend; of one key the newest comes first
//! change      tombstone  │  inline (meta, data)  │  blob (meta, where the data lies)
//! ```
//!
//! Always true: a key occurs at most once in a record, so (table key, sequence) names one entry.

use std::num::NonZeroU32;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    value::{Meta, Value},
    varint,
};
use crate::limits::KEY_BYTES_MAX;

/// Number of the record of the log that made a change; higher is newer.
pub(super) type Sequence = u64;

/// Bytes of the collection before the key.
pub(super) const COLLECTION_ID_BYTES: usize = 4;
/// Longest table key.
pub(super) const TABLE_KEY_BYTES_MAX: usize = COLLECTION_ID_BYTES + KEY_BYTES_MAX;

/// A collection's number in the tables of a shard: from 1, given at its first flush. The last number is never given, so
/// that every collection has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CollectionId(NonZeroU32);

impl CollectionId {
    pub(super) fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).filter(|number| number.get() < u32::MAX).map(Self)
    }

    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    /// The table key that all keys of this collection begin with: the first place in it.
    pub(super) fn start(self) -> [u8; COLLECTION_ID_BYTES] {
        self.number().to_be_bytes()
    }

    /// The first place behind all keys of this collection.
    pub(super) fn end(self) -> [u8; COLLECTION_ID_BYTES] {
        (self.number() + 1).to_be_bytes()
    }
}

/// Puts a table key behind what `out` holds.
pub(super) fn push_table_key(collection: CollectionId, key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&collection.start());
    out.extend_from_slice(key);
}

/// Collection and key of a table key.
pub(super) fn split_table_key(table_key: &[u8]) -> Option<(CollectionId, &[u8])> {
    let (number, key) = table_key.split_first_chunk()?;
    Some((CollectionId::new(u32::from_be_bytes(*number))?, key))
}

/// The hash of a table key, the same in all filters.
pub(super) fn table_key_hash(table_key: &[u8]) -> u64 {
    xxh3_64(table_key)
}

/// Longest table key that a [`Probe`] holds without memory of its own.
const PROBE_INLINE_BYTES: usize = 103;

/// What is looked for, put together once and used for every table. Short keys take no memory.
#[derive(Clone)]
pub(super) struct Probe {
    place: ProbePlace,
    hash: u64,
}

#[derive(Clone)]
enum ProbePlace {
    Inline { length: u8, bytes: [u8; PROBE_INLINE_BYTES] },
    Heap(Vec<u8>),
}

impl Probe {
    pub(super) fn new(collection: CollectionId, key: &[u8]) -> Self {
        let length = COLLECTION_ID_BYTES + key.len();
        let place = if length <= PROBE_INLINE_BYTES {
            let mut bytes = [0; PROBE_INLINE_BYTES];
            bytes[..COLLECTION_ID_BYTES].copy_from_slice(&collection.start());
            bytes[COLLECTION_ID_BYTES..length].copy_from_slice(key);
            ProbePlace::Inline { length: length as u8, bytes }
        } else {
            let mut bytes = Vec::with_capacity(length);
            push_table_key(collection, key, &mut bytes);
            ProbePlace::Heap(bytes)
        };
        let mut probe = Self { place, hash: 0 };
        probe.hash = table_key_hash(probe.table_key());
        probe
    }

    pub(super) fn table_key(&self) -> &[u8] {
        match &self.place {
            ProbePlace::Inline { length, bytes } => &bytes[..usize::from(*length)],
            ProbePlace::Heap(bytes) => bytes,
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// Where a large value lies. In a file it takes [`BlobRef::BYTES`]:
///
/// ```text
/// 0      8        16      20     28
/// ├ file ┼ offset ┼ bytes ┼ hash ┤   little-endian
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlobRef {
    /// Number of the blob file.
    pub(super) file: u64,
    /// Where in it the data begins, not its head.
    pub(super) offset: u64,
    /// Length of the data.
    pub(super) bytes: u32,
    /// XXH3-64 of the data.
    pub(super) hash: u64,
}

impl BlobRef {
    pub(super) const BYTES: usize = 28;

    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.file.to_le_bytes());
        out[8..16].copy_from_slice(&self.offset.to_le_bytes());
        out[16..20].copy_from_slice(&self.bytes.to_le_bytes());
        out[20..].copy_from_slice(&self.hash.to_le_bytes());
        out
    }

    /// Reads one from the start of `bytes` and gives what is left of them.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (file, bytes) = bytes.split_first_chunk()?;
        let (offset, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (hash, bytes) = bytes.split_first_chunk()?;
        let blob = Self {
            file: u64::from_le_bytes(*file),
            offset: u64::from_le_bytes(*offset),
            bytes: u32::from_le_bytes(*length),
            hash: u64::from_le_bytes(*hash),
        };
        Some((blob, bytes))
    }
}

/// What a record did to a key. Cloning copies no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was deleted.
    Tombstone,
    /// It was set to this.
    Inline(Value),
    /// It was set to this, whose data lies in a blob file.
    Blob(Meta, BlobRef),
}

/// A [`Change`] whose data lies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeRef<'a> {
    Tombstone,
    Inline(Meta, &'a [u8]),
    Blob(Meta, BlobRef),
}

/// A change and its place in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) sequence: Sequence,
    pub(super) change: Change,
}

/// An entry as a cursor shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryRef<'a> {
    pub(super) table_key: &'a [u8],
    pub(super) sequence: Sequence,
    pub(super) change: ChangeRef<'a>,
}

impl Change {
    /// Whether its data lies at this place.
    pub(super) fn is_at(&self, place: BlobRef) -> bool {
        matches!(self, Self::Blob(_, blob) if *blob == place)
    }

    pub(super) fn borrowed(&self) -> ChangeRef<'_> {
        match self {
            Self::Tombstone => ChangeRef::Tombstone,
            Self::Inline(value) => ChangeRef::Inline(value.meta, &value.data),
            Self::Blob(meta, blob) => ChangeRef::Blob(*meta, *blob),
        }
    }
}

const KIND: u8 = 0b11;
const INLINE: u8 = 1;
const BLOB: u8 = 2;
const SIZE: u8 = 1 << 2;
const COMPRESSION: u8 = 1 << 3;
const CHECKSUM: u8 = 1 << 4;
const CREATED_AT: u8 = 1 << 5;
const VERSION: u8 = 1 << 6;

/// How a change is written: one byte that says what follows, then only what is not as usual.
///
/// ```text
/// flags u8    bits 0, 1: 0 tombstone, 1 inline, 2 blob; 2: size ≠ bytes of the data; 3: compression ≠ 0;
///             4: checksum ≠ 0; 5: created_at ≠ 0; 6: there is a version; 7: zero
/// [size varint] [compression varint] [checksum u32] [created_at i64] [version varint]
/// data up to the end, or a blob reference, or nothing
/// ```
impl<'a> ChangeRef<'a> {
    /// Bytes that it takes.
    pub(super) fn length(&self) -> usize {
        let (meta, data_bytes, tail) = match self {
            Self::Tombstone => return 1,
            Self::Inline(meta, data) => (meta, data.len() as u64, data.len()),
            Self::Blob(meta, blob) => (meta, u64::from(blob.bytes), BlobRef::BYTES),
        };
        1 + meta_length(meta, meta_flags(meta, data_bytes)) + tail
    }

    /// Writes it into `out`, which has exactly its length.
    pub(super) fn write(&self, out: &mut [u8]) {
        debug_assert_eq!(out.len(), self.length());
        let (kind, meta, data_bytes) = match self {
            Self::Tombstone => return out[0] = 0,
            Self::Inline(meta, data) => (INLINE, meta, data.len() as u64),
            Self::Blob(meta, blob) => (BLOB, meta, u64::from(blob.bytes)),
        };
        let flags = meta_flags(meta, data_bytes);
        out[0] = kind | flags;
        let out = write_meta(meta, flags, &mut out[1..]);
        match self {
            Self::Tombstone => (),
            Self::Inline(_, data) => out.copy_from_slice(data),
            Self::Blob(_, blob) => out.copy_from_slice(&blob.encode()),
        }
    }

    /// What `bytes` say; `None` if they are not one change, whole and in the only form that is written.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&flags, bytes) = bytes.split_first()?;
        match flags & KIND {
            0 => (flags == 0 && bytes.is_empty()).then_some(Self::Tombstone),
            INLINE => {
                let (mut meta, data) = read_meta(flags, bytes)?;
                settle_size(&mut meta, flags, data.len() as u64)?;
                Some(Self::Inline(meta, data))
            }
            BLOB => {
                let (mut meta, bytes) = read_meta(flags, bytes)?;
                let (blob, rest) = BlobRef::read(bytes)?;
                settle_size(&mut meta, flags, u64::from(blob.bytes))?;
                rest.is_empty().then_some(Self::Blob(meta, blob))
            }
            _ => None,
        }
    }

    /// The change with memory of its own, but for inline data, which is what `slice` makes of it.
    pub(super) fn to_owned_with(self, slice: impl FnOnce(&'a [u8]) -> Bytes) -> Change {
        match self {
            Self::Tombstone => Change::Tombstone,
            Self::Inline(meta, data) => Change::Inline(Value { data: slice(data), meta }),
            Self::Blob(meta, blob) => Change::Blob(meta, blob),
        }
    }
}

fn meta_flags(meta: &Meta, data_bytes: u64) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(meta.size != data_bytes, SIZE)
        | flag(meta.compression != 0, COMPRESSION)
        | flag(meta.checksum != 0, CHECKSUM)
        | flag(meta.created_at != 0, CREATED_AT)
        | flag(meta.version.is_some(), VERSION)
}

fn meta_length(meta: &Meta, flags: u8) -> usize {
    let part = |flag: u8, bytes: usize| if flags & flag == 0 { 0 } else { bytes };
    part(SIZE, varint::length(meta.size))
        + part(COMPRESSION, varint::length(u64::from(meta.compression)))
        + part(CHECKSUM, 4)
        + part(CREATED_AT, 8)
        + part(VERSION, varint::length(u64::from(meta.version.unwrap_or(0))))
}

fn write_meta<'b>(meta: &Meta, flags: u8, mut out: &'b mut [u8]) -> &'b mut [u8] {
    if flags & SIZE != 0 {
        out = varint::write(meta.size, out);
    }
    if flags & COMPRESSION != 0 {
        out = varint::write(u64::from(meta.compression), out);
    }
    if flags & CHECKSUM != 0 {
        out = put(out, &meta.checksum.to_le_bytes());
    }
    if flags & CREATED_AT != 0 {
        out = put(out, &meta.created_at.to_le_bytes());
    }
    if flags & VERSION != 0 {
        out = varint::write(u64::from(meta.version.unwrap_or(0)), out);
    }
    out
}

fn read_meta(flags: u8, mut bytes: &[u8]) -> Option<(Meta, &[u8])> {
    let mut meta = Meta::default();
    if flags & 0x80 != 0 {
        return None;
    }
    if flags & SIZE != 0 {
        (meta.size, bytes) = varint::read(bytes)?;
    }
    if flags & COMPRESSION != 0 {
        (meta.compression, bytes) = read_u32(bytes).filter(|(number, _)| *number != 0)?;
    }
    if flags & CHECKSUM != 0 {
        let (checksum, rest) = bytes.split_first_chunk()?;
        (meta.checksum, bytes) = (u32::from_le_bytes(*checksum), rest);
        (meta.checksum != 0).then_some(())?;
    }
    if flags & CREATED_AT != 0 {
        let (created_at, rest) = bytes.split_first_chunk()?;
        (meta.created_at, bytes) = (i64::from_le_bytes(*created_at), rest);
        (meta.created_at != 0).then_some(())?;
    }
    if flags & VERSION != 0 {
        let (version, rest) = read_u32(bytes)?;
        (meta.version, bytes) = (Some(version), rest);
    }
    Some((meta, bytes))
}

/// The size is the length of the data unless it was given; then it must be another.
fn settle_size(meta: &mut Meta, flags: u8, data_bytes: u64) -> Option<()> {
    if flags & SIZE == 0 {
        meta.size = data_bytes;
        return Some(());
    }
    (meta.size != data_bytes).then_some(())
}

fn read_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = varint::read(bytes)?;
    Some((u32::try_from(number).ok()?, rest))
}

fn put<'b>(out: &'b mut [u8], bytes: &[u8]) -> &'b mut [u8] {
    let (place, out) = out.split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fuzz_changes() {
        let meta =
            Meta { size: 300, compression: 1, checksum: 2, created_at: -3, version: Some(4) };
        let blob = BlobRef { file: 1, offset: 4096, bytes: 70_000, hash: 9 };
        let changes = [
            ChangeRef::Tombstone,
            ChangeRef::Inline(Meta::default(), b""),
            ChangeRef::Inline(meta, b"some data"),
            ChangeRef::Blob(meta, blob),
        ];
        let written = |change: &ChangeRef<'_>| {
            let mut bytes = vec![0; change.length()];
            change.write(&mut bytes);
            bytes
        };
        Campaign::new("changes", changes.iter().map(written).collect()).run(|bytes| {
            let change = ChangeRef::read(bytes).ok_or("no change")?;
            assert_eq!(written(&change), bytes, "there is one way to write a change");
            Ok(u64::from(bytes[0]))
        });
    }

    fn metas() -> impl Strategy<Value = Meta> {
        let version = prop_oneof![Just(None), Just(Some(0)), any::<u32>().prop_map(Some)];
        let sizes = prop_oneof![Just(0u64), 0u64..300, any::<u64>()];
        let small = prop_oneof![Just(0u32), 0u32..3, any::<u32>()];
        let times = prop_oneof![Just(0i64), any::<i64>()];
        (sizes, small.clone(), small, times, version).prop_map(
            |(size, compression, checksum, created_at, version)| Meta {
                size,
                compression,
                checksum,
                created_at,
                version,
            },
        )
    }

    fn blobs() -> impl Strategy<Value = BlobRef> {
        (any::<u64>(), any::<u64>(), any::<u32>(), any::<u64>())
            .prop_map(|(file, offset, bytes, hash)| BlobRef { file, offset, bytes, hash })
    }

    fn changes() -> impl Strategy<Value = Change> {
        let data = proptest::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            Just(Change::Tombstone),
            (metas(), data)
                .prop_map(|(meta, data)| Change::Inline(Value { data: data.into(), meta })),
            (metas(), blobs()).prop_map(|(meta, blob)| Change::Blob(meta, blob)),
        ]
    }

    fn encoded(change: &Change) -> Vec<u8> {
        let change = change.borrowed();
        let mut out = vec![0xaa; change.length()];
        change.write(&mut out);
        out
    }

    proptest! {
        #[test]
        fn changes_come_back_as_they_were(change in changes()) {
            let bytes = encoded(&change);
            let read = ChangeRef::read(&bytes).unwrap();
            prop_assert_eq!(read, change.borrowed());
            prop_assert_eq!(read.to_owned_with(Bytes::copy_from_slice), change);
        }

        #[test]
        fn any_bytes_are_refused_or_are_the_only_form(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..60),
            flags in 0u8..=255,
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = flags;
            }
            if let Some(change) = ChangeRef::read(&bytes) {
                let mut again = vec![0; change.length()];
                change.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn a_blob_reference_cut_short_is_refused(blob in blobs(), length in 0..BlobRef::BYTES) {
            let bytes = blob.encode();
            prop_assert_eq!(BlobRef::read(&bytes), Some((blob, &[][..])));
            prop_assert_eq!(BlobRef::read(&bytes[..length]), None);
        }
    }

    #[test]
    fn a_usual_change_takes_one_byte_beside_its_data() {
        let meta = Meta { size: 100, ..Meta::default() };
        assert_eq!(ChangeRef::Inline(meta, &[7; 100]).length(), 101);
        assert_eq!(ChangeRef::Tombstone.length(), 1);
    }

    #[test]
    fn table_keys_order_by_collection_then_key_and_split_again() {
        let id = |number| CollectionId::new(number).unwrap();
        let table_key = |number, key: &[u8]| {
            let mut out = Vec::new();
            push_table_key(id(number), key, &mut out);
            out
        };
        let keys =
            [table_key(1, b""), table_key(1, b"z"), table_key(255, b"a"), table_key(256, b"")];
        assert!(keys.is_sorted());
        assert_eq!(split_table_key(&keys[1]), Some((id(1), &b"z"[..])));
        assert_eq!(split_table_key(&[0, 0, 0, 0, 1]), None, "numbers begin with 1");
        assert_eq!(split_table_key(&[0, 0, 1]), None);
        assert!(id(1).start()[..] <= keys[0][..] && keys[1][..] < id(1).end()[..]);
        assert_eq!(CollectionId::new(u32::MAX), None);
    }

    #[test]
    fn a_probe_holds_the_table_key_wherever_it_lies() {
        let collection = CollectionId::new(7).unwrap();
        for length in [0, 1, 98, 99, 100, 5000] {
            let key = vec![9; length];
            let mut table_key = Vec::new();
            push_table_key(collection, &key, &mut table_key);
            let probe = Probe::new(collection, &key);
            assert_eq!(probe.table_key(), table_key);
            assert_eq!(probe.hash(), table_key_hash(&table_key));
        }
    }
}
