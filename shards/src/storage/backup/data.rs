//! The data files of one shard, as they are written: chunks one behind the other, hashed beside.

use std::{path::PathBuf, rc::Rc, sync::Arc};

use super::{
    BackupError, Folder,
    chunk::{Binding, Draft, HEADER_BYTES, Kept},
    digest::Digest,
    manifest::{DataFile, file_name},
    meta::BackupId,
};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Disk, DiskError},
    table::Output,
};

/// Bytes after which a chunk ends.
pub(super) const CHUNK_BYTES: usize = if cfg!(test) { 2 * 1024 } else { 256 * 1024 };
/// Bytes after which the next file is begun.
const FILE_BYTES: u64 = if cfg!(test) { 16 * 1024 } else { 256 * 1024 * 1024 };

/// Writes the files.
pub(super) struct DataWriter {
    disk: Rc<dyn Disk>,
    folder: Folder,
    backup: BackupId,
    shard: u32,
    open: Option<Open>,
    draft: Option<Draft>,
    /// Those that are whole and durable.
    pub(super) files: Vec<DataFile>,
}

struct Open {
    output: Output,
    digest: Digest,
    entries: u64,
}

impl DataWriter {
    pub(super) fn new(disk: Rc<dyn Disk>, folder: Folder, backup: BackupId, shard: u32) -> Self {
        Self { disk, folder, backup, shard, open: None, draft: None, files: Vec::new() }
    }

    /// Adds an entry, which must come behind the last one. Tells how many bytes went to the disk.
    pub(super) async fn push(
        &mut self,
        collection: &Arc<str>,
        key: &[u8],
        kept: &Kept,
        data: &[u8],
    ) -> Result<u64, BackupError> {
        let ends = |draft: &Draft| {
            let length = draft.length() + key.len() + data.len();
            draft.collection != *collection || length > CHUNK_BYTES
        };
        let written = match self.draft.take_if(|draft| ends(draft)) {
            Some(full) => self.write(full).await?,
            None => 0,
        };
        let draft = self.draft.get_or_insert_with(|| Draft::new(Arc::clone(collection)));
        draft.push(key, kept, data);
        Ok(written)
    }

    /// Writes what is left. All files are durable then, their names once the folder is synced.
    pub(super) async fn finish(&mut self) -> Result<u64, BackupError> {
        let written = match self.draft.take() {
            Some(last) => self.write(last).await?,
            None => 0,
        };
        self.end_file().await?;
        Ok(written)
    }

    async fn write(&mut self, draft: Draft) -> Result<u64, BackupError> {
        if self.open.as_ref().is_some_and(|open| open.output.position() >= FILE_BYTES) {
            self.end_file().await?;
        }
        let number = self.files.len() as u32;
        let binding = Binding { backup: self.backup, shard: self.shard, file: number };
        let folder = &self.folder;
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let path = folder.path().join(file_name(self.shard, number));
                let created = Output::create(&*self.disk, path).await;
                let output = created.map_err(|error| shown(folder, error))?;
                let digest = Digest::new(Rc::clone(&self.disk));
                none.insert(Open { output, digest, entries: 0 })
            }
        };
        let header = draft.header(binding, open.output.position());
        let written = open.write(Arc::new((header, draft))).await;
        written.map_err(|error| shown(folder, error))
    }

    async fn end_file(&mut self) -> Result<(), BackupError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let bytes = open.output.position();
        let length = bytes.next_multiple_of(BLOCK_BYTES as u64);
        let ended = open.end((length - bytes) as usize).await;
        open.output.close().await;
        let hash = ended.map_err(|error| shown(&self.folder, error))?;
        let (shard, number, entries) = (self.shard, self.files.len() as u32, open.entries);
        self.files.push(DataFile { shard, number, entries, bytes, length, hash });
        Ok(())
    }
}

impl Open {
    async fn write(&mut self, chunk: Arc<Chunk>) -> Result<u64, StorageError> {
        self.digest(Arc::clone(&chunk), parts).await?;
        let mut bytes = 0;
        for part in parts(&chunk) {
            self.output.write(part).await?;
            bytes += part.len() as u64;
        }
        self.entries += u64::from(chunk.1.entries);
        Ok(bytes)
    }

    /// Makes the file durable, with so many zeros at its end, and tells its hash.
    async fn end(&mut self, padding: usize) -> Result<[u8; 32], StorageError> {
        self.digest(Arc::new([0; BLOCK_BYTES]), move |zeros| [&zeros[..padding]]).await?;
        self.output.pad().await?;
        self.output.sync().await?;
        self.digest.finish().await.map_err(|error| self.unhashed(error))
    }

    /// Has more of the file hashed.
    async fn digest<T: Send + Sync + 'static, const N: usize>(
        &mut self,
        whole: Arc<T>,
        pieces: impl FnOnce(&T) -> [&[u8]; N] + Send + 'static,
    ) -> Result<(), StorageError> {
        self.digest.add(whole, pieces).await.map_err(|error| self.unhashed(error))
    }

    fn unhashed(&self, error: DiskError) -> StorageError {
        StorageError::io("cannot hash", self.output.path(), error)
    }
}

/// A header and what it is of.
type Chunk = ([u8; HEADER_BYTES], Draft);

/// The parts of a chunk, in order.
fn parts((header, draft): &Chunk) -> [&[u8]; 3] {
    let [heads, data] = draft.parts();
    [header, heads, data]
}

/// The same error, with the path that people know.
fn shown(folder: &Folder, error: StorageError) -> BackupError {
    let shown = |path: PathBuf| folder.shown_of(&path);
    BackupError::Storage(match error {
        StorageError::NoSpace { path } => StorageError::NoSpace { path: shown(path) },
        StorageError::Io { what, path, source } => {
            StorageError::Io { what, path: shown(path), source }
        }
        other => other,
    })
}
