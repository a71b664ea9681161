//! All blobs of a file, one after the other. What is not one is stepped over: it is the end of a group, or a group that
//! was never whole.

use std::rc::Rc;

use super::{
    BlobFile, Head, blocks,
    head::{ALIGNMENT, FIXED_BYTES, HEAD_BYTES_MAX},
};
use crate::storage::{StorageError, entry::BlobRef, header::HEADER_BYTES};

/// Bytes read at once, at least: a few heads, or one.
const WINDOW_BYTES: usize = 4096;

/// A walk over a file.
pub(in crate::storage) struct Walk {
    file: Rc<BlobFile>,
    position: u64,
    size: u64,
}

/// A blob whose head is sound. Its data has not been looked at.
#[derive(Debug)]
pub(in crate::storage) struct Found {
    pub(in crate::storage) collection: String,
    pub(in crate::storage) key: Vec<u8>,
    pub(in crate::storage) blob: BlobRef,
}

impl Walk {
    /// Begins at the first blob.
    pub(in crate::storage) async fn begin(file: Rc<BlobFile>) -> Result<Self, StorageError> {
        let size = file.size().await?;
        Ok(Self { file, position: HEADER_BYTES, size })
    }

    /// The next blob; none at the end.
    pub(in crate::storage) async fn next(&mut self) -> Result<Option<Found>, StorageError> {
        while self.position + (FIXED_BYTES as u64) < self.size {
            if let Some(found) = self.look().await? {
                self.position =
                    (found.blob.offset + u64::from(found.blob.bytes)).next_multiple_of(ALIGNMENT);
                return Ok(Some(found));
            }
            self.position = blocks(self.position + 1);
        }
        Ok(None)
    }

    async fn look(&self) -> Result<Option<Found>, StorageError> {
        let (binding, position) = (self.file.binding, self.position);
        let mut bytes = self.file.read_at(position, WINDOW_BYTES).await?;
        if bytes.len() == WINDOW_BYTES && Head::length_of(&bytes) > WINDOW_BYTES {
            bytes = self.file.read_at(position, HEAD_BYTES_MAX).await?;
        }
        let head = Head::read(binding, position, &bytes);
        Ok(head.map(|head| {
            let offset = position + head.length() as u64;
            let Head { bytes, hash, .. } = head;
            Found {
                collection: head.collection.to_owned(),
                key: head.key.to_owned(),
                blob: BlobRef { file: binding.number, offset, bytes, hash },
            }
        }))
    }
}
