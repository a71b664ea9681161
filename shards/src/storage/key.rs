//! A key in memory, ordered by its bytes. Short keys lie in the tree node itself: a search follows no pointer to compare
//! them, and storing one allocates nothing.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

/// Longest key without memory of its own; makes the whole thing 32 bytes.
const INLINE_BYTES_MAX: usize = 30;

const _: () = assert!(size_of::<Key>() == 32);

/// Bytes of a key. Cloning copies at most 32 bytes.
#[derive(Clone)]
pub(super) struct Key(Place);

#[derive(Clone)]
enum Place {
    Inline { length: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Shared(Arc<[u8]>),
}

impl Key {
    pub(super) fn new(key: &[u8]) -> Self {
        if key.len() > INLINE_BYTES_MAX {
            return Self(Place::Shared(Arc::from(key)));
        }
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes[..key.len()].copy_from_slice(key);
        Self(Place::Inline { length: key.len() as u8, bytes })
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Place::Shared(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deref().cmp(other)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.deref() == other.deref()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.deref().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_like_their_bytes_wherever_they_lie() {
        let mut raw: Vec<Vec<u8>> = Vec::new();
        for length in [0, 1, 29, 30, 31, 32, 100] {
            for fill in [0, 1, 0x7f, 0xff] {
                raw.push(vec![fill; length]);
            }
        }
        for a in &raw {
            for b in &raw {
                assert_eq!(Key::new(a).cmp(&Key::new(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }
}
