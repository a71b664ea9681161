//! The write-ahead log of a shard. `docs/reference/data-files.md` draws every byte of it.
//!
//! ```text
//! log      appends groups of records, syncs, begins segments         the only writer
//! replay   reads all segments back and makes the log ready to go on  at start only
//! segment  header block      ┐
//! record   header and table  ├ pure: bytes in, bytes out
//! operation, varint          ┘
//! ```
//!
//! Always true: every segment but the last is whole and durable; a record is one atomic step; sequences are consecutive.

mod log;
mod operation;
mod reader;
mod record;
mod replay;
mod segment;
mod varint;

pub(super) use log::{AppendError, Log, Records};
pub(super) use operation::{Operation, count_length};
pub(super) use record::{PAYLOAD_BYTES_MAX, record_bytes};
pub(super) use replay::replay;

use std::{path::PathBuf, rc::Rc};

use super::disk::Disk;

/// Whose log this is, and how it is written.
#[derive(Clone)]
pub(super) struct LogOptions {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) directory_id: u64,
    pub(super) shard: u32,
    pub(super) segment_bytes: u64,
}
