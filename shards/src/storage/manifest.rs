//! The manifest: a record log whose records lead from one version of a shard's files to the next.
//! `docs/reference/data-files.md` draws every byte.
//!
//! ```text
//! recover  which manifest counts, and which version it leads to     at start only
//! writer   appends edits; takes the place of a manifest that has grown
//! edit     one step, as bytes                                       pure
//! ```
//!
//! Always true: an edit counts once the mark behind it is durable; as long as an older manifest is there, the newest says
//! nothing that the older does not.

mod edit;
mod recover;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use edit::{Addition, BlobBytes, Edit, LEVELS_MAX};
pub(super) use recover::{Opened, open, read};
pub(super) use writer::{Manifest, begin};

use std::{path::PathBuf, rc::Rc};

use super::{
    disk::Disk,
    log::{Format, LogOptions},
};

const FORMAT: Format = Format {
    magic: *b"AMATMAN\0",
    version: 2,
    version_min: 1,
    ending: "manifest",
    room_bytes: 64 * 1024,
    advice: "Restore the data directory from a backup",
};
/// A manifest has one segment; it is replaced long before this.
const SEGMENT_BYTES_MAX: u64 = 1 << 40;

/// Of the names of its files.
pub(super) fn format() -> &'static Format {
    &FORMAT
}

/// Whose manifest it is, in which folder.
pub(super) fn options(
    disk: Rc<dyn Disk>,
    dir: PathBuf,
    directory_id: u64,
    shard: u32,
) -> LogOptions {
    let segment_bytes = SEGMENT_BYTES_MAX;
    LogOptions { format: &FORMAT, disk, dir, directory_id, shard, segment_bytes }
}
