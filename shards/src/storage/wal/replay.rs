//! Reading the log back at start, and making it ready to go on.
//!
//! ```text
//! names ─► headers of all ─► records of each ─► behind the last: torn tail, or a hole?
//!                                                  │
//!   new segment ◄── the last one synced ◄──────────┘ (a hole stops the start)
//! ```
//!
//! Nothing on the disk changes before all of it has been read and believed; after that, each step leaves a log that reads
//! the same if the machine stops there.

use super::{
    LogOptions,
    log::{Log, Sealed},
    operation,
    reader::Reader,
    record::Kind,
    segment::{self, HEADER_BYTES, HeaderFault},
};
use crate::storage::{StorageError, entry::Change};

/// A log that has been read, open for more.
pub(in crate::storage) struct Recovered {
    pub(in crate::storage) log: Log,
    /// Records applied.
    pub(in crate::storage) records: u64,
    /// Bytes of those records.
    pub(in crate::storage) bytes: u64,
    /// Bytes of a torn tail that were left out.
    pub(in crate::storage) truncated_bytes: u64,
}

/// Reads the log in `options.dir`, applies every operation in order, and begins a new segment.
pub(in crate::storage) async fn replay(
    options: LogOptions,
    apply: impl FnMut(&str, &[u8], Change),
) -> Result<Recovered, StorageError> {
    let (disk, dir) = (&options.disk, &options.dir);
    let context = |what: &'static str| move |error| StorageError::io(what, dir, error);
    disk.create_dir_all(dir).await.map_err(context("cannot create"))?;
    let names = disk.list(dir).await.map_err(context("cannot list"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();

    let (segments, mut unfinished) = headers(&options, &numbers).await?;
    let mut pass =
        Pass { sequence: 1, records: 0, bytes: 0, truncated_bytes: 0, synced_to: 0, apply };
    let mut sealed = Sealed::default();
    for (index, first) in segments.iter().enumerate() {
        let end = segments.get(index + 1).map(|next| next.sequence);
        let mut reader = Reader::open(&options, first.number).await?;
        let tail = pass.segment(&mut reader, first.sequence, end).await?;
        if end.is_none() && tail == HEADER_BYTES {
            unfinished = unfinished.or(Some(first.number));
        } else {
            sealed.segments += 1;
            sealed.bytes += tail;
        }
        if end.is_none() && tail > HEADER_BYTES {
            // It may have been left to the kernel; from now on it is served.
            reader.harden(pass.synced_to, tail).await?;
        }
        reader.close().await;
    }
    let Pass { sequence, records, bytes, truncated_bytes, .. } = pass;

    if let Some(number) = unfinished {
        let path = segment::path(dir, number);
        disk.remove(&path)
            .await
            .map_err(|error| StorageError::io("cannot remove", &path, error))?;
        disk.sync_dir(dir).await.map_err(context("cannot sync the folder"))?;
    }
    let number = unfinished.unwrap_or_else(|| numbers.last().map_or(1, |last| last + 1));
    let log = Log::begin(options, number, sequence, sealed).await?;
    Ok(Recovered { log, records, bytes, truncated_bytes })
}

/// A segment with a sound header.
struct First {
    number: u64,
    /// Of its first record.
    sequence: u64,
}

/// Reads all headers. The second part is the number of a last segment whose making was cut short.
async fn headers(
    options: &LogOptions,
    numbers: &[u64],
) -> Result<(Vec<First>, Option<u64>), StorageError> {
    let mut segments: Vec<First> = Vec::with_capacity(numbers.len());
    for (index, &number) in numbers.iter().enumerate() {
        let mut reader = Reader::open(options, number).await?;
        if index > 0 && numbers[index - 1] + 1 != number {
            return Err(reader.corrupt(0, format!("segment {} before it is missing", number - 1)));
        }
        match reader.header().await? {
            Ok(header) => segments.push(First { number, sequence: header.sequence_first }),
            Err(HeaderFault::Foreign(what)) => {
                return Err(StorageError::Foreign { file: reader.path, what });
            }
            Err(HeaderFault::Damaged) => {
                let last = index + 1 == numbers.len();
                if !last || reader.tail(HEADER_BYTES, 0).await?.bytes > 0 {
                    return Err(reader.corrupt(0, "its header block is not what was written"));
                }
                reader.close().await;
                return Ok((segments, Some(number)));
            }
        }
        reader.close().await;
    }
    Ok((segments, None))
}

/// The walk over all records.
struct Pass<F> {
    /// Of the next record.
    sequence: u64,
    records: u64,
    bytes: u64,
    truncated_bytes: u64,
    /// Up to here the current segment is known to have been durable.
    synced_to: u64,
    apply: F,
}

impl<F: FnMut(&str, &[u8], Change)> Pass<F> {
    /// Reads one segment up to the first sequence of the next, or to the end of the log, and says where its records end.
    async fn segment(
        &mut self,
        reader: &mut Reader,
        first: u64,
        end: Option<u64>,
    ) -> Result<u64, StorageError> {
        if first != self.sequence || end.is_some_and(|end| end < first) {
            let what = format!(
                "its first record should be number {}, its header says {first}",
                self.sequence
            );
            return Err(reader.corrupt(0, what));
        }
        let mut position = HEADER_BYTES;
        self.synced_to = HEADER_BYTES;
        while end.is_none_or(|end| self.sequence < end) {
            let sequence = self.sequence;
            let Some((head, payload)) = reader.record(position).await? else {
                return self.stopped(reader, position, end).await;
            };
            if head.sequence != sequence {
                let what = format!("record {} where {sequence} should be", head.sequence);
                return Err(reader.corrupt(position, what));
            }
            if head.kind == Kind::Operations {
                let applied = operation::read_all(payload, |(collection, key, change)| {
                    (self.apply)(collection, key, change);
                });
                if applied.is_none() {
                    return Err(
                        reader.corrupt(position, "a record with a sound checksum makes no sense")
                    );
                }
                self.records += 1;
                self.bytes += head.record_bytes();
            }
            self.sequence += 1;
            self.synced_to = head.synced_up_to;
            position += head.record_bytes();
        }
        Ok(position)
    }

    /// There is no valid record at `position`: the end of the log, or damage.
    async fn stopped(
        &mut self,
        reader: &mut Reader,
        position: u64,
        end: Option<u64>,
    ) -> Result<u64, StorageError> {
        if end.is_some() {
            return Err(reader.corrupt(position, "no valid record in a segment that was complete"));
        }
        let tail = reader.tail(position, self.sequence).await?;
        if let Some(witness) = tail.hole_seen_from {
            let what = format!(
                "no valid record, though the one at byte {witness} says that it was durable"
            );
            return Err(reader.corrupt(position, what));
        }
        self.truncated_bytes = tail.bytes;
        Ok(position)
    }
}
