//! How background work lets others have their turn, and learns that nobody wants it any more.

use std::{cell::Cell, future::poll_fn, sync::Arc, task::Poll};

use super::reply::Door;

/// Work of about so many bytes goes on without giving way: a fraction of a millisecond.
const TURN_BYTES: u64 = 256 * 1024;

/// One piece of work's sense of time.
pub(in crate::storage) struct Pace {
    door: Arc<Door>,
    spent: Cell<u64>,
}

/// Nobody waits for the result any more; the work is to clean up and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for this work any more")]
pub(in crate::storage) struct GivenUp;

impl Pace {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { door, spent: Cell::new(0) }
    }

    #[cfg(test)]
    pub(super) fn give_up(&self) {
        self.door.give_up();
    }

    /// To be called along the way, with the bytes that were worked on since the last time.
    pub(in crate::storage) async fn spend(&self, bytes: u64) -> Result<(), GivenUp> {
        let spent = self.spent.get() + bytes;
        self.spent.set(spent % TURN_BYTES);
        if spent >= TURN_BYTES {
            let mut has_given_way = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut has_given_way, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        if self.door.is_given_up() { Err(GivenUp) } else { Ok(()) }
    }
}
