//! A file that answers before it has written: the bug `AnsweredEarly`. Only in builds that plant bugs.

use std::{cell::RefCell, rc::Rc};

use super::{Buffer, DiskFile, DiskFuture};

/// Each write waits for the next one, or for the end.
pub(in crate::storage) struct Late {
    file: Rc<dyn DiskFile>,
    waiting: RefCell<Option<(u64, Buffer)>>,
}

impl Late {
    pub(in crate::storage) fn new(file: Rc<dyn DiskFile>) -> Self {
        Self { file, waiting: RefCell::default() }
    }

    async fn write(&self, waiting: Option<(u64, Buffer)>) -> Result<(), super::DiskError> {
        match waiting {
            Some((position, buffer)) => self.file.write_at(position, buffer).await,
            None => Ok(()),
        }
    }
}

impl DiskFile for Late {
    fn buffer(&self, bytes: usize) -> Buffer {
        self.file.buffer(bytes)
    }

    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()> {
        let before = self.waiting.replace(Some((position, buffer)));
        Box::pin(self.write(before))
    }

    fn sync(&self) -> DiskFuture<'_, ()> {
        self.file.sync()
    }

    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>> {
        self.file.read_at(position, bytes)
    }

    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        self.file.allocate(bytes)
    }

    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        self.file.truncate(bytes)
    }

    fn size(&self) -> DiskFuture<'_, u64> {
        self.file.size()
    }

    fn close(&self) -> DiskFuture<'_, ()> {
        let waiting = self.waiting.take();
        Box::pin(async move {
            self.write(waiting).await?;
            self.file.close().await
        })
    }
}
