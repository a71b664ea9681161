//! The keys that are counted most often, with a bounded number of counters: Space-Saving (Metwally, Agrawal and El Abbadi,
//! "Efficient computation of frequent and top-k elements in data streams", 2005).
//!
//! Always true, of a key that was counted `n` times, among `total` counts in all:
//! - If it is here: `count - error <= n <= count`.
//! - If not: `n <= unseen() <= total / KEYS_MAX`.

use super::name::{Kept, Name};

/// Counters. A key that is asked for more often than one in so many requests is always here.
pub const KEYS_MAX: usize = 256;

/// Counters of keys.
#[derive(Default)]
pub struct Heavy {
    total: u64,
    /// What a key is known by; looked through for each sample, so they lie close together.
    hashes: Vec<u64>,
    counts: Vec<u32>,
    rest: Vec<Rest>,
}

/// What else is known of a key.
#[derive(Default)]
struct Rest {
    /// Counts that may have been of others, before it came.
    error: u32,
    /// Of the others, those that write.
    writes: u32,
    name: Kept,
}

/// A key, and how often it was counted.
#[derive(Clone, Copy)]
pub struct Counted<'a> {
    pub hash: u64,
    /// At least, and at most.
    pub times: (u32, u32),
    /// Of the least.
    pub writes: u32,
    pub name: &'a Kept,
}

impl Heavy {
    /// Counts a key once.
    pub fn count(&mut self, name: Name<'_>, hash: u64, writes: bool) {
        self.total += 1;
        let place = match self.place(hash) {
            Some(place) => place,
            None => self.give_place(name, hash),
        };
        self.counts[place] += 1;
        self.rest[place].writes += u32::from(writes);
    }

    fn place(&self, hash: u64) -> Option<usize> {
        /// So many are compared at once, without a branch between them.
        const AT_ONCE: usize = 16;

        let is_in = |hashes: &[u64]| hashes.iter().fold(false, |is, one| is | (*one == hash));
        let begin = AT_ONCE * self.hashes.chunks(AT_ONCE).position(is_in)?;
        let within = self.hashes[begin..].iter().position(|one| *one == hash)?;
        Some(begin + within)
    }

    /// A counter for a key that has none: a new one, or that of the key with the least, whose counts it takes over.
    fn give_place(&mut self, name: Name<'_>, hash: u64) -> usize {
        let place = match self.hashes.len() {
            KEYS_MAX => {
                let least = self.unseen();
                self.counts.iter().position(|count| *count == least).unwrap_or_default()
            }
            used => {
                self.hashes.push(0);
                self.counts.push(0);
                // Those of the window before the last have memory for their names.
                self.rest.resize_with(self.rest.len().max(used + 1), Rest::default);
                used
            }
        };
        self.hashes[place] = hash;
        let rest = &mut self.rest[place];
        (rest.error, rest.writes) = (self.counts[place], 0);
        rest.name.set(name);
        place
    }

    /// Counts in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How often a key may have been counted that is not here.
    pub fn unseen(&self) -> u32 {
        if self.hashes.len() < KEYS_MAX {
            return 0;
        }
        // Without a branch for each.
        self.counts.iter().copied().fold(u32::MAX, u32::min)
    }

    /// All keys that are here.
    pub fn all(&self) -> impl Iterator<Item = Counted<'_>> {
        let counted = self.hashes.iter().zip(&self.counts).zip(&self.rest);
        counted.map(|((hash, count), rest)| Counted {
            hash: *hash,
            times: (count - rest.error, *count),
            writes: rest.writes,
            name: &rest.name,
        })
    }

    /// Forgets everything but the memory for it.
    pub fn clear(&mut self) {
        self.total = 0;
        self.hashes.clear();
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::storage::disk::sim::Dice;

    fn count(heavy: &mut Heavy, key: u64) {
        heavy.count(Name { collection: "c", key: &key.to_be_bytes() }, key, key.is_multiple_of(2));
    }

    /// Keys of which some are asked for much more often than others, in any order: the bounds hold for each.
    #[test]
    fn counts_are_between_their_bounds_and_what_is_frequent_is_there() {
        for seed in 0..5 {
            let (mut dice, mut heavy) = (Dice::new(seed), Heavy::default());
            let mut truth: HashMap<u64, u32> = HashMap::new();
            for _ in 0..20_000 {
                // Few small numbers often, many large ones seldom.
                let bound = 1 + dice.below(5000);
                let key = dice.below(bound);
                *truth.entry(key).or_default() += 1;
                count(&mut heavy, key);
            }
            assert_eq!(heavy.total(), 20_000);
            let here: HashMap<u64, (u32, u32)> =
                heavy.all().map(|counted| (counted.hash, counted.times)).collect();
            assert_eq!(here.len(), KEYS_MAX);
            for (key, count) in &truth {
                match here.get(key) {
                    Some((least, most)) => assert!(least <= count && count <= most, "{seed} {key}"),
                    None => assert!(*count <= heavy.unseen(), "{seed} {key}"),
                }
            }
            assert!(u64::from(heavy.unseen()) <= heavy.total() / KEYS_MAX as u64);
        }
    }

    #[test]
    fn few_keys_are_counted_exactly_and_forgotten_at_the_end_of_a_window() {
        let mut heavy = Heavy::default();
        for round in 0..3 {
            for key in 0..KEYS_MAX as u64 {
                (0..=key % 5).for_each(|_| count(&mut heavy, key + round));
            }
            let all: Vec<_> = heavy.all().collect();
            assert_eq!(all.len(), KEYS_MAX);
            for counted in all {
                let times = ((counted.hash - round) % 5 + 1) as u32;
                assert_eq!(counted.times, (times, times));
                let writes = if counted.hash.is_multiple_of(2) { times } else { 0 };
                assert_eq!(counted.writes, writes);
                assert_eq!(counted.name.key(), counted.hash.to_be_bytes());
            }
            heavy.clear();
            assert_eq!((heavy.total(), heavy.unseen(), heavy.all().count()), (0, 0, 0));
        }
    }
}
