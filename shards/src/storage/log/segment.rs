//! The first block of a segment: whose it is, which one, and where its sequences begin.

use std::path::{Path, PathBuf};

use super::Format;
#[cfg(test)]
use super::record;
use crate::storage::header::{self, Binding, number_u64};
pub(super) use crate::storage::header::{HEADER_BYTES, HeaderFault};

/// What a header block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the format.
    pub(super) version: u32,
    /// Of the first record.
    pub(super) sequence: u64,
}

/// Fills the header block, one block long.
pub(super) fn write_header(
    block: &mut [u8],
    format: &Format,
    binding: Binding,
    sequence_first: u64,
) {
    header::write(block, format.magic, format.version, binding, |body| {
        body[..8].copy_from_slice(&sequence_first.to_le_bytes());
    });
}

/// What the header block says that should belong to `binding`.
pub(super) fn read_header(
    block: &[u8],
    format: &Format,
    binding: Binding,
) -> Result<Header, HeaderFault> {
    let body = header::read(block, format.magic, format.version_min..=format.version, binding)?;
    Ok(Header { version: header::version(block), sequence: number_u64(body, 0) })
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

/// Makes the checksums of a segment right again: of its header block and of its records, one behind the other.
#[cfg(test)]
pub(super) fn repair(bytes: &mut [u8], binding: Binding) {
    let Some((block, mut rest)) = bytes.split_at_mut_checked(HEADER_BYTES as usize) else { return };
    header::repair(block);
    let mut position = HEADER_BYTES;
    while let Some(length) = record::repair(rest, binding, position) {
        rest = &mut rest[length as usize..];
        position += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{disk::BLOCK_BYTES, wal::FORMAT};

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, number: 5 };

    #[test]
    fn a_header_comes_back_and_is_of_one_kind_of_log() {
        let mut block = vec![0xaa; BLOCK_BYTES];
        write_header(&mut block, &FORMAT, BINDING, 42);
        let header = Header { version: FORMAT.version, sequence: 42 };
        assert_eq!(read_header(&block, &FORMAT, BINDING), Ok(header));
        let other = Format { magic: *b"AMATTEST", ..FORMAT };
        assert_eq!(read_header(&block, &other, BINDING), Err(HeaderFault::Damaged));
        block[39] ^= 1;
        assert_eq!(read_header(&block, &FORMAT, BINDING), Err(HeaderFault::Damaged));
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
