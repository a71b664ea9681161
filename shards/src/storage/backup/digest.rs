//! SHA-256 of files, worked out beside those who write or read them: it takes longer than all else that is done to a byte.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use sha2::{Digest as _, Sha256};

use super::BackupError;
use crate::storage::disk::{Disk, DiskError, DiskFuture};

/// Of a file that is written. One piece is being hashed at a time, while the next one is made.
pub(super) struct Digest {
    disk: Rc<dyn Disk>,
    /// Where the hasher is when it is not at work.
    home: (Sender<Sha256>, Receiver<Sha256>),
    under_way: Option<DiskFuture<'static, ()>>,
}

impl Digest {
    /// Of no bytes so far.
    pub(super) fn new(disk: Rc<dyn Disk>) -> Self {
        let home = crossbeam_channel::bounded(1);
        let _ = home.0.send(Sha256::new());
        Self { disk, home, under_way: None }
    }

    /// Adds the pieces of something. They are on their way when this returns.
    pub(super) async fn add<T: Send + Sync + 'static, const N: usize>(
        &mut self,
        whole: Arc<T>,
        pieces: impl FnOnce(&T) -> [&[u8]; N] + Send + 'static,
    ) -> Result<(), DiskError> {
        let mut hasher = self.hasher().await?;
        let home = self.home.0.clone();
        let work = move || {
            pieces(&whole).into_iter().for_each(|piece| hasher.update(piece));
            let _ = home.send(hasher);
        };
        self.under_way = Some(self.disk.aside(Box::new(work)));
        Ok(())
    }

    /// The hash of all that was added.
    pub(super) async fn finish(&mut self) -> Result<[u8; 32], DiskError> {
        Ok(self.hasher().await?.finalize().into())
    }

    async fn hasher(&mut self) -> Result<Sha256, DiskError> {
        if let Some(under_way) = self.under_way.take() {
            under_way.await?;
        }
        let none = |_| DiskError::Failed { errno: None, message: "no hash came back".into() };
        self.home.1.try_recv().map_err(none)
    }
}

/// Of files that are read, by a thread that is started when it is first needed. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Digests(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: OnceLock<Sender<Order>>,
    files: AtomicU64,
}

/// Of one of the files.
pub(super) struct FileDigest {
    queue: Sender<Order>,
    file: u64,
}

/// Pieces that may wait for the thread.
const WAITING_MAX: usize = 4;

#[derive(Debug)]
enum Order {
    Add(u64, Bytes),
    Finish(u64, Sender<[u8; 32]>),
    Forget(u64),
}

impl Digests {
    /// Begins a file.
    pub(super) fn file(&self) -> Result<FileDigest, BackupError> {
        let Shared { queue, files } = &*self.0;
        let queue = match queue.get() {
            Some(queue) => queue,
            None => {
                let started = start()?;
                queue.get_or_init(|| started)
            }
        };
        Ok(FileDigest { queue: queue.clone(), file: files.fetch_add(1, Relaxed) })
    }
}

impl FileDigest {
    /// Adds a piece.
    pub(super) fn add(&self, piece: Bytes) -> Result<(), BackupError> {
        self.queue.send(Order::Add(self.file, piece)).map_err(|_| gone())
    }

    /// The hash of all that was added.
    pub(super) fn finish(&self) -> Result<[u8; 32], BackupError> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        self.queue.send(Order::Finish(self.file, sender)).map_err(|_| gone())?;
        receiver.recv().map_err(|_| gone())
    }
}

impl Drop for FileDigest {
    fn drop(&mut self) {
        // If the thread is gone, there is nothing to forget.
        let _ = self.queue.send(Order::Forget(self.file));
    }
}

fn gone() -> BackupError {
    BackupError::Refused("the thread that works out hashes is gone; see the log".into())
}

/// The thread ends when nobody can give orders any more.
fn start() -> Result<Sender<Order>, BackupError> {
    let (queue, orders) = crossbeam_channel::bounded(WAITING_MAX);
    let work = move || {
        let mut hashers = HashMap::<u64, Sha256>::new();
        for order in orders {
            match order {
                Order::Add(file, piece) => hashers.entry(file).or_default().update(&piece),
                Order::Finish(file, sender) => {
                    let hasher = hashers.remove(&file).unwrap_or_default();
                    // Nobody may be there to hear it any more.
                    let _ = sender.send(hasher.finalize().into());
                }
                Order::Forget(file) => drop(hashers.remove(&file)),
            }
        }
    };
    let started = thread::Builder::new().name("backup-hashes".to_owned()).spawn(work);
    started.map_err(|error| BackupError::Refused(format!("no thread: {error}")))?;
    Ok(queue)
}
