//! The largest values, each by the key that it was seen under.
//!
//! Always true: no key is here twice; while there is room nothing is left out, and afterwards what is left out is not larger
//! than what is here.

use super::name::{Kept, Name};

/// Values that are kept.
pub const VALUES_MAX: usize = 32;

/// A list of values.
#[derive(Default)]
pub struct Largest {
    /// What a key is known by. These and the lengths are looked through for each large value, so they lie close together.
    hashes: Vec<u64>,
    lengths: Vec<usize>,
    rest: Vec<Rest>,
}

/// What else is known of a value.
#[derive(Clone, Default)]
struct Rest {
    seen_at: u64,
    name: Kept,
}

/// A value that was seen.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub hash: u64,
    pub bytes: usize,
    /// When one of that length was seen last, in milliseconds since 1970.
    pub seen_at: u64,
    pub name: &'a Kept,
}

impl Largest {
    /// Notes a value, which is longer than the floor; whether the floor may have changed.
    pub fn note(&mut self, name: Name<'_>, hash: u64, bytes: usize, now: u64) -> bool {
        let known = self.hashes.iter().position(|other| *other == hash);
        let place = known.unwrap_or_else(|| self.give_place(name, hash));
        let length = &mut self.lengths[place];
        let is_longer = *length < bytes || known.is_none();
        if is_longer || *length == bytes {
            *length = bytes;
            self.rest[place].seen_at = now;
        }
        is_longer
    }

    /// A new place, or that of the shortest.
    fn give_place(&mut self, name: Name<'_>, hash: u64) -> usize {
        let place = match self.hashes.len() {
            VALUES_MAX => {
                let shortest = self.lengths.iter().enumerate().min_by_key(|(_, bytes)| **bytes);
                shortest.map_or(0, |(place, _)| place)
            }
            used => {
                self.hashes.push(0);
                self.lengths.push(0);
                // Those of the window before the last have memory for their names.
                self.rest.resize_with(self.rest.len().max(used + 1), Rest::default);
                used
            }
        };
        self.hashes[place] = hash;
        self.rest[place].name.set(name);
        place
    }

    /// Values up to this length change nothing.
    pub fn floor(&self) -> usize {
        if self.hashes.len() < VALUES_MAX {
            return 0;
        }
        self.lengths.iter().copied().min().unwrap_or_default()
    }

    /// Those that are here, in no order.
    pub fn all(&self) -> impl Iterator<Item = Value<'_>> {
        let values = self.hashes.iter().zip(&self.lengths).zip(&self.rest);
        values.map(|((hash, bytes), Rest { seen_at, name })| Value {
            hash: *hash,
            bytes: *bytes,
            seen_at: *seen_at,
            name,
        })
    }

    /// Forgets everything but the memory for it.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.lengths.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::storage::disk::sim::Dice;

    #[test]
    fn the_largest_are_kept_each_once_with_its_greatest_length() {
        for seed in 0..20 {
            let (mut dice, mut largest) = (Dice::new(seed), Largest::default());
            let mut truth: HashMap<u64, usize> = HashMap::new();
            for now in 0..5000 {
                let (key, bytes) = (dice.below(500), dice.below(10_000) as usize);
                let known = truth.entry(key).or_default();
                *known = bytes.max(*known);
                if bytes > largest.floor() {
                    largest.note(
                        Name { collection: "c", key: &key.to_be_bytes() },
                        key,
                        bytes,
                        now,
                    );
                }
            }
            let mut lengths: Vec<_> = truth.values().copied().collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.truncate(VALUES_MAX);
            let mut kept: Vec<_> = largest.all().map(|value| value.bytes).collect();
            kept.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(kept, lengths, "{seed}");
            for value in largest.all() {
                assert_eq!(value.bytes, truth[&value.hash], "{seed}");
                assert_eq!(value.name.key(), value.hash.to_be_bytes());
            }
            assert_eq!(largest.floor(), *lengths.last().unwrap());
            largest.clear();
            assert_eq!((largest.floor(), largest.all().count()), (0, 0));
        }
    }
}
