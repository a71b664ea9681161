//! The writing end of a log. One owner, one call at a time.
//!
//! ```text
//!  0      4096                 synced_to ≤ tail            zero_to
//!  ├ header ┼ records ──────────┼───────────┼ zeros ────────┤   multiples of 4096: zero_to and every write
//!                                      └ tail_block: the bytes before tail in its block, written again with the next group
//! ```
//!
//! `append` first makes room, then writes: if there is no room, nothing of the group is in the file, and the segment goes on,
//! also where it was a new one that found none. After any other failure the state of the file is unknown and the log must
//! not be used again.

use std::{path::PathBuf, rc::Rc};

use super::{
    LogOptions,
    reader::Reader,
    record::{Head, Kind, record_bytes},
    sealed::{Sealed, SealedSegments},
    segment::{self, HEADER_BYTES},
};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, DiskFile, Opening, Synced},
    header::Binding,
};

/// Groups from this size on get their room by allocation.
const LARGE_BYTES: u64 = 256 * 1024;

/// A log, open at its end.
pub(in crate::storage) struct Log {
    options: LogOptions,
    segment: Segment,
    /// Of the next record.
    sequence: u64,
    /// Segments before the current one.
    sealed: SealedSegments,
    /// The current segment takes no more records: the header of the next one may be on the disk, and says where this one
    /// ends.
    is_full: bool,
}

struct Segment {
    binding: Binding,
    /// Of its first record.
    sequence: u64,
    path: PathBuf,
    file: Rc<dyn DiskFile>,
    tail: u64,
    synced_to: u64,
    zero_to: u64,
    tail_block: Vec<u8>,
}

/// Where a group may go.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) enum Room {
    /// Where so many bytes are left behind it.
    Leaving(u64),
    /// The same, or if the disk is full into what has been left.
    Left(u64),
}

/// How a file becomes longer.
#[derive(Clone, Copy)]
enum Extension {
    /// By zeros: what comes there costs no more than its own bytes.
    Written,
    /// By a word to the file system, where those would cost as much as the group itself.
    Allocated,
}

/// Why a group is not in the log.
#[derive(Debug)]
pub(in crate::storage) enum AppendError {
    /// There was no room; nothing has changed, and a later group may find room.
    NoSpace(StorageError),
    /// What the disk holds is unknown.
    Fatal(StorageError),
}

impl Log {
    /// Begins a new segment behind those that are there already.
    pub(in crate::storage) async fn begin(
        options: LogOptions,
        number: u64,
        sequence: u64,
    ) -> Result<Self, StorageError> {
        Self::begin_behind(SealedSegments::default(), options, number, sequence).await
    }

    pub(super) async fn begin_behind(
        sealed: SealedSegments,
        options: LogOptions,
        number: u64,
        sequence: u64,
    ) -> Result<Self, StorageError> {
        let segment = Segment::reserved(&options, number, sequence, 0).await?;
        let segment = segment.begin(&options).await?;
        Ok(Self { options, segment, sequence, sealed, is_full: false })
    }

    /// Goes on behind `tail` of a segment that holds only zeros there, and whose first record is `first`; the next one
    /// is `sequence`.
    pub(super) async fn go_on(
        sealed: SealedSegments,
        options: LogOptions,
        reader: Reader,
        (first, tail): (u64, u64),
        sequence: u64,
    ) -> Result<Self, StorageError> {
        let segment = Segment::go_on(reader, first, tail).await?;
        Ok(Self { options, segment, sequence, sealed, is_full: false })
    }

    /// Writes a group: `bytes` is the sum of the [`record_bytes`] of the records that `fill` adds. The kernel has them
    /// when this returns; they are durable after [`Log::sync`].
    pub(in crate::storage) async fn append(
        &mut self,
        bytes: u64,
        fill: impl FnOnce(&mut Records<'_>),
    ) -> Result<(), AppendError> {
        self.append_with(Room::Leaving(0), bytes, fill).await
    }

    /// The same, with room for what must be written however full the disk is.
    pub(in crate::storage) async fn append_with(
        &mut self,
        room: Room,
        bytes: u64,
        fill: impl FnOnce(&mut Records<'_>),
    ) -> Result<(), AppendError> {
        let (Room::Leaving(behind) | Room::Left(behind)) = room;
        let made = if self.begins_segment(bytes) {
            self.begin_segment(bytes + behind).await
        } else {
            self.reserve(bytes, behind).await
        };
        match (made, room) {
            (Err(AppendError::NoSpace(_)), Room::Left(_)) if self.has_left(bytes) => {}
            (made, _) => made?,
        }
        self.write(bytes, fill).await.map_err(AppendError::Fatal)
    }

    /// Whether a group fits into what the segment has.
    fn has_left(&self, bytes: u64) -> bool {
        !self.is_full && self.segment.tail + bytes <= self.segment.zero_to
    }

    /// Appends, syncs, and vouches durably for what was appended: damage to it is told from a torn tail from then on.
    pub(in crate::storage) async fn append_vouched(
        &mut self,
        bytes: u64,
        fill: impl FnOnce(&mut Records<'_>),
    ) -> Result<(), AppendError> {
        let mark_bytes = record_bytes(0) as u64;
        self.reserve(bytes, mark_bytes).await?;
        let vouched = async {
            self.write(bytes, fill).await?;
            self.sync().await?;
            self.write(mark_bytes, |records| records.mark()).await?;
            self.sync().await
        };
        vouched.await.map_err(AppendError::Fatal)
    }

    /// Removes the segments whose records all come before `sequence`, oldest first. When it fails, the log is as good
    /// as before, and the next call tries again.
    pub(in crate::storage) async fn drop_before(
        &mut self,
        sequence: u64,
    ) -> Result<(), StorageError> {
        self.sealed.drop_before(&self.options, sequence, self.segment.sequence).await
    }

    /// Whether [`Log::drop_before`] would find something.
    pub(in crate::storage) fn can_drop_before(&self, sequence: u64) -> bool {
        self.sealed.can_drop_before(sequence, self.segment.sequence)
    }

    async fn reserve(&mut self, bytes: u64, behind: u64) -> Result<(), AppendError> {
        let reserved = self.segment.reserve(bytes, behind, &self.options).await;
        reserved.map_err(AppendError::from_reserve)
    }

    async fn write(
        &mut self,
        bytes: u64,
        fill: impl FnOnce(&mut Records<'_>),
    ) -> Result<(), StorageError> {
        self.sequence += self.segment.write(bytes, self.sequence, fill).await?;
        Ok(())
    }

    /// Makes durable what has been appended.
    pub(in crate::storage) async fn sync(&mut self) -> Result<(), StorageError> {
        let (position, synced) = self.sync_beside();
        synced.await?;
        self.note_synced(position);
        Ok(())
    }

    /// Makes durable what has been appended so far, while more is appended. When it has ended well,
    /// [`Log::note_synced`] is to be told the position, before another segment begins.
    pub(in crate::storage) fn sync_beside(&self) -> (u64, Synced) {
        let (file, path) = (Rc::clone(&self.segment.file), self.segment.path.clone());
        let synced = async move {
            // No room at this moment means lost bytes, like every other failure: `Io`, never `NoSpace`.
            let failed = |source| StorageError::Io { what: "cannot sync", path, source };
            file.sync().await.map_err(failed)
        };
        (self.segment.tail, Box::pin(synced))
    }

    /// All bytes of the current segment before `position` are durable.
    pub(in crate::storage) fn note_synced(&mut self, position: u64) {
        assert!(position <= self.segment.tail, "what was synced has been written");
        self.segment.synced_to = self.segment.synced_to.max(position);
    }

    /// Syncs and ends with a mark that vouches for everything before it.
    pub(in crate::storage) async fn seal(&mut self) -> Result<(), StorageError> {
        if self.is_dirty() {
            self.sync().await?;
        }
        if self.segment.tail == HEADER_BYTES {
            return Ok(());
        }
        match self.append(record_bytes(0) as u64, |records| records.mark()).await {
            Ok(()) => self.sync().await,
            Err(AppendError::NoSpace(_)) => Ok(()),
            Err(AppendError::Fatal(error)) => Err(error),
        }
    }

    /// Lets go of the file.
    pub(in crate::storage) async fn close(self) {
        // Everything that matters has been synced, or the shard is poisoned.
        let _ = self.segment.file.close().await;
    }

    /// Whether something was appended since the last sync.
    pub(in crate::storage) fn is_dirty(&self) -> bool {
        self.segment.synced_to < self.segment.tail
    }

    pub(in crate::storage) fn bytes(&self) -> u64 {
        self.sealed.bytes() + self.segment.tail
    }

    pub(in crate::storage) fn segments(&self) -> u64 {
        self.sealed.count() + 1
    }

    /// Of the next record.
    pub(in crate::storage) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether a group of so many bytes begins a segment.
    pub(in crate::storage) fn begins_segment(&self, bytes: u64) -> bool {
        let is_fresh = self.segment.tail == HEADER_BYTES;
        self.is_full || !is_fresh && self.segment.tail + bytes > self.options.segment_bytes
    }

    /// Begins the next segment with so many bytes of room, unless nothing is in this one.
    pub(in crate::storage) async fn rotate(&mut self, room: u64) -> Result<(), AppendError> {
        if self.segment.tail == HEADER_BYTES && !self.is_full {
            return Ok(());
        }
        self.begin_segment(room).await
    }

    /// Begins the next segment, which has so many bytes of room. Where the disk has not, this one goes on.
    async fn begin_segment(&mut self, room: u64) -> Result<(), AppendError> {
        if self.is_dirty() {
            self.sync().await.map_err(AppendError::Fatal)?;
        }
        let number = self.segment.binding.number + 1;
        let next = Segment::reserved(&self.options, number, self.sequence, room).await;
        let next = next.map_err(AppendError::from_reserve)?;
        self.is_full = true;
        let next = next.begin(&self.options).await.map_err(AppendError::from_reserve)?;
        let last = std::mem::replace(&mut self.segment, next);
        self.sealed.push(Sealed {
            number: last.binding.number,
            sequence: last.sequence,
            bytes: last.tail,
        });
        self.is_full = false;
        // It is durable; what closing says cannot change that.
        let _ = last.file.close().await;
        Ok(())
    }
}

impl Segment {
    /// Makes a file with room for the header and so many bytes more. As long as it has no header it counts for nothing; if
    /// there is no room, it is removed.
    async fn reserved(
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
    async fn begin(self, options: &LogOptions) -> Result<Self, StorageError> {
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
        Ok(self)
    }

    /// Takes over a segment that has been read and made durable up to `tail`.
    async fn go_on(mut reader: Reader, sequence: u64, tail: u64) -> Result<Self, StorageError> {
        let block = tail - tail % BLOCK_BYTES as u64;
        let mut tail_block = Vec::with_capacity(BLOCK_BYTES);
        tail_block.extend_from_slice(reader.bytes(block, tail - block).await?);
        let Reader { path, binding, file, .. } = reader;
        // What lies behind may not be durable: it is not counted as room.
        let zero_to = blocks(tail);
        Ok(Self { binding, sequence, path, file, tail, synced_to: tail, zero_to, tail_block })
    }

    /// Makes room for `bytes` more, and leaves `behind` free behind them.
    async fn reserve(
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
    async fn write(
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

    fn mark(&mut self) {
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

impl AppendError {
    /// A failure before anything of the group was written.
    pub(in crate::storage) fn from_reserve(error: StorageError) -> Self {
        match error {
            error @ StorageError::NoSpace { .. } => Self::NoSpace(error),
            error => Self::Fatal(error),
        }
    }

    pub(in crate::storage) fn into_inner(self) -> StorageError {
        match self {
            Self::NoSpace(error) | Self::Fatal(error) => error,
        }
    }
}

fn blocks(position: u64) -> u64 {
    position.next_multiple_of(BLOCK_BYTES as u64)
}
