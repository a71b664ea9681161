//! `meta.bin`: what a folder is, and the root of the hashes over everything in it.
//!
//! ```text
//! schema version ┼ keys ┼ bytes ┼ kind ┼ id 16 ┼ parent 16 ┼ manifest bytes u64 ┼ SHA-256 of it ┼ SHA-256 of all before
//! └──── varints, as in version 1 ─────┘
//! ```
//!
//! The first four fields are those of version 1, so that a reader that knows only that refuses by number.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::BackupError;

/// What this server writes.
pub const SCHEMA_VERSION: u64 = 2;
/// More than any meta.bin has.
pub(super) const BYTES_MAX: u64 = 256;

/// Names a backup, whatever its folder is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupId(pub [u8; 16]);

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// What `meta.bin` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupMeta {
    /// Of the public AmateRS server.
    Version1 {
        /// Entries.
        keys: u64,
        /// Bytes of keys and values.
        bytes: u64,
        /// Whether it calls itself incremental; it is whole in any case.
        incremental: bool,
    },
    /// Of this server.
    Version2(Meta2),
}

/// Of a backup of this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta2 {
    /// Entries in it.
    pub keys: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Its name.
    pub id: BackupId,
    /// What it rests on, if it is incremental.
    pub parent: Option<BackupId>,
    /// Length of `manifest.bin`.
    pub manifest_bytes: u64,
    /// SHA-256 of it.
    pub manifest_hash: [u8; 32],
}

/// Why bytes are no `meta.bin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MetaFault {
    Damaged(&'static str),
    Version(u64),
}

impl Meta2 {
    /// The bytes of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let kind = u64::from(self.parent.is_some());
        for number in [SCHEMA_VERSION, self.keys, self.bytes, kind] {
            push_varint(number, &mut out);
        }
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.parent.unwrap_or(BackupId([0; 16])).0);
        out.extend_from_slice(&self.manifest_bytes.to_le_bytes());
        out.extend_from_slice(&self.manifest_hash);
        let hash: Hash = Sha256::digest(&out).into();
        out.extend_from_slice(&hash);
        out
    }
}

impl BackupMeta {
    /// What the bytes of the file say.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MetaFault> {
        const CUT: MetaFault = MetaFault::Damaged("it is cut short");

        let (version, rest) = read_varint(bytes).ok_or(CUT)?;
        if !matches!(version, 1 | SCHEMA_VERSION) {
            return Err(MetaFault::Version(version));
        }
        let (keys, rest) = read_varint(rest).ok_or(CUT)?;
        let (byte_count, rest) = read_varint(rest).ok_or(CUT)?;
        let (kind, rest) = read_varint(rest).ok_or(CUT)?;
        if kind > 1 {
            return Err(MetaFault::Damaged("it is neither full nor incremental"));
        }
        if version == 1 {
            return match rest {
                [] => Ok(Self::Version1 { keys, bytes: byte_count, incremental: kind == 1 }),
                _ => Err(MetaFault::Damaged("it goes on behind its end")),
            };
        }
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or(CUT)?;
        if Hash::from(Sha256::digest(body)) != *hash {
            return Err(MetaFault::Damaged("its hash does not match"));
        }
        let end = rest.len().checked_sub(32).ok_or(CUT)?;
        let rest = &rest[..end];
        let (id, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let (parent, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let (manifest_bytes, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let manifest_hash =
            rest.try_into().map_err(|_| MetaFault::Damaged("it has another length"))?;
        let parent = BackupId(*parent);
        let meta = Meta2 {
            keys,
            bytes: byte_count,
            id: BackupId(*id),
            parent: (kind == 1).then_some(parent),
            manifest_bytes: u64::from_le_bytes(*manifest_bytes),
            manifest_hash,
        };
        // A number may be written in several ways, and a full one has no parent.
        let is_ours = meta.encode() == bytes;
        is_ours.then_some(Self::Version2(meta)).ok_or(MetaFault::Damaged("it makes no sense"))
    }
}

impl BackupId {
    /// A random one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, BackupError> {
        let mut bytes = [0; 16];
        let filled = getrandom::fill(&mut bytes);
        filled.map_err(|error| {
            BackupError::Refused(format!("the system gives no random bytes: {error}"))
        })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads a varint of version 1: below 251 one byte, else a byte that says how many follow.
pub(super) fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=250 => Some((first.into(), rest)),
        251 => rest
            .split_first_chunk()
            .map(|(number, rest)| (u16::from_le_bytes(*number).into(), rest)),
        252 => rest
            .split_first_chunk()
            .map(|(number, rest)| (u32::from_le_bytes(*number).into(), rest)),
        253 => rest.split_first_chunk().map(|(number, rest)| (u64::from_le_bytes(*number), rest)),
        254 | 255 => None,
    }
}

fn push_varint(number: u64, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(number)
        && short < 251
    {
        out.push(short);
    } else if let Ok(short) = u16::try_from(number) {
        out.push(251);
        out.extend_from_slice(&short.to_le_bytes());
    } else if let Ok(short) = u32::try_from(number) {
        out.push(252);
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        out.push(253);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta2 {
        Meta2 {
            keys: 300,
            bytes: 70_000,
            id: BackupId([7; 16]),
            parent: Some(BackupId([9; 16])),
            manifest_bytes: 1234,
            manifest_hash: [3; 32],
        }
    }

    #[test]
    fn the_published_examples_of_version_1_are_read() {
        let first = BackupMeta::Version1 { keys: 2, bytes: 9, incremental: false };
        assert_eq!(BackupMeta::decode(&[1, 2, 9, 0]), Ok(first));
        let second = [0x01, 0xfb, 0x2c, 0x01, 0xfc, 0x70, 0x11, 0x01, 0x00, 0x00];
        let expected = BackupMeta::Version1 { keys: 300, bytes: 70_000, incremental: false };
        assert_eq!(BackupMeta::decode(&second), Ok(expected));
    }

    #[test]
    fn numbers_come_back_at_every_border() {
        for number in [0, 250, 251, 255, 256, 65_535, 65_536, u32::MAX.into(), 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            push_varint(number, &mut out);
            assert_eq!(read_varint(&out), Some((number, &[][..])));
            assert_eq!(read_varint(&out[..out.len() - 1]), None);
        }
    }

    #[test]
    fn what_is_written_comes_back_and_every_flipped_bit_is_found() {
        let bytes = meta().encode();
        assert!(bytes.len() as u64 <= BYTES_MAX);
        assert_eq!(BackupMeta::decode(&bytes), Ok(BackupMeta::Version2(meta())));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(BackupMeta::decode(&wrong).is_err(), "byte {at} bit {bit}");
            }
            assert!(BackupMeta::decode(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn unknown_versions_are_named() {
        assert_eq!(BackupMeta::decode(&[3, 2, 9, 0]), Err(MetaFault::Version(3)));
        assert_eq!(BackupMeta::decode(&[0]), Err(MetaFault::Version(0)));
    }
}
