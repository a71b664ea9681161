//! Reads a backup on a thread of its own, ahead of who writes what it holds: hashes are worked out and bytes are awaited beside
//! the writes.
//!
//! ```text
//! reader ─► lot ─► channel of LOTS ─► lot that is being used        memory: LOTS + 2 lots, each LOT_BYTES and a value
//! ```

use std::{thread, vec};

use crossbeam_channel::{Receiver, Sender};

use super::{BackupError, Reader, stream::Entry};

/// Lots on their way.
const LOTS: usize = 2;
/// Bytes of values after which a lot ends.
const LOT_BYTES: usize = 1024 * 1024;
/// Entries after which a lot ends.
const LOT_ENTRIES: usize = 4096;

/// Entries together; none: the end.
type Lot = Result<Vec<Entry>, BackupError>;

/// The end that takes.
pub(super) struct Ahead {
    lots: Receiver<Lot>,
    lot: vec::IntoIter<Entry>,
    ended: bool,
}

/// Does `work` with what is read meanwhile.
pub(super) fn read_ahead<T>(
    reader: &mut Reader,
    work: impl FnOnce(&mut Ahead) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    thread::scope(|scope| {
        let (sender, lots) = crossbeam_channel::bounded(LOTS);
        let reading = thread::Builder::new().name("backup-reader".to_owned());
        let reading = reading.spawn_scoped(scope, move || read(reader, &sender));
        let reading =
            reading.map_err(|error| BackupError::Refused(format!("no thread: {error}")))?;
        let done = work(&mut Ahead { lots, lot: Vec::new().into_iter(), ended: false });
        // It has nobody to read for any more. If it panicked, work has heard of it.
        let _ = reading.join();
        done
    })
}

/// Reads to the end, unless nobody listens any more.
fn read(reader: &mut Reader, lots: &Sender<Lot>) {
    loop {
        let lot = next_lot(reader);
        let is_last = lot.as_ref().map_or(true, Vec::is_empty);
        if lots.send(lot).is_err() || is_last {
            return;
        }
    }
}

fn next_lot(reader: &mut Reader) -> Lot {
    let (mut lot, mut bytes) = (Vec::new(), 0);
    while bytes < LOT_BYTES && lot.len() < LOT_ENTRIES {
        let Some(entry) = reader.next_entry()? else { break };
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
