//! A record log: records that are there or not, in order, and an end that is told from damage. The write-ahead log is
//! one, and so is the manifest. `docs/reference/data-files.md` draws every byte.
//!
//! ```text
//! writer   appends groups of records, syncs, begins and drops segments   the only writer
//! sealed   segments before the last one, and how they go
//! retired  a log that nothing is added to any more
//! replay   reads all segments back and makes the log ready to go on      at start only
//! reader   one segment, read and believed piece by piece
//! segment  header block     ┐ pure: bytes in, bytes out
//! record   header and table ┘
//! ```
//!
//! Always true: every segment but the last is whole and durable; a record is one atomic step; sequences never go back.
//! What a record says is opaque here.

mod reader;
mod record;
mod replay;
mod retired;
mod sealed;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use record::{PAYLOAD_BYTES_MAX, record_bytes};
pub(super) use replay::{Found, Replay, numbers, read};
pub(super) use retired::Retired;
pub(super) use writer::{AppendError, Log, Records, Room};

use std::{path::PathBuf, rc::Rc};

use super::disk::Disk;

/// What tells one kind of log from another.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) magic: [u8; 8],
    /// What is written, and the oldest that is read too.
    pub(super) version: u32,
    pub(super) version_min: u32,
    /// Of file names, behind the dot.
    pub(super) ending: &'static str,
    /// Room for small groups is made up to multiples of this.
    pub(super) room_bytes: u64,
    /// What an operator can do when one is damaged.
    pub(super) advice: &'static str,
}

/// Which records were put into a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All of them.
    #[default]
    Whole,
    /// Those before this one. They were durable before it came.
    Before(u64),
}

impl Coverage {
    /// Whether no record from this one on was put there.
    fn ends_before(self, sequence: u64) -> bool {
        matches!(self, Self::Before(end) if end <= sequence)
    }
}

/// The file of a segment.
pub(super) fn path(options: &LogOptions, number: u64) -> PathBuf {
    segment::path(options.format, &options.dir, number)
}

/// Whether a file of this name is one of such a log.
pub(super) fn is_segment(format: &Format, name: &str) -> bool {
    segment::number(format, name).is_some()
}

/// Whose log this is, and how it is written.
#[derive(Clone)]
pub(super) struct LogOptions {
    pub(super) format: &'static Format,
    pub(super) disk: Rc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) directory_id: u64,
    pub(super) shard: u32,
    pub(super) segment_bytes: u64,
}
