//! The audit: what was decided and done, on its way from whoever did it to the one thread that writes it down.
//!
//! ```text
//! reactor 0 ───► queue of EVENTS_MAX ─┐
//! reactor 1 ───► queue               ─┼─► Outlet ─► the writer (root)
//! the process ─► queue               ─┘
//! ```
//!
//! Always true:
//! - Nobody who records waits: an event is queued, or it is not and its queue counts that.
//! - The events of a queue are taken in the order in which they were recorded; what is missing is counted before anything that
//!   came later is taken.
//! - With [`Rules::fail_closed`], whoever is told that an event was not taken does not do what it is about.

mod event;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence},
    },
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use self::event::{Event, Kind, Result as AuditResult, Who};
use crate::failure::Failure;

/// Events that may wait in a queue: half a megabyte of memory at most, and what the texts of events take.
pub const EVENTS_MAX: usize = 4096;

/// What is recorded beside what always is: refused credentials, denied requests, admin commands, changes of the
/// configuration, and violations of security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Anything at all.
    pub enabled: bool,
    /// Credentials that were accepted, once for each connection that shows them.
    pub logins: bool,
    /// Requests that may write.
    pub writes: bool,
    /// Requests that may read.
    pub reads: bool,
    /// The keys of requests, beside their collections.
    pub keys: bool,
    /// What cannot be recorded is not done.
    pub fail_closed: bool,
}

/// The audit of a process. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Shared>);

/// The end at which events are taken; there is one.
#[derive(Debug)]
pub struct Outlet(Audit);

#[derive(Debug)]
struct Shared {
    rules: AtomicU32,
    /// One for each reactor, and one for the rest of the process.
    queues: Vec<Queue>,
    writer: OnceLock<Thread>,
    is_asleep: AtomicBool,
    lines: [AtomicU64; Kind::ALL.len()],
    failures: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    dropped: AtomicU64,
    refused: AtomicU64,
}

const ENABLED: u32 = 1;
const LOGINS: u32 = 2;
const WRITES: u32 = 4;
const READS: u32 = 8;
const KEYS: u32 = 16;
const FAIL_CLOSED: u32 = 32;
/// The writer cannot write.
const FAILING: u32 = 64;

impl Audit {
    /// For so many reactors.
    pub fn new(reactors: usize) -> (Self, Outlet) {
        let queue = |_| {
            let (sender, receiver) = bounded(EVENTS_MAX);
            Queue { sender, receiver, dropped: AtomicU64::new(0), refused: AtomicU64::new(0) }
        };
        let shared = Shared {
            rules: AtomicU32::new(0),
            queues: (0..=reactors).map(queue).collect(),
            writer: OnceLock::new(),
            is_asleep: AtomicBool::new(false),
            lines: Default::default(),
            failures: AtomicU64::new(0),
        };
        let audit = Self(Arc::new(shared));
        (audit.clone(), Outlet(audit))
    }

    /// From now on, this is recorded.
    pub fn set(&self, rules: Rules) {
        let Rules { enabled, logins, writes, reads, keys, fail_closed } = rules;
        let bits = [
            (enabled, ENABLED),
            (enabled && logins, LOGINS),
            (enabled && writes, WRITES),
            (enabled && reads, READS),
            (enabled && keys, KEYS),
            (enabled && fail_closed, FAIL_CLOSED),
        ];
        let bits = bits.into_iter().filter(|(is_on, _)| *is_on).map(|(_, bit)| bit).sum::<u32>();
        let change = |old: u32| Some((old & FAILING) | bits);
        // It does not fail: there is always something to change to.
        let _ = self.0.rules.fetch_update(Relaxed, Relaxed, change);
    }

    fn is_set(&self, bit: u32) -> bool {
        self.0.rules.load(Relaxed) & bit != 0
    }

    /// Whether anything is recorded.
    pub fn is_enabled(&self) -> bool {
        self.is_set(ENABLED)
    }

    /// Whether accepted credentials are recorded.
    pub fn wants_logins(&self) -> bool {
        self.is_set(LOGINS)
    }

    /// Whether requests that may write are recorded.
    pub fn wants_writes(&self) -> bool {
        self.is_set(WRITES)
    }

    /// Whether requests that may read are recorded.
    pub fn wants_reads(&self) -> bool {
        self.is_set(READS)
    }

    /// Whether keys stand beside collections.
    pub fn wants_keys(&self) -> bool {
        self.is_set(KEYS)
    }

    /// Whether requests that must be recorded are not done at the moment.
    pub fn is_closed(&self) -> bool {
        let rules = self.0.rules.load(Relaxed);
        rules & FAIL_CLOSED != 0 && rules & FAILING != 0
    }

    /// Records what happens on a reactor, if anything is recorded.
    ///
    /// # Errors
    /// [`Failure::Unrecorded`]: it could not be, so it must not happen.
    pub(crate) fn record(
        &self,
        reactor: usize,
        event: impl FnOnce() -> Event,
    ) -> Result<(), Failure> {
        if !self.is_enabled() {
            return Ok(());
        }
        if self.is_closed() {
            self.0.queues[reactor].refused.fetch_add(1, Relaxed);
            return Err(Failure::Unrecorded);
        }
        self.push(reactor, event())
    }

    /// Records what happens in the rest of the process, which happens in any case.
    pub fn note(&self, event: Event) {
        if self.is_enabled() {
            let _ = self.push(self.0.queues.len() - 1, event);
        }
    }

    fn push(&self, queue: usize, event: Event) -> Result<(), Failure> {
        let queue = &self.0.queues[queue];
        if queue.sender.try_send(event).is_ok() {
            self.wake();
            return Ok(());
        }
        if self.is_set(FAIL_CLOSED) {
            queue.refused.fetch_add(1, Relaxed);
            return Err(Failure::Unrecorded);
        }
        queue.dropped.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Makes the writer look, if it sleeps.
    pub fn wake(&self) {
        // Either it sees the event, or this sees that it sleeps.
        fence(SeqCst);
        if self.0.is_asleep.load(Relaxed)
            && self.0.is_asleep.swap(false, Relaxed)
            && let Some(writer) = self.0.writer.get()
        {
            writer.unpark();
        }
    }

    /// Lines of a kind that were written since the start.
    pub fn lines(&self, kind: Kind) -> u64 {
        self.0.lines[kind as usize].load(Relaxed)
    }

    /// Times that lines could not be written.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Relaxed)
    }

    /// Whether the last lines could not be written.
    pub fn is_failing(&self) -> bool {
        self.is_set(FAILING)
    }

    /// Events that are in no line, because their queue was full.
    pub fn dropped(&self) -> u64 {
        self.0.queues.iter().map(|queue| queue.dropped.load(Relaxed)).sum()
    }

    /// Requests that were not done, because they could not be recorded.
    pub fn refused(&self) -> u64 {
        self.0.queues.iter().map(|queue| queue.refused.load(Relaxed)).sum()
    }

    /// Events that wait.
    pub fn waiting(&self) -> usize {
        self.0.queues.iter().map(|queue| queue.receiver.len()).sum()
    }
}

impl Outlet {
    /// The audit of which this is the end.
    pub fn audit(&self) -> &Audit {
        &self.0
    }

    /// How many queues there are. The last is that of the process, the others are those of the reactors.
    pub fn queues(&self) -> usize {
        self.0.0.queues.len()
    }

    /// The next event of a queue.
    pub fn take(&self, queue: usize) -> Option<Event> {
        self.0.0.queues[queue].receiver.try_recv().ok()
    }

    /// How many events a queue has not taken since the start.
    pub fn dropped(&self, queue: usize) -> u64 {
        self.0.0.queues[queue].dropped.load(Relaxed)
    }

    /// How many events wait in a queue.
    pub fn waiting(&self, queue: usize) -> usize {
        self.0.0.queues[queue].receiver.len()
    }

    /// A line of a kind was written.
    pub fn wrote(&self, kind: Kind) {
        self.0.0.lines[kind as usize].fetch_add(1, Relaxed);
    }

    /// Whether lines could be written.
    pub fn could_write(&self, could: bool) {
        if could {
            self.0.0.rules.fetch_and(!FAILING, Relaxed);
        } else {
            self.0.0.rules.fetch_or(FAILING, Relaxed);
            self.0.0.failures.fetch_add(1, Relaxed);
        }
    }

    /// Sleeps until there may be something to do; for one thread only, the writer.
    pub fn sleep(&self, longest: Duration, is_idle: impl FnOnce() -> bool) {
        let shared = &self.0.0;
        shared.writer.get_or_init(thread::current);
        shared.is_asleep.store(true, Relaxed);
        fence(SeqCst);
        if is_idle() {
            thread::park_timeout(longest);
        }
        shared.is_asleep.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event { unix_millis: number, ..Event::new(Kind::Admin, AuditResult::Success) }
    }

    const ALL: Rules = Rules {
        enabled: true,
        logins: true,
        writes: true,
        reads: true,
        keys: true,
        fail_closed: false,
    };

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_comes_in_order() {
        let (audit, outlet) = Audit::new(2);
        audit.set(ALL);
        for number in 0..EVENTS_MAX as u64 + 3 {
            audit.record(1, || event(number)).unwrap();
        }
        audit.record(0, || event(7)).unwrap();
        audit.note(event(8));
        assert_eq!((audit.waiting(), audit.dropped()), (EVENTS_MAX + 2, 3));
        assert_eq!([0, 1, 2].map(|queue| outlet.dropped(queue)), [0, 3, 0]);
        for number in 0..EVENTS_MAX as u64 {
            assert_eq!(outlet.take(1).map(|event| event.unix_millis), Some(number));
        }
        assert_eq!(outlet.take(1), None);
        assert_eq!(outlet.take(0).map(|event| event.unix_millis), Some(7));
        assert_eq!(outlet.take(2).map(|event| event.unix_millis), Some(8));
    }

    #[test]
    fn nothing_is_taken_before_it_is_wanted() {
        let (audit, outlet) = Audit::new(1);
        audit.record(0, || unreachable!("nobody wants it")).unwrap();
        audit.note(event(1));
        audit.set(Rules { enabled: false, ..ALL });
        assert!(!audit.wants_writes() && !audit.is_enabled() && !audit.wants_keys());
        assert_eq!((outlet.take(0), outlet.take(1)), (None, None));
    }

    #[test]
    fn fail_closed_refuses_while_the_writer_fails_or_is_behind() {
        let (audit, outlet) = Audit::new(1);
        audit.set(Rules { fail_closed: true, ..ALL });
        outlet.could_write(false);
        assert!(audit.is_closed());
        assert!(matches!(audit.record(0, || event(1)), Err(Failure::Unrecorded)));
        // What the process does happens in any case.
        audit.note(event(2));
        assert!(outlet.take(1).is_some());
        audit.set(ALL);
        assert!(!audit.is_closed() && audit.is_failing());
        audit.record(0, || event(3)).unwrap();
        audit.set(Rules { fail_closed: true, ..ALL });
        outlet.could_write(true);
        (1..EVENTS_MAX as u64).for_each(|n| audit.record(0, || event(n)).unwrap());
        assert!(matches!(audit.record(0, || event(4)), Err(Failure::Unrecorded)));
        assert_eq!((audit.refused(), audit.dropped(), audit.failures()), (2, 0, 1));
    }

    #[test]
    fn a_writer_that_sleeps_is_woken() {
        let (audit, outlet) = Audit::new(1);
        audit.set(ALL);
        let writer = thread::spawn(move || {
            while outlet.take(0).is_none() {
                outlet.sleep(Duration::from_secs(60), || outlet.audit().waiting() == 0);
            }
        });
        audit.record(0, || event(1)).unwrap();
        writer.join().unwrap();
    }

    #[test]
    fn the_refusal_has_none_of_the_words_that_clients_stumble_over() {
        let text = Failure::Unrecorded.to_string();
        assert!(!crate::failure::is_stumbled_over(&text), "{text}");
    }
}
