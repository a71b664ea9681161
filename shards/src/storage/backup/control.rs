//! How long work of a job is to go on, how fast, and how far it is: shared by all threads that are at it.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};

use super::BackupError;

/// How long work is to go on, how fast, and how far it is.
#[derive(Debug)]
pub struct Control {
    /// Somebody asked for the end.
    cancelled: AtomicBool,
    /// A part of it has failed: the others need not go on.
    failed: AtomicBool,
    keys: AtomicU64,
    bytes: AtomicU64,
    bytes_total: AtomicU64,
    begun: Instant,
    /// Bytes a second; 0: as fast as it goes.
    rate: u64,
    spent: AtomicU64,
    /// Those who are too fast; whoever calls [`Control::tick`] wakes them.
    waiting: (Sender<Waker>, Receiver<Waker>),
}

impl Control {
    /// Of work that begins, for so many bytes a second at most; 0: as fast as it goes.
    #[must_use]
    pub fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self {
            cancelled: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            keys: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            begun: Instant::now(),
            rate,
            spent: AtomicU64::new(0),
            waiting: crossbeam_channel::unbounded(),
        })
    }

    /// Ends the work soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.tick();
    }

    /// Whether it is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed) || self.failed.load(Relaxed)
    }

    /// Ends all parts, because one of them has failed.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Relaxed);
        self.tick();
    }

    /// Begins anew after a failure.
    pub(crate) fn begin_again(&self) {
        self.failed.store(false, Relaxed);
        for number in [&self.keys, &self.bytes, &self.bytes_total] {
            number.store(0, Relaxed);
        }
    }

    /// Entries and bytes that are done, and about how many bytes there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64, u64) {
        (self.keys.load(Relaxed), self.bytes.load(Relaxed), self.bytes_total.load(Relaxed))
    }

    /// To be called every few milliseconds while work goes on.
    pub fn tick(&self) {
        self.waiting.1.try_iter().for_each(Waker::wake);
    }

    /// So many bytes more are to be expected.
    pub fn expect_bytes(&self, bytes: u64) {
        self.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(super) fn note(&self, keys: u64, bytes: u64) {
        self.keys.fetch_add(keys, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// An error if somebody wants it to end.
    pub(super) fn check(&self) -> Result<(), BackupError> {
        if self.is_cancelled() { Err(BackupError::Cancelled) } else { Ok(()) }
    }

    /// Waits until so many bytes more are not too fast.
    pub(in crate::storage) async fn spend(&self, bytes: u64) {
        self.spent.fetch_add(bytes, Relaxed);
        poll_fn(|cx| {
            if self.too_fast().is_none() || self.is_cancelled() {
                return Poll::Ready(());
            }
            let _ = self.waiting.0.send(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The same on a thread that may sleep.
    #[expect(clippy::disallowed_methods, reason = "for threads that do nothing else")]
    pub(super) fn spend_here(&self, bytes: u64) {
        const NAP_MAX: Duration = Duration::from_millis(50);

        self.spent.fetch_add(bytes, Relaxed);
        while let Some(early) = self.too_fast().filter(|_| !self.is_cancelled()) {
            std::thread::sleep(early.min(NAP_MAX));
        }
    }

    /// How much too early it is for what has been done.
    fn too_fast(&self) -> Option<Duration> {
        if self.rate == 0 {
            return None;
        }
        let due = Duration::from_secs_f64(self.spent.load(Relaxed) as f64 / self.rate as f64);
        due.checked_sub(self.begun.elapsed()).filter(|early| !early.is_zero())
    }
}
