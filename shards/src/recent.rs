//! What happened lately: lines of requests and warnings, kept in memory by each reactor for whoever asks.
//!
//! ```text
//! sequence = microseconds since 1970, by a clock that never goes back ‖ number of the reactor (8 bits)
//! ```
//!
//! Always true:
//! - Each line has one sequence number; those of a reactor grow, and those of two reactors differ.
//! - What a reactor has given as its horizon is above all lines that it has, and not above any that comes later. So whoever asks
//!   again for what is at or above the least of all horizons misses nothing and gets nothing twice.

mod line;
mod notes;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::utc::unix_time;

pub use self::{
    line::{RequestLine, Verb},
    notes::Notes,
};

/// Lines that are kept, by each reactor, and given in one answer.
pub const LINES_MAX: usize = 256;

/// The clock that all reactors number their lines by.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    instant: Instant,
    micros: u64,
}

impl Base {
    /// As the system's clock is now.
    pub fn now() -> Self {
        Self { instant: Instant::now(), micros: micros(unix_time()) }
    }

    fn at(&self, instant: Instant) -> u64 {
        self.micros + micros(instant.saturating_duration_since(self.instant))
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub sequence: u64,
    /// When it happened, in milliseconds since 1970.
    pub unix_millis: u64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request ended.
    Request {
        /// Which.
        line: RequestLine,
        /// Time that it took.
        latency: Duration,
        /// It ended in an error.
        failed: bool,
    },
    /// A warning or an error of the log.
    Note(String),
}

/// The lines of one reactor.
pub struct Recent {
    base: Base,
    reactor: u64,
    /// The number of the last line, or what is above it because it was given as a horizon.
    last: u64,
    entries: VecDeque<Entry>,
    /// From the clock of the numbers to that of the system, which may be set: milliseconds to be added.
    offset_millis: i64,
}

/// A part of an answer: the lines of one reactor.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// All lines below are here.
    pub horizon: u64,
}

impl Recent {
    /// No lines yet.
    pub fn new(base: Base, reactor: usize) -> Self {
        let entries = VecDeque::with_capacity(LINES_MAX);
        Self { base, reactor: reactor as u64 & 0xff, last: 0, entries, offset_millis: 0 }
    }

    /// Follows the system's clock; to be called now and then.
    pub fn set_clock(&mut self, now: Instant) {
        let (system, ours) = (micros(unix_time()) / 1000, self.base.at(now) / 1000);
        self.offset_millis = system as i64 - ours as i64;
    }

    /// Takes a line of what ended at `now`.
    pub fn push(&mut self, event: Event, now: Instant) {
        let micros = self.base.at(now);
        let sequence = self.number(micros);
        let unix_millis = (micros / 1000).saturating_add_signed(self.offset_millis);
        self.keep(Entry { sequence, unix_millis, event });
    }

    /// Takes a warning, which has waited for this.
    pub fn note(&mut self, text: String, unix_millis: u64, now: Instant) {
        let sequence = self.number(self.base.at(now));
        self.keep(Entry { sequence, unix_millis, event: Event::Note(text) });
    }

    /// The lines from a number on, and how far they are complete.
    pub fn since(&mut self, from: u64, now: Instant) -> Share {
        let horizon = self.number(self.base.at(now));
        // The next line is at the horizon or above.
        self.last = horizon - 1;
        let begin = self.entries.partition_point(|entry| entry.sequence < from);
        Share { entries: self.entries.range(begin..).cloned().collect(), horizon }
    }

    fn keep(&mut self, entry: Entry) {
        self.last = entry.sequence;
        if self.entries.len() == LINES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The least number of this reactor that is above the last and not before this time.
    fn number(&self, micros: u64) -> u64 {
        let number = (micros << 8) | self.reactor;
        if number > self.last { number } else { (((self.last >> 8) + 1) << 8) | self.reactor }
    }
}

/// The last `count` lines of all reactors in the order of their numbers, and the number to go on from.
pub fn merge(shares: Vec<Share>, count: usize) -> (Vec<Entry>, u64) {
    let horizon = shares.iter().map(|share| share.horizon).min().unwrap_or_default();
    let mut entries: Vec<_> = shares.into_iter().flat_map(|share| share.entries).collect();
    // What is above is whole the next time.
    entries.retain(|entry| entry.sequence < horizon);
    entries.sort_by_key(|entry| entry.sequence);
    entries.drain(..entries.len().saturating_sub(count));
    (entries, horizon)
}

/// In five hundred thousand years it is at its end.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[Entry]) -> Vec<&str> {
        let text = |entry: &Entry| match &entry.event {
            Event::Note(text) => text.clone(),
            Event::Request { .. } => panic!("only notes here"),
        };
        entries.iter().map(text).map(String::leak).map(|text| &*text).collect()
    }

    fn push(recent: &mut Recent, text: &str, now: Instant) {
        recent.push(Event::Note(text.to_owned()), now);
    }

    #[test]
    fn numbers_grow_also_within_a_microsecond_and_when_the_clock_stands() {
        let base = Base::now();
        let mut recent = Recent::new(base, 1);
        for _ in 0..10 {
            push(&mut recent, "x", base.instant);
        }
        let share = recent.since(0, base.instant);
        let numbers: Vec<_> = share.entries.iter().map(|entry| entry.sequence).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert!(numbers.iter().all(|number| number & 0xff == 1));
        assert!(share.horizon > numbers[9]);
    }

    #[test]
    fn the_last_lines_are_kept() {
        let base = Base::now();
        let mut recent = Recent::new(base, 0);
        for line in 0..LINES_MAX + 10 {
            push(&mut recent, &line.to_string(), base.instant);
        }
        let share = recent.since(0, base.instant);
        assert_eq!(share.entries.len(), LINES_MAX);
        assert_eq!(texts(&share.entries)[0], "10");
    }

    /// Two reactors whose lines and answers come in any order: each line is given once.
    #[test]
    fn whoever_follows_misses_nothing_and_gets_nothing_twice() {
        let base = Base::now();
        let at = |micros| base.instant + Duration::from_micros(micros);
        let mut reactors = [Recent::new(base, 0), Recent::new(base, 1)];
        let (mut from, mut given, mut pushed) = (0, Vec::new(), Vec::new());
        let mut time = 0;
        for round in 0..200u64 {
            let mut shares = Vec::new();
            for (number, reactor) in reactors.iter_mut().enumerate() {
                for line in 0..round % 3 {
                    time += (round * 7 + line) % 2;
                    let text = format!("{round} {number} {line}");
                    push(reactor, &text, at(time));
                    pushed.push(text);
                }
                shares.push(reactor.since(from, at(time)));
                let text = format!("{round} {number} after");
                push(reactor, &text, at(time));
                pushed.push(text);
            }
            let (entries, next) = merge(shares, LINES_MAX);
            given.extend(texts(&entries).into_iter().map(str::to_owned));
            from = next;
        }
        let shares = reactors.iter_mut().map(|one| one.since(from, at(time + 1_000_000))).collect();
        given.extend(texts(&merge(shares, LINES_MAX).0).into_iter().map(str::to_owned));
        given.sort();
        pushed.sort();
        assert_eq!(given, pushed);
    }

    #[test]
    fn the_count_is_of_the_newest_lines() {
        let base = Base::now();
        let mut recent = Recent::new(base, 0);
        for line in ["a", "b", "c"] {
            push(&mut recent, line, base.instant);
        }
        let (entries, _) = merge(vec![recent.since(0, base.instant)], 2);
        assert_eq!(texts(&entries), ["b", "c"]);
    }
}
