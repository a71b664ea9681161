//! The edge to the disk: what the engine asks of one, and nothing more.
//!
//! Four disks stand behind it: `glommio` is the real one, `blocking` the same for threads that may block, `helped` for those
//! of them that want several calls under way at once, and `sim` their twin for tests, which crashes, tears and lies on demand.
//! Contract of all, beyond the words below: positions and lengths of writes are multiples of [`BLOCK_BYTES`]; a future that is
//! dropped before it is ready may or may not have done its work, or do it later.

pub mod blocking;
pub mod glommio;
pub(in crate::storage) mod helped;
#[cfg(any(test, feature = "planted-bugs"))]
pub(in crate::storage) mod late;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

use std::{
    any::Any,
    ops::{Deref, DerefMut},
    path::Path,
    rc::Rc,
};

use futures_util::future::LocalBoxFuture;

/// Unit of positions and lengths of writes: the largest logical sector of the disks in use.
pub const BLOCK_BYTES: usize = 4096;

/// What every call on a disk gives.
pub type DiskFuture<'a, T> = LocalBoxFuture<'a, Result<T, DiskError>>;

/// A sync that goes on by itself, whatever becomes of who began it.
pub(in crate::storage) type Synced = LocalBoxFuture<'static, Result<(), super::StorageError>>;

/// Why a call on a disk failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// ENOSPC, EDQUOT, or a write that stopped short.
    #[error("no space left on the disk")]
    NoSpace,
    /// Everything else.
    #[error("{message}")]
    Failed {
        /// The system's number, if there was one.
        errno: Option<i32>,
        /// The system's words.
        message: String,
    },
}

/// What [`Disk::open`] expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The file exists; its content stays.
    Existing,
    /// The file is made, or emptied if it exists.
    Fresh,
}

/// Folders and names.
pub trait Disk {
    /// Makes a folder and those above it; durable when it returns.
    fn create_dir_all<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()>;
    /// The names in a folder, in no order.
    fn list<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, Vec<String>>;
    /// Opens a file for reading and writing. The name of a new one is durable after [`Disk::sync_dir`].
    fn open<'a>(&'a self, path: &'a Path, opening: Opening) -> DiskFuture<'a, Rc<dyn DiskFile>>;
    /// Makes the names in a folder durable.
    fn sync_dir<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()>;
    /// Gives a file another name, in place of the file that had it.
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> DiskFuture<'a, ()>;
    /// Takes a name away.
    fn remove<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()>;
    /// The same files for work that streams: calls on them go on beside each other, and beside whoever asked.
    fn helped(&self) -> Rc<dyn Disk>;
    /// Does what takes the CPU for long: beside whoever asks, where calls go on so; here otherwise.
    fn aside(&self, work: Box<dyn FnOnce() + Send>) -> DiskFuture<'static, ()> {
        Box::pin(async move {
            work();
            Ok(())
        })
    }
}

/// One open file.
pub trait DiskFile {
    /// Memory that this file can write from; what it holds is anything.
    fn buffer(&self, bytes: usize) -> Buffer;
    /// Writes all of `buffer` at `position`.
    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()>;
    /// Makes the content and the length durable (fdatasync).
    fn sync(&self) -> DiskFuture<'_, ()>;
    /// Up to `bytes` from `position` on; fewer at the end of the file.
    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>>;
    /// Makes room up to `bytes` from the start; what was not there reads as zeros.
    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()>;
    /// Cuts or extends (with zeros) to `bytes`.
    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()>;
    /// Length in bytes.
    fn size(&self) -> DiskFuture<'_, u64>;
    /// Ends all use of the file; it must not be used afterwards. Dropping without it may leak the descriptor.
    fn close(&self) -> DiskFuture<'_, ()>;
}

/// Memory that can be written to a file directly.
pub struct Buffer(Box<dyn Memory>);

impl Buffer {
    /// Wraps what a disk hands out.
    pub fn new(memory: impl Memory) -> Self {
        Self(Box::new(memory))
    }

    /// What the disk put in, if this came from a disk of that kind.
    #[must_use]
    pub fn into_memory<M: Memory>(self) -> Option<M> {
        let memory: Box<dyn Any> = self.0;
        memory.downcast().ok().map(|memory| *memory)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

/// Memory of one kind of disk.
pub trait Memory: Any {
    /// To read.
    fn bytes(&self) -> &[u8];
    /// To fill.
    fn bytes_mut(&mut self) -> &mut [u8];
}
