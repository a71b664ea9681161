//! Keys and values, the same for all: values do not compress, as ciphertexts do not.

/// Bytes that values are cut from.
const POOL_BYTES: usize = 8 << 20;

/// A set of keys and values.
#[derive(Clone)]
pub struct Data {
    pub count: u64,
    pub bytes: usize,
    pool: std::sync::Arc<[u8]>,
}

impl Data {
    pub fn new(count: u64, bytes: usize) -> Self {
        let mut dice = Dice::new(1);
        let pool = (0..POOL_BYTES / 8).flat_map(|_| dice.throw().to_le_bytes()).collect();
        Self { count, bytes, pool }
    }

    /// 16 bytes, in the order of the numbers.
    pub fn key(&self, number: u64) -> [u8; 16] {
        let mut key = *b"key-000000000000";
        let digits = format!("{number:012}");
        key[4..].copy_from_slice(digits.as_bytes());
        key
    }

    /// A key between others that nobody writes.
    pub fn absent(&self, number: u64) -> Vec<u8> {
        let mut key = self.key(number % self.count).to_vec();
        key.push(b'x');
        key
    }

    pub fn value(&self, number: u64) -> &[u8] {
        let start = (number as usize).wrapping_mul(7919) % (POOL_BYTES - self.bytes);
        &self.pool[start..start + self.bytes]
    }

    /// All numbers, in an order that is the same each time (Fisher and Yates).
    pub fn shuffled(&self) -> Vec<u64> {
        let mut dice = Dice::new(7);
        let mut order: Vec<u64> = (0..self.count).collect();
        for index in (1..order.len()).rev() {
            order.swap(index, dice.below(index as u64 + 1) as usize);
        }
        order
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.throw() % bound
    }
}
