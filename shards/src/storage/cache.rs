//! Blocks of tables and large values that were read lately, of one shard, bounded in bytes.
//!
//! What is thrown out is decided by S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for cache
//! eviction", SOSP 2023): a scan passes through the small queue and leaves the main one alone.
//!
//! ```text
//!  insert ──► small, a tenth ──(used meanwhile)──► main ◄─┐
//!    │             │ not used                       │ used: again
//!    │             ▼                                ▼ not used
//!    │          ghosts: places only               gone
//!    └─(seen there)──────────────────────────────► main
//! ```
//!
//! Always true: `bytes` is the sum of the weights of all that is here, and at most the capacity; each place kept is in
//! exactly one queue. File numbers are never given twice, so that what is here can be old but never wrong.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use bytes::Bytes;

/// What an entry takes beside its bytes: its places in the map and a queue, the headers of its allocations.
const ENTRY_OVERHEAD_BYTES: u64 = 160;
/// The small queue's part of the capacity.
const SMALL_DIVISOR: u64 = 10;
/// Uses beyond this are not counted.
const USES_MAX: u8 = 3;

/// A cache of one shard. Capacity 0 keeps nothing.
pub(super) struct Cache(RefCell<Inner>);

/// Figures at one moment; hits, misses and evictions since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CacheStats {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evictions: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) capacity_bytes: u64,
}

/// Number of the file, offset in it.
type Place = (u64, u64);

#[derive(Default)]
struct Inner {
    kept: HashMap<Place, Kept, BuildHasherDefault<PlaceHasher>>,
    small: VecDeque<Place>,
    main: VecDeque<Place>,
    small_bytes: u64,
    ghosts: Ghosts,
    stats: CacheStats,
}

struct Kept {
    value: Bytes,
    uses: u8,
    is_small: bool,
}

impl Cache {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        let stats = CacheStats { capacity_bytes, ..CacheStats::default() };
        Self(RefCell::new(Inner { stats, ..Inner::default() }))
    }

    /// The bytes that lie at `offset` of `file`. Takes no memory.
    pub(super) fn get(&self, file: u64, offset: u64) -> Option<Bytes> {
        let inner = &mut *self.0.borrow_mut();
        let Some(kept) = inner.kept.get_mut(&(file, offset)) else {
            inner.stats.misses += 1;
            return None;
        };
        kept.uses = (kept.uses + 1).min(USES_MAX);
        inner.stats.hits += 1;
        Some(kept.value.clone())
    }

    /// Keeps bytes for a while. They should be all of the memory that they hold.
    pub(super) fn insert(&self, file: u64, offset: u64, value: Bytes) {
        let inner = &mut *self.0.borrow_mut();
        if weight(&value) > inner.stats.capacity_bytes {
            return;
        }
        inner.insert((file, offset), value);
        inner.evict();
    }

    /// Takes more or less from now on.
    pub(super) fn set_capacity(&self, capacity_bytes: u64) {
        let inner = &mut *self.0.borrow_mut();
        inner.stats.capacity_bytes = capacity_bytes;
        inner.evict();
    }

    pub(super) fn stats(&self) -> CacheStats {
        let inner = self.0.borrow();
        CacheStats { entries: inner.kept.len() as u64, ..inner.stats }
    }
}

impl Inner {
    fn insert(&mut self, place: Place, value: Bytes) {
        let after = weight(&value);
        if let Some(kept) = self.kept.get_mut(&place) {
            let before = weight(&kept.value);
            kept.value = value;
            self.stats.bytes = self.stats.bytes - before + after;
            if kept.is_small {
                self.small_bytes = self.small_bytes - before + after;
            }
            return;
        }
        let is_small = !self.ghosts.take(&place);
        self.stats.bytes += after;
        if is_small {
            self.small_bytes += after;
            self.small.push_back(place);
        } else {
            self.main.push_back(place);
        }
        self.kept.insert(place, Kept { value, uses: 0, is_small });
    }

    fn evict(&mut self) {
        while self.stats.bytes > self.stats.capacity_bytes {
            let is_large = self.small_bytes > self.stats.capacity_bytes / SMALL_DIVISOR;
            if is_large || self.main.is_empty() { self.shrink_small() } else { self.shrink_main() }
        }
        self.ghosts.shrink(self.kept.len());
    }

    fn shrink_small(&mut self) {
        let Some(place) = self.small.pop_front() else { return };
        let Some(kept) = self.kept.get_mut(&place) else { return };
        self.small_bytes -= weight(&kept.value);
        kept.is_small = false;
        if std::mem::take(&mut kept.uses) > 0 {
            self.main.push_back(place);
        } else {
            self.ghosts.add(place);
            self.forget(place);
        }
    }

    fn shrink_main(&mut self) {
        let Some(place) = self.main.pop_front() else { return };
        let Some(kept) = self.kept.get_mut(&place) else { return };
        if kept.uses > 0 {
            kept.uses -= 1;
            self.main.push_back(place);
        } else {
            self.forget(place);
        }
    }

    /// Gives up what is in no queue any more.
    fn forget(&mut self, place: Place) {
        if let Some(kept) = self.kept.remove(&place) {
            self.stats.bytes -= weight(&kept.value);
            self.stats.evictions += 1;
        }
    }
}

fn weight(value: &Bytes) -> u64 {
    value.len() as u64 + ENTRY_OVERHEAD_BYTES
}

/// Places that were thrown out unused; what comes back from here is wanted.
#[derive(Default)]
struct Ghosts {
    /// Oldest first; may name places that have been taken.
    queue: VecDeque<Place>,
    places: HashSet<Place, BuildHasherDefault<PlaceHasher>>,
}

impl Ghosts {
    fn add(&mut self, place: Place) {
        if self.places.insert(place) {
            self.queue.push_back(place);
        }
    }

    fn take(&mut self, place: &Place) -> bool {
        self.places.remove(place)
    }

    fn shrink(&mut self, count: usize) {
        while self.queue.len() > count {
            if let Some(place) = self.queue.pop_front() {
                self.places.remove(&place);
            }
        }
    }
}

/// Places are ours, not an attacker's: a multiplication spreads them.
#[derive(Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::disk::sim::Dice;

    fn block(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 1000])
    }

    /// A cache with room for so many blocks.
    fn cache(blocks: u64) -> Cache {
        Cache::new(blocks * weight(&block(0)))
    }

    fn check(cache: &Cache) {
        let inner = cache.0.borrow();
        let weights = |queue: &VecDeque<Place>| -> u64 {
            queue.iter().map(|place| weight(&inner.kept[place].value)).sum()
        };
        assert_eq!(inner.small_bytes, weights(&inner.small));
        assert_eq!(inner.stats.bytes, weights(&inner.small) + weights(&inner.main));
        assert!(inner.stats.bytes <= inner.stats.capacity_bytes);
        assert_eq!(inner.small.len() + inner.main.len(), inner.kept.len());
        assert!(inner.ghosts.queue.len() <= inner.kept.len().max(1));
        assert!(inner.ghosts.places.len() <= inner.ghosts.queue.len());
    }

    #[test]
    fn what_is_found_is_what_was_put_there() {
        let cache = Cache::new(100_000);
        let mut dice = Dice::new(1);
        for _ in 0..20_000 {
            let place = (dice.below(4), dice.below(100));
            let byte = (place.0 * 100 + place.1) as u8;
            match cache.get(place.0, place.1) {
                Some(found) => assert!(found.iter().all(|found| *found == byte)),
                None => {
                    let length = dice.below(3000) as usize;
                    cache.insert(place.0, place.1, vec![byte; length].into());
                }
            }
            if dice.one_in(1000) {
                cache.set_capacity(dice.below(100_000));
            }
            check(&cache);
        }
        let stats = cache.stats();
        assert_eq!(stats.hits + stats.misses, 20_000);
        assert!(stats.hits > 1000 && stats.evictions > 1000, "{stats:?}");
    }

    #[test]
    fn a_scan_does_not_wash_out_what_is_used() {
        let cache = cache(100);
        for _ in 0..3 {
            for offset in 0..50 {
                if cache.get(1, offset).is_none() {
                    cache.insert(1, offset, block(1));
                }
            }
        }
        for offset in 0..10_000 {
            cache.insert(2, offset, block(2));
        }
        let kept = (0..50).filter(|offset| cache.get(1, *offset).is_some()).count();
        assert!(kept >= 45, "{kept}");
        check(&cache);
    }

    #[test]
    fn what_comes_back_soon_is_kept() {
        let cache = cache(50);
        for offset in 0..60 {
            cache.insert(1, offset, block(1));
        }
        assert_eq!(cache.get(1, 0), None);
        cache.insert(1, 0, block(1));
        for offset in 100..140 {
            cache.insert(1, offset, block(1));
        }
        assert!(cache.get(1, 0).is_some(), "it went to the main queue at once");
    }

    #[test]
    fn what_is_put_again_counts_once() {
        let cache = cache(10);
        cache.insert(1, 1, block(1));
        cache.insert(1, 1, vec![2; 10].into());
        assert_eq!(cache.stats().bytes, 10 + ENTRY_OVERHEAD_BYTES);
        assert_eq!(cache.get(1, 1), Some(vec![2; 10].into()));
        check(&cache);
    }

    #[test]
    fn no_capacity_keeps_nothing_and_too_large_is_left_out() {
        let cache = Cache::new(0);
        cache.insert(1, 1, block(1));
        assert_eq!((cache.get(1, 1), cache.stats().bytes), (None, 0));
        cache.set_capacity(2000);
        cache.insert(1, 2, block(1));
        cache.insert(1, 3, vec![0; 5000].into());
        assert!(cache.get(1, 2).is_some() && cache.get(1, 3).is_none());
        cache.set_capacity(0);
        assert_eq!(cache.stats().entries, 0);
        check(&cache);
    }
}
