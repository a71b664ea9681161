//! Lines while something goes on for long.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use super::book::Shared;
use crate::process::{memory_of, written_bytes_of};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// Takes lines.
pub type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// Does some work, and says meanwhile how far the writes are and what the server takes.
pub(super) fn while_working<T>(
    say: Say<'_>,
    pid: u32,
    book: &Shared,
    work: impl FnOnce() -> T,
) -> T {
    thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        scope.spawn(move || {
            let started = Instant::now();
            let mut before = Look::now(pid, book);
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let look = Look::now(pid, book);
                say(&format!(
                    "{:>7.0} s: {}",
                    started.elapsed().as_secs_f64(),
                    look.since(&before)
                ));
                before = look;
            }
        });
        let done = work();
        drop(stop);
        done
    })
}

/// What is known at one moment.
struct Look {
    at: Instant,
    answered: u64,
    answered_bytes: u64,
    refusals: u64,
    stalled: Duration,
    written_bytes: u64,
    pid: u32,
}

impl Look {
    fn now(pid: u32, book: &Shared) -> Self {
        let book = book.open();
        Self {
            at: Instant::now(),
            answered: book.answered_count(),
            answered_bytes: book.answered_bytes,
            refusals: book.refusals,
            stalled: book.stalled,
            written_bytes: written_bytes_of(pid),
            pid,
        }
    }

    fn since(&self, before: &Self) -> String {
        let seconds = (self.at - before.at).as_secs_f64();
        let mega = |bytes: u64| bytes as f64 / seconds / 1e6;
        let memory = memory_of(self.pid);
        format!(
            "{} writes, {:.0}/s, {:.1} MB/s; the server writes {:.1} MB/s, resident {} MiB \
             (anonymous {}), stalled {:.1} s, refused {}",
            self.answered,
            (self.answered - before.answered) as f64 / seconds,
            mega(self.answered_bytes - before.answered_bytes),
            mega(self.written_bytes - before.written_bytes),
            memory.resident_bytes >> 20,
            memory.anonymous_bytes >> 20,
            (self.stalled - before.stalled).as_secs_f64(),
            self.refusals - before.refusals,
        )
    }
}
