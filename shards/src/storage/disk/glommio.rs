//! The real disk and the real clock: direct I/O through io_uring. The only file of the engine that names glommio.
//!
//! Works inside a glommio executor only. Paths must be absolute (glommio unwraps a `statfs` of what it is given). Where
//! the file system has no direct I/O (tmpfs) glommio falls back to buffered I/O by itself.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use glommio::io::{Directory, DmaBuffer, DmaFile, OpenOptions};

use super::{BLOCK_BYTES, Buffer, Disk, DiskError, DiskFile, DiskFuture, Memory, Opening};
use crate::storage::clock::Clock;

/// The file systems of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlommioDisk;

impl Disk for GlommioDisk {
    fn create_dir_all<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        Box::pin(async move {
            require_absolute(path)?;
            let mut missing: Vec<&Path> = Vec::new();
            for folder in path.ancestors().take_while(|folder| !folder.is_dir()) {
                missing.push(folder);
            }
            for folder in missing.into_iter().rev() {
                Directory::create(folder).await?.close().await?;
                if let Some(parent) = folder.parent() {
                    self.sync_dir(parent).await?;
                }
            }
            Ok(())
        })
    }

    fn list<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, Vec<String>> {
        Box::pin(async move {
            let folder = Directory::open(path).await?;
            let mut names = Vec::new();
            for entry in folder.sync_read_dir()? {
                names.push(
                    entry.map_err(DiskError::from)?.file_name().to_string_lossy().into_owned(),
                );
            }
            folder.close().await?;
            Ok(names)
        })
    }

    fn open<'a>(&'a self, path: &'a Path, opening: Opening) -> DiskFuture<'a, Rc<dyn DiskFile>> {
        Box::pin(async move {
            require_absolute(path)?;
            let fresh = opening == Opening::Fresh;
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(fresh)
                .truncate(fresh)
                .dma_open(path)
                .await?;
            Ok(Rc::new(GlommioFile(RefCell::new(Some(Rc::new(file))))) as Rc<dyn DiskFile>)
        })
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        Box::pin(async move {
            let folder = Directory::open(path).await?;
            folder.sync().await?;
            folder.close().await?;
            Ok(())
        })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> DiskFuture<'a, ()> {
        Box::pin(async move { Ok(glommio::io::rename(from, to).await?) })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        Box::pin(async move { Ok(glommio::io::remove(path).await?) })
    }

    fn helped(&self) -> Rc<dyn Disk> {
        Rc::new(Self)
    }
}

/// An open file; `None` once it has been closed.
struct GlommioFile(RefCell<Option<Rc<DmaFile>>>);

impl GlommioFile {
    fn file(&self) -> Result<Rc<DmaFile>, DiskError> {
        self.0.borrow().clone().ok_or_else(|| failed("the file has been closed"))
    }
}

impl DiskFile for GlommioFile {
    fn buffer(&self, bytes: usize) -> Buffer {
        match self.file() {
            Ok(file) => Buffer::new(Direct(file.alloc_dma_buffer(bytes))),
            Err(_) => Buffer::new(Closed),
        }
    }

    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()> {
        Box::pin(async move {
            let Some(Direct(memory)) = buffer.into_memory() else {
                return Err(failed("this buffer is of another disk"));
            };
            let bytes = memory.len();
            debug_assert!(position.is_multiple_of(BLOCK_BYTES as u64));
            debug_assert!(bytes.is_multiple_of(BLOCK_BYTES));
            let written = self.file()?.write_at(memory, position).await?;
            // The kernel stops short of a regular file's write only when it runs out of room.
            if written == bytes { Ok(()) } else { Err(DiskError::NoSpace) }
        })
    }

    fn sync(&self) -> DiskFuture<'_, ()> {
        Box::pin(async move { Ok(self.file()?.fdatasync().await?) })
    }

    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>> {
        Box::pin(async move {
            let read = self.file()?.read_at(position, bytes).await?;
            Ok(read.to_vec())
        })
    }

    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        Box::pin(async move { Ok(self.file()?.pre_allocate(bytes, false).await?) })
    }

    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        Box::pin(async move { Ok(self.file()?.truncate(bytes).await?) })
    }

    fn size(&self) -> DiskFuture<'_, u64> {
        Box::pin(async move { Ok(self.file()?.file_size().await?) })
    }

    fn close(&self) -> DiskFuture<'_, ()> {
        Box::pin(async move {
            let file = self.0.borrow_mut().take();
            if let Some(file) = file {
                file.close_rc().await?;
            }
            Ok(())
        })
    }
}

struct Direct(DmaBuffer);

impl Memory for Direct {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }
}

/// What a closed file hands out: nothing can be written to it anyway.
struct Closed;

impl Memory for Closed {
    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut []
    }
}

/// The monotonic clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct GlommioClock {
    start: Instant,
}

impl GlommioClock {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for GlommioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for GlommioClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(glommio::timer::sleep(time))
    }
}

impl<T> From<glommio::GlommioError<T>> for DiskError {
    fn from(error: glommio::GlommioError<T>) -> Self {
        let message = error.to_string();
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::NoSpace,
            errno => Self::Failed { errno, message },
        }
    }
}

fn failed(message: &str) -> DiskError {
    DiskError::Failed { errno: None, message: message.to_owned() }
}

fn require_absolute(path: &Path) -> Result<(), DiskError> {
    if path.is_absolute() {
        return Ok(());
    }
    let path: PathBuf = path.to_owned();
    Err(failed(&format!("{} is not an absolute path", path.display())))
}
