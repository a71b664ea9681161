//! Backups of the public AmateRS server, schema version 1: `manifest.bin` is a count, then keys and values, each behind its
//! length. Its keys are whole keys of one flat space, in no order that could be relied on; they are sorted here in parts of
//! bounded memory.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BackupError, Folder,
    chain::MANIFEST,
    chunk::{Kept, KeptValue},
    stream::Entry,
};
use crate::{limits::KEY_BYTES_MAX, storage::value::Meta, utc::unix_time};

/// Memory of the entries that are sorted together.
const PART_BYTES: usize = if cfg!(test) { 64 * 1024 } else { 64 * 1024 * 1024 };
const BUFFER_BYTES: usize = 256 * 1024;
/// The longest value that the storage takes.
const VALUE_BYTES_MAX: u64 = u32::MAX as u64;

/// The entries of such a backup.
pub struct Rows {
    path: PathBuf,
    file: BufReader<File>,
    length: u64,
    position: u64,
    /// Entries that are still to be read.
    left: u64,
    collection: Arc<str>,
    part: std::vec::IntoIter<(Box<[u8]>, Bytes)>,
    now: i64,
}

impl Rows {
    /// Of a folder whose `meta.bin` says that there are so many keys.
    pub(super) fn open(folder: &Folder, keys: u64, collection: &str) -> Result<Self, BackupError> {
        let path = folder.shown().join(MANIFEST);
        let file = folder.file(MANIFEST).map_err(|error| match error {
            BackupError::Io { error, .. } if error.kind() == ErrorKind::NotFound => {
                BackupError::damaged(path.clone(), 0, "the file is missing")
            }
            error => error,
        })?;
        let length =
            file.metadata().map_err(|error| BackupError::io("look at", path.clone(), error))?.len();
        let seconds = unix_time().as_secs();
        let mut this = Self {
            path,
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            length,
            position: 0,
            left: 0,
            collection: collection.into(),
            part: Vec::new().into_iter(),
            now: i64::try_from(seconds).unwrap_or(i64::MAX),
        };
        this.left = this.number()?;
        if this.left != keys {
            let what = format!("it has {} entries, and meta.bin says {keys}", this.left);
            return Err(this.damaged(what));
        }
        Ok(this)
    }

    pub(super) fn collection(&self) -> &str {
        &self.collection
    }

    pub(super) fn bytes_total(&self) -> u64 {
        self.length
    }

    /// The next entry; none at the end. Keys ascend within parts.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, BackupError> {
        loop {
            if let Some((key, data)) = self.part.next() {
                return Ok(Some(self.entry(key, data)));
            }
            if self.left == 0 {
                let behind = self.length - self.position;
                return if behind == 0 {
                    Ok(None)
                } else {
                    Err(self.damaged(format!("{behind} bytes lie behind the last entry")))
                };
            }
            self.read_part()?;
        }
    }

    fn entry(&self, key: Box<[u8]>, data: Bytes) -> Entry {
        let meta = Meta {
            size: data.len() as u64,
            checksum: crc32fast::hash(&data),
            created_at: self.now,
            ..Meta::default()
        };
        let (bytes, hash) = (data.len() as u64, xxh3_64(&data));
        let kept = Kept::Value(KeptValue { sequence: 0, meta, bytes, hash });
        Entry { collection: Arc::clone(&self.collection), key, kept, data }
    }

    /// Reads entries and sorts them; of a key that comes more than once the last one counts.
    fn read_part(&mut self) -> Result<(), BackupError> {
        /// What an entry takes beside its bytes.
        const ENTRY_BYTES: usize = 64;

        let (mut part, mut bytes) = (Vec::new(), 0);
        while self.left > 0 && bytes < PART_BYTES {
            let key = self.slice("a key", KEY_BYTES_MAX as u64)?;
            let data = self.slice("a value", VALUE_BYTES_MAX)?;
            bytes += ENTRY_BYTES + key.len() + data.len();
            part.push((key.into_boxed_slice(), Bytes::from(data)));
            self.left -= 1;
        }
        // Stable; then the last of a key is moved to its front place.
        part.reverse();
        part.sort_by(|(one, _), (other, _)| one.cmp(other));
        part.dedup_by(|(later, _), (first, _)| later == first);
        self.part = part.into_iter();
        Ok(())
    }

    fn slice(&mut self, what: &str, bytes_max: u64) -> Result<Vec<u8>, BackupError> {
        let length = self.number()?;
        let left = self.length - self.position;
        // Before memory is taken.
        if length > left {
            return Err(self.damaged(format!("{what} of {length} bytes, where {left} are left")));
        }
        if length > bytes_max {
            return Err(
                self.damaged(format!("{what} of {length} bytes; the longest is {bytes_max}"))
            );
        }
        let mut bytes = vec![0; length as usize];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64, BackupError> {
        let mut first = [0];
        self.read(&mut first)?;
        let bytes = match first[0] {
            251 => 2,
            252 => 4,
            253 => 8,
            254 | 255 => return Err(self.damaged("no number begins so".into())),
            short => return Ok(short.into()),
        };
        let mut number = [0; 8];
        self.read(&mut number[..bytes])?;
        Ok(u64::from_le_bytes(number))
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), BackupError> {
        match self.file.read_exact(out) {
            Ok(()) => {
                self.position += out.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.damaged("it is cut short".into()))
            }
            Err(error) => Err(BackupError::io("read", self.path.clone(), error)),
        }
    }

    fn damaged(&self, what: String) -> BackupError {
        BackupError::damaged(self.path.clone(), self.position, what)
    }
}
