//! Work that takes long, beside the reactor instead of on it: merges, flushes, checks of whole files.
//!
//! ```text
//!  reactor                               background thread: SCHED_IDLE, the same core
//!  run(urgency, work) ──── channel ────► the most urgent work goes on until it is done or gives way
//!     ▲                                        │ over a disk whose calls block
//!     └──────── result, or that it was lost ◄──┘
//! ```
//!
//! A thread of the lowest priority runs only when the reactor has nothing to do, and is put aside within microseconds when
//! it has. Work gives way by its [`Pace`]: a flush does not wait for the end of a merge. A panic is an error of that work
//! only. Whoever drops the result gives the work up: its pace says so.

mod pace;
mod reply;
mod thread;

pub(super) use pace::{GivenUp, Pace};
pub(super) use thread::{BackgroundThread, work_quietly};

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::LocalBoxFuture;

use self::reply::{Door, Ending};
use super::disk::Disk;

/// Whose work comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Writers wait for it.
    Flush,
    /// Readers gain by it.
    Compaction,
    /// Nobody waits for it.
    Care,
}

/// What work is done with.
pub(super) struct Desk {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) pace: Pace,
}

#[cfg(test)]
impl Desk {
    /// For work that is done by a test itself.
    pub(super) fn alone(disk: Rc<dyn Disk>) -> Self {
        Self { disk, pace: Pace::new(Arc::default()) }
    }

    pub(super) fn give_up(&self) {
        self.pace.give_up();
    }
}

/// Where work is done.
pub(super) trait Background {
    /// Takes work. The future is to be polled by whoever waits for the result; it is ready at once where the work is done
    /// elsewhere.
    fn take(&self, work: Work) -> LocalBoxFuture<'static, ()>;
}

/// Work on its way to where it is done.
pub(super) struct Work {
    urgency: Urgency,
    ending: Ending,
    begin: Box<dyn FnOnce(Desk) -> LocalBoxFuture<'static, ()> + Send>,
}

/// The work ended without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// It panicked.
    #[error("background work panicked: {0}")]
    Panicked(String),
    /// The background has been stopped.
    #[error("background work was stopped")]
    Stopped,
}

/// Has `work` done. It is under way when this returns; the future waits for its result.
pub(super) fn run<T, F, W>(
    background: &dyn Background,
    urgency: Urgency,
    work: W,
) -> impl Future<Output = Result<T, Lost>> + use<T, F, W>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
    W: FnOnce(Desk) -> F + Send + 'static,
{
    let (promise, mut result, ending) = reply::pair();
    let begin = move |desk| -> LocalBoxFuture<'static, ()> {
        let work = work(desk);
        Box::pin(async move { promise.keep(work.await) })
    };
    let mut here = background.take(Work { urgency, ending, begin: Box::new(begin) });
    let mut is_done = false;
    poll_fn(move |cx| {
        is_done = is_done || here.as_mut().poll(cx).is_ready();
        result.poll(cx)
    })
}

/// Work that has been begun.
struct Job {
    urgency: Urgency,
    future: LocalBoxFuture<'static, ()>,
    /// Dropped last: what the work holds goes before anybody hears of the end.
    ending: Ending,
}

impl Job {
    /// `None` if it panicked at once.
    fn begin(work: Work, disk: &Rc<dyn Disk>) -> Option<Self> {
        let Work { urgency, ending, begin } = work;
        let desk = Desk { disk: Rc::clone(disk), pace: Pace::new(Arc::clone(&ending.0)) };
        let future = contained(&ending.0, || begin(desk))?;
        Some(Self { urgency, future, ending })
    }

    /// Goes on with it. Ready when it has ended, well or not.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let future = &mut self.future;
        contained(&self.ending.0, || future.as_mut().poll(cx)).unwrap_or(Poll::Ready(()))
    }
}

/// Runs a piece of work; a panic is noted for who waits at `door`.
fn contained<T>(door: &Door, piece: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(piece)) {
        Ok(result) => Some(result),
        Err(panic) => {
            let message = panic_message(&*panic);
            tracing::error!("background work panicked: {message}");
            door.note_panic(message);
            None
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Does work where it is waited for: the twin of the thread for simulated disks.
#[cfg(any(test, feature = "sim"))]
pub(super) struct Inline(pub(super) Rc<dyn Disk>);

#[cfg(any(test, feature = "sim"))]
impl Background for Inline {
    fn take(&self, work: Work) -> LocalBoxFuture<'static, ()> {
        let mut job = Job::begin(work, &self.0);
        Box::pin(poll_fn(move |cx| {
            let Some(running) = &mut job else { return Poll::Ready(()) };
            let polled = running.poll(cx);
            if polled.is_ready() {
                job = None;
            }
            polled
        }))
    }
}

#[cfg(test)]
mod tests;
