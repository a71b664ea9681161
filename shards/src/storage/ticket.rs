//! A promise to a writer: it is kept when the group that carries the write is durable, as far as the sync mode says,
//! and visible.

use std::{
    cell::{OnceCell, RefCell},
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::StorageError;

/// Resolves with the group of the write it was given for. Cheap to clone; all clones resolve alike.
#[derive(Clone)]
pub struct Ticket(Option<Rc<Outcome>>);

/// What became of a group, and who waits to hear it. Set once.
#[derive(Default)]
pub(super) struct Outcome {
    result: OnceCell<Result<(), StorageError>>,
    waiters: RefCell<Vec<Waker>>,
}

impl Ticket {
    /// For what is durable and visible already.
    pub(super) fn resolved() -> Self {
        Self(None)
    }

    pub(super) fn new(outcome: &Rc<Outcome>) -> Self {
        Self(Some(Rc::clone(outcome)))
    }

    /// Whether [`Ticket::poll`] would be ready.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|outcome| outcome.result.get().is_some())
    }

    /// The result, or a promise to wake the task. May be polled again after it was ready.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), StorageError>> {
        let Some(outcome) = &self.0 else { return Poll::Ready(Ok(())) };
        if let Some(result) = outcome.result.get() {
            return Poll::Ready(result.clone());
        }
        let mut waiters = outcome.waiters.borrow_mut();
        // One task often holds many tickets of a group and polls them in a row.
        if !waiters.last().is_some_and(|waiter| waiter.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Future for Ticket {
    type Output = Result<(), StorageError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Ticket::poll(&self, cx)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("done", &self.is_done()).finish()
    }
}

impl Outcome {
    /// Tells all who wait. The first word counts.
    pub(super) fn settle(&self, result: Result<(), StorageError>) {
        if self.result.set(result).is_ok() {
            self.waiters.take().into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU32);

    impl std::task::Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_with_many_tickets_of_a_group_is_woken_once() {
        let (mine, other) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
        let (my_waker, other_waker) =
            (Waker::from(Arc::clone(&mine)), Waker::from(Arc::clone(&other)));
        let outcome = Rc::new(Outcome::default());
        let tickets: Vec<Ticket> = (0..1000).map(|_| Ticket::new(&outcome)).collect();
        for ticket in &tickets {
            assert!(ticket.poll(&mut Context::from_waker(&my_waker)).is_pending());
        }
        assert_eq!(outcome.waiters.borrow().len(), 1);
        assert!(tickets[0].poll(&mut Context::from_waker(&other_waker)).is_pending());
        outcome.settle(Ok(()));
        assert_eq!(mine.0.load(Ordering::Relaxed), 1);
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
        assert!(tickets.iter().all(Ticket::is_done));
    }

    #[test]
    fn the_first_outcome_stays() {
        let outcome = Rc::new(Outcome::default());
        outcome.settle(Err(StorageError::Closed { shard: 3 }));
        outcome.settle(Ok(()));
        let ticket = Ticket::new(&outcome);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(
            ticket.poll(&mut cx),
            Poll::Ready(Err(StorageError::Closed { shard: 3 }))
        ));
        assert!(Ticket::resolved().poll(&mut cx).is_ready());
    }
}
