//! The write-ahead log of a shard: a record log whose records are operations.

mod operation;

pub(super) use operation::{Operation, count_length, read_all, write_all};

use super::{
    entry::Change,
    log::{Format, Replay},
};

/// The write-ahead log's own marks.
pub(super) const FORMAT: Format = Format {
    magic: *b"AMATLOG\0",
    version: 1,
    ending: "log",
    room_bytes: 1024 * 1024,
    advice: "Restore the data directory from a backup; or, if all that was logged in this file and in those with higher \
             numbers may be lost, empty this file, remove those, and start again",
};

/// Hands over operations one by one.
pub(super) struct Operations<F>(pub(super) F);

impl<F: FnMut(&str, &[u8], Change)> Replay for Operations<F> {
    fn apply(&mut self, _sequence: u64, payload: &[u8]) -> Result<(), String> {
        let applied =
            read_all(payload, |(collection, key, change)| self.0(collection, key, change));
        applied.ok_or_else(|| "a record with a sound checksum makes no sense".to_owned())
    }
}
