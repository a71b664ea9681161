//! The writing end of the active blob file. One owner, the commit loop; one call at a time.
//!
//! ```text
//!  0      4096             synced_to ≤ tail           room_to = file length
//!  ├ header ┼ groups ───────┼───────────┼ zeros ────────┤   all multiples of 4096
//! ```
//!
//! A group first gets its room: without it, nothing of the group is written. After any other failure the state of the file
//! is unknown and it must not be used again.

use std::{path::Path, rc::Rc};

use bytes::Bytes;

use super::{BlobFile, FILE_BYTES_MAX, Head, Placing, blocks, path, write_header};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Buffer, Disk, DiskError, DiskFile, Opening, Synced},
    entry::BlobRef,
    header::{Binding, HEADER_BYTES},
};

/// Room is made in steps of this: one call of the file system for many groups.
const ROOM_BYTES: u64 = 16 * 1024 * 1024;

/// The active blob file.
pub(in crate::storage) struct Writer {
    file: Rc<BlobFile>,
    tail: u64,
    synced_to: u64,
    room_to: u64,
    /// By how much room grows. After the disk was full steps begin small and double, so that no shard takes more of what
    /// little there is than it has used.
    step_bytes: u64,
}

/// A value and its place.
pub(in crate::storage) struct Spot<'a> {
    pub(in crate::storage) head: Head<'a>,
    pub(in crate::storage) blob: BlobRef,
    pub(in crate::storage) data: &'a Bytes,
}

impl Writer {
    /// Makes a file with its header, durable under its name.
    pub(in crate::storage) async fn create(
        disk: &dyn Disk,
        dir: &Path,
        binding: Binding,
    ) -> Result<Self, StorageError> {
        let path = path(dir, binding.number);
        let opened = disk.open(&path, Opening::Fresh).await;
        let file = opened.map_err(|error| StorageError::io("cannot create", &path, error))?;
        let made = begin(disk, dir, &path, &*file, binding).await;
        if let Err(error) = made {
            let _ = file.close().await;
            return Err(error);
        }
        let file = Rc::new(BlobFile::new(binding, path, file));
        let (tail, synced_to, room_to) = (HEADER_BYTES, HEADER_BYTES, HEADER_BYTES);
        Ok(Self { file, tail, synced_to, room_to, step_bytes: ROOM_BYTES })
    }

    /// For those who read what it writes.
    pub(in crate::storage) fn file(&self) -> &Rc<BlobFile> {
        &self.file
    }

    /// Where the values of the next group come to lie.
    pub(in crate::storage) fn placing(&self) -> Placing {
        Placing { file: self.file.binding.number, position: self.tail }
    }

    /// Whether `bytes` more are too many for this file.
    pub(in crate::storage) fn is_full(&self, bytes: u64) -> bool {
        self.tail > HEADER_BYTES && self.tail + bytes > FILE_BYTES_MAX
    }

    /// Whether something was written since the last sync.
    pub(in crate::storage) fn is_dirty(&self) -> bool {
        self.synced_to < self.tail
    }

    /// Makes room for a group whose places end at `end`.
    pub(in crate::storage) async fn reserve(&mut self, end: Placing) -> Result<(), StorageError> {
        let end = blocks(end.position);
        if end <= self.room_to {
            return Ok(());
        }
        let to = end.max((self.room_to + self.step_bytes).min(FILE_BYTES_MAX));
        let (mut made, mut room_to) = (self.file.file.allocate(to).await, to);
        self.step_bytes = (2 * self.step_bytes).min(ROOM_BYTES);
        if made == Err(DiskError::NoSpace) {
            // There may be room for this group.
            (made, room_to) = (self.file.file.allocate(end).await, end);
            self.step_bytes = BLOCK_BYTES as u64;
        }
        made.map_err(|error| StorageError::io("cannot extend", &self.file.path, error))?;
        self.room_to = room_to;
        Ok(())
    }

    /// The bytes of a group whose places end at `end`, on their way to the file.
    pub(in crate::storage) fn fill<'a>(
        &self,
        spots: impl Iterator<Item = Spot<'a>>,
        end: Placing,
    ) -> Buffer {
        let end = blocks(end.position);
        debug_assert!(end <= self.room_to);
        let mut buffer = self.file.file.buffer((end - self.tail) as usize);
        let mut filled = 0;
        for Spot { head, blob, data } in spots {
            let start = (blob.offset - self.tail) as usize;
            let head_start = start - head.length();
            buffer[filled..head_start].fill(0);
            let position = self.tail + head_start as u64;
            head.write(self.file.binding, position, &mut buffer[head_start..start]);
            filled = start + data.len();
            buffer[start..filled].copy_from_slice(data);
        }
        buffer[filled..].fill(0);
        buffer
    }

    /// Writes a group. It is part of the file after [`Writer::accept`].
    pub(in crate::storage) async fn write(&self, group: Buffer) -> Result<(), StorageError> {
        let written = self.file.file.write_at(self.tail, group).await;
        // No room after it was made means that the file is not what we think: `Io`, never `NoSpace`.
        written.map_err(|source| self.failed("cannot write", source))
    }

    /// The group that was written last counts: the next one comes behind it.
    pub(in crate::storage) fn accept(&mut self, end: Placing) {
        self.tail = blocks(end.position);
    }

    /// Makes durable what was written so far, while more is written; [`Writer::note_synced`] is to be told the position.
    pub(in crate::storage) fn sync_beside(&self) -> (u64, Synced) {
        let file = Rc::clone(&self.file);
        let synced = async move {
            let failed =
                |source| StorageError::Io { what: "cannot sync", path: file.path.clone(), source };
            file.file.sync().await.map_err(failed)
        };
        (self.tail, Box::pin(synced))
    }

    /// All bytes before `position` are durable.
    pub(in crate::storage) fn note_synced(&mut self, position: u64) {
        assert!(position <= self.tail, "what was synced has been written");
        self.synced_to = self.synced_to.max(position);
    }

    /// Gives back the room behind the last group. The file must have been synced.
    pub(in crate::storage) async fn finish(self) {
        debug_assert!(!self.is_dirty());
        // The room is lost until the file is collected if this fails; nothing else.
        let _ = self.file.file.truncate(self.tail).await;
    }

    fn failed(&self, what: &'static str, source: DiskError) -> StorageError {
        StorageError::Io { what, path: self.file.path.clone(), source }
    }
}

async fn begin(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    file: &dyn DiskFile,
    binding: Binding,
) -> Result<(), StorageError> {
    let context = |what: &'static str| move |error| StorageError::io(what, path, error);
    let mut block = file.buffer(BLOCK_BYTES);
    write_header(&mut block, binding);
    file.write_at(0, block).await.map_err(context("cannot write"))?;
    file.sync().await.map_err(context("cannot sync"))?;
    disk.sync_dir(dir).await.map_err(context("cannot sync the folder of"))
}
