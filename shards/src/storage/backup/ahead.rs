//! Reads a backup on a thread of its own, ahead of who writes what it holds: hashes are worked out and bytes are awaited beside
//! the writes.
//!
//! ```text
//! reader ─► lot ─► channel of LOTS ─► lot that is being used        memory: LOTS + 2 lots, each LOT_BYTES and a value, of chunks four times as long
//! ```

use std::{thread, vec};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};

use super::{BackupError, stream::Entry};

/// Lots on their way.
const LOTS: usize = 2;
/// Bytes of values after which a lot ends.
const LOT_BYTES: usize = 1024 * 1024;
/// Entries after which a lot ends.
const LOT_ENTRIES: usize = 4096;

/// Values shorter than this are taken out of their chunk, which would stay in memory for one that is all that is left of it. Four
/// times as much is the length of a chunk.
const ALONE_BYTES: usize = 64 * 1024;

/// Entries together; none: the end.
type Lot = Result<Vec<Entry>, BackupError>;

/// The end that takes.
pub(super) struct Ahead {
    lots: Receiver<Lot>,
    lot: vec::IntoIter<Entry>,
    ended: bool,
}

/// Does `work` with what `next` reads meanwhile.
pub(super) fn read_ahead<T>(
    next: impl FnMut() -> Result<Option<Entry>, BackupError> + Send,
    work: impl FnOnce(&mut Ahead) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    thread::scope(|scope| {
        let (sender, lots) = crossbeam_channel::bounded(LOTS);
        let reading = thread::Builder::new().name("backup-reader".to_owned());
        let reading = reading.spawn_scoped(scope, move || read(next, &sender));
        let reading =
            reading.map_err(|error| BackupError::Refused(format!("no thread: {error}")))?;
        let done = work(&mut Ahead { lots, lot: Vec::new().into_iter(), ended: false });
        // It has nobody to read for any more. If it panicked, work has heard of it.
        let _ = reading.join();
        done
    })
}

/// Reads to the end, unless nobody listens any more.
fn read(mut next: impl FnMut() -> Result<Option<Entry>, BackupError>, lots: &Sender<Lot>) {
    loop {
        let lot = next_lot(&mut next);
        let is_last = lot.as_ref().map_or(true, Vec::is_empty);
        if lots.send(lot).is_err() || is_last {
            return;
        }
    }
}

fn next_lot(next: &mut impl FnMut() -> Result<Option<Entry>, BackupError>) -> Lot {
    let (mut lot, mut bytes) = (Vec::new(), 0);
    while bytes < LOT_BYTES && lot.len() < LOT_ENTRIES {
        let Some(mut entry) = next()? else { break };
        if entry.data.len() < ALONE_BYTES {
            entry.data = Bytes::copy_from_slice(&entry.data);
        }
        bytes += entry.key.len() + entry.data.len();
        lot.push(entry);
    }
    Ok(lot)
}

impl Ahead {
    /// The next value; none at the end, when everything has been checked.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, BackupError> {
        loop {
            if let Some(entry) = self.lot.next() {
                return Ok(Some(entry));
            }
            if self.ended {
                return Ok(None);
            }
            let lot = self.lots.recv().map_err(|_| {
                BackupError::Refused("whoever reads the backup has panicked; see the log".into())
            })??;
            self.ended = lot.is_empty();
            self.lot = lot.into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::chunk::Kept, *};

    fn entry(number: u64) -> Entry {
        let key = Box::from(number.to_be_bytes());
        Entry { collection: "c".into(), key, kept: Kept::Deleted, data: vec![7; 1000].into() }
    }

    #[test]
    fn everything_comes_in_order_and_the_end_comes_as_often_as_one_asks() {
        let mut numbers = 0..5000;
        let found = read_ahead(
            || Ok(numbers.next().map(entry)),
            |ahead| {
                let mut found = Vec::new();
                while let Some(entry) = ahead.next_entry()? {
                    found.push(entry.key);
                }
                assert!(ahead.next_entry()?.is_none());
                Ok(found)
            },
        );
        let expected: Vec<_> = (0..5000).map(|number| entry(number).key).collect();
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_short_value_does_not_keep_its_chunk() {
        let chunk = Bytes::from(vec![7; 1024 * 1024]);
        let mut entries = (0..100).map(|at| Entry { data: chunk.slice(at..at + 100), ..entry(1) });
        let kept = read_ahead(
            || Ok(entries.next()),
            |ahead| {
                std::iter::from_fn(|| ahead.next_entry().transpose()).collect::<Result<Vec<_>, _>>()
            },
        );
        assert_eq!(kept.unwrap().len(), 100);
        drop(entries);
        assert!(chunk.is_unique());
    }

    #[test]
    fn whoever_has_enough_does_not_wait_and_failures_of_the_reader_are_heard_of() {
        let endless = read_ahead(|| Ok(Some(entry(1))), |ahead| ahead.next_entry());
        assert!(endless.unwrap().is_some());
        let to_the_end = |ahead: &mut Ahead| {
            while ahead.next_entry()?.is_some() {}
            Ok(())
        };
        let mut numbers = 0..3000;
        let cancelled = read_ahead(
            || numbers.next().map(entry).map(Some).ok_or(BackupError::Cancelled),
            to_the_end,
        );
        assert!(matches!(cancelled, Err(BackupError::Cancelled)));
        let panicked = read_ahead(|| panic!("on purpose"), to_the_end);
        assert!(panicked.unwrap_err().to_string().contains("panicked"));
    }
}
