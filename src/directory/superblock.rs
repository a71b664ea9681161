//! The superblock: 64 bytes that say how a data directory is cut into shards, for ever.
//!
//! ```text
//!  0        8        12       16       24            32          40     44        60    64
//!  ├ magic ─┼ version ┼ shards ┼ seed ──┼ directory_id ┼ created_at ┼ stage ┼ zeros ─┼ crc ┤
//! ```
//!
//! Integers are little-endian; `crc` is CRC-32 (IEEE) of bytes 0..60. Length, magic, the place of
//! the version and the checksum are the same in every version to come, so that a server can tell
//! a newer directory from a damaged one. `docs/reference/superblock.md` has every byte.

use amaters_shards::partition::Partition;
use thiserror::Error;

/// Length of the file.
const BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"AMATERSB";
/// The only version so far.
pub(crate) const VERSION: u32 = 1;
/// Where the checksum is, and the end of what it covers.
const CRC_AT: usize = 60;
/// The first of the bytes that are zero in this version.
const ZEROS_AT: usize = 44;

/// How far the first start came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The logs may not be there yet.
    Preparing,
    /// The reactors have served from this directory: its logs exist.
    Serving,
    /// Its entries have been copied into other shards, which are to take the place of the old ones.
    Moving,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    /// How many shards; at least one.
    pub(crate) shards: u32,
    /// Of the hash that spreads keys over shards.
    pub(crate) seed: u64,
    /// Random; bound into every log checksum, so that foreign logs are not mistaken for own ones.
    pub(crate) directory_id: u64,
    /// Unix seconds; for people.
    pub(crate) created_at: u64,
    /// How far the first start came.
    pub(crate) stage: Stage,
}

/// Why bytes are not a superblock.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Cut, or something appended.
    #[error("is damaged: it has {0} bytes instead of {BYTES}")]
    Length(usize),
    /// Another file.
    #[error("is damaged, or another program's file: it does not begin with AMATERSB")]
    Magic,
    /// Changed on its way.
    #[error("is damaged: its checksum does not match")]
    Checksum,
    /// Written by a newer server.
    #[error("has format version {0}; this server knows version {VERSION} only")]
    Version(u32),
    /// Whole, but not what any server writes.
    #[error("says something impossible: {0}")]
    Field(&'static str),
}

impl Superblock {
    /// A new directory's, with a random seed and identity.
    pub(crate) fn new(shards: u32, created_at: u64) -> Self {
        assert!(shards > 0, "a data directory has at least one shard");
        let random = || getrandom::u64().expect("the kernel gives random bytes");
        Self { shards, seed: random(), directory_id: random(), created_at, stage: Stage::Preparing }
    }

    /// Of the same directory with another number of shards, and another identity: no old file fits it.
    pub(crate) fn resharded(&self, shards: u32) -> Self {
        let Self { seed, created_at, .. } = *self;
        Self { seed, stage: Stage::Moving, ..Self::new(shards, created_at) }
    }

    /// How keys are spread over the shards.
    pub(crate) fn partition(&self) -> Partition {
        Partition::new(self.shards, self.seed)
    }

    /// The bytes of the file.
    pub(crate) fn encode(&self) -> [u8; BYTES] {
        let stage: u32 = match self.stage {
            Stage::Preparing => 0,
            Stage::Serving => 1,
            Stage::Moving => 2,
        };
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.shards.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seed.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.directory_id.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.created_at.to_le_bytes());
        bytes[40..ZEROS_AT].copy_from_slice(&stage.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the bytes of a file say.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| Damage::Length(bytes.len()))?;
        if bytes[..8] != MAGIC {
            return Err(Damage::Magic);
        }
        if crc32fast::hash(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) {
            return Err(Damage::Checksum);
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(Damage::Version(u32_at(bytes, 8)));
        }
        if u32_at(bytes, 12) == 0 {
            return Err(Damage::Field("no shards"));
        }
        if bytes[ZEROS_AT..CRC_AT].iter().any(|byte| *byte != 0) {
            return Err(Damage::Field("bytes that are zero in this version are not"));
        }
        Ok(Self {
            shards: u32_at(bytes, 12),
            seed: u64_at(bytes, 16),
            directory_id: u64_at(bytes, 24),
            created_at: u64_at(bytes, 32),
            stage: match u32_at(bytes, 40) {
                0 => Stage::Preparing,
                1 => Stage::Serving,
                2 => Stage::Moving,
                _ => return Err(Damage::Field("an unknown stage")),
            },
        })
    }
}

fn u32_at(bytes: &[u8; BYTES], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8; BYTES], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    fn example() -> Superblock {
        Superblock {
            shards: 4,
            seed: 0x0102_0304_0506_0708,
            directory_id: 0x1112_1314_1516_1718,
            created_at: 1_700_000_000,
            stage: Stage::Serving,
        }
    }

    /// `bytes` with a checksum that matches again.
    fn sealed(mut bytes: [u8; BYTES]) -> [u8; BYTES] {
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        for stage in [Stage::Preparing, Stage::Serving, Stage::Moving] {
            let superblock = Superblock { stage, ..example() };
            assert_eq!(Superblock::decode(&superblock.encode()), Ok(superblock));
        }
    }

    #[test]
    fn the_bytes_are_the_published_ones() {
        let expected: [u8; BYTES] = [
            0x41, 0x4d, 0x41, 0x54, 0x45, 0x52, 0x53, 0x42, 1, 0, 0, 0, 4, 0, 0, 0, //
            8, 7, 6, 5, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, //
            0x00, 0xf1, 0x53, 0x65, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
        ];
        assert_eq!(example().encode()[..CRC_AT], expected[..CRC_AT]);
        assert_eq!(example().encode(), sealed(expected));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = example().encode();
        for bit in 0..BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_refused() {
        let bytes = [example().encode(), example().encode()].concat();
        for length in (0..bytes.len()).filter(|length| *length != BYTES) {
            assert_eq!(Superblock::decode(&bytes[..length]), Err(Damage::Length(length)));
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = example().encode();
        bytes[8] = 2;
        assert_eq!(Superblock::decode(&bytes), Err(Damage::Checksum));
        assert_eq!(Superblock::decode(&sealed(bytes)), Err(Damage::Version(2)));
    }

    #[test]
    fn impossible_fields_are_refused_though_the_checksum_matches() {
        for (at, value) in [(12, 0), (40, 3), (44, 1), (59, 1)] {
            let mut bytes = example().encode();
            bytes[at] = value;
            let decoded = Superblock::decode(&sealed(bytes));
            assert!(matches!(decoded, Err(Damage::Field(_))), "byte {at}");
        }
    }

    #[test]
    fn fuzz_superblocks() {
        let stages = [Stage::Preparing, Stage::Serving, Stage::Moving];
        let seeds = stages.map(|stage| Superblock { stage, ..example() }.encode().to_vec());
        let repair = |bytes: &mut Vec<u8>| {
            if let Ok(whole) = <[u8; BYTES]>::try_from(&bytes[..]) {
                *bytes = sealed(whole).to_vec();
            }
        };
        Campaign::new("superblocks", seeds.to_vec()).repair(repair).run(|bytes| {
            let superblock = Superblock::decode(bytes).map_err(|damage| damage.to_string())?;
            assert_eq!(superblock.encode(), bytes, "there is one way to write a superblock");
            Ok(u64::from(superblock.shards))
        });
    }

    #[test]
    fn two_new_directories_differ() {
        let (one, two) = (Superblock::new(1, 0), Superblock::new(1, 0));
        assert_ne!((one.seed, one.directory_id), (two.seed, two.directory_id));
        assert_ne!(one.seed, one.directory_id);
    }
}
