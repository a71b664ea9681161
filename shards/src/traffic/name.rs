//! A collection and a key as they are kept: a copy, so that no request is kept alive by it, in memory that is used again.

/// Bytes of a key that are kept.
pub const KEY_BYTES_KEPT: usize = 256;

/// A key and its collection, where they are.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub collection: &'a str,
    pub key: &'a [u8],
}

/// The collection, and the first bytes of the key.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    text: Vec<u8>,
    collection_bytes: usize,
    /// Of the whole key.
    key_bytes: usize,
}

impl Kept {
    /// Takes the place of what was kept.
    pub fn set(&mut self, name: Name<'_>) {
        let shown = &name.key[..name.key.len().min(KEY_BYTES_KEPT)];
        self.text.clear();
        self.text.extend_from_slice(name.collection.as_bytes());
        self.text.extend_from_slice(shown);
        self.collection_bytes = name.collection.len();
        self.key_bytes = name.key.len();
    }

    /// The collection.
    pub fn collection(&self) -> String {
        String::from_utf8_lossy(&self.text[..self.collection_bytes]).into_owned()
    }

    /// The first bytes of the key.
    pub fn key(&self) -> &[u8] {
        &self.text[self.collection_bytes..]
    }

    /// Length of the whole key.
    pub fn key_bytes(&self) -> usize {
        self.key_bytes
    }
}
