//! What the engine keeps for a key: bytes it does not look into, and the metadata that came with them.

use bytes::Bytes;

/// Values shorter than this are copied out of the buffer they came in, so that a token does not keep a megabyte of
/// request alive. Longer ones stay the slices they are.
pub(super) const COPIED_BYTES_MAX: usize = 4096;

/// One version of an entry. Cloning copies no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The ciphertext.
    pub data: Bytes,
    /// What the client said about it.
    pub meta: Meta,
}

/// Metadata of a value, kept as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Size that the client gave.
    pub size: u64,
    /// Number of the compression enum, as sent.
    pub compression: u32,
    /// Checksum that the client gave.
    pub checksum: u32,
    /// When it was made, in the client's unit.
    pub created_at: i64,
    /// Version, if the client gave one.
    pub version: Option<u32>,
}

impl Value {
    /// The same value in memory of its own, if it is small.
    pub(super) fn compacted(self) -> Self {
        if self.data.len() >= COPIED_BYTES_MAX {
            return self;
        }
        Self { data: copied(&self.data), meta: self.meta }
    }
}

/// A copy that costs one allocation in its whole life for the usual small values: `Bytes` made from a vector allocate a
/// second time when they are first cloned, those made from an owner do not.
pub(super) fn copied(data: &[u8]) -> Bytes {
    match data.len() {
        0 => Bytes::new(),
        1..=32 => Bytes::from_owner(Inline::<32>::new(data)),
        33..=64 => Bytes::from_owner(Inline::<64>::new(data)),
        65..=128 => Bytes::from_owner(Inline::<128>::new(data)),
        129..=256 => Bytes::from_owner(Inline::<256>::new(data)),
        _ => Bytes::copy_from_slice(data),
    }
}

/// Up to `N` bytes, stored where the reference count is.
struct Inline<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Inline<N> {
    fn new(data: &[u8]) -> Self {
        let mut bytes = [0; N];
        bytes[..data.len()].copy_from_slice(data);
        Self { length: data.len(), bytes }
    }
}

impl<const N: usize> AsRef<[u8]> for Inline<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_hold_the_same_bytes_at_every_border() {
        for length in [0, 1, 32, 33, 64, 65, 128, 129, 256, 257, 4095] {
            let data: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert_eq!(copied(&data), data);
        }
    }

    #[test]
    fn small_values_leave_the_request_and_large_ones_stay() {
        let request = Bytes::from(vec![7; 100_000]);
        let small = Value { data: request.slice(..4095), meta: Meta::default() }.compacted();
        let large = Value { data: request.slice(..4096), meta: Meta::default() }.compacted();
        assert_ne!(small.data.as_ptr(), request.as_ptr());
        assert_eq!(large.data.as_ptr(), request.as_ptr());
    }
}
