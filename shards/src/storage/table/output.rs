//! A file written once, front to back, in large aligned writes. One of them is under way while the next buffer is filled, on
//! disks whose calls go on by themselves.

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    rc::Rc,
    task::Poll,
};

use futures_util::future::LocalBoxFuture;

use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Buffer, Disk, DiskError, DiskFile, Opening},
};

/// Bytes of one write.
const BUFFER_BYTES: usize = 1024 * 1024;

pub(in crate::storage) struct Output {
    path: PathBuf,
    file: Rc<dyn DiskFile>,
    buffer: Buffer,
    /// Of the buffer.
    filled: usize,
    /// Of the file, before the buffer.
    written: u64,
    /// The write of what comes just before the buffer, until it is known to be done.
    under_way: Option<LocalBoxFuture<'static, Result<(), DiskError>>>,
}

impl Output {
    /// Makes the file, or empties it. Nothing is written yet.
    pub(in crate::storage) async fn create(
        disk: &dyn Disk,
        path: PathBuf,
    ) -> Result<Self, StorageError> {
        let opened = disk.open(&path, Opening::Fresh).await;
        let file = opened.map_err(|error| StorageError::io("cannot create", &path, error))?;
        let buffer = file.buffer(BUFFER_BYTES);
        Ok(Self { path, file, buffer, filled: 0, written: 0, under_way: None })
    }

    pub(in crate::storage) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next byte will lie.
    pub(in crate::storage) fn position(&self) -> u64 {
        self.written + self.filled as u64
    }

    pub(in crate::storage) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            if self.filled == BUFFER_BYTES {
                let next = self.file.buffer(BUFFER_BYTES);
                let full = std::mem::replace(&mut self.buffer, next);
                self.write_out(full).await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.filled));
            self.buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Writes zeros up to a multiple of [`BLOCK_BYTES`].
    pub(in crate::storage) async fn pad(&mut self) -> Result<(), StorageError> {
        let behind = self.position() % BLOCK_BYTES as u64;
        if behind == 0 {
            return Ok(());
        }
        self.write(&[0; BLOCK_BYTES][behind as usize..]).await
    }

    /// Makes everything durable; it must end at a multiple of [`BLOCK_BYTES`].
    pub(in crate::storage) async fn sync(&mut self) -> Result<(), StorageError> {
        let mut rest = self.file.buffer(self.filled);
        rest.copy_from_slice(&self.buffer[..self.filled]);
        self.write_out(rest).await?;
        self.settle().await?;
        self.file.sync().await.map_err(|error| self.error("cannot sync", error))
    }

    pub(in crate::storage) async fn close(mut self) {
        // Nothing is to be written behind the back of who removes the file.
        let _ = self.settle().await;
        // What matters has been synced.
        let _ = self.file.close().await;
    }

    /// Begins to write, after what is under way.
    async fn write_out(&mut self, buffer: Buffer) -> Result<(), StorageError> {
        self.settle().await?;
        let (file, position) = (Rc::clone(&self.file), self.written);
        let mut writing: LocalBoxFuture<'static, _> =
            Box::pin(async move { file.write_at(position, buffer).await });
        // The first poll begins it. Some disks are done then.
        let begun = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await;
        match begun {
            Poll::Ready(written) => {
                written.map_err(|error| self.error("cannot write", error))?;
            }
            Poll::Pending => self.under_way = Some(writing),
        }
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Waits for what is under way.
    async fn settle(&mut self) -> Result<(), StorageError> {
        match self.under_way.take() {
            Some(writing) => writing.await.map_err(|error| self.error("cannot write", error)),
            None => Ok(()),
        }
    }

    fn error(&self, what: &'static str, error: DiskError) -> StorageError {
        StorageError::io(what, &self.path, error)
    }
}
