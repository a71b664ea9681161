//! What is known of a table without looking into it: kept at its end and, in the same bytes, in the manifest.

use bytes::Bytes;

use crate::storage::{
    entry::{ChangeRef, EntryRef, Sequence, TABLE_KEY_BYTES_MAX},
    header::{number_u32, number_u64},
};

/// A table, described. Cloning copies no keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TableMeta {
    /// Number of the file.
    pub(in crate::storage) number: u64,
    /// Length of the file.
    pub(in crate::storage) bytes: u64,
    pub(in crate::storage) entries: u64,
    pub(in crate::storage) tombstones: u64,
    /// Data blocks.
    pub(in crate::storage) blocks: u64,
    pub(in crate::storage) sequence_min: Sequence,
    pub(in crate::storage) sequence_max: Sequence,
    /// Of all table keys.
    pub(in crate::storage) key_bytes: u64,
    /// Of all inline data.
    pub(in crate::storage) data_bytes: u64,
    /// Smallest table key.
    pub(in crate::storage) smallest: Bytes,
    /// Largest table key.
    pub(in crate::storage) largest: Bytes,
    /// The blob files that it refers to, ascending.
    pub(in crate::storage) blobs: Vec<BlobUse>,
}

/// How much of a blob file a table refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct BlobUse {
    /// Number of the blob file.
    pub(in crate::storage) file: u64,
    /// Of data.
    pub(in crate::storage) bytes: u64,
}

const FIXED_BYTES: usize = 9 * 8;
const BLOB_USE_BYTES: usize = 16;

impl TableMeta {
    /// Bytes that it takes.
    pub(in crate::storage) fn length(&self) -> usize {
        let keys = 4 + self.smallest.len() + 4 + self.largest.len();
        FIXED_BYTES + keys + 4 + BLOB_USE_BYTES * self.blobs.len()
    }

    /// Puts it behind what `out` holds.
    pub(in crate::storage) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.length());
        for number in self.numbers() {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for key in [&self.smallest, &self.largest] {
            out.extend_from_slice(&(key.len() as u32).to_le_bytes());
            out.extend_from_slice(key);
        }
        out.extend_from_slice(&(self.blobs.len() as u32).to_le_bytes());
        for blob in &self.blobs {
            out.extend_from_slice(&blob.file.to_le_bytes());
            out.extend_from_slice(&blob.bytes.to_le_bytes());
        }
    }

    /// Reads one from the start of `bytes` and gives what is left of them; `None` if it cannot be true.
    pub(in crate::storage) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, bytes) = bytes.split_at_checked(FIXED_BYTES)?;
        let (smallest, bytes) = read_key(bytes)?;
        let (largest, bytes) = read_key(bytes)?;
        let (count, bytes) = bytes.split_first_chunk()?;
        let blob_bytes = (u32::from_le_bytes(*count) as usize).checked_mul(BLOB_USE_BYTES)?;
        let (blobs, bytes) = bytes.split_at_checked(blob_bytes)?;
        let blobs = blobs.chunks_exact(BLOB_USE_BYTES);
        let meta = Self {
            number: number_u64(fixed, 0),
            bytes: number_u64(fixed, 8),
            entries: number_u64(fixed, 16),
            tombstones: number_u64(fixed, 24),
            blocks: number_u64(fixed, 32),
            sequence_min: number_u64(fixed, 40),
            sequence_max: number_u64(fixed, 48),
            key_bytes: number_u64(fixed, 56),
            data_bytes: number_u64(fixed, 64),
            smallest,
            largest,
            blobs: blobs
                .map(|blob| BlobUse { file: number_u64(blob, 0), bytes: number_u64(blob, 8) })
                .collect(),
        };
        meta.is_possible().then_some((meta, bytes))
    }

    fn numbers(&self) -> [u64; FIXED_BYTES / 8] {
        [
            self.number,
            self.bytes,
            self.entries,
            self.tombstones,
            self.blocks,
            self.sequence_min,
            self.sequence_max,
            self.key_bytes,
            self.data_bytes,
        ]
    }

    fn is_possible(&self) -> bool {
        (1..=self.entries).contains(&self.blocks)
            && self.tombstones <= self.entries
            && self.sequence_min <= self.sequence_max
            && self.smallest <= self.largest
            && self.blobs.is_sorted_by(|a, b| a.file < b.file)
    }
}

fn read_key(bytes: &[u8]) -> Option<(Bytes, &[u8])> {
    let length = number_u32(bytes.first_chunk::<4>()?, 0) as usize;
    if length > TABLE_KEY_BYTES_MAX {
        return None;
    }
    let (key, bytes) = bytes[4..].split_at_checked(length)?;
    Some((Bytes::copy_from_slice(key), bytes))
}

/// The part of the properties that grows with the entries.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) entries: u64,
    tombstones: u64,
    sequences: Option<(Sequence, Sequence)>,
    key_bytes: u64,
    data_bytes: u64,
    smallest: Option<Bytes>,
    /// Ascending by file.
    blobs: Vec<BlobUse>,
}

impl Tally {
    pub(super) fn add(&mut self, entry: &EntryRef<'_>) {
        self.entries += 1;
        self.key_bytes += entry.table_key.len() as u64;
        match &entry.change {
            ChangeRef::Tombstone => self.tombstones += 1,
            ChangeRef::Inline(_, data) => self.data_bytes += data.len() as u64,
            ChangeRef::Blob(_, blob) => self.refer(blob.file, u64::from(blob.bytes)),
        }
        let (low, high) = self.sequences.unwrap_or((entry.sequence, entry.sequence));
        self.sequences = Some((low.min(entry.sequence), high.max(entry.sequence)));
        if self.smallest.is_none() {
            self.smallest = Some(Bytes::copy_from_slice(entry.table_key));
        }
    }

    fn refer(&mut self, file: u64, bytes: u64) {
        match self.blobs.binary_search_by_key(&file, |blob| blob.file) {
            Ok(at) => self.blobs[at].bytes += bytes,
            Err(at) => self.blobs.insert(at, BlobUse { file, bytes }),
        }
    }

    /// The properties of the finished table, all but its length.
    pub(super) fn finish(self, number: u64, blocks: u64, largest: Bytes) -> TableMeta {
        let (sequence_min, sequence_max) = self.sequences.unwrap_or_default();
        TableMeta {
            number,
            bytes: 0,
            entries: self.entries,
            tombstones: self.tombstones,
            blocks,
            sequence_min,
            sequence_max,
            key_bytes: self.key_bytes,
            data_bytes: self.data_bytes,
            smallest: self.smallest.unwrap_or_default(),
            largest,
            blobs: self.blobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;
    use crate::storage::{Meta, entry::BlobRef};

    fn meta() -> TableMeta {
        let mut tally = Tally::default();
        let blob = |file| BlobRef { file, offset: 4096, bytes: 5000, hash: 1 };
        let changes = [
            ChangeRef::Blob(Meta::default(), blob(9)),
            ChangeRef::Inline(Meta::default(), b"four"),
            ChangeRef::Tombstone,
            ChangeRef::Blob(Meta::default(), blob(3)),
            ChangeRef::Blob(Meta::default(), blob(9)),
        ];
        for (change, sequence) in changes.into_iter().zip([5, 9, 2, 7, 7]) {
            tally.add(&EntryRef { table_key: &[0, 0, 0, 1, sequence as u8], sequence, change });
        }
        tally.finish(12, 2, Bytes::from_static(&[0, 0, 0, 1, 9]))
    }

    #[test]
    fn a_tally_counts_what_it_saw() {
        let meta = meta();
        assert_eq!((meta.entries, meta.tombstones, meta.key_bytes, meta.data_bytes), (5, 1, 25, 4));
        assert_eq!((meta.sequence_min, meta.sequence_max), (2, 9));
        assert_eq!(&meta.smallest[..], &[0, 0, 0, 1, 5], "the first that came");
        let uses = [BlobUse { file: 3, bytes: 5000 }, BlobUse { file: 9, bytes: 10_000 }];
        assert_eq!(meta.blobs, uses);
    }

    #[test]
    fn properties_come_back_and_are_refused_when_cut_anywhere() {
        let meta = meta();
        let mut bytes = vec![7];
        meta.write(&mut bytes);
        bytes.push(7);
        assert_eq!(bytes.len(), meta.length() + 2);
        assert_eq!(TableMeta::read(&bytes[1..]), Some((meta, &[7][..])));
        for length in 0..bytes.len() - 2 {
            assert_eq!(TableMeta::read(&bytes[1..=length]), None, "{length}");
        }
    }

    #[test]
    fn fuzz_properties() {
        let mut seed = Vec::new();
        meta().write(&mut seed);
        Campaign::new("properties", vec![seed]).run(|bytes| {
            let (meta, rest) = TableMeta::read(bytes).ok_or("no properties")?;
            let mut again = Vec::new();
            meta.write(&mut again);
            assert_eq!([&again, rest].concat(), bytes, "there is one way to write properties");
            Ok(rest.len() as u64)
        });
    }

    #[test]
    fn properties_that_cannot_be_true_are_refused() {
        let twist = |twist: fn(&mut TableMeta)| {
            let mut meta = meta();
            twist(&mut meta);
            let mut bytes = Vec::new();
            meta.write(&mut bytes);
            TableMeta::read(&bytes).map(|(meta, _)| meta)
        };
        assert!(twist(|_| ()).is_some());
        assert_eq!(twist(|meta| meta.entries = 0), None);
        assert_eq!(twist(|meta| meta.blocks = 6), None);
        assert_eq!(twist(|meta| meta.tombstones = 6), None);
        assert_eq!(twist(|meta| meta.sequence_min = 10), None);
        assert_eq!(twist(|meta| meta.largest = Bytes::new()), None);
        assert_eq!(twist(|meta| meta.blobs.reverse()), None);
        assert_eq!(twist(|meta| meta.largest = vec![1; TABLE_KEY_BYTES_MAX + 1].into()), None);
    }
}
