//! A clock that stands still until a test moves it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;

use super::Clock;

/// Shared hand of a simulated clock.
#[derive(Clone, Default)]
pub struct SimClock(Rc<Hand>);

#[derive(Default)]
struct Hand {
    now: Cell<Duration>,
    sleepers: RefCell<Vec<Waker>>,
}

impl SimClock {
    /// Moves time on, and wakes who slept.
    pub fn advance(&self, time: Duration) {
        self.0.now.set(self.0.now.get() + time);
        self.0.sleepers.take().into_iter().for_each(Waker::wake);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Duration {
        self.0.now.get()
    }

    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()> {
        let hand = Rc::clone(&self.0);
        let end = hand.now.get() + time;
        Box::pin(poll_fn(move |cx| {
            if hand.now.get() >= end {
                return Poll::Ready(());
            }
            hand.sleepers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        }))
    }
}
