//! Which keys are asked for, and which values they get: all from a seed.

use bytes::Bytes;

use super::Distribution;

/// Exponent of the distribution, as other benchmarks have it.
const EXPONENT: f64 = 0.99;
/// Bytes beyond a value that the pool of random bytes has, so that values differ.
const POOL_BYTES: usize = 1 << 16;

/// The name of a key.
pub(super) fn name(number: u64) -> Bytes {
    format!("bench:{number:010}").into()
}

/// A sequence of numbers that looks random.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// Below a bound.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Chooses keys.
#[derive(Clone, Debug)]
pub(super) struct Chooser {
    count: u64,
    zipf: Option<Zipf>,
}

/// The method of Gray and others, "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994).
#[derive(Clone, Debug)]
struct Zipf {
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Chooser {
    pub(super) fn new(count: u64, distribution: Distribution) -> Self {
        let zipf = (distribution == Distribution::Zipf && count > 2).then(|| Zipf::new(count));
        Self { count, zipf }
    }

    pub(super) fn next(&self, dice: &mut Dice) -> u64 {
        match &self.zipf {
            None => dice.below(self.count),
            // Keys that are asked for often lie apart.
            Some(zipf) => mixed(zipf.rank(self.count, dice.share())) % self.count,
        }
    }
}

impl Zipf {
    fn new(count: u64) -> Self {
        let zeta = |count: u64| (1..=count).map(|rank| (rank as f64).powf(-EXPONENT)).sum::<f64>();
        let (all, two) = (zeta(count), zeta(2));
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - EXPONENT)) / (1.0 - two / all);
        Self { zeta: all, alpha: 1.0 / (1.0 - EXPONENT), eta }
    }

    /// From 0, which is the most frequent.
    fn rank(&self, count: u64, share: f64) -> u64 {
        let scaled = share * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5f64.powf(EXPONENT) {
            return 1;
        }
        let rank = count as f64 * (self.eta * share - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(count - 1)
    }
}

/// Values of one length that do not compress: slices of a pool.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pool: Bytes,
    length: usize,
}

impl Values {
    pub(super) fn new(length: usize, seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let words = (length + POOL_BYTES) / 8 + 1;
        let pool: Vec<u8> = (0..words).flat_map(|_| dice.next().to_le_bytes()).collect();
        Self { pool: pool.into(), length }
    }

    pub(super) fn next(&self, dice: &mut Dice) -> Bytes {
        let begin = dice.below(POOL_BYTES as u64) as usize;
        self.pool.slice(begin..begin + self.length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn counts(distribution: Distribution) -> Vec<u32> {
        let (chooser, mut dice) = (Chooser::new(1000, distribution), Dice::new(7));
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for _ in 0..100_000 {
            let key = chooser.next(&mut dice);
            assert!(key < 1000);
            *counts.entry(key).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    #[test]
    fn keys_are_alike_or_a_few_are_hot() {
        let uniform = counts(Distribution::Uniform);
        assert_eq!(uniform.len(), 1000);
        assert!(uniform[0] < 160 && uniform[999] > 50, "{} {}", uniform[0], uniform[999]);
        let zipf = counts(Distribution::Zipf);
        // The first of a thousand has about 13 % with this exponent.
        assert!((11_000..17_000).contains(&zipf[0]), "{}", zipf[0]);
        assert!(zipf.iter().take(100).sum::<u32>() > 60_000);
    }

    #[test]
    fn values_have_their_length_and_differ() {
        let (values, mut dice) = (Values::new(100, 1), Dice::new(1));
        let (first, second) = (values.next(&mut dice), values.next(&mut dice));
        assert_eq!((first.len(), second.len()), (100, 100));
        assert_ne!(first, second);
        assert_eq!(Values::new(0, 1).next(&mut dice).len(), 0);
    }
}
