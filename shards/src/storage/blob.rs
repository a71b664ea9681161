//! Files of large values, written once. `docs/reference/blobs.md` draws every byte of them.
//!
//! ```text
//! writer  places and writes the values of a group, syncs     the only writer, of the active file
//! file    one file, open for reading                          any number of readers
//! walk    all blobs of a file in order                        for the collection of garbage
//! head    what stands before the data                         pure: bytes in, bytes out
//! ```
//!
//! Always true: a file that is referred to is named in the manifest; bytes that are referred to never change.

mod file;
mod head;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub(super) use file::BlobFile;
pub(super) use head::{Head, Placing};
pub(super) use walk::{Found, Walk};
pub(super) use writer::{Spot, Writer};

use std::path::{Path, PathBuf};

use super::{disk::BLOCK_BYTES, header};

const MAGIC: [u8; 8] = *b"AMATBLB\0";
const VERSION: u32 = 1;
/// A group that would make a file longer than this begins the next one. Tests are to see many files.
pub(super) const FILE_BYTES_MAX: u64 = if cfg!(test) { 64 * 1024 } else { 256 * 1024 * 1024 };

const ADVICE: &str = "Restore the data directory from a backup; other entries are not affected";

/// The file with this number.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.blob"))
}

/// The number of the blob file with this name, if it is one.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".blob")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

fn write_header(block: &mut [u8], binding: header::Binding) {
    header::write(block, MAGIC, VERSION, binding, |_| ());
}

fn blocks(position: u64) -> u64 {
    position.next_multiple_of(BLOCK_BYTES as u64)
}
