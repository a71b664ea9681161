//! An immutable sorted file of entries. `docs/reference/tables.md` draws every byte of it.
//!
//! ```text
//! builder     entries in order ─► file                    the only writer
//! properties  what the manifest knows of a table          ┐
//!             with entry.rs and header.rs                 ┘ pure: bytes in, bytes out
//! ```
//!
//! Always true: entries ascend by table key, and of one key the newest comes first; a file is never changed once it is
//! finished; nothing read is believed before its checksum.

mod block;
mod filter;
mod footer;
mod index;
mod properties;
mod sealed;

pub(super) use properties::{BlobUse, TableMeta};

use std::path::{Path, PathBuf};

/// The file of a table.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.sst"))
}

/// The number of the table with this file name, if it is one.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".sst")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_twenty_digits() {
        assert_eq!(number("00000000000000000012.sst"), Some(12));
        for name in ["12.sst", "00000000000000000012.log", "+0000000000000000012.sst", "x"] {
            assert_eq!(number(name), None, "{name}");
        }
        assert_eq!(path(Path::new("/d"), 12), Path::new("/d/00000000000000000012.sst"));
    }
}
