//! What stands before the data of a blob, and where blobs come to lie.
//!
//! ```text
//! 0       4            8          16          24          28                 29       32               32+c+k
//! ├ CRC32 ┼ data bytes ┼ sequence ┼ XXH3 of ──┼ key bytes ┼ collection bytes ┼ 3 zero ┼ collection ‖ key ┼ data ┼ zeros to × 8
//! ```

use crate::{
    limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX},
    storage::{
        entry::{BlobRef, Sequence},
        header::{Binding, number_u32, number_u64},
    },
};

/// Blobs begin at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;
/// Bytes before the names.
pub(super) const FIXED_BYTES: usize = 32;
/// Longest head.
pub(super) const HEAD_BYTES_MAX: usize = FIXED_BYTES + COLLECTION_BYTES_MAX + KEY_BYTES_MAX;

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Head<'a> {
    pub(in crate::storage) collection: &'a str,
    pub(in crate::storage) key: &'a [u8],
    pub(in crate::storage) sequence: Sequence,
    /// Length of the data.
    pub(in crate::storage) bytes: u32,
    /// XXH3-64 of the data.
    pub(in crate::storage) hash: u64,
}

/// Gives out places, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Placing {
    pub(super) file: u64,
    pub(super) position: u64,
}

impl Placing {
    /// The place of the next blob: where its data will lie.
    pub(in crate::storage) fn place(&mut self, head: &Head<'_>) -> BlobRef {
        let Head { bytes, hash, .. } = *head;
        let offset = self.position + head.length() as u64;
        self.position = (offset + u64::from(bytes)).next_multiple_of(ALIGNMENT);
        BlobRef { file: self.file, offset, bytes, hash }
    }
}

impl<'a> Head<'a> {
    /// Bytes that it takes.
    pub(in crate::storage) fn length(&self) -> usize {
        FIXED_BYTES + self.collection.len() + self.key.len()
    }

    /// Bytes that a blob takes with its head and up to the next one.
    pub(in crate::storage) fn room(collection: &str, key: &[u8], data_bytes: usize) -> u64 {
        let bytes = FIXED_BYTES + collection.len() + key.len() + data_bytes;
        (bytes as u64).next_multiple_of(ALIGNMENT)
    }

    /// Bytes of the head that begins here, if one does: nothing is checked.
    pub(super) fn length_of(bytes: &[u8]) -> usize {
        let fixed: Option<&[u8; FIXED_BYTES]> = bytes.first_chunk();
        fixed.map_or(0, |fixed| {
            FIXED_BYTES
                + usize::from(fixed[28])
                + (number_u32(fixed, 24) as usize).min(KEY_BYTES_MAX)
        })
    }

    /// Writes it into `out`, which has exactly its length, for `position` of a file.
    pub(super) fn write(&self, binding: Binding, position: u64, out: &mut [u8]) {
        out[4..8].copy_from_slice(&self.bytes.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.hash.to_le_bytes());
        out[24..28].copy_from_slice(&(self.key.len() as u32).to_le_bytes());
        out[28..32].copy_from_slice(&[self.collection.len() as u8, 0, 0, 0]);
        let (collection, key) = out[FIXED_BYTES..].split_at_mut(self.collection.len());
        collection.copy_from_slice(self.collection.as_bytes());
        key.copy_from_slice(self.key);
        let checksum = checksum(binding, position, &out[4..]);
        out[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// The head at the start of `bytes`, which lie at `position`; `None` if there is no valid one.
    pub(super) fn read(binding: Binding, position: u64, bytes: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; FIXED_BYTES] = bytes.first_chunk()?;
        let (key_bytes, collection_bytes) =
            (number_u32(fixed, 24) as usize, usize::from(fixed[28]));
        if key_bytes > KEY_BYTES_MAX || fixed[29..] != [0; 3] {
            return None;
        }
        let head = bytes.get(..FIXED_BYTES + collection_bytes + key_bytes)?;
        if checksum(binding, position, &head[4..]) != number_u32(fixed, 0) {
            return None;
        }
        let (collection, key) = head[FIXED_BYTES..].split_at(collection_bytes);
        Some(Self {
            collection: std::str::from_utf8(collection).ok()?,
            key,
            sequence: number_u64(fixed, 8),
            bytes: number_u32(fixed, 4),
            hash: number_u64(fixed, 16),
        })
    }
}

fn checksum(binding: Binding, position: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&binding.directory_id.to_le_bytes());
    hasher.update(&binding.shard.to_le_bytes());
    hasher.update(&binding.number.to_le_bytes());
    hasher.update(&position.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Makes the checksum of the head at the start of `bytes` right again, if its lengths can be true; says how long it is.
#[cfg(test)]
pub(super) fn repair(bytes: &mut [u8], binding: Binding, position: u64) -> Option<usize> {
    let length = Head::length_of(bytes);
    let head = bytes.get_mut(..length).filter(|head| head.len() >= FIXED_BYTES)?;
    let checksum = checksum(binding, position, &head[4..]);
    head[..4].copy_from_slice(&checksum.to_le_bytes());
    Some(length)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const BINDING: Binding = Binding { directory_id: 7, shard: 1, number: 3 };

    fn written(head: &Head<'_>, position: u64) -> Vec<u8> {
        let mut out = vec![0xaa; head.length()];
        head.write(BINDING, position, &mut out);
        out
    }

    #[test]
    fn heads_come_back_at_their_place_only() {
        let (name, key) = ("é".repeat(127), vec![9; KEY_BYTES_MAX]);
        for (collection, key) in [("c", &b""[..]), (&name, &key)] {
            let head = Head { collection, key, sequence: u64::MAX, bytes: u32::MAX, hash: 5 };
            let bytes = written(&head, 4096);
            assert!(bytes.len() <= HEAD_BYTES_MAX);
            assert_eq!(Head::read(BINDING, 4096, &bytes), Some(head));
            assert_eq!(Head::read(BINDING, 4104, &bytes), None);
            assert_eq!(Head::read(Binding { number: 4, ..BINDING }, 4096, &bytes), None);
            assert_eq!(Head::read(BINDING, 4096, &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn one_flipped_byte_anywhere_is_found() {
        let head = Head { collection: "coll", key: b"key", sequence: 1, bytes: 2, hash: 3 };
        let mut bytes = written(&head, 4096);
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(Head::read(BINDING, 4096, &bytes), None, "{at}");
            bytes[at] ^= 0x10;
        }
        assert_eq!(Head::read(BINDING, 4096, &[0; 100]), None);
    }

    #[test]
    fn fuzz_heads() {
        let head = |collection, key| Head { collection, key, sequence: 1, bytes: 2, hash: 3 };
        let seeds = [head("coll", b"key"), head("", b""), head("é", &[9; 300])];
        let seeds = seeds.iter().map(|head| written(head, 4096)).collect();
        let campaign = Campaign::new("blob heads", seeds).repair(|bytes| {
            let _ = repair(bytes, BINDING, 4096);
        });
        campaign.run(|bytes| {
            let head = Head::read(BINDING, 4096, bytes).ok_or("no head")?;
            assert_eq!(
                written(&head, 4096),
                bytes[..head.length()],
                "there is one way to write it"
            );
            Ok(head.length() as u64)
        });
    }

    #[test]
    fn places_do_not_overlap_and_are_aligned() {
        let mut placing = Placing { file: 3, position: 4096 };
        let mut end = 4096;
        for bytes in [1u32, 7, 8, 5000] {
            let head = Head { collection: "c", key: b"key", sequence: 1, bytes, hash: 3 };
            let blob = placing.place(&head);
            assert_eq!(blob.offset, end + head.length() as u64);
            end = (blob.offset + u64::from(bytes)).next_multiple_of(8);
            assert_eq!(placing.position, end);
        }
    }
}
