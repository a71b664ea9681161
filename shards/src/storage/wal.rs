//! The write-ahead log of a shard: a record log whose records are operations.

mod operation;

pub(super) use operation::{
    Mark, Operation, Said, count_length, meta_length, read_all, read_meta, write_all, write_meta,
};

use super::log::Format;

/// The write-ahead log's own marks.
pub(super) const FORMAT: Format = Format {
    magic: *b"AMATLOG\0",
    version: 1,
    version_min: 1,
    ending: "log",
    room_bytes: 1024 * 1024,
    advice: "Restore the data directory from a backup; or, if all that was logged in this file and in those with higher \
             numbers may be lost, empty this file, remove those, and start again",
};
