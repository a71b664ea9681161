//! A chunk: entries of one collection, first what is said of them, then their data. So whoever wants to know only which
//! entries there are does not read the data.
//!
//! ```text
//!  0        4             8            12        16            20           24      28      32
//!  ├ "ACHK" ┼ heads bytes ┼ data bytes ┼ entries ┼ CRC32 heads ┼ CRC32 data ┼ zeros ┼ CRC32 ┼ heads ┼ data ┤
//!
//!  heads   length u8 ‖ collection ‖ entries × (varint length ‖ key ‖ kind u8 ‖ of a value: what it is)
//!  value   varint sequence ‖ varint size ‖ varint compression ‖ checksum u32 ‖ created_at i64 ‖ varint version
//!          ‖ varint length ‖ XXH3-64 of the data u64
//! ```
//!
//! The last CRC32 covers: backup id ‖ shard u32 ‖ file number u32 ‖ position u64 ‖ bytes 0..28. A chunk is valid at one place
//! of one file only.

use std::sync::Arc;

use super::meta::BackupId;
use crate::{
    limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX},
    storage::{
        entry::Sequence,
        value::Meta,
        varint,
        wal::{meta_length, read_meta, write_meta},
    },
};

pub(super) const HEADER_BYTES: usize = 32;
const MAGIC: [u8; 4] = *b"ACHK";
const DELETED: u8 = 0;
const VALUE: u8 = 1;

/// Which file a chunk lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) backup: BackupId,
    pub(super) shard: u32,
    pub(super) file: u32,
}

/// What a backup says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The parent has it, and it is gone.
    Deleted,
    /// It has a value.
    Value(KeptValue),
}

/// All of a value but its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptValue {
    /// Of the record that wrote it.
    pub(in crate::storage) sequence: Sequence,
    /// What the client said of it.
    pub meta: Meta,
    /// Length of the data.
    pub bytes: u64,
    /// XXH3-64 of the data.
    pub hash: u64,
}

/// A chunk that is being filled.
pub(super) struct Draft {
    pub(super) collection: Arc<str>,
    heads: Vec<u8>,
    data: Vec<u8>,
    pub(super) entries: u32,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) heads_bytes: u32,
    pub(super) data_bytes: u32,
    entries: u32,
    heads_checksum: u32,
    data_checksum: u32,
}

/// An entry as a chunk tells it: the key, and what is kept.
pub(super) type Head = (Box<[u8]>, Kept);

impl Draft {
    pub(super) fn new(collection: Arc<str>) -> Self {
        debug_assert!((1..=COLLECTION_BYTES_MAX).contains(&collection.len()));
        let mut heads = vec![collection.len() as u8];
        heads.extend_from_slice(collection.as_bytes());
        Self { collection, heads, data: Vec::new(), entries: 0 }
    }

    /// Bytes that it has, without its header.
    pub(super) fn length(&self) -> usize {
        self.heads.len() + self.data.len()
    }

    /// Adds an entry; `data` are those of a value.
    pub(super) fn push(&mut self, key: &[u8], kept: &Kept, data: &[u8]) {
        varint::push(key.len() as u64, &mut self.heads);
        self.heads.extend_from_slice(key);
        match kept {
            Kept::Deleted => self.heads.push(DELETED),
            Kept::Value(value) => {
                debug_assert_eq!(value.bytes, data.len() as u64);
                self.heads.push(VALUE);
                varint::push(value.sequence, &mut self.heads);
                let start = self.heads.len();
                self.heads.resize(start + meta_length(&value.meta), 0);
                write_meta(&value.meta, &mut self.heads[start..]);
                varint::push(value.bytes, &mut self.heads);
                self.heads.extend_from_slice(&value.hash.to_le_bytes());
            }
        }
        self.data.extend_from_slice(data);
        self.entries += 1;
    }

    /// Heads and data, which come behind the header.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [&self.heads, &self.data]
    }

    /// The header for `position` of a file.
    pub(super) fn header(&self, binding: Binding, position: u64) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(&MAGIC);
        let (heads, data) = (self.heads.len() as u32, self.data.len() as u32);
        let sums = [crc32fast::hash(&self.heads), crc32fast::hash(&self.data)];
        for (at, number) in [heads, data, self.entries, sums[0], sums[1]].into_iter().enumerate() {
            out[4 + 4 * at..8 + 4 * at].copy_from_slice(&number.to_le_bytes());
        }
        let checksum = checksum(binding, position, &out[..28]);
        out[28..].copy_from_slice(&checksum.to_le_bytes());
        out
    }
}

impl Header {
    /// What the header at `position` says; an error says what is wrong.
    pub(super) fn read(
        binding: Binding,
        position: u64,
        bytes: &[u8; HEADER_BYTES],
    ) -> Result<Self, &'static str> {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if checksum(binding, position, &bytes[..28]) != number(28) {
            return Err("no chunk of this backup begins here");
        }
        if bytes[..4] != MAGIC || number(24) != 0 {
            return Err("a header with a sound checksum makes no sense");
        }
        Ok(Self {
            heads_bytes: number(4),
            data_bytes: number(8),
            entries: number(12),
            heads_checksum: number(16),
            data_checksum: number(20),
        })
    }

    /// Bytes of the chunk.
    pub(super) fn length(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.heads_bytes) + u64::from(self.data_bytes)
    }

    /// What the heads say; an error says what is wrong.
    pub(super) fn read_heads(&self, heads: &[u8]) -> Result<(String, Vec<Head>), &'static str> {
        if crc32fast::hash(heads) != self.heads_checksum {
            return Err("the heads of a chunk are not what was written");
        }
        let read = heads_of(heads, self.entries);
        let (collection, entries, bytes) =
            read.ok_or("heads with a sound checksum make no sense")?;
        if bytes != u64::from(self.data_bytes) {
            return Err("the data of a chunk have another length than its heads say");
        }
        Ok((collection, entries))
    }

    /// Whether the data are what was written.
    pub(super) fn check_data(&self, data: &[u8]) -> Result<(), &'static str> {
        let same = crc32fast::hash(data) == self.data_checksum;
        if same { Ok(()) } else { Err("the data of a chunk are not what was written") }
    }
}

/// Collection, entries, and bytes of their data.
fn heads_of(heads: &[u8], entries: u32) -> Option<(String, Vec<Head>, u64)> {
    let (&length, rest) = heads.split_first()?;
    let (collection, mut rest) = rest.split_at_checked(length.into())?;
    let collection = std::str::from_utf8(collection).ok().filter(|name| !name.is_empty())?;
    let (mut found, mut data_bytes) = (Vec::new(), 0u64);
    for _ in 0..entries {
        let (length, behind) = varint::read(rest)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= KEY_BYTES_MAX)?;
        let (key, behind) = behind.split_at_checked(length)?;
        let (&kind, behind) = behind.split_first()?;
        let kept;
        (kept, rest) = match kind {
            DELETED => (Kept::Deleted, behind),
            VALUE => {
                let (value, behind) = value_of(behind)?;
                data_bytes = data_bytes.checked_add(value.bytes)?;
                (Kept::Value(value), behind)
            }
            _ => return None,
        };
        found.push((Box::from(key), kept));
    }
    (rest.is_empty() && entries > 0).then(|| (collection.to_owned(), found, data_bytes))
}

fn value_of(bytes: &[u8]) -> Option<(KeptValue, &[u8])> {
    let (sequence, bytes) = varint::read(bytes)?;
    let (meta, bytes) = read_meta(bytes)?;
    let (length, bytes) = varint::read(bytes)?;
    let (hash, bytes) = bytes.split_first_chunk()?;
    let hash = u64::from_le_bytes(*hash);
    Some((KeptValue { sequence, meta, bytes: length, hash }, bytes))
}

pub(super) fn checksum(binding: Binding, position: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&binding.backup.0);
    hasher.update(&binding.shard.to_le_bytes());
    hasher.update(&binding.file.to_le_bytes());
    hasher.update(&position.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    const BINDING: Binding = Binding { backup: BackupId([4; 16]), shard: 2, file: 3 };

    fn value(data: &[u8]) -> Kept {
        let meta = Meta { size: 3, compression: 1, checksum: 7, created_at: -5, version: Some(0) };
        let bytes = data.len() as u64;
        Kept::Value(KeptValue { sequence: 1 << 40, meta, bytes, hash: xxh3_64(data) })
    }

    #[test]
    fn entries_come_back_at_their_place_only() {
        let mut draft = Draft::new("c".into());
        draft.push(b"", &value(b"abc"), b"abc");
        draft.push(b"k", &Kept::Deleted, b"");
        draft.push(b"l", &value(b""), b"");
        let header = draft.header(BINDING, 8192);
        let read = Header::read(BINDING, 8192, &header).unwrap();
        let [heads, data] = draft.parts();
        let (collection, entries) = read.read_heads(heads).unwrap();
        assert_eq!(collection, "c");
        let expected: [Head; 3] = [
            (Box::from(*b""), value(b"abc")),
            (Box::from(*b"k"), Kept::Deleted),
            (Box::from(*b"l"), value(b"")),
        ];
        assert_eq!(entries, expected);
        read.check_data(data).unwrap();
        assert!(read.check_data(b"abd").is_err());
        let elsewhere = [
            Header::read(BINDING, 8200, &header),
            Header::read(Binding { shard: 1, ..BINDING }, 8192, &header),
            Header::read(Binding { file: 4, ..BINDING }, 8192, &header),
            Header::read(Binding { backup: BackupId([5; 16]), ..BINDING }, 8192, &header),
        ];
        assert!(elsewhere.iter().all(Result::is_err));
    }

    #[test]
    fn every_flipped_bit_of_header_and_heads_is_found() {
        let mut draft = Draft::new("c".into());
        draft.push(b"key", &value(b"abc"), b"abc");
        let header = draft.header(BINDING, 0);
        for at in 0..8 * HEADER_BYTES {
            let mut wrong = header;
            wrong[at / 8] ^= 1 << (at % 8);
            assert!(Header::read(BINDING, 0, &wrong).is_err(), "bit {at}");
        }
        let read = Header::read(BINDING, 0, &header).unwrap();
        let [heads, _] = draft.parts();
        for at in 0..8 * heads.len() {
            let mut wrong = heads.to_vec();
            wrong[at / 8] ^= 1 << (at % 8);
            assert!(read.read_heads(&wrong).is_err(), "bit {at}");
        }
    }
}
