//! The block that says whose a file is: the first of every file, and the last of a table.
//!
//! ```text
//! 0       8         12      16       24             32                4092
//! ├ magic ┼ version ┼ shard ┼ number ┼ directory id ┼ of the file kind ┼ CRC32 of 0..4092 ┤
//! ```
//!
//! Magic, version and checksum keep their places in all versions: an older server can say "newer" instead of "damaged".

use std::ops::RangeInclusive;

use super::disk::BLOCK_BYTES;

/// Bytes of the block.
pub(super) const HEADER_BYTES: u64 = BLOCK_BYTES as u64;

const CHECKSUM_AT: usize = BLOCK_BYTES - 4;
const BODY_AT: usize = 32;

/// Whose file it is, and which one; part of every checksum in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) directory_id: u64,
    pub(super) shard: u32,
    pub(super) number: u64,
}

/// Why a block is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// It is not what was written.
    Damaged,
    /// It is what was written, by another version or for another place.
    Foreign(String),
}

/// Fills `block`, one block long; `fill` writes what the kind of file keeps there, over zeros.
pub(super) fn write(
    block: &mut [u8],
    magic: [u8; 8],
    version: u32,
    binding: Binding,
    fill: impl FnOnce(&mut [u8]),
) {
    assert_eq!(block.len(), BLOCK_BYTES);
    block.fill(0);
    block[..8].copy_from_slice(&magic);
    block[8..12].copy_from_slice(&version.to_le_bytes());
    block[12..16].copy_from_slice(&binding.shard.to_le_bytes());
    block[16..24].copy_from_slice(&binding.number.to_le_bytes());
    block[24..32].copy_from_slice(&binding.directory_id.to_le_bytes());
    fill(&mut block[BODY_AT..CHECKSUM_AT]);
    let checksum = crc32fast::hash(&block[..CHECKSUM_AT]);
    block[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
}

/// What the kind of file keeps in the block, if it is sound, of one of these versions, and belongs to `binding`.
pub(super) fn read(
    block: &[u8],
    magic: [u8; 8],
    versions: RangeInclusive<u32>,
    binding: Binding,
) -> Result<&[u8], HeaderFault> {
    let sound = block.len() == BLOCK_BYTES
        && block[..8] == magic
        && crc32fast::hash(&block[..CHECKSUM_AT]) == number_u32(block, CHECKSUM_AT);
    if !sound {
        return Err(HeaderFault::Damaged);
    }
    let foreign = |what: String| Err(HeaderFault::Foreign(what));
    let found = version(block);
    if !versions.contains(&found) {
        let newest = versions.end();
        return foreign(format!("it has format version {found}, this server reads up to {newest}"));
    }
    let found = Binding {
        shard: number_u32(block, 12),
        number: number_u64(block, 16),
        directory_id: number_u64(block, 24),
    };
    if found.directory_id != binding.directory_id {
        return foreign("it is of another data directory".to_owned());
    }
    if found != binding {
        return foreign(format!("it is file {} of shard {}", found.number, found.shard));
    }
    Ok(&block[BODY_AT..CHECKSUM_AT])
}

/// The version that a block was written by.
pub(super) fn version(block: &[u8]) -> u32 {
    number_u32(block, 8)
}

/// Makes the checksum of a block right again, whatever the block says.
#[cfg(test)]
pub(super) fn repair(block: &mut [u8]) {
    if block.len() == BLOCK_BYTES {
        let checksum = crc32fast::hash(&block[..CHECKSUM_AT]);
        block[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The number at a place that is known to be there.
pub(super) fn number_u32(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The number at a place that is known to be there.
pub(super) fn number_u64(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const MAGIC: [u8; 8] = *b"AMATTEST";
    const BINDING: Binding = Binding { directory_id: 77, shard: 3, number: 5 };

    fn block() -> Vec<u8> {
        let mut block = vec![0xaa; BLOCK_BYTES];
        write(&mut block, MAGIC, 1, BINDING, |body| body[8] = 42);
        block
    }

    #[test]
    fn a_block_comes_back() {
        let block = block();
        let body = read(&block, MAGIC, 1..=1, BINDING).unwrap();
        assert_eq!((body[7], body[8], body.len()), (0, 42, 4060));
    }

    #[test]
    fn one_flipped_byte_anywhere_is_found() {
        let mut block = block();
        for at in 0..BLOCK_BYTES {
            block[at] ^= 0x10;
            assert_eq!(read(&block, MAGIC, 1..=1, BINDING), Err(HeaderFault::Damaged), "{at}");
            block[at] ^= 0x10;
        }
        assert_eq!(read(&block[..4095], MAGIC, 1..=1, BINDING), Err(HeaderFault::Damaged));
    }

    #[test]
    fn files_of_others_and_newer_ones_are_told_apart_from_damage() {
        let block = block();
        for binding in [
            Binding { directory_id: 78, ..BINDING },
            Binding { shard: 4, ..BINDING },
            Binding { number: 6, ..BINDING },
        ] {
            let fault = read(&block, MAGIC, 1..=1, binding).unwrap_err();
            assert!(matches!(fault, HeaderFault::Foreign(_)), "{fault:?}");
        }
        let fault = read(&block, MAGIC, 2..=3, BINDING).unwrap_err();
        assert!(matches!(&fault, HeaderFault::Foreign(what) if what.contains("version 1")));
        assert!(read(&block, MAGIC, 1..=2, BINDING).is_ok());
        assert_eq!(version(&block), 1);
        assert_eq!(read(&block, *b"AMATLOG\0", 1..=1, BINDING), Err(HeaderFault::Damaged));
    }

    #[test]
    fn fuzz_file_headers() {
        let mut other = vec![0; BLOCK_BYTES];
        write(&mut other, MAGIC, 1, BINDING, |body| body.fill(0xff));
        let campaign =
            Campaign::new("file headers", vec![block(), other]).repair(|block| repair(block));
        campaign.run(|bytes| match read(bytes, MAGIC, 1..=1, BINDING) {
            Ok(body) => Ok(u64::from(body[8])),
            Err(HeaderFault::Damaged) => Err("damaged".to_owned()),
            Err(HeaderFault::Foreign(what)) => Err(what),
        });
    }
}
