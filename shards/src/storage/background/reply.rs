//! The way back from a background thread: one result, or the news that there will be none.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender};

use super::Lost;

/// What both ends share.
#[derive(Default)]
pub(super) struct Door {
    waiter: AtomicWaker,
    /// Nobody waits any more.
    given_up: AtomicBool,
    /// Nobody works any more.
    ended: AtomicBool,
    panic: OnceLock<String>,
}

/// Held as long as the work may go on. When it is dropped, whoever waits is told.
pub(super) struct Ending(pub(super) Arc<Door>);

/// The end of who works.
pub(super) struct Promise<T>(Sender<T>);

/// The end of who waits. Dropped, it gives the work up.
pub(super) struct Waiting<T> {
    door: Arc<Door>,
    receiver: Receiver<T>,
}

pub(super) fn pair<T>() -> (Promise<T>, Waiting<T>, Ending) {
    let door = Arc::new(Door::default());
    let (sender, receiver) = crossbeam_channel::bounded(1);
    (Promise(sender), Waiting { door: Arc::clone(&door), receiver }, Ending(door))
}

impl Door {
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// The first one counts.
    pub(super) fn note_panic(&self, message: String) {
        let _ = self.panic.set(message);
    }
}

impl<T> Promise<T> {
    pub(super) fn keep(self, result: T) {
        // Nobody may be there to hear it any more.
        let _ = self.0.send(result);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.waiter.wake();
    }
}

impl<T> Waiting<T> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Lost>> {
        self.door.waiter.register(cx.waker());
        // In this order: what is sent before the end is there when the end is seen.
        let has_ended = self.door.ended.load(Ordering::Acquire);
        match self.receiver.try_recv() {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(_) if has_ended => {
                let panic = self.door.panic.get().cloned();
                Poll::Ready(Err(panic.map_or(Lost::Stopped, Lost::Panicked)))
            }
            Err(_) => Poll::Pending,
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.door.give_up();
    }
}
