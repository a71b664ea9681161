//! The way back from a background thread: one result, or the news that there will be none.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::Lost;

/// What both ends share.
#[derive(Default)]
pub(super) struct Door {
    waiter: AtomicWaker,
    given_up: AtomicBool,
    panic: OnceLock<String>,
}

/// The end of who works. Dropped without a result, it says so.
pub(super) struct Promise<T> {
    door: Arc<Door>,
    sender: Option<Sender<T>>,
}

/// The end of who waits. Dropped, it gives the work up.
pub(super) struct Waiting<T> {
    door: Arc<Door>,
    receiver: Receiver<T>,
}

pub(super) fn pair<T>() -> (Promise<T>, Waiting<T>) {
    let door = Arc::new(Door::default());
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let promise = Promise { door: Arc::clone(&door), sender: Some(sender) };
    (promise, Waiting { door, receiver })
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
    pub(super) fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    pub(super) fn keep(self, result: T) {
        if let Some(sender) = &self.sender {
            // Nobody may be there to hear it any more.
            let _ = sender.send(result);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // The channel closes before the waiter looks.
        self.sender = None;
        self.door.waiter.wake();
    }
}

impl<T> Waiting<T> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Lost>> {
        self.door.waiter.register(cx.waker());
        match self.receiver.try_recv() {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => {
                let panic = self.door.panic.get().cloned();
                Poll::Ready(Err(panic.map_or(Lost::Stopped, Lost::Panicked)))
            }
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.door.give_up();
    }
}
