//! What a request must be before anything is done for it.

use amaters_proto::types;
use bytes::Bytes;

use crate::{
    failure::Failure,
    limits::{COLLECTION_BYTES_MAX, KEY_BYTES_MAX},
    storage::{Meta, Value},
    utc::unix_seconds,
};

/// Keys with this beginning are commands, not data (admin protocol of existing clients).
pub const ADMIN_PREFIX: &[u8] = b"__admin__:";

/// The protocol's major version that is spoken here: 0.2.x.
const VERSION_MAJOR: u32 = 0;

/// Refuses a protocol version that is not spoken here. None means the client did not say.
///
/// # Errors
/// [`Failure::Version`].
pub fn version(major: Option<u32>) -> Result<(), Failure> {
    match major {
        Some(major) if major != VERSION_MAJOR => Err(Failure::Version { major }),
        _ => Ok(()),
    }
}

/// Refuses a collection name outside 1 to 255 bytes, or with control characters.
///
/// # Errors
/// [`Failure::Collection`].
pub fn collection(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > COLLECTION_BYTES_MAX {
        return Err(Failure::Collection(format!(
            "the name has {} bytes; 1 to {COLLECTION_BYTES_MAX} are allowed",
            name.len()
        )));
    }
    if name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    match name.chars().find(|character| character.is_control()) {
        None => Ok(()),
        Some(control) => Err(Failure::Collection(format!(
            "the name holds the control character U+{:04X}",
            u32::from(control)
        ))),
    }
}

/// Refuses a key outside 1 byte to 64 KiB.
///
/// # Errors
/// [`Failure::Key`].
pub fn key(key: &[u8]) -> Result<(), Failure> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Failure::Key(format!(
            "the key has {} bytes; 1 to {KEY_BYTES_MAX} are allowed",
            key.len()
        )));
    }
    Ok(())
}

/// Refuses a key that cannot be written.
///
/// # Errors
/// [`Failure::Key`]: length, or the reserved beginning.
pub fn key_to_write(bytes: &[u8]) -> Result<(), Failure> {
    key(bytes)?;
    if bytes.starts_with(ADMIN_PREFIX) {
        return Err(Failure::Key("keys that begin with __admin__: are reserved".into()));
    }
    Ok(())
}

/// Checks a value against its own metadata, and fills in what the client left out.
///
/// # Errors
/// [`Failure::Checksum`].
pub fn value(data: Bytes, meta: Option<Meta>) -> Result<Value, Failure> {
    let Some(meta) = meta else { return Ok(described(data)) };
    if meta.checksum != 0 {
        let actual = crc32fast::hash(&data);
        if actual != meta.checksum {
            return Err(Failure::Checksum { claimed: meta.checksum, actual });
        }
    }
    Ok(Value { data, meta })
}

/// The same, for a message of prost.
///
/// # Errors
/// [`Failure::MissingField`], [`Failure::Checksum`].
pub fn blob(blob: Option<types::CipherBlob>) -> Result<Value, Failure> {
    let types::CipherBlob { data, metadata } = blob.ok_or(Failure::MissingField("value"))?;
    let meta = metadata.map(|metadata| Meta {
        size: metadata.size,
        compression: metadata.compression as u32,
        checksum: metadata.checksum,
        created_at: metadata.created_at,
        version: metadata.version,
    });
    value(data, meta)
}

/// A value with the metadata that a client would have sent.
pub fn described(data: Bytes) -> Value {
    let meta = Meta {
        size: data.len() as u64,
        compression: 0,
        checksum: crc32fast::hash(&data),
        created_at: unix_seconds(),
        version: None,
    };
    Value { data, meta }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_bounded_and_printable() {
        assert!(collection("users").is_ok() && collection("größe/日本").is_ok());
        assert!(collection(&"c".repeat(255)).is_ok());
        for bad in ["", &"c".repeat(256), "a\nb", "a\u{7f}", "a\u{85}b"] {
            assert!(matches!(collection(bad), Err(Failure::Collection(_))), "{bad:?}");
        }
    }

    #[test]
    fn keys_are_bounded_and_commands_are_not_written() {
        assert!(key(b"k").is_ok() && key(&[0; KEY_BYTES_MAX]).is_ok());
        assert!(key(b"").is_err() && key(&[0; KEY_BYTES_MAX + 1]).is_err());
        assert!(key(b"__admin__:STATS").is_ok() && key_to_write(b"__admin__:STATS").is_err());
    }

    #[test]
    fn a_wrong_checksum_is_refused_and_a_missing_description_filled_in() {
        let data = Bytes::from_static(b"sealed");
        let described = described(data.clone());
        assert_eq!(described.meta.checksum, crc32fast::hash(&data));
        assert_eq!(described.meta.size, 6);
        assert!(value(data.clone(), Some(described.meta)).is_ok());
        let wrong = Meta { checksum: described.meta.checksum ^ 1, ..described.meta };
        assert!(matches!(value(data.clone(), Some(wrong)), Err(Failure::Checksum { .. })));
        let unchecked = Meta { checksum: 0, ..described.meta };
        assert_eq!(value(data, Some(unchecked)).unwrap().meta.checksum, 0);
    }

    #[test]
    fn only_major_version_zero_is_spoken() {
        assert!(version(None).is_ok() && version(Some(0)).is_ok());
        assert!(matches!(version(Some(1)), Err(Failure::Version { major: 1 })));
    }
}
