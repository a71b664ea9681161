//! The entries of one shard in one backup, in order, and nothing believed before its checksum.

use std::{fs::File, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BackupError, Folder,
    chunk::{Binding, HEADER_BYTES, Head, Header, Kept},
    manifest::DataFile,
    meta::BackupId,
};
use crate::storage::disk::BLOCK_BYTES;

/// What a backup has of a key.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The collection.
    pub collection: Arc<str>,
    /// The key.
    pub key: Box<[u8]>,
    /// What is kept.
    pub kept: Kept,
    /// Of a value, where data are read.
    pub data: Bytes,
}

/// Walks over the files of one shard.
pub(super) struct Stream {
    folder: Folder,
    backup: BackupId,
    files: std::vec::IntoIter<DataFile>,
    /// Data are read too, and with them everything is checked.
    with_data: bool,
    open: Option<Open>,
    chunk: Chunk,
    /// Collection and key of the last entry.
    last: Option<(Arc<str>, Box<[u8]>)>,
}

struct Open {
    file: File,
    about: DataFile,
    position: u64,
    entries: u64,
    hasher: Option<Sha256>,
}

#[derive(Default)]
struct Chunk {
    collection: Arc<str>,
    heads: std::vec::IntoIter<Head>,
    data: Bytes,
}

impl Stream {
    /// Before the first entry of `files`, which are all of one shard.
    pub(super) fn new(
        folder: Folder,
        backup: BackupId,
        files: Vec<DataFile>,
        with_data: bool,
    ) -> Self {
        let (files, open) = (files.into_iter(), None);
        Self { folder, backup, files, with_data, open, chunk: Chunk::default(), last: None }
    }

    /// The next entry; none at the end, when all that was read is known to be what was written.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, BackupError> {
        loop {
            if let Some((key, kept)) = self.chunk.heads.next() {
                return self.entry(key, kept).map(Some);
            }
            let at_end = self.open.as_ref().is_none_or(|open| open.position >= open.about.bytes);
            if !at_end {
                self.next_chunk()?;
            } else if !self.next_file()? {
                return Ok(None);
            }
        }
    }

    fn entry(&mut self, key: Box<[u8]>, kept: Kept) -> Result<Entry, BackupError> {
        let collection = Arc::clone(&self.chunk.collection);
        let follows = |(before, last): &(Arc<str>, Box<[u8]>)| (before, last) < (&collection, &key);
        if !self.last.as_ref().is_none_or(follows) {
            return Err(self.damaged("entries are out of order"));
        }
        self.last = Some((Arc::clone(&collection), key.clone()));
        let mut data = Bytes::new();
        if let (Kept::Value(value), true) = (&kept, self.with_data) {
            data = self.chunk.data.split_to(value.bytes as usize);
            if xxh3_64(&data) != value.hash {
                return Err(self.damaged("a value is not what was written"));
            }
        }
        Ok(Entry { collection, key, kept, data })
    }

    fn next_chunk(&mut self) -> Result<(), BackupError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (shard, file) = (open.about.shard, open.about.number);
        let binding = Binding { backup: self.backup, shard, file };
        let damaged = |offset: u64, what: &str| {
            BackupError::damaged(self.folder.shown().join(open_name(shard, file)), offset, what)
        };
        let start = open.position;
        let left = open.about.bytes - start;
        let mut header = [0; HEADER_BYTES];
        if left < HEADER_BYTES as u64 {
            return Err(damaged(start, "the last chunk is cut short"));
        }
        let failed = |error| {
            BackupError::io("read", self.folder.shown().join(open_name(shard, file)), error)
        };
        open.file.read_exact_at(&mut header, start).map_err(failed)?;
        let read = Header::read(binding, start, &header).map_err(|what| damaged(start, what))?;
        // Before memory is taken.
        if read.length() > left {
            return Err(damaged(start, "a chunk goes on behind the end of its file"));
        }
        let data_bytes = if self.with_data { read.data_bytes as usize } else { 0 };
        let heads_bytes = read.heads_bytes as usize;
        let mut body = vec![0; heads_bytes + data_bytes];
        open.file.read_exact_at(&mut body, start + HEADER_BYTES as u64).map_err(failed)?;
        let heads = read.read_heads(&body[..heads_bytes]).map_err(|what| damaged(start, what))?;
        if let Some(hasher) = &mut open.hasher {
            hasher.update(header);
            hasher.update(&body);
            read.check_data(&body[heads_bytes..]).map_err(|what| damaged(start, what))?;
        }
        open.position += read.length();
        open.entries += heads.1.len() as u64;
        let (collection, heads) = heads;
        if *self.chunk.collection != *collection {
            self.chunk.collection = collection.into();
        }
        self.chunk.heads = heads.into_iter();
        self.chunk.data = Bytes::from(body).split_off(heads_bytes);
        Ok(())
    }

    /// Ends the file that is open, and opens the next; false if there is none.
    fn next_file(&mut self) -> Result<bool, BackupError> {
        if let Some(open) = self.open.take() {
            self.end_file(open)?;
        }
        let Some(about) = self.files.next() else { return Ok(false) };
        let path = self.folder.shown().join(about.name());
        let file = self.folder.file(&about.name()).map_err(|error| match error {
            BackupError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
                BackupError::damaged(path.clone(), 0, "the file is missing")
            }
            error => error,
        })?;
        let metadata =
            file.metadata().map_err(|error| BackupError::io("look at", path.clone(), error))?;
        if metadata.len() != about.length {
            let what = format!("it has {} bytes instead of {}", metadata.len(), about.length);
            return Err(BackupError::damaged(path, metadata.len().min(about.length), what));
        }
        let hasher = self.with_data.then(Sha256::new);
        self.open = Some(Open { file, about, position: 0, entries: 0, hasher });
        Ok(true)
    }

    fn end_file(&self, open: Open) -> Result<(), BackupError> {
        let Open { file, about, position, entries, hasher } = open;
        let path = || self.folder.shown().join(about.name());
        if entries != about.entries {
            let what = format!("it has {entries} entries instead of {}", about.entries);
            return Err(BackupError::damaged(path(), position, what));
        }
        let Some(mut hasher) = hasher else { return Ok(()) };
        let mut rest = [0; BLOCK_BYTES];
        let rest_bytes = (about.length - about.bytes) as usize;
        let rest = rest.get_mut(..rest_bytes);
        let rest = rest.ok_or_else(|| {
            BackupError::damaged(path(), position, "too much lies behind the last chunk")
        })?;
        file.read_exact_at(rest, position)
            .map_err(|error| BackupError::io("read", path(), error))?;
        hasher.update(rest);
        if <[u8; 32]>::from(hasher.finalize()) != about.hash {
            return Err(BackupError::damaged(path(), 0, "its hash is not the one in manifest.bin"));
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> BackupError {
        let (name, position) = self
            .open
            .as_ref()
            .map_or_else(Default::default, |open| (open.about.name(), open.position));
        BackupError::damaged(self.folder.shown().join(name), position, what)
    }
}

fn open_name(shard: u32, file: u32) -> String {
    super::manifest::file_name(shard, file)
}
