//! The first block of a segment: whose it is, which one, and where its sequences begin.

use std::path::{Path, PathBuf};

use super::record::Binding;
use crate::storage::disk::BLOCK_BYTES;

/// Bytes before the first record.
pub(super) const HEADER_BYTES: u64 = BLOCK_BYTES as u64;

const MAGIC: [u8; 8] = *b"AMATLOG\0";
const VERSION: u32 = 1;
const CHECKSUM_AT: usize = BLOCK_BYTES - 4;

/// What the header block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) binding: Binding,
    pub(super) sequence_first: u64,
}

/// Why a header block is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// It is not what was written.
    Damaged,
    /// It is what was written, by another version or for another place.
    Foreign(String),
}

impl Header {
    /// Fills the header block; `block` is one block long.
    pub(super) fn write(&self, block: &mut [u8]) {
        assert_eq!(block.len(), BLOCK_BYTES);
        block.fill(0);
        block[..8].copy_from_slice(&MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_le_bytes());
        block[12..16].copy_from_slice(&self.binding.shard.to_le_bytes());
        block[16..24].copy_from_slice(&self.binding.segment.to_le_bytes());
        block[24..32].copy_from_slice(&self.binding.directory_id.to_le_bytes());
        block[32..40].copy_from_slice(&self.sequence_first.to_le_bytes());
        let checksum = crc32fast::hash(&block[..CHECKSUM_AT]);
        block[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the header block that should belong to `binding`.
    pub(super) fn read(block: &[u8], binding: Binding) -> Result<Self, HeaderFault> {
        let sound = block.len() == BLOCK_BYTES
            && block[..8] == MAGIC
            && crc32fast::hash(&block[..CHECKSUM_AT]) == number_u32(block, CHECKSUM_AT);
        if !sound {
            return Err(HeaderFault::Damaged);
        }
        let foreign = |what: String| Err(HeaderFault::Foreign(what));
        let version = number_u32(block, 8);
        if version != VERSION {
            return foreign(format!(
                "it has format version {version}, this server reads {VERSION}"
            ));
        }
        let found = Binding {
            shard: number_u32(block, 12),
            segment: number_u64(block, 16),
            directory_id: number_u64(block, 24),
        };
        if found.directory_id != binding.directory_id {
            return foreign("it is of another data directory".to_owned());
        }
        if found != binding {
            return foreign(format!("it is segment {} of shard {}", found.segment, found.shard));
        }
        Ok(Self { binding, sequence_first: number_u64(block, 32) })
    }
}

/// The file of a segment.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.log"))
}

/// The number of the segment with this file name, if it is one.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

pub(super) fn number_u32(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(super) fn number_u64(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, segment: 5 };

    fn block() -> Vec<u8> {
        let mut block = vec![0xaa; BLOCK_BYTES];
        Header { binding: BINDING, sequence_first: 42 }.write(&mut block);
        block
    }

    #[test]
    fn a_header_comes_back() {
        let header = Header::read(&block(), BINDING).unwrap();
        assert_eq!((header.binding, header.sequence_first), (BINDING, 42));
    }

    #[test]
    fn one_flipped_byte_anywhere_is_found() {
        let mut block = block();
        for at in 0..BLOCK_BYTES {
            block[at] ^= 0x10;
            assert_eq!(Header::read(&block, BINDING), Err(HeaderFault::Damaged), "{at}");
            block[at] ^= 0x10;
        }
    }

    #[test]
    fn files_of_others_are_told_apart_from_damage() {
        for binding in [
            Binding { directory_id: 78, ..BINDING },
            Binding { shard: 4, ..BINDING },
            Binding { segment: 6, ..BINDING },
        ] {
            assert!(matches!(Header::read(&block(), binding), Err(HeaderFault::Foreign(_))));
        }
    }

    #[test]
    fn names_are_twenty_digits() {
        assert_eq!(number("00000000000000000012.log"), Some(12));
        for name in ["12.log", "00000000000000000012.log.bak", "+0000000000000000012.log", "x"] {
            assert_eq!(number(name), None, "{name}");
        }
        assert_eq!(path(Path::new("/d"), 12), Path::new("/d/00000000000000000012.log"));
    }
}
