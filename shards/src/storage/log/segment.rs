//! The first block of a segment: whose it is, which one, and where its sequences begin.

use std::path::{Path, PathBuf};

use super::Format;
use crate::storage::header::{self, Binding, number_u64};
pub(super) use crate::storage::header::{HEADER_BYTES, HeaderFault};

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

/// The sequence of the first record, as the header block says that should belong to `binding`.
pub(super) fn read_header(
    block: &[u8],
    format: &Format,
    binding: Binding,
) -> Result<u64, HeaderFault> {
    let body = header::read(block, format.magic, format.version, binding)?;
    Ok(number_u64(body, 0))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{disk::BLOCK_BYTES, wal::FORMAT};

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, number: 5 };

    #[test]
    fn a_header_comes_back_and_is_of_one_kind_of_log() {
        let mut block = vec![0xaa; BLOCK_BYTES];
        write_header(&mut block, &FORMAT, BINDING, 42);
        assert_eq!(read_header(&block, &FORMAT, BINDING), Ok(42));
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
