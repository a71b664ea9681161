//! How many connections each address has open, over all reactors.
//!
//! ```text
//! address ─► a counter in each of ROWS rows, by a hash of its own ─► the least of them is the count, or more
//! ```
//!
//! A count-min sketch (Cormode & Muthukrishnan, 2005): fixed memory, no locks, whatever addresses come. A count is never too
//! low; it is too high only if other addresses share all its counters, which of ten thousand addresses two in a million do.
//! The hash is secret, so nobody can choose addresses to that end.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

use crate::throttle::source;

const ROWS: usize = 4;
/// A power of two. The counters take 4 MiB.
const COLUMNS: usize = 256 * 1024;

/// The counts.
pub struct Sources {
    /// `limits.connections_per_address`; 0: no bound.
    max: AtomicUsize,
    hasher: RandomState,
    /// Row by row.
    counters: Box<[AtomicU32]>,
}

impl Sources {
    /// No connections.
    pub fn new(max: usize) -> Self {
        let counters = (0..ROWS * COLUMNS).map(|_| AtomicU32::new(0)).collect();
        Self { max: AtomicUsize::new(max), hasher: RandomState::new(), counters }
    }

    /// From now on; connections that are open stay.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// Counts a connection in, unless its address has as many as it may.
    pub fn enter(&self, address: IpAddr) -> bool {
        let max = self.max.load(Relaxed);
        let before = self.counters(address).map(|counter| counter.fetch_add(1, Relaxed)).min();
        // Two that come at once see each other, so there are never more.
        let is_over = max > 0 && before.is_some_and(|before| before as usize >= max);
        if is_over {
            self.leave(address);
        }
        !is_over
    }

    /// Counts one out that was counted in.
    pub fn leave(&self, address: IpAddr) {
        self.counters(address).for_each(|counter| {
            counter.fetch_sub(1, Relaxed);
        });
    }

    fn counters(&self, address: IpAddr) -> impl Iterator<Item = &AtomicU32> {
        let address = source(address);
        (0..ROWS).map(move |row| {
            let column = self.hasher.hash_one((row, address)) as usize % COLUMNS;
            &self.counters[row * COLUMNS + column]
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + number).into())
    }

    #[test]
    fn an_address_has_as_many_connections_as_it_may() {
        let sources = Sources::new(3);
        assert_eq!((0..5).filter(|_| sources.enter(address(1))).count(), 3);
        assert!(sources.enter(address(2)));
        sources.leave(address(1));
        assert!(sources.enter(address(1)) && !sources.enter(address(1)));
        sources.set_max(0);
        assert!(sources.enter(address(1)));
        // What came while there was no bound counts.
        sources.set_max(4);
        assert!(!sources.enter(address(1)));
        sources.leave(address(1));
        assert!(sources.enter(address(1)));
    }

    #[test]
    fn ten_thousand_others_take_nobodys_place() {
        let sources = Sources::new(2);
        let refused = || (0..10_000).filter(|number| !sources.enter(address(*number))).count();
        // Of ten thousand, two in a million share all their counters; who they are, the hash decides anew each time.
        assert!(refused() + refused() <= 3);
        assert_eq!(refused(), 10_000);
    }

    #[test]
    fn those_who_come_at_once_are_never_more() {
        let sources = Sources::new(10);
        let entered: usize = thread::scope(|scope| {
            let enter = || (0..1000).filter(|_| sources.enter(address(1))).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(enter)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(entered, 10);
    }
}
