//! An immutable sorted file of entries. `docs/reference/tables.md` draws every byte of it.
//!
//! ```text
//! builder ─► output      entries in order ─► file                          the only writer
//! reader                 filter, index; looks keys up                      ┐
//! cursor, run ─► window  walk over one table, or several in a row          ├ many readers
//! check                  looks at everything                               ┘
//! block  filter  index  properties  payload  sealed  footer                pure: bytes in, bytes out
//! ```
//!
//! Always true: entries ascend by table key, and of one key the newest comes first; a file is never changed once it is
//! finished; nothing read is believed before its checksum.

mod block;
mod builder;
mod check;
mod cursor;
mod filter;
mod footer;
#[cfg(test)]
pub(super) mod forge;
mod index;
mod output;
mod payload;
mod properties;
mod reader;
mod run;
mod sealed;
mod window;

pub(super) use builder::{Builder, BuilderOptions};
pub(super) use cursor::Cursor;
pub(super) use footer::Span;
pub(super) use output::Output;
#[cfg(test)]
pub(super) use properties::BlobUse;
pub(super) use properties::TableMeta;
pub(super) use reader::{Lookup, Table};
pub(super) use run::Run;
pub(super) use window::Direction;

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
