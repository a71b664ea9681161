//! The writing end of a log. One owner, one call at a time.
//!
//! `append` first makes room, then writes: if there is no room, nothing of the group is in the file, and the segment goes on,
//! also where it was a new one that found none. After any other failure the state of the file is unknown and the log must
//! not be used again.

mod current;

pub(in crate::storage) use current::Records;

use std::rc::Rc;

use self::current::Segment;
use super::{
    LogOptions,
    reader::Reader,
    record::record_bytes,
    sealed::{Sealed, SealedSegments},
    segment::HEADER_BYTES,
};
use crate::storage::{StorageError, disk::Synced};

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

/// Where a group may go.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) enum Room {
    /// Where so many bytes are left behind it.
    Leaving(u64),
    /// The same, or if the disk is full into what has been left.
    Left(u64),
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

    /// Lets the next record have this number, in a segment of its own. All records so far must be in tables, and the manifest
    /// must say that all before `sequence` are.
    pub(in crate::storage) async fn jump(
        &mut self,
        sequence: u64,
        room: u64,
    ) -> Result<(), AppendError> {
        debug_assert!(sequence >= self.sequence);
        let before = std::mem::replace(&mut self.sequence, sequence);
        let begun = self.begin_segment(room).await;
        if begun.is_err() {
            self.sequence = before;
        }
        begun
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
