//! The first block of a segment: whose it is, which one, and where its sequences begin.

use std::path::{Path, PathBuf};

use super::{Format, record::Binding};
use crate::storage::disk::BLOCK_BYTES;

/// Bytes before the first record.
pub(super) const HEADER_BYTES: u64 = BLOCK_BYTES as u64;

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
    pub(super) fn write(&self, format: &Format, block: &mut [u8]) {
        assert_eq!(block.len(), BLOCK_BYTES);
        block.fill(0);
        block[..8].copy_from_slice(&format.magic);
        block[8..12].copy_from_slice(&format.version.to_le_bytes());
        block[12..16].copy_from_slice(&self.binding.shard.to_le_bytes());
        block[16..24].copy_from_slice(&self.binding.segment.to_le_bytes());
        block[24..32].copy_from_slice(&self.binding.directory_id.to_le_bytes());
        block[32..40].copy_from_slice(&self.sequence_first.to_le_bytes());
        let checksum = crc32fast::hash(&block[..CHECKSUM_AT]);
        block[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the header block that should belong to `binding`.
    pub(super) fn read(
        format: &Format,
        block: &[u8],
        binding: Binding,
    ) -> Result<Self, HeaderFault> {
        let sound = block.len() == BLOCK_BYTES
            && block[..8] == format.magic
            && crc32fast::hash(&block[..CHECKSUM_AT]) == number_u32(block, CHECKSUM_AT);
        if !sound {
            return Err(HeaderFault::Damaged);
        }
        let foreign = |what: String| Err(HeaderFault::Foreign(what));
        let version = number_u32(block, 8);
        if version != format.version {
            let known = format.version;
            return foreign(format!("it has format version {version}, this server reads {known}"));
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
            return foreign(format!("it is number {} of shard {}", found.segment, found.shard));
        }
        Ok(Self { binding, sequence_first: number_u64(block, 32) })
    }
}

/// The file of a segment.
pub(super) fn path(format: &Format, dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.{}", format.ending))
}

/// The number of the segment with this file name, if it is one.
pub(super) fn number(format: &Format, name: &str) -> Option<u64> {
    let digits = name.strip_suffix(format.ending)?.strip_suffix('.')?;
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
    use crate::storage::wal::FORMAT;

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, segment: 5 };

    fn block() -> Vec<u8> {
        let mut block = vec![0xaa; BLOCK_BYTES];
        Header { binding: BINDING, sequence_first: 42 }.write(&FORMAT, &mut block);
        block
    }

    #[test]
    fn a_header_comes_back() {
        let header = Header::read(&FORMAT, &block(), BINDING).unwrap();
        assert_eq!((header.binding, header.sequence_first), (BINDING, 42));
    }

    #[test]
    fn one_flipped_byte_anywhere_is_found() {
        let mut block = block();
        for at in 0..BLOCK_BYTES {
            block[at] ^= 0x10;
            assert_eq!(Header::read(&FORMAT, &block, BINDING), Err(HeaderFault::Damaged), "{at}");
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
            assert!(matches!(
                Header::read(&FORMAT, &block(), binding),
                Err(HeaderFault::Foreign(_))
            ));
        }
    }

    #[test]
    fn names_are_twenty_digits() {
        assert_eq!(number(&FORMAT, "00000000000000000012.log"), Some(12));
        for name in ["12.log", "00000000000000000012.log.bak", "+0000000000000000012.log", "x"] {
            assert_eq!(number(&FORMAT, name), None, "{name}");
        }
        assert_eq!(path(&FORMAT, Path::new("/d"), 12), Path::new("/d/00000000000000000012.log"));
    }
}
