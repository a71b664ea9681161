//! What writers and readers know together: a ledger for each size of values, what was refused, how
//! long nothing was answered. And the numbers by which the driver names requests:
//!
//! ```text
//! bit 31   bits 30..0
//! large?   write (of a set), place (of a get)
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::ledger::Ledger;
use crate::script::KeySet;

/// Without an answer for so long, writers stand still.
const STALL: Duration = Duration::from_millis(100);
const LARGE: u32 = 1 << 31;

/// The two sizes of values that matter equally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Large,
    Small,
}

impl Size {
    /// The number of a request.
    pub(crate) fn request(self, number: u32) -> u32 {
        match self {
            Self::Large => number | LARGE,
            Self::Small => number,
        }
    }

    /// What a request's number means.
    pub(crate) fn of(request: u32) -> (Self, u32) {
        let size = if request & LARGE == 0 { Self::Small } else { Self::Large };
        (size, request & !LARGE)
    }
}

/// See the head of the file.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    large: Ledger,
    small: Ledger,
    /// Writes that were refused, each as often as it was.
    pub(crate) refusals: u64,
    /// Bytes of keys and values of answered writes.
    pub(crate) answered_bytes: u64,
    /// How long writers stood still, in all.
    pub(crate) stalled: Duration,
    answered_last: Option<Instant>,
}

impl Book {
    pub(crate) fn new(large: KeySet, small: KeySet) -> Self {
        Self {
            large: Ledger::new(large),
            small: Ledger::new(small),
            refusals: 0,
            answered_bytes: 0,
            stalled: Duration::ZERO,
            answered_last: None,
        }
    }

    pub(crate) fn ledger(&self, size: Size) -> &Ledger {
        match size {
            Size::Large => &self.large,
            Size::Small => &self.small,
        }
    }

    pub(crate) fn ledger_mut(&mut self, size: Size) -> &mut Ledger {
        match size {
            Size::Large => &mut self.large,
            Size::Small => &mut self.small,
        }
    }

    /// Begins a write.
    pub(crate) fn issue(&mut self, size: Size) -> u32 {
        size.request(self.ledger_mut(size).issue())
    }

    /// A write was answered.
    pub(crate) fn answer(&mut self, request: u32, now: Instant) {
        let (size, write) = Size::of(request);
        let ledger = self.ledger_mut(size);
        ledger.answer(write);
        self.answered_bytes += ledger.entry_bytes();
        let since = self.answered_last.replace(now).map_or(Duration::ZERO, |last| now - last);
        if since > STALL {
            self.stalled += since;
        }
    }

    /// A write was refused.
    pub(crate) fn refuse(&mut self, request: u32) {
        let (size, write) = Size::of(request);
        self.refusals += 1;
        self.ledger_mut(size).refuse(write);
    }

    /// The writers rest; that is no stall.
    pub(crate) fn rest(&mut self) {
        self.answered_last = None;
    }

    /// Begins a write again that was refused, if one was.
    pub(crate) fn issue_again(&mut self) -> Option<u32> {
        let mut sizes = [Size::Large, Size::Small].into_iter();
        let size = sizes.find(|size| self.ledger(*size).refused_count() > 0)?;
        Some(self.issue(size))
    }

    /// Whether writes wait to be tried again.
    pub(crate) fn has_refused(&self) -> bool {
        self.large.refused_count() + self.small.refused_count() > 0
    }

    pub(crate) fn answered_count(&self) -> u64 {
        u64::from(self.large.answered_count()) + u64::from(self.small.answered_count())
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.large.is_settled() && self.small.is_settled()
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.large.live_bytes() + self.small.live_bytes()
    }
}

/// The book, for several threads.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    pub(crate) fn new(book: Book) -> Self {
        Self(Arc::new(Mutex::new(book)))
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Book> {
        // No step of the book leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_between_answers_is_a_stall_unless_the_writers_rest() {
        let keys = KeySet { keys_count: 9, value_bytes: 1 };
        let mut book = Book::new(keys, keys);
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        for (at, rests) in [(0, false), (1, false), (1, true), (4, false)] {
            let request = book.issue(Size::Large);
            book.answer(request, start + at * second);
            if rests {
                book.rest();
            }
        }
        assert_eq!(book.stalled, second);
        assert_eq!((book.answered_count(), book.answered_bytes), (4, 4 * 21));
        assert!(book.is_settled());
    }

    #[test]
    fn a_request_says_of_which_size_it_is() {
        for size in [Size::Large, Size::Small] {
            assert_eq!(Size::of(size.request(77)), (size, 77));
        }
    }
}
