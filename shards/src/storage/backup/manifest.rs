//! `manifest.bin`: which data files a backup has, and what they must be.
//!
//! ```text
//! magic "AMATBKM\0" ┼ version u32 ┼ directory id u64 ┼ seed u64 ┼ shards u32 ┼ created at u64, ms ┼ id 16 ┼ parent 16
//! ┼ keys u64 ┼ deletions u64 ┼ bytes u64
//! ┼ n u32 ┼ n × (length u8 ┼ collection)            by name
//! ┼ m u32 ┼ m × file                                by shard and number
//!
//! file: shard u32 ┼ number u32 ┼ entries u64 ┼ bytes of chunks u64 ┼ bytes of the file u64 ┼ SHA-256 of it
//! ```

use super::meta::{BackupId, Hash};
use crate::limits::COLLECTION_BYTES_MAX;

const MAGIC: [u8; 8] = *b"AMATBKM\0";
const VERSION: u32 = 2;

/// What `manifest.bin` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Of the data directory that it was taken from.
    pub directory_id: u64,
    /// Of the hash that spreads keys over shards there.
    pub seed: u64,
    /// Shards there.
    pub shards: u32,
    /// The instant that it shows, about: milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// Its name.
    pub id: BackupId,
    /// What it rests on, if it is incremental.
    pub parent: Option<BackupId>,
    /// Values in it.
    pub keys: u64,
    /// Keys of the parent that are gone.
    pub deletions: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Names that occur in it, ascending.
    pub collections: Vec<String>,
    /// Ascending by shard and number.
    pub files: Vec<DataFile>,
}

/// One data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The shard that it was taken from.
    pub shard: u32,
    /// From 0, for each shard.
    pub number: u32,
    /// Entries in it.
    pub entries: u64,
    /// Bytes of its chunks; zeros follow.
    pub bytes: u64,
    /// Bytes of the file.
    pub length: u64,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
}

impl DataFile {
    /// Its name in the folder.
    #[must_use]
    pub fn name(&self) -> String {
        file_name(self.shard, self.number)
    }
}

/// The name of a data file.
pub(super) fn file_name(shard: u32, number: u32) -> String {
    format!("data-{shard:04}-{number:06}.bin")
}

impl Manifest {
    /// Bytes of all data files.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        let lengths = self.files.iter().map(|file| file.length);
        lengths.fold(0, u64::saturating_add)
    }

    /// The bytes of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.directory_id.to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.shards.to_le_bytes());
        out.extend_from_slice(&self.created_at_ms.to_le_bytes());
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.parent.unwrap_or(BackupId([0; 16])).0);
        for number in [self.keys, self.deletions, self.bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(self.collections.len() as u32).to_le_bytes());
        for name in &self.collections {
            debug_assert!((1..=COLLECTION_BYTES_MAX).contains(&name.len()));
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(&(self.files.len() as u32).to_le_bytes());
        for file in &self.files {
            out.extend_from_slice(&file.shard.to_le_bytes());
            out.extend_from_slice(&file.number.to_le_bytes());
            for number in [file.entries, file.bytes, file.length] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&file.hash);
        }
        out
    }

    /// What the bytes of the file say; `None` if they are none that we write. Takes no more memory than a small multiple of
    /// them.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        if rest.take()? != MAGIC || rest.number_u32()? != VERSION {
            return None;
        }
        let (directory_id, seed) = (rest.number()?, rest.number()?);
        let (shards, created_at_ms) = (rest.number_u32()?, rest.number()?);
        let (id, parent) = (BackupId(rest.take()?), BackupId(rest.take()?));
        let parent = Some(parent).filter(|parent| parent.0 != [0; 16]);
        let (keys, deletions, byte_count) = (rest.number()?, rest.number()?, rest.number()?);
        let mut collections: Vec<String> = Vec::new();
        for _ in 0..rest.number_u32()? {
            let [length] = rest.take()?;
            let (name, behind) = rest.0.split_at_checked(length.into())?;
            rest.0 = behind;
            let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
            collections.last().is_none_or(|last| **last < *name).then_some(())?;
            collections.push(name.to_owned());
        }
        let mut files: Vec<DataFile> = Vec::new();
        for _ in 0..rest.number_u32()? {
            let (shard, number) = (rest.number_u32()?, rest.number_u32()?);
            let (entries, bytes, length) = (rest.number()?, rest.number()?, rest.number()?);
            let hash: Hash = rest.take()?;
            let follows = match files.last() {
                Some(last) if last.shard == shard => number == last.number + 1,
                Some(last) => number == 0 && last.shard < shard,
                None => number == 0,
            };
            (follows && shard < shards && bytes <= length && entries > 0).then_some(())?;
            files.push(DataFile { shard, number, entries, bytes, length, hash });
        }
        let this = Self {
            directory_id,
            seed,
            shards,
            created_at_ms,
            id,
            parent,
            keys,
            deletions,
            bytes: byte_count,
            collections,
            files,
        };
        rest.0.is_empty().then_some(this)
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn number_u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::storage::backup) fn manifest() -> Manifest {
        let file = |shard, number| DataFile {
            shard,
            number,
            entries: 5,
            bytes: 5000,
            length: 8192,
            hash: [shard as u8; 32],
        };
        Manifest {
            directory_id: 1,
            seed: 2,
            shards: 3,
            created_at_ms: 4,
            id: BackupId([5; 16]),
            parent: None,
            keys: 15,
            deletions: 0,
            bytes: 9000,
            collections: vec!["a".into(), "ab".into(), "b".into()],
            files: vec![file(0, 0), file(0, 1), file(2, 0)],
        }
    }

    #[test]
    fn what_is_written_comes_back_and_nothing_shorter_or_longer() {
        let bytes = manifest().encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest()));
        for at in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes[..at]), None, "{at}");
        }
        assert_eq!(Manifest::decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn counts_beyond_the_bytes_take_no_memory() {
        let mut bytes = manifest().encode();
        bytes[96..100].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Manifest::decode(&bytes), None);
    }

    #[test]
    fn files_and_collections_out_of_order_are_refused() {
        let mut wrong = manifest();
        wrong.files.swap(0, 1);
        assert_eq!(Manifest::decode(&wrong.encode()), None);
        let mut wrong = manifest();
        wrong.collections.swap(0, 1);
        assert_eq!(Manifest::decode(&wrong.encode()), None);
        let mut wrong = manifest();
        wrong.files[2].shard = 3;
        assert_eq!(Manifest::decode(&wrong.encode()), None);
    }
}
