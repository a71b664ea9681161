//! The disk of this machine for background work that wants several calls under way at once: reads, writes and syncs are made
//! by a few threads that may block, and whoever asked goes on meanwhile.
//!
//! ```text
//! read_at ─► channel ─► one of four helpers: a call that blocks ─┐
//! aside   ─► channel ─► a fifth: what takes the CPU             ─┴─► reply ─► the future is ready
//! ```
//!
//! A call is under way as soon as it is asked for, not only when its future is polled. Helpers have the priority of the thread
//! that made them, run on any CPU of the process, and end with the disk and its files. Names and lengths are changed by whoever
//! asks.

use std::{cell::RefCell, fs::File, io, iter, path::Path, rc::Rc, sync::Arc, task::Poll, thread};

use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender};
use rustix::{
    process::getpid,
    thread::{sched_getaffinity, sched_setaffinity},
};

use super::{
    BLOCK_BYTES, Buffer, Disk, DiskFile, DiskFuture, Opening,
    blocking::{Aligned, StdDisk, StdFile, read_rounded},
};

/// Calls that are under way at once, at most.
const HELPERS: usize = 4;
/// Memory that a helper keeps from one call to the next.
const SCRATCH_BYTES_MAX: usize = 1024 * 1024 + BLOCK_BYTES;

/// The files of [`StdDisk`], with helpers.
#[derive(Clone)]
pub(in crate::storage) struct HelpedDisk(Rc<Helpers>);

/// Helpers end when their queues do. Nobody waits for that: whoever lets go of the disk may have others waiting for it.
struct Helpers {
    calls: Sender<Call>,
    aside: Sender<Call>,
}

/// Something to do with memory of the helper.
type Call = Box<dyn FnOnce(&mut Aligned) + Send>;

impl HelpedDisk {
    /// Starts the helpers.
    pub(in crate::storage) fn new() -> io::Result<Self> {
        let (calls, called) = crossbeam_channel::unbounded();
        let (aside, beside) = crossbeam_channel::unbounded();
        let helpers = Helpers { calls, aside };
        // Those that have been started end if another one is refused.
        iter::repeat_n(called, HELPERS).chain([beside]).try_for_each(start)?;
        Ok(Self(Rc::new(helpers)))
    }
}

fn start(queue: Receiver<Call>) -> io::Result<()> {
    let help = move || {
        // Whoever made it may be pinned to the CPU of a reactor, which is to keep it for itself. It stays there if this fails.
        let _ = sched_getaffinity(Some(getpid())).and_then(|cpus| sched_setaffinity(None, &cpus));
        let mut scratch = Aligned::default();
        for call in queue {
            call(&mut scratch);
            scratch.give_back(SCRATCH_BYTES_MAX);
        }
    };
    thread::Builder::new().name("disk-helper".to_owned()).spawn(help).map(drop)
}

/// What a call leaves for whoever waits. The waker is dropped last.
struct Reply<T> {
    sender: Option<Sender<io::Result<T>>>,
    waker: Arc<AtomicWaker>,
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.sender = None;
        self.waker.wake();
    }
}

impl Helpers {
    /// Has a call made; it is on its way when this returns.
    fn ask<T: Send + 'static>(
        &self,
        queue: impl FnOnce(&Self) -> &Sender<Call>,
        call: impl FnOnce(&mut Aligned) -> io::Result<T> + Send + 'static,
    ) -> DiskFuture<'static, T> {
        let (sender, receiver): (_, Receiver<io::Result<T>>) = crossbeam_channel::bounded(1);
        let waker = Arc::new(AtomicWaker::new());
        let reply = Reply { sender: Some(sender), waker: Arc::clone(&waker) };
        let call: Call = Box::new(move |scratch| {
            let done = call(scratch);
            if let Some(sender) = &reply.sender {
                // Nobody may be there to hear it any more.
                let _ = sender.send(done);
            }
        });
        // If no helper is left the call is dropped, and its future says so.
        let _ = queue(self).send(call);
        Box::pin(std::future::poll_fn(move |cx| {
            waker.register(cx.waker());
            match receiver.try_recv() {
                Ok(done) => Poll::Ready(Ok(done?)),
                Err(crossbeam_channel::TryRecvError::Empty) => Poll::Pending,
                Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    Poll::Ready(Err(io::Error::other("a helper of the disk has died").into()))
                }
            }
        }))
    }
}

impl Disk for HelpedDisk {
    fn create_dir_all<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        StdDisk.create_dir_all(path)
    }

    fn list<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, Vec<String>> {
        StdDisk.list(path)
    }

    fn open<'a>(&'a self, path: &'a Path, opening: Opening) -> DiskFuture<'a, Rc<dyn DiskFile>> {
        Box::pin(async move {
            let file = Arc::new(super::blocking::open(path, opening)?);
            let plain = StdFile::new(Arc::clone(&file));
            let (file, helpers) = (RefCell::new(Some(file)), Rc::clone(&self.0));
            Ok(Rc::new(HelpedFile { file, plain, helpers }) as Rc<dyn DiskFile>)
        })
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        StdDisk.sync_dir(path)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> DiskFuture<'a, ()> {
        StdDisk.rename(from, to)
    }

    fn remove<'a>(&'a self, path: &'a Path) -> DiskFuture<'a, ()> {
        StdDisk.remove(path)
    }

    fn helped(&self) -> Rc<dyn Disk> {
        Rc::new(self.clone())
    }

    fn aside(&self, work: Box<dyn FnOnce() + Send>) -> DiskFuture<'static, ()> {
        let work = move |_: &mut Aligned| {
            work();
            Ok(())
        };
        self.0.ask(|helpers| &helpers.aside, work)
    }
}

/// An open file; the last call that needs it closes it.
struct HelpedFile {
    file: RefCell<Option<Arc<File>>>,
    plain: StdFile,
    helpers: Rc<Helpers>,
}

impl HelpedFile {
    fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&File, &mut Aligned) -> io::Result<T> + Send + 'static,
    ) -> DiskFuture<'static, T> {
        match self.file.borrow().clone() {
            Some(file) => {
                self.helpers.ask(|helpers| &helpers.calls, move |scratch| call(&file, scratch))
            }
            None => Box::pin(async { Err(io::Error::other("the file has been closed").into()) }),
        }
    }
}

impl DiskFile for HelpedFile {
    fn buffer(&self, bytes: usize) -> Buffer {
        self.plain.buffer(bytes)
    }

    fn write_at(&self, position: u64, buffer: Buffer) -> DiskFuture<'_, ()> {
        debug_assert!(position.is_multiple_of(BLOCK_BYTES as u64));
        debug_assert!(buffer.len().is_multiple_of(BLOCK_BYTES));
        match buffer.into_memory::<Aligned>() {
            Some(memory) => self.ask(move |file, _| memory.write_to(file, position)),
            None => Box::pin(async { Err(io::Error::other("a buffer of another disk").into()) }),
        }
    }

    fn sync(&self) -> DiskFuture<'_, ()> {
        self.ask(|file, _| file.sync_data())
    }

    fn read_at(&self, position: u64, bytes: usize) -> DiskFuture<'_, Vec<u8>> {
        self.ask(move |file, scratch| read_rounded(file, scratch, position, bytes))
    }

    fn allocate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        self.plain.allocate(bytes)
    }

    fn truncate(&self, bytes: u64) -> DiskFuture<'_, ()> {
        self.plain.truncate(bytes)
    }

    fn size(&self) -> DiskFuture<'_, u64> {
        self.plain.size()
    }

    fn close(&self) -> DiskFuture<'_, ()> {
        self.file.take();
        self.plain.close()
    }
}

/// For who cannot have helpers.
pub(super) fn or_without() -> Rc<dyn Disk> {
    match HelpedDisk::new() {
        Ok(disk) => Rc::new(disk),
        Err(error) => {
            tracing::warn!("background work goes on without helpers: {error}");
            Rc::new(StdDisk)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Context, time::Duration};

    use super::*;

    /// Waits as a background thread does.
    fn wait<T>(future: impl Future<Output = T>) -> T {
        struct Bell(thread::Thread);
        impl std::task::Wake for Bell {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Arc::new(Bell(thread::current())).into();
        let mut future = pin!(future);
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
            thread::park_timeout(Duration::from_secs(60));
        }
        panic!("nobody woke it");
    }

    #[test]
    fn calls_are_under_way_at_once_and_each_gets_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        wait(async {
            let disk = HelpedDisk::new().unwrap();
            let file = disk.open(&path, Opening::Fresh).await.unwrap();
            let writes: Vec<_> = (0..20u8)
                .map(|number| {
                    let mut buffer = file.buffer(BLOCK_BYTES);
                    buffer.fill(number);
                    file.write_at(u64::from(number) * BLOCK_BYTES as u64, buffer)
                })
                .collect();
            for write in writes {
                write.await.unwrap();
            }
            file.sync().await.unwrap();
            let reads: Vec<_> = (0..20u64)
                .map(|number| file.read_at(number * BLOCK_BYTES as u64 + 7, 100))
                .collect();
            // The descriptor stays as long as a call needs it.
            file.close().await.unwrap();
            for (number, read) in reads.into_iter().enumerate() {
                assert_eq!(read.await.unwrap(), [number as u8; 100]);
            }
            assert!(file.read_at(0, 1).await.is_err(), "it is closed");
            assert!(disk.open(&path.join("x"), Opening::Existing).await.is_err());
        });
    }

    #[test]
    fn a_call_that_panics_is_an_error_of_that_call() {
        let disk = HelpedDisk::new().unwrap();
        for _ in 0..HELPERS {
            let failed = wait(disk.0.ask::<()>(|helpers| &helpers.calls, |_| panic!("on purpose")));
            assert!(failed.is_err_and(|error| error.to_string().contains("died")));
        }
        let none_left = wait(disk.0.ask(|helpers| &helpers.calls, |_| Ok(())));
        assert!(none_left.is_err_and(|error| error.to_string().contains("died")));
        wait(disk.aside(Box::new(|| ()))).unwrap();
    }
}
