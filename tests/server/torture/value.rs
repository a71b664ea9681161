//! Values that say of which key and version they are, so that any value can be checked whole.
//!
//! ```text
//!   key length u16 │ key │ version u64 │ noise that follows from key and version …
//! ```

use amaters_load::script::pseudo_random;

/// The value of a key in a version: mostly small, at times that of a ciphertext.
pub(super) fn value(key: &str, version: u64) -> Vec<u8> {
    let hash = u64::from(crc32fast::hash(key.as_bytes()));
    let noise_bytes = match (hash ^ version) % 64 {
        0 => 512 * 1024,
        1..=7 => 64 * 1024,
        8..=11 => 16 * 1024,
        few => few as usize * 5,
    };
    let mut bytes = (key.len() as u16).to_le_bytes().to_vec();
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&pseudo_random(hash << 24 ^ version, noise_bytes));
    bytes
}

/// The version, if every byte is as it must be for this key.
pub(super) fn version_of(key: &str, bytes: &[u8]) -> Option<u64> {
    let rest = bytes.get(2 + key.len()..)?;
    let version = u64::from_le_bytes(*rest.first_chunk()?);
    (bytes == value(key, version)).then_some(version)
}

#[test]
fn a_value_is_known_by_every_byte() {
    for version in 1..200 {
        let mut bytes = value("key", version);
        assert_eq!(version_of("key", &bytes), Some(version));
        assert_eq!(version_of("kez", &bytes), None);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(version_of("key", &bytes), None);
        assert_eq!(version_of("key", &bytes[..last]), None);
    }
}
