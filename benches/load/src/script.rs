//! Requests of a run, encoded once before it begins, and what their answers must be.
//!
//! A set of `keys_count` keys gives `2 * keys_count` requests: first the reads, then the writes. All
//! lie in one piece of memory, so that a request costs the generator a look-up and no encoding.

use std::ops::Range;

use bytes::Bytes;

use crate::wire::{Body, Script};

pub mod amaters;
pub mod batch;
pub mod etcd;
pub mod redis;

/// One answer in so many is compared byte by byte.
const WHOLE_EVERY: u32 = 1024;

/// What is read and written.
#[derive(Clone, Copy, Debug)]
pub struct KeySet {
    /// How many keys.
    pub keys_count: u32,
    /// Bytes of each value.
    pub value_bytes: usize,
}

impl KeySet {
    /// As many keys as make the working set about 64 MiB, at most 100,000: larger than the caches
    /// of a core, small enough to be loaded in a moment.
    pub fn of_values(value_bytes: usize) -> Self {
        let keys_count = (64 * 1024 * 1024 / value_bytes.max(1)).clamp(64, 100_000);
        Self { keys_count: keys_count as u32, value_bytes }
    }

    /// The key with this number.
    pub fn key(&self, index: u32) -> String {
        format!("key-{:05}-{index:010}", self.value_bytes % 100_000)
    }

    /// The value of the key with this number: bytes that do not compress and differ for each key.
    pub fn value(&self, index: u32) -> Vec<u8> {
        pseudo_random(u64::from(index) + 1, self.value_bytes)
    }

    /// Numbers of the requests that read.
    pub fn reads(&self) -> Range<u32> {
        0..self.keys_count
    }

    /// Numbers of the requests that write.
    pub fn writes(&self) -> Range<u32> {
        self.keys_count..2 * self.keys_count
    }
}

/// Bytes that follow from a seed.
pub fn pseudo_random(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Numbers that follow from a seed (xorshift64*); good enough to pick keys.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a row of numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "a row without end is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    #[inline]
    pub fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }
}

/// Which operations a run consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mix {
    /// Reads of random keys.
    Get,
    /// Writes of random keys.
    Set,
    /// This share of reads, from nought to one.
    Mixed(f64),
    /// Ten writes at once, all or nothing ([`batch`]).
    Batch,
}

impl Mix {
    /// An endless row of requests.
    pub fn requests(self, keys: KeySet, seed: u64) -> impl FnMut() -> Option<u32> {
        let mut random = Random::new(seed);
        let reads = match self {
            // The numbers of batches are those of the keys.
            Self::Get | Self::Batch => 1.0,
            Self::Set => 0.0,
            Self::Mixed(share) => share,
        };
        let reads_below = (reads * f64::from(u32::MAX)) as u32;
        move || {
            let index = random.below(keys.keys_count);
            let write = reads < 1.0 && (random.next() as u32) >= reads_below;
            Some(if write { keys.keys_count + index } else { index })
        }
    }
}

/// Every request of a range once, to fill a server.
pub fn once(range: Range<u32>) -> impl FnMut() -> Option<u32> {
    let mut range = range;
    move || range.next()
}

/// Encoded requests, one after another.
#[derive(Debug, Default)]
struct Encoded {
    bytes: Bytes,
    ranges: Vec<Range<usize>>,
}

impl Encoded {
    fn new(count: u32, mut encode: impl FnMut(u32, &mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        let mut ranges = Vec::with_capacity(count as usize);
        for index in 0..count {
            let start = bytes.len();
            encode(index, &mut bytes);
            ranges.push(start..bytes.len());
        }
        Self { bytes: bytes.into(), ranges }
    }

    #[inline]
    fn request(&self, index: u32) -> Bytes {
        self.bytes.slice(self.ranges[index as usize].clone())
    }
}

/// Downloads of one file of known length, in place of a gRPC server.
#[derive(Clone, Copy, Debug)]
pub struct Download {
    /// Bytes of the file.
    pub length: usize,
}

impl Script for Download {
    fn request(&self, _: u32) -> Bytes {
        Bytes::new()
    }

    fn wants_whole(&self, _: u32) -> bool {
        false
    }

    fn check(&self, _: u32, body: &Body<'_>) -> Result<usize, String> {
        if body.length == self.length {
            Ok(body.length)
        } else {
            Err(format!("a file of {} bytes", body.length))
        }
    }
}

/// Writes a message as gRPC frames it: no compression, length, message.
fn put_grpc(out: &mut Vec<u8>, message: &impl prost::Message) {
    out.push(0);
    out.extend_from_slice(&(message.encoded_len() as u32).to_be_bytes());
    message.encode_raw(out);
}

/// Reads length-delimited protobuf fields from the outside in.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// Goes to the field with this number, over those before it, and says how long it is. Fields
    /// may come in any order (protobuf encoding specification).
    fn enter(&mut self, number: u8) -> Option<usize> {
        const NUMBER: u8 = 0;
        const BYTES: u8 = 2;

        loop {
            let (tag, rest) = self.0.split_first()?;
            self.0 = rest;
            let length = self.varint()?;
            match tag & 7 {
                BYTES if tag >> 3 == number => return Some(length),
                BYTES => self.0 = self.0.get(length..)?,
                NUMBER => {}
                _ => return None,
            }
        }
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// The message of a gRPC body with exactly one, uncompressed.
fn grpc_message<'a>(body: &Body<'a>) -> Result<&'a [u8], String> {
    let Some((head, message)) = body.head.split_first_chunk::<5>() else {
        return Err(format!("a gRPC body of {} bytes", body.length));
    };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if head[0] != 0 || length + 5 != body.length {
        return Err(format!("gRPC says {length} bytes of {}", body.length - 5));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_keeps_its_share_and_stays_in_its_keys() {
        let keys = KeySet { keys_count: 10, value_bytes: 1 };
        let mut next = Mix::Mixed(0.75).requests(keys, 1);
        let all: Vec<u32> = (0..10_000).filter_map(|_| next()).collect();
        assert!(all.iter().all(|request| *request < 20));
        let reads = all.iter().filter(|request| **request < 10).count();
        assert!((7_300..7_700).contains(&reads), "{reads} reads of 10,000");
    }

    #[test]
    fn values_differ_from_key_to_key_and_not_from_run_to_run() {
        let keys = KeySet { keys_count: 2, value_bytes: 100 };
        assert_eq!(keys.value(0), keys.value(0));
        assert_ne!(keys.value(0), keys.value(1));
        assert_eq!(keys.value(0).len(), 100);
    }
}
