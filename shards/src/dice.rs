//! Chance: for samples, and for tests that can be told again by their seed.

/// Numbers that look random and come from a seed (SplitMix64: Steele, Lea and Flood, 2014). Who does not know the seed cannot
/// foresee them easily; they are no secrets.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same seed throws the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// A number below `bound`.
    #[cfg(any(test, feature = "sim"))]
    pub fn below(&mut self, bound: u64) -> u64 {
        self.throw() % bound
    }

    /// True once in so many throws.
    #[cfg(any(test, feature = "sim"))]
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
