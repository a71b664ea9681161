//! A bell between tasks of one core: rung before or after the wait, it is heard once.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

/// One bell with one listener.
#[derive(Default)]
pub(super) struct Signal {
    raised: Cell<bool>,
    listener: RefCell<Option<Waker>>,
}

impl Signal {
    pub(super) fn raise(&self) {
        self.raised.set(true);
        let listener = self.listener.take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Ready once it has been raised since the last time.
    pub(super) async fn wait(&self) {
        poll_fn(|cx| {
            if self.raised.take() {
                return Poll::Ready(());
            }
            self.listener.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
