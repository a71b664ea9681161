//! The segment that a log is written to: its room, and the records in it.
//!
//! ```text
//!  0      4096                 synced_to ≤ tail            zero_to
//!  ├ header ┼ records ──────────┼───────────┼ zeros ────────┤   multiples of 4096: zero_to and every write
//!                                      └ tail_block: the bytes before tail in its block, written again with the next group
//! ```

use std::{path::PathBuf, rc::Rc};

use super::super::{
    LogOptions,
    reader::Reader,
    record::{Head, Kind, record_bytes},
    segment::{self, HEADER_BYTES},
};
use crate::storage::{
    StorageError, bugs,
    disk::{BLOCK_BYTES, DiskFile, Opening},
    header::Binding,
};

/// Groups from this size on get their room by allocation.
const LARGE_BYTES: u64 = 256 * 1024;

/// The segment that is written to.
pub(super) struct Segment {
    pub(super) binding: Binding,
    /// Of its first record.
    pub(super) sequence: u64,
    pub(super) path: PathBuf,
    pub(super) file: Rc<dyn DiskFile>,
    pub(super) tail: u64,
    pub(super) synced_to: u64,
    pub(super) zero_to: u64,
    tail_block: Vec<u8>,
}

/// How a file becomes longer.
#[derive(Clone, Copy)]
enum Extension {
    /// By zeros: what comes there costs no more than its own bytes.
    Written,
    /// By a word to the file system, where those would cost as much as the group itself.
    Allocated,
}

impl Segment {
    /// Makes a file with room for the header and so many bytes more. As long as it has no header it counts for nothing; if
    /// there is no room, it is removed.
    pub(super) async fn reserved(
        options: &LogOptions,
        number: u64,
        sequence: u64,
        room: u64,
    ) -> Result<Self, StorageError> {
        let LogOptions { format, disk, dir, directory_id, shard, .. } = options;
        let binding = Binding { directory_id: *directory_id, shard: *shard, number };
        let path = segment::path(format, dir, number);
        let opened = disk.open(&path, Opening::Fresh).await;
        let file = opened.map_err(|error| StorageError::io("cannot create", &path, error))?;
        let mut segment = Self {
            binding,
            sequence,
            path,
            file,
            tail: HEADER_BYTES,
            synced_to: HEADER_BYTES,
            zero_to: 0,
            tail_block: Vec::with_capacity(BLOCK_BYTES),
        };
        let how = if room >= LARGE_BYTES { Extension::Allocated } else { Extension::Written };
        if let Err(error) = segment.extend(blocks(HEADER_BYTES + room), how).await {
            let _ = segment.file.close().await;
            // A start does the same.
            let _ = disk.remove(&segment.path).await;
            return Err(error);
        }
        Ok(segment)
    }

    /// Writes the header, and makes the file durable under its name.
    pub(super) async fn begin(self, options: &LogOptions) -> Result<Self, StorageError> {
        let LogOptions { format, disk, dir, .. } = options;
        let context = |what: &'static str| {
            let path = self.path.clone();
            move |error| StorageError::io(what, &path, error)
        };
        let mut block = self.file.buffer(BLOCK_BYTES);
        segment::write_header(&mut block, format, self.binding, self.sequence);
        let durable = async {
            self.file.write_at(0, block).await.map_err(context("cannot write"))?;
            self.file.sync().await.map_err(context("cannot sync"))?;
            disk.sync_dir(dir).await.map_err(context("cannot sync the folder of"))
        };
        if let Err(error) = durable.await {
            let _ = self.file.close().await;
            return Err(error);
        }
        let file = bugs::perhaps_late(Rc::clone(&self.file));
        Ok(Self { file, ..self })
    }

    /// Takes over a segment that has been read and made durable up to `tail`.
    pub(super) async fn go_on(
        mut reader: Reader,
        sequence: u64,
        tail: u64,
    ) -> Result<Self, StorageError> {
        let block = tail - tail % BLOCK_BYTES as u64;
        let mut tail_block = Vec::with_capacity(BLOCK_BYTES);
        tail_block.extend_from_slice(reader.bytes(block, tail - block).await?);
        let Reader { path, binding, file, .. } = reader;
        let file = bugs::perhaps_late(file);
        // What lies behind may not be durable: it is not counted as room.
        let zero_to = blocks(tail);
        Ok(Self { binding, sequence, path, file, tail, synced_to: tail, zero_to, tail_block })
    }

    /// Makes room for `bytes` more, and leaves `behind` free behind them.
    pub(super) async fn reserve(
        &mut self,
        bytes: u64,
        behind: u64,
        options: &LogOptions,
    ) -> Result<(), StorageError> {
        let end = blocks(self.tail + bytes + behind);
        if end <= self.zero_to {
            return Ok(());
        }
        if bytes >= LARGE_BYTES {
            return self.extend(end, Extension::Allocated).await;
        }
        let room_max = blocks(options.segment_bytes).max(end);
        let to = end.next_multiple_of(options.format.room_bytes).min(room_max);
        match self.extend(to, Extension::Written).await {
            // As much as is needed there may still be.
            Err(StorageError::NoSpace { .. }) if end < to => {
                self.extend(end, Extension::Written).await
            }
            extended => extended,
        }
    }

    /// Makes the file this long, with zeros behind what it has.
    async fn extend(&mut self, to: u64, how: Extension) -> Result<(), StorageError> {
        let made = match how {
            Extension::Allocated => self.file.allocate(to).await,
            Extension::Written => {
                let mut zeros = self.file.buffer((to - self.zero_to) as usize);
                zeros.fill(0);
                self.file.write_at(self.zero_to, zeros).await
            }
        };
        made.map_err(|error| StorageError::io("cannot extend", &self.path, error))?;
        self.zero_to = to;
        Ok(())
    }

    /// Writes the records that `fill` adds at the tail, and says how many there were.
    pub(super) async fn write(
        &mut self,
        bytes: u64,
        sequence: u64,
        fill: impl FnOnce(&mut Records<'_>),
    ) -> Result<u64, StorageError> {
        let start = self.tail - self.tail_block.len() as u64;
        let end = self.tail + bytes;
        debug_assert!(start.is_multiple_of(BLOCK_BYTES as u64) && blocks(end) <= self.zero_to);
        let mut buffer = self.file.buffer((blocks(end) - start) as usize);
        let (before, rest) = buffer.split_at_mut(self.tail_block.len());
        let (place, behind) = rest.split_at_mut(bytes as usize);
        before.copy_from_slice(&self.tail_block);
        behind.fill(0);
        let mut records = Records {
            binding: self.binding,
            position: self.tail,
            sequence,
            synced_to: self.synced_to,
            out: place,
        };
        fill(&mut records);
        assert!(records.out.is_empty(), "a group is as long as its records");
        let count = records.sequence - sequence;

        let tail_start = (end - end % BLOCK_BYTES as u64 - start) as usize;
        let tail_end = (end - start) as usize;
        self.tail_block.clear();
        self.tail_block.extend_from_slice(&buffer[tail_start..tail_end]);
        let written = self.file.write_at(start, buffer).await;
        written.map_err(|error| StorageError::Io {
            what: "cannot write",
            path: self.path.clone(),
            source: error,
        })?;
        self.tail = end;
        Ok(count)
    }
}

/// The place in a buffer where the records of a group are put, one behind the other.
pub(in crate::storage) struct Records<'a> {
    binding: Binding,
    position: u64,
    sequence: u64,
    synced_to: u64,
    out: &'a mut [u8],
}

impl Records<'_> {
    /// Adds one atomic step, whose payload of so many bytes `fill` writes.
    pub(in crate::storage) fn push(&mut self, payload_bytes: usize, fill: impl FnOnce(&mut [u8])) {
        self.add(Kind::Payload, payload_bytes, fill);
    }

    pub(super) fn mark(&mut self) {
        self.add(Kind::Mark, 0, |_| ());
    }

    fn add(&mut self, kind: Kind, payload_bytes: usize, fill: impl FnOnce(&mut [u8])) {
        let head =
            Head { payload_bytes, sequence: self.sequence, synced_up_to: self.synced_to, kind };
        let (place, rest) = std::mem::take(&mut self.out).split_at_mut(record_bytes(payload_bytes));
        head.write(self.binding, self.position, place, fill);
        self.position += place.len() as u64;
        self.sequence += 1;
        self.out = rest;
    }
}

fn blocks(position: u64) -> u64 {
    position.next_multiple_of(BLOCK_BYTES as u64)
}
