//! The disk of this machine for threads that may block: every future is ready when it is first polled.
//!
//! Direct I/O where the file system has it: what background work reads and writes does not push other files out of the
//! kernel's memory. Not for reactors.

use std::{
    cell::RefCell,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    rc::Rc,
    sync::Arc,
};

use rustix::fs::{FallocateFlags, fallocate};

use super::{BLOCK_BYTES, Buffer, Disk, DiskError, DiskFile, DiskFuture, Memory, Opening};

/// The file systems of this machine, with calls that block.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdDisk;

/// A call that blocks, done when the future is polled.
fn blocking<'a, T: 'a>(call: impl FnOnce() -> io::Result<T> + 'a) -> DiskFuture<'a, T> {
    Box::pin(async move { Ok(call()?) })
}

impl Disk for StdDisk {
    fn create_dir_all<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        blocking(move || {
            let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.is_dir()).collect();
            for folder in missing.into_iter().rev() {
                fs::create_dir(folder)?;
                folder.parent().map_or(Ok(()), sync_dir)?;
            }
            Ok(())
        })
    }

    fn list<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, Vec<String>> {
        blocking(move || {
            let names = fs::read_dir(path)?;
            names.map(|name| Ok(name?.file_name().to_string_lossy().into_owned())).collect()
        })
    }

    fn open<'a>(&'a self, path: &'a Path, opening: Opening) -> DiskFuture<'a, Rc<dyn DiskFile>> {
        blocking(move || {
            let file = StdFile::new(Arc::new(open(path, opening)?));
            Ok(Rc::new(file) as Rc<dyn DiskFile>)
        })
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        blocking(move || sync_dir(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> DiskFuture<'a, ()> {
        blocking(move || fs::rename(from, to))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        blocking(move || fs::remove_file(path))
    }

    fn helped(&self) -> Rc<dyn Disk> {
        super::helped::or_without()
    }
}

pub(super) fn open(path: &Path, opening: Opening) -> io::Result<File> {
    match open_with(path, opening, libc::O_DIRECT) {
        // The file system has no direct I/O.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => open_with(path, opening, 0),
        opened => opened,
    }
}

fn open_with(path: &Path, opening: Opening, flags: i32) -> io::Result<File> {
    let fresh = opening == Opening::Fresh;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(fresh).truncate(fresh).custom_flags(flags).open(path)
}

#[expect(clippy::disallowed_methods, reason = "this disk is for threads that may block")]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// An open file; no file once it has been closed.
pub(super) struct StdFile {
    file: RefCell<Option<Arc<File>>>,
    /// Where reads put what they round out to.
    scratch: RefCell<Aligned>,
}

impl StdFile {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file: RefCell::new(Some(file)), scratch: RefCell::default() }
    }

    fn with<T>(&self, call: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &*self.file.borrow() {
            Some(file) => call(file),
            None => Err(io::Error::other("the file has been closed")),
        }
    }
}

impl DiskFile for StdFile {
    fn buffer(&self, bytes: usize) -> Buffer {
        Buffer::new(Aligned::new(bytes))
    }

    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()> {
        blocking(move || {
            debug_assert!(position.is_multiple_of(BLOCK_BYTES as u64));
            debug_assert!(buffer.len().is_multiple_of(BLOCK_BYTES));
            self.with(|file| file.write_all_at(&buffer, position))
        })
    }

    fn sync(&self) -> DiskFuture<'_, ()> {
        blocking(|| self.with(File::sync_data))
    }

    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>> {
        blocking(move || {
            let mut scratch = self.scratch.borrow_mut();
            self.with(|file| read_rounded(file, &mut scratch, position, bytes))
        })
    }

    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        blocking(move || self.with(|file| Ok(fallocate(file, FallocateFlags::empty(), 0, bytes)?)))
    }

    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        blocking(move || self.with(|file| file.set_len(bytes)))
    }

    fn size(&self) -> DiskFuture<'_, u64> {
        blocking(|| self.with(|file| Ok(file.metadata()?.len())))
    }

    fn close(&self) -> DiskFuture<'_, ()> {
        blocking(|| {
            self.file.take();
            Ok(())
        })
    }
}

/// Up to `bytes` from `position` on, by way of whole blocks in `scratch`.
pub(super) fn read_rounded(
    file: &File,
    scratch: &mut Aligned,
    position: u64,
    bytes: usize,
) -> io::Result<Vec<u8>> {
    let before = position as usize % BLOCK_BYTES;
    let place = scratch.room((before + bytes).next_multiple_of(BLOCK_BYTES));
    let read = read_blocks(file, position - before as u64, place)?;
    Ok(place[before.min(read)..(before + bytes).min(read)].to_vec())
}

/// Reads until `place` is full or the file ends, and says how much there was.
fn read_blocks(file: &File, position: u64, place: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < place.len() {
        match file.read_at(&mut place[read..], position + read as u64) {
            // Direct reads begin at whole blocks: one that ends elsewhere ends with the file.
            Ok(0) => break,
            Ok(bytes) if !bytes.is_multiple_of(BLOCK_BYTES) => return Ok(read + bytes),
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Memory that begins at a multiple of [`BLOCK_BYTES`].
#[derive(Default)]
pub(super) struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    fn new(length: usize) -> Self {
        let memory = vec![0; length + BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { memory, start, length }
    }

    /// So many bytes, made if there are fewer.
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.length < length {
            *self = Self::new(length);
        }
        &mut self.bytes_mut()[..length]
    }

    /// Keeps no more than so much.
    pub(super) fn give_back(&mut self, kept: usize) {
        if self.length > kept {
            *self = Self::default();
        }
    }

    pub(super) fn write_to(&self, file: &File, position: u64) -> io::Result<()> {
        file.write_all_at(self.bytes(), position)
    }
}

impl Memory for Aligned {
    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::NoSpace,
            // The kernel stops short of a regular file's write only when it runs out of room.
            None if error.kind() == io::ErrorKind::WriteZero => Self::NoSpace,
            errno => Self::Failed { errno, message: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests;
