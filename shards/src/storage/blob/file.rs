//! A blob file, open for reading.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::{ADVICE, MAGIC, VERSION, path};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Disk, DiskFile, Opening},
    entry::BlobRef,
    header::{self, Binding, HeaderFault},
};

/// A blob file. What it is open with is shared with its writer, if it has one.
pub(in crate::storage) struct BlobFile {
    pub(in crate::storage) binding: Binding,
    pub(in crate::storage) path: PathBuf,
    pub(super) file: Rc<dyn DiskFile>,
}

impl BlobFile {
    pub(super) fn new(binding: Binding, path: PathBuf, file: Rc<dyn DiskFile>) -> Self {
        Self { binding, path, file }
    }

    /// Opens a file that was written before, and looks whether it belongs here.
    pub(in crate::storage) async fn open(
        disk: &dyn Disk,
        dir: &Path,
        binding: Binding,
    ) -> Result<Self, StorageError> {
        let path = path(dir, binding.number);
        let opened = disk.open(&path, Opening::Existing).await;
        let file = opened.map_err(|error| StorageError::io("cannot open", &path, error))?;
        let this = Self { binding, path, file };
        let block = this.read_at(0, BLOCK_BYTES).await?;
        match header::read(&block, MAGIC, VERSION..=VERSION, binding) {
            Ok(_) => Ok(this),
            Err(HeaderFault::Damaged) => {
                Err(this.corrupt(0, "its header block is not what was written"))
            }
            Err(HeaderFault::Foreign(what)) => Err(StorageError::Foreign { file: this.path, what }),
        }
    }

    /// The data of a value, checked. One I/O.
    pub(in crate::storage) async fn read(&self, blob: BlobRef) -> Result<Bytes, StorageError> {
        let data = self.read_at(blob.offset, blob.bytes as usize).await?;
        self.checked(blob, Bytes::from(data))
    }

    /// The data of values that lie one behind the other, each checked. One I/O, for what lies between them too.
    pub(in crate::storage) async fn read_near(
        &self,
        blobs: &[BlobRef],
    ) -> Result<Vec<Bytes>, StorageError> {
        let Some(first) = blobs.first() else { return Ok(Vec::new()) };
        let start = first.offset;
        let end = blobs.iter().map(|blob| blob.offset + u64::from(blob.bytes)).max();
        let bytes = end.unwrap_or(start) - start;
        let read = Bytes::from(self.read_at(start, bytes as usize).await?);
        let value = |blob: &BlobRef| {
            let from = ((blob.offset - start) as usize).min(read.len());
            let to = (from + blob.bytes as usize).min(read.len());
            self.checked(*blob, read.slice(from..to))
        };
        blobs.iter().map(value).collect()
    }

    fn checked(&self, blob: BlobRef, data: Bytes) -> Result<Bytes, StorageError> {
        if data.len() != blob.bytes as usize || xxh3_64(&data) != blob.hash {
            return Err(self.corrupt(blob.offset, "a value is not what was written"));
        }
        Ok(data)
    }

    /// Up to `bytes` from `position` on, unchecked.
    pub(super) async fn read_at(
        &self,
        position: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, StorageError> {
        let read = self.file.read_at(position, bytes).await;
        read.map_err(|error| StorageError::io("cannot read", &self.path, error))
    }

    /// Length of the file.
    pub(in crate::storage) async fn size(&self) -> Result<u64, StorageError> {
        let size = self.file.size().await;
        size.map_err(|error| StorageError::io("cannot measure", &self.path, error))
    }

    /// Writes the blocks of a value again, with the same bytes: after a sync that failed, the kernel may show bytes that it
    /// will never write, and a second sync would say that all is well.
    pub(in crate::storage) async fn write_again(&self, blob: BlobRef) -> Result<(), StorageError> {
        let block = BLOCK_BYTES as u64;
        let start = blob.offset - blob.offset % block;
        let end = (blob.offset + u64::from(blob.bytes)).next_multiple_of(block);
        let there = self.read_at(start, (end - start) as usize).await?;
        let mut buffer = self.file.buffer((end - start) as usize);
        let (copy, rest) = buffer.split_at_mut(there.len());
        copy.copy_from_slice(&there);
        rest.fill(0);
        let written = self.file.write_at(start, buffer).await;
        written.map_err(|error| StorageError::io("cannot write again", &self.path, error))
    }

    /// Makes durable what was written again.
    pub(in crate::storage) async fn sync(&self) -> Result<(), StorageError> {
        let synced = self.file.sync().await;
        synced.map_err(|error| StorageError::io("cannot sync", &self.path, error))
    }

    /// Lets go of the file; nobody may use it any more.
    pub(in crate::storage) async fn close(&self) {
        // What it holds is durable or not needed.
        let _ = self.file.close().await;
    }

    fn corrupt(&self, offset: u64, what: &str) -> StorageError {
        StorageError::Corrupt {
            file: self.path.clone(),
            offset,
            what: what.to_owned(),
            advice: ADVICE,
        }
    }
}
