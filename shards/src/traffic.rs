//! Which keys are asked for most and which values are largest, as one reactor sees it: what operators ask when one key or one
//! client slows down everybody. `docs/reference/admin.md` says what the figures mean.
//!
//! ```text
//!                      ┌─ one of 32, by chance ─► heavy      keys with counts         ┐
//! request of one key ──┤                                                              ├─ of this window, and of the one before
//!                      └─ larger than the least ► largest    keys with lengths        ┘
//! ```
//!
//! Always true:
//! - A request that is not sampled costs one subtraction, a value that is not large one comparison; neither takes memory.
//! - What is kept is bounded, whatever keys there are: `heavy::KEYS_MAX` and `largest::VALUES_MAX` names of up to
//!   `name::KEY_BYTES_KEPT` bytes and a collection, twice.
//! - Windows of all reactors end at the same moments.
//! - A key is asked for on the reactor that owns its shard and nowhere else, so what reactors tell needs only to be put together.

mod chance;
mod heavy;
mod largest;
mod name;
mod share;

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

pub use self::share::{Answer, Share};
use self::{chance::gap, heavy::Heavy, largest::Largest, name::Name};
use crate::{dice::Dice, partition::Partition, utc::unix_millis};

/// Of so many requests one is sampled. A sample costs some 100 ns, so a request that may be one costs a few.
pub const SAMPLED_ONE_IN: u32 = 32;
/// Length of a window. There are figures of the last full one and of what came since.
const WINDOW: Duration = Duration::from_secs(30);

/// What a reactor sees of keys and values.
pub struct Traffic {
    partition: Partition,
    /// Requests until the next that is sampled.
    gap: Cell<u32>,
    /// Values with more bytes than this are among the largest.
    floor: Cell<usize>,
    /// Milliseconds since 1970, at the last tick.
    clock: Cell<u64>,
    /// When the process was started, from which windows are counted.
    started: Instant,
    seen: RefCell<Seen>,
}

/// The windows, and the chance that decides what is in them.
struct Seen {
    dice: Dice,
    now: Window,
    before: Option<Window>,
    /// When the next window begins.
    next: Instant,
}

/// What was seen from a moment on.
struct Window {
    begun: Instant,
    keys: Heavy,
    values: Largest,
}

impl Traffic {
    /// Nothing was seen yet.
    pub fn new(partition: Partition, seed: u64, started: Instant, now: Instant) -> Self {
        let (mut dice, next) = (Dice::new(seed), next_window(started, now));
        Self {
            partition,
            gap: Cell::new(gap(&mut dice, SAMPLED_ONE_IN)),
            floor: Cell::new(0),
            clock: Cell::new(unix_millis()),
            started,
            seen: RefCell::new(Seen { dice, now: Window::new(now), before: None, next }),
        }
    }

    /// A request asks for a key, or changes it.
    pub fn asked(&self, collection: &str, key: &[u8], writes: bool) {
        match self.gap.get().checked_sub(1) {
            Some(left) => self.gap.set(left),
            None => self.sample(collection, key, writes),
        }
    }

    /// A value of this key was read or written.
    pub fn moved(&self, collection: &str, key: &[u8], bytes: usize) {
        if bytes > self.floor.get() {
            self.keep(collection, key, bytes);
        }
    }

    /// Begins a new window when it is time for that; to be called regularly.
    pub fn tick(&self, now: Instant) {
        self.clock.set(unix_millis());
        let seen = &mut *self.seen.borrow_mut();
        if now < seen.next {
            return;
        }
        seen.next = next_window(self.started, now);
        let begun = seen.next - WINDOW;
        let emptied = seen.before.take().map(|window| window.emptied(begun));
        let fresh = emptied.unwrap_or_else(|| Window::new(begun));
        seen.before = Some(std::mem::replace(&mut seen.now, fresh));
        self.floor.set(0);
    }

    /// What was seen in both windows.
    pub fn share(&self, now: Instant) -> Share {
        let seen = self.seen.borrow();
        let windows = seen.before.iter().chain([&seen.now]);
        Share::of(&self.partition, windows, now)
    }

    #[cold]
    fn sample(&self, collection: &str, key: &[u8], writes: bool) {
        let seen = &mut *self.seen.borrow_mut();
        self.gap.set(gap(&mut seen.dice, SAMPLED_ONE_IN));
        seen.now.keys.count(Name { collection, key }, self.partition.hash(collection, key), writes);
    }

    #[cold]
    fn keep(&self, collection: &str, key: &[u8], bytes: usize) {
        let values = &mut self.seen.borrow_mut().now.values;
        let hash = self.partition.hash(collection, key);
        if values.note(Name { collection, key }, hash, bytes, self.clock.get()) {
            self.floor.set(values.floor());
        }
    }
}

/// When the window after that of `now` begins.
fn next_window(started: Instant, now: Instant) -> Instant {
    let ended = now.saturating_duration_since(started).as_millis() / WINDOW.as_millis();
    started + WINDOW * (ended as u32 + 1)
}

impl Window {
    fn new(begun: Instant) -> Self {
        Self { begun, keys: Heavy::default(), values: Largest::default() }
    }

    /// An empty one in the same memory.
    fn emptied(mut self, begun: Instant) -> Self {
        self.keys.clear();
        self.values.clear();
        Self { begun, ..self }
    }
}

#[cfg(test)]
mod tests;
