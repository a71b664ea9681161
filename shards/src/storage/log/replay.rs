//! Reading a log back at start, and making it ready to go on.
//!
//! ```text
//! numbers ─► headers of all ─► records from the first needed segment on ─► behind the last: torn tail, or a hole?
//!                                                                             │
//!   ready: goes on behind zeros, else in a new segment ◄── made durable ◄─────┤ (a hole stops the start)
//!   retired: nothing comes any more                    ◄──────────────────────┘
//! ```
//!
//! [`read`] changes nothing on the disk; after it, each step of [`Found::resume`] and [`Found::retire`] leaves a log that
//! reads the same if the machine stops there.

use super::{
    Coverage, LogOptions,
    reader::Reader,
    record::{Head, Kind},
    retired::Retired,
    sealed::{Sealed, SealedSegments},
    segment::{self, HEADER_BYTES, Header, HeaderFault},
    writer::Log,
};
use crate::storage::StorageError;

/// Who hears what the records say.
pub(in crate::storage) trait Replay {
    /// Takes one record, in order; an error says why it makes no sense, and stops the start.
    fn apply(&mut self, sequence: u64, payload: &[u8]) -> Result<(), String>;

    /// Hears how many bytes of how many have been read, and how many records that were needed.
    fn note_progress(&mut self, _bytes: u64, _of: u64, _records: u64) {}

    /// Whether all that a record refers to outside of the log is there. Only asked of records that nothing vouches for;
    /// the log ends before the first that is not whole.
    async fn is_whole(&mut self, _payload: &[u8]) -> Result<bool, StorageError> {
        Ok(true)
    }
}

/// A log that has been read.
#[derive(Debug, Default)]
pub(in crate::storage) struct Found {
    /// Records applied.
    pub(in crate::storage) records: u64,
    /// Bytes of those records.
    pub(in crate::storage) bytes: u64,
    /// Bytes of a torn tail that were left out.
    pub(in crate::storage) truncated_bytes: u64,
    /// Of the first record that was needed.
    from: u64,
    /// Of the next record.
    sequence: u64,
    /// Segments before the last one, leftovers included.
    sealed: SealedSegments,
    last: Option<Last>,
    /// All segments are in the format that is written now.
    is_current: bool,
    /// A segment whose making was cut short.
    unfinished: Option<u64>,
}

/// The last segment with a sound header.
#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    /// Sequence of its first record.
    first: u64,
    /// Where its records end.
    tail: u64,
    /// Sequence of the record that would come there.
    next: u64,
    /// Records before this position are durable.
    vouched_to: u64,
    /// There are only zeros behind `tail`.
    is_clean: bool,
    /// Something vouches for every payload.
    is_vouched: bool,
}

/// The numbers of all segments in the folder, in order. Makes the folder if it is missing.
pub(in crate::storage) async fn numbers(options: &LogOptions) -> Result<Vec<u64>, StorageError> {
    let LogOptions { format, disk, dir, .. } = options;
    let context = |what: &'static str| move |error| StorageError::io(what, dir, error);
    disk.create_dir_all(dir).await.map_err(context("cannot create"))?;
    let names = disk.list(dir).await.map_err(context("cannot list"))?;
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|name| segment::number(format, name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the segments with these numbers, and hands over every record from the one with the sequence `from` on. What comes
/// before it is not needed, and may be missing; so may all, if no record from there on was put into the log.
pub(in crate::storage) async fn read<R: Replay>(
    options: &LogOptions,
    numbers: &[u64],
    from: u64,
    coverage: Coverage,
    replay: &mut R,
) -> Result<Found, StorageError> {
    let lost = |what: String| StorageError::Corrupt {
        file: options.dir.clone(),
        offset: 0,
        what,
        advice: options.format.advice,
    };
    let Headers { segments, start, unfinished, damage, is_current } =
        headers(options, numbers, from).await?;
    let mut found = Found { from, sequence: from, is_current, ..Found::default() };
    if coverage.ends_before(from) {
        // Leftovers, whatever they are like.
        found.sealed.extend(numbers.iter().map(|&number| Sealed { number, sequence: 0, bytes: 0 }));
        return Ok(found);
    }
    if let Some(damage) = damage {
        return Err(damage);
    }
    if numbers.is_empty() && (from > 1 || coverage != Coverage::Whole) {
        return Err(lost(format!("the log is missing, whose records from {from} on are needed")));
    }
    found.unfinished = unfinished;
    let Some(start) = start else {
        if let Some(first) = segments.first() {
            let first = first.sequence;
            return Err(lost(format!("records from {from} to {} are missing", first - 1)));
        }
        return Ok(found);
    };
    found.sealed.extend(segments[..start].iter().copied());
    let (sequence, of) =
        (segments[start].sequence, segments[start..].iter().map(|s| s.bytes).sum());
    let mut pass = Pass { from, sequence, before: 0, of, found, replay };
    for (index, segment) in segments.iter().enumerate().skip(start) {
        let mut reader = Reader::open(options, segment.number).await?;
        if index > start && segments[index - 1].number + 1 != segment.number {
            let what = format!("number {} before it is missing", segment.number - 1);
            return Err(reader.corrupt(0, what));
        }
        if segment.sequence != pass.sequence {
            let (due, first) = (pass.sequence, segment.sequence);
            let what = format!("its first record should be number {due}, its header says {first}");
            return Err(reader.corrupt(0, what));
        }
        match segments.get(index + 1) {
            Some(next) => pass.sealed(&mut reader, *segment, next.sequence).await?,
            None => {
                pass.last(&mut reader, *segment).await?;
                pass.check_end(&reader, coverage)?;
            }
        }
        pass.before += segment.bytes;
        reader.close().await;
    }
    Ok(pass.found)
}

impl Found {
    /// Whether the log ends with a whole record and only zeros behind it.
    pub(in crate::storage) fn is_clean(&self) -> bool {
        self.last.is_some_and(|last| last.is_clean)
    }

    /// Whether damage to any of its payloads would be found.
    pub(in crate::storage) fn is_vouched(&self) -> bool {
        self.last.is_some_and(|last| last.is_vouched)
    }

    /// Whether it is written in the format of this server.
    pub(in crate::storage) fn is_current(&self) -> bool {
        self.is_current
    }

    /// A segment whose making was cut short.
    pub(in crate::storage) fn unfinished(&self) -> Option<u64> {
        self.unfinished
    }

    /// Of the last segment with a sound header block.
    pub(in crate::storage) fn last_number(&self) -> Option<u64> {
        self.last.map(|last| last.number)
    }

    /// Makes durable what was read, and the log ready for more.
    pub(in crate::storage) async fn resume(self, options: LogOptions) -> Result<Log, StorageError> {
        let from = self.from;
        let mut log = self.ready(options).await?;
        log.drop_before(from).await?;
        Ok(log)
    }

    /// Makes durable what was read, and lets nothing more be added. Nothing is dropped yet: first it must be known that
    /// the log may be missing.
    pub(in crate::storage) async fn retire(
        self,
        options: LogOptions,
    ) -> Result<Retired, StorageError> {
        if let Some((_, reader)) = self.harden(&options).await? {
            reader.close().await;
        }
        let Self { sequence: end, sealed: mut segments, last, .. } = self;
        segments.extend(last.map(Last::sealed));
        Ok(Retired { options, segments, end })
    }

    async fn ready(self, options: LogOptions) -> Result<Log, StorageError> {
        let hardened = self.harden(&options).await?;
        let Self { sequence, mut sealed, unfinished, .. } = self;
        if let Some((last, reader)) = hardened {
            if last.is_clean && last.next == sequence {
                return Log::go_on(sealed, options, reader, (last.first, last.tail), sequence)
                    .await;
            }
            reader.close().await;
            sealed.push(last.sealed());
        }
        let next = sealed.last_number().map_or(1, |last| last + 1);
        Log::begin_behind(sealed, options, unfinished.unwrap_or(next), sequence).await
    }

    /// Removes what was never finished, and makes durable what was read. The last segment is open then.
    async fn harden(&self, options: &LogOptions) -> Result<Option<(Last, Reader)>, StorageError> {
        let LogOptions { format, disk, dir, .. } = options;
        if let Some(number) = self.unfinished {
            let path = segment::path(format, dir, number);
            let removed = disk.remove(&path).await;
            removed.map_err(|error| StorageError::io("cannot remove", &path, error))?;
        }
        // The name of the last segment may not have been durable either.
        let synced = disk.sync_dir(dir).await;
        synced.map_err(|error| StorageError::io("cannot sync the folder", dir, error))?;
        let Some(last) = self.last else { return Ok(None) };
        let mut reader = Reader::open(options, last.number).await?;
        // The first record vouches for the header block; nothing else does.
        let vouched_to = if last.tail == HEADER_BYTES { 0 } else { last.vouched_to };
        reader.harden(vouched_to, last.tail).await?;
        Ok(Some((last, reader)))
    }
}

impl Last {
    fn sealed(self) -> Sealed {
        Sealed { number: self.number, sequence: self.first, bytes: self.tail }
    }
}

/// What the header blocks say.
struct Headers {
    /// Those with a sound header.
    segments: Vec<Sealed>,
    /// The index of the first one that is needed.
    start: Option<usize>,
    /// The number of a last segment whose making was cut short.
    unfinished: Option<u64>,
    /// A damaged header block that no later first needed segment makes harmless.
    damage: Option<StorageError>,
    is_current: bool,
}

async fn headers(
    options: &LogOptions,
    numbers: &[u64],
    from: u64,
) -> Result<Headers, StorageError> {
    let (segments, is_current) = (Vec::new(), true);
    let mut headers = Headers { segments, start: None, unfinished: None, damage: None, is_current };
    for (index, &number) in numbers.iter().enumerate() {
        let mut reader = Reader::open(options, number).await?;
        match reader.header().await? {
            Ok(Header { version, sequence }) => {
                if sequence <= from {
                    (headers.start, headers.damage) = (Some(headers.segments.len()), None);
                }
                headers.segments.push(Sealed { number, sequence, bytes: reader.size });
                headers.is_current &= version == options.format.version;
            }
            Err(HeaderFault::Foreign(what)) => {
                return Err(StorageError::Foreign { file: reader.path, what });
            }
            Err(HeaderFault::Damaged) => {
                let is_last = index + 1 == numbers.len();
                if is_last && reader.tail(HEADER_BYTES, 0).await?.bytes == 0 {
                    headers.unfinished = Some(number);
                } else {
                    let what = "its header block is not what was written";
                    headers.damage.get_or_insert_with(|| reader.corrupt(0, what));
                }
            }
        }
        reader.close().await;
    }
    Ok(headers)
}

/// The walk over all records.
struct Pass<'a, R> {
    from: u64,
    /// Of the next record.
    sequence: u64,
    /// Bytes of the segments that have been read, and of all that will be.
    before: u64,
    of: u64,
    found: Found,
    replay: &'a mut R,
}

impl<R: Replay> Pass<'_, R> {
    /// Reads a segment up to the first sequence of the next: all of it was durable.
    async fn sealed(
        &mut self,
        reader: &mut Reader,
        segment: Sealed,
        end: u64,
    ) -> Result<(), StorageError> {
        let mut position = HEADER_BYTES;
        while self.sequence < end {
            let Some((head, payload)) = reader.record(position).await? else {
                let what = "no valid record in a segment that was complete";
                return Err(reader.corrupt(position, what));
            };
            if let Err(what) = self.take(head, payload) {
                return Err(reader.corrupt(position, what));
            }
            position += head.record_bytes();
            self.note_progress(position);
        }
        self.found.sealed.push(Sealed { bytes: position, ..segment });
        Ok(())
    }

    /// Reads the last segment: first to find its end and what vouches for what, then to hand over its records. Each time
    /// counts for half of it.
    async fn last(&mut self, reader: &mut Reader, segment: Sealed) -> Result<(), StorageError> {
        let half = segment.bytes / 2;
        let note = |position| self.note_progress(position / 2);
        let Extent { end, payloads_end, vouched_to, torn_bytes } =
            extent(reader, segment.sequence, note).await?;
        let mut position = HEADER_BYTES;
        while position < end {
            let Some((head, payload)) = reader.record(position).await? else {
                return Err(reader.corrupt(position, "a record changed while it was read"));
            };
            let is_needed = self.sequence >= self.from && head.kind == Kind::Payload;
            if is_needed && position >= vouched_to && !self.replay.is_whole(payload).await? {
                break;
            }
            if let Err(what) = self.take(head, payload) {
                return Err(reader.corrupt(position, what));
            }
            position += head.record_bytes();
            self.note_progress(half + position / 2);
        }
        let is_clean = torn_bytes == 0 && position == end;
        self.found.truncated_bytes = end - position + torn_bytes;
        self.found.sequence = self.sequence.max(self.from);
        self.found.last = Some(Last {
            number: segment.number,
            first: segment.sequence,
            tail: position,
            next: self.sequence,
            vouched_to: vouched_to.min(position),
            is_clean,
            is_vouched: vouched_to >= payloads_end,
        });
        Ok(())
    }

    /// So many bytes of the segment that is being read.
    fn note_progress(&mut self, bytes: u64) {
        self.replay.note_progress(self.before + bytes, self.of, self.found.records);
    }

    /// Refuses a log that ends earlier than it was durable. An empty file behind it is the word of an operator who accepts
    /// the loss.
    fn check_end(&self, reader: &Reader, coverage: Coverage) -> Result<(), StorageError> {
        match coverage {
            Coverage::Before(end) if self.sequence < end && self.found.unfinished.is_none() => {
                let (next, last) = (self.sequence, end - 1);
                let what = format!("records from {next} to {last} are missing, which were durable");
                let position = self.found.last.map_or(0, |last| last.tail);
                Err(reader.corrupt(position, what))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, head: Head, payload: &[u8]) -> Result<(), String> {
        let sequence = self.sequence;
        if head.sequence != sequence {
            return Err(format!("record {} where {sequence} should be", head.sequence));
        }
        if head.kind == Kind::Payload && sequence >= self.from {
            self.replay.apply(sequence, payload)?;
            self.found.records += 1;
            self.found.bytes += head.record_bytes();
        }
        self.sequence += 1;
        Ok(())
    }
}

/// Where the records of the last segment end.
struct Extent {
    end: u64,
    /// Where the last payload ends.
    payloads_end: u64,
    /// Records before this position are durable.
    vouched_to: u64,
    /// Bytes behind `end` up to the last one that is not zero.
    torn_bytes: u64,
}

/// Finds the end of the last segment, and refuses a hole. `note` hears how far it has come.
async fn extent(
    reader: &mut Reader,
    mut sequence: u64,
    mut note: impl FnMut(u64),
) -> Result<Extent, StorageError> {
    let (end, vouched_to) = (HEADER_BYTES, HEADER_BYTES);
    let mut extent = Extent { end, payloads_end: end, vouched_to, torn_bytes: 0 };
    while let Some((head, _)) = reader.record(extent.end).await? {
        extent.vouched_to = extent.vouched_to.max(head.synced_up_to);
        extent.end += head.record_bytes();
        if head.kind == Kind::Payload {
            extent.payloads_end = extent.end;
        }
        sequence += 1;
        note(extent.end);
    }
    let tail = reader.tail(extent.end, sequence).await?;
    if let Some(witness) = tail.hole_seen_from {
        let what =
            format!("no valid record, though the one at byte {witness} says that it was durable");
        return Err(reader.corrupt(extent.end, what));
    }
    extent.torn_bytes = tail.bytes;
    Ok(extent)
}
