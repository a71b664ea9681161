//! The entries of one shard in one backup, in order, and nothing believed before its checksum.

use std::{fs::File, io, num::NonZero, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    BackupError, Folder,
    chunk::{Binding, HEADER_BYTES, Head, Header, Kept},
    digest::{Digests, FileDigest},
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
    digests: Option<Digests>,
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
    digest: Option<FileDigest>,
    /// Up to here the kernel has been asked to read.
    expected: u64,
}

#[derive(Default)]
struct Chunk {
    collection: Arc<str>,
    heads: std::vec::IntoIter<Head>,
    data: Bytes,
}

impl Stream {
    /// Before the first entry of `files`, which are all of one shard; data are read if there is somebody to hash them.
    pub(super) fn new(
        folder: Folder,
        backup: BackupId,
        files: Vec<DataFile>,
        digests: Option<Digests>,
    ) -> Self {
        let (files, open) = (files.into_iter(), None);
        Self { folder, backup, files, digests, open, chunk: Chunk::default(), last: None }
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
        if let (Kept::Value(value), true) = (&kept, self.digests.is_some()) {
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
        if left < HEADER_BYTES as u64 {
            return Err(damaged(start, "the last chunk is cut short"));
        }
        let failed = |error| {
            BackupError::io("read", self.folder.shown().join(open_name(shard, file)), error)
        };
        open.expect();
        let mut bytes = Vec::new();
        open.read(HEADER_BYTES, &mut bytes).map_err(failed)?;
        let header = bytes.first_chunk().ok_or_else(|| damaged(start, "it ends here"))?;
        let read = Header::read(binding, start, header).map_err(|what| damaged(start, what))?;
        // Before memory is taken.
        if read.length() > left {
            return Err(damaged(start, "a chunk goes on behind the end of its file"));
        }
        let data_bytes = if open.digest.is_some() { read.data_bytes as usize } else { 0 };
        let data_start = HEADER_BYTES + read.heads_bytes as usize;
        open.read(data_start + data_bytes - HEADER_BYTES, &mut bytes).map_err(failed)?;
        let heads = read.read_heads(&bytes[HEADER_BYTES..data_start]);
        let heads = heads.map_err(|what| damaged(start, what))?;
        let bytes = Bytes::from(bytes);
        if let Some(digest) = &open.digest {
            digest.add(bytes.clone())?;
            read.check_data(&bytes[data_start..]).map_err(|what| damaged(start, what))?;
        }
        open.position += read.length();
        open.entries += heads.1.len() as u64;
        let (collection, heads) = heads;
        if *self.chunk.collection != *collection {
            self.chunk.collection = collection.into();
        }
        self.chunk.heads = heads.into_iter();
        self.chunk.data = bytes.slice(data_start..);
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
        let digest = self.digests.as_ref().map(Digests::file).transpose()?;
        self.open = Some(Open { file, about, position: 0, entries: 0, digest, expected: 0 });
        Ok(true)
    }

    fn end_file(&self, mut open: Open) -> Result<(), BackupError> {
        let (position, entries) = (open.position, open.entries);
        let path = self.folder.shown().join(open.about.name());
        if entries != open.about.entries {
            let what = format!("it has {entries} entries instead of {}", open.about.entries);
            return Err(BackupError::damaged(path, position, what));
        }
        let Some(digest) = open.digest.take() else { return Ok(()) };
        let rest_bytes = open.about.length - open.about.bytes;
        if rest_bytes > BLOCK_BYTES as u64 {
            let what = "too much lies behind the last chunk";
            return Err(BackupError::damaged(path, position, what));
        }
        let mut rest = Vec::new();
        let read = open.read(rest_bytes as usize, &mut rest);
        read.map_err(|error| BackupError::io("read", path.clone(), error))?;
        digest.add(rest.into())?;
        if digest.finish()? != open.about.hash {
            return Err(BackupError::damaged(path, 0, "its hash is not the one in manifest.bin"));
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

impl Open {
    /// Has the kernel read what comes next, while what comes now is worked on.
    fn expect(&mut self) {
        const AHEAD_BYTES: u64 = 2 * 1024 * 1024;

        if self.digest.is_some() && self.position + AHEAD_BYTES / 2 >= self.expected {
            let start = self.expected.max(self.position);
            // Without it reading takes longer, no more.
            let _ = fadvise(&self.file, start, NonZero::new(AHEAD_BYTES), Advice::WillNeed);
            self.expected = start + AHEAD_BYTES;
        }
    }

    /// Adds bytes of the file to those of a chunk that have been read.
    fn read(&self, bytes: usize, to: &mut Vec<u8>) -> io::Result<()> {
        let from = to.len();
        to.resize(from + bytes, 0);
        self.file.read_exact_at(&mut to[from..], self.position + from as u64)
    }
}

fn open_name(shard: u32, file: u32) -> String {
    super::manifest::file_name(shard, file)
}
