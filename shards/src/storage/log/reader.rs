//! One segment, read from front to back through a window; believes nothing that it has not checked.

use std::{path::PathBuf, rc::Rc};

use super::{
    Format, LogOptions,
    record::{ALIGNMENT, HEAD_BYTES, Head, table_bytes},
    segment::{self, HEADER_BYTES, Header, HeaderFault},
};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, DiskFile, Opening},
    header::Binding,
};

/// Bytes read at once.
const WINDOW_BYTES: u64 = 1024 * 1024;

/// A segment, open for reading.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) binding: Binding,
    pub(super) file: Rc<dyn DiskFile>,
    format: &'static Format,
    /// Bytes of the file from `window_start` on.
    window: Vec<u8>,
    window_start: u64,
}

/// What lies behind the last valid record of a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// Bytes up to the last one that is not zero.
    pub(super) bytes: u64,
    /// A later record that knows the place where the tail begins to have been durable.
    pub(super) hole_seen_from: Option<u64>,
}

impl Reader {
    pub(super) async fn open(options: &LogOptions, number: u64) -> Result<Self, StorageError> {
        let format = options.format;
        let path = segment::path(format, &options.dir, number);
        let opened = options.disk.open(&path, Opening::Existing).await;
        let file = opened.map_err(|error| StorageError::io("cannot open", &path, error))?;
        let size =
            file.size().await.map_err(|error| StorageError::io("cannot measure", &path, error))?;
        let binding = Binding { directory_id: options.directory_id, shard: options.shard, number };
        Ok(Self { path, size, format, binding, file, window: Vec::new(), window_start: 0 })
    }

    /// What the header block says.
    pub(super) async fn header(&mut self) -> Result<Result<Header, HeaderFault>, StorageError> {
        if self.size < HEADER_BYTES {
            return Ok(Err(HeaderFault::Damaged));
        }
        let (format, binding) = (self.format, self.binding);
        Ok(segment::read_header(self.bytes(0, HEADER_BYTES).await?, format, binding))
    }

    /// The record at `position`, head and payload; `None` if there is no valid one.
    pub(super) async fn record(
        &mut self,
        position: u64,
    ) -> Result<Option<(Head, &[u8])>, StorageError> {
        let Some(head) = self.head(position).await? else { return Ok(None) };
        let bytes = self.bytes(position, head.record_bytes()).await?;
        let (table, body) = bytes[HEAD_BYTES..].split_at(table_bytes(head.payload_bytes));
        let payload = &body[..head.payload_bytes];
        Ok(Head::verify_payload(table, payload).then_some((head, payload)))
    }

    /// Looks through all bytes from `start` on, which holds no valid record of `sequence`.
    pub(super) async fn tail(&mut self, start: u64, sequence: u64) -> Result<Tail, StorageError> {
        let mut tail = Tail::default();
        let mut position = start;
        while position < self.size {
            let block_end = (position + 1).next_multiple_of(BLOCK_BYTES as u64).min(self.size);
            if self.bytes(position, block_end - position).await?.iter().all(|byte| *byte == 0) {
                position = block_end;
                continue;
            }
            let length = (self.size - position).min(ALIGNMENT);
            if self.bytes(position, length).await?.iter().any(|byte| *byte != 0) {
                tail.bytes = position + length - start;
            }
            // Each record between takes at least a head: sequences further away cannot be of this file.
            let sequences = sequence + 1..=sequence + (position - start) / HEAD_BYTES as u64;
            let head = self.head_within(position, sequences).await?;
            if head.is_some_and(|head| head.synced_up_to > start) {
                tail.hole_seen_from = tail.hole_seen_from.or(Some(position));
            }
            position += ALIGNMENT;
        }
        Ok(tail)
    }

    /// Makes durable what was read between two positions. It is written again, with the same bytes: after a sync that
    /// failed, the kernel may show bytes that it will never write, and a second sync would say that all is well.
    pub(super) async fn harden(&mut self, from: u64, to: u64) -> Result<(), StorageError> {
        let mut position = from - from % BLOCK_BYTES as u64;
        while position < to {
            let bytes = (to - position).min(WINDOW_BYTES).next_multiple_of(BLOCK_BYTES as u64);
            let mut block = self.file.buffer(bytes as usize);
            let there = self.bytes(position, bytes.min(self.size - position)).await?;
            let (copy, rest) = block.split_at_mut(there.len());
            copy.copy_from_slice(there);
            rest.fill(0);
            let written = self.file.write_at(position, block).await;
            written.map_err(|error| StorageError::io("cannot write again", &self.path, error))?;
            position += bytes;
        }
        self.file.sync().await.map_err(|error| StorageError::io("cannot sync", &self.path, error))
    }

    pub(super) async fn close(self) {
        // It was only read; the result says nothing that matters.
        let _ = self.file.close().await;
    }

    async fn head(&mut self, position: u64) -> Result<Option<Head>, StorageError> {
        self.head_within(position, 0..=u64::MAX).await
    }

    /// The head at `position`, checked together with its table, if its sequence is one of `sequences`.
    async fn head_within(
        &mut self,
        position: u64,
        sequences: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Head>, StorageError> {
        let (room, binding) = (self.size.saturating_sub(position), self.binding);
        if room < HEAD_BYTES as u64 {
            return Ok(None);
        }
        let fixed = self.bytes(position, HEAD_BYTES as u64).await?;
        let plausible =
            fixed.first_chunk().and_then(|fixed| Head::plausible(fixed, position, room));
        let Some(head) = plausible.filter(|head| sequences.contains(&head.sequence)) else {
            return Ok(None);
        };
        let length = HEAD_BYTES + table_bytes(head.payload_bytes);
        let sound = Head::verify(self.bytes(position, length as u64).await?, binding, position);
        Ok(sound.then_some(head))
    }

    /// Exactly these bytes; the caller has held them against `size`.
    pub(super) async fn bytes(
        &mut self,
        position: u64,
        length: u64,
    ) -> Result<&[u8], StorageError> {
        debug_assert!(position + length <= self.size);
        let window_end = self.window_start + self.window.len() as u64;
        if position < self.window_start || position + length > window_end {
            self.window_start = position - position % BLOCK_BYTES as u64;
            let end = (position + length).max(self.window_start + WINDOW_BYTES).min(self.size);
            let read =
                self.file.read_at(self.window_start, (end - self.window_start) as usize).await;
            self.window =
                read.map_err(|error| StorageError::io("cannot read", &self.path, error))?;
            if self.window_start + (self.window.len() as u64) < position + length {
                return Err(self.corrupt(position, "the file became shorter while it was read"));
            }
        }
        let at = (position - self.window_start) as usize;
        Ok(&self.window[at..at + length as usize])
    }

    /// The error that stops a start on this file.
    pub(super) fn corrupt(&self, offset: u64, what: impl Into<String>) -> StorageError {
        StorageError::Corrupt {
            file: self.path.clone(),
            offset,
            what: what.into(),
            advice: self.format.advice,
        }
    }
}
