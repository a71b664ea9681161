//! Key → shard: frozen, because it decides where every byte on the disk is.
//!
//! ```text
//! input = collection length (1 byte) ‖ collection ‖ key
//! hash  = XXH3-64(input, seed)                  seed: from the superblock, little-endian u64
//! shard = (hash × shards) >> 64                 multiply-shift, no modulo bias worth naming
//! ```
//!
//! The length byte keeps ("ab", "c") and ("a", "bc") apart. A client that knows the seed and the
//! shard count may compute the same; `docs/reference/wire.md` carries the vectors tested below.
//! XXH3 is specified at github.com/Cyan4973/xxHash; multiply-shift is Lemire's fast range reduction.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// Bytes of collection and key up to which the input is gathered on the stack.
const INLINE_BYTES_MAX: usize = 256;

/// The name of a shard's folder, below the data directory and below that of the logs.
#[must_use]
pub fn folder(shard: u32) -> String {
    format!("shard-{shard:04}")
}

/// What a data directory fixes for ever: how many shards, and the seed of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    shards: u32,
    seed: u64,
}

impl Partition {
    /// A partition over `shards` shards, at least one.
    #[must_use]
    pub fn new(shards: u32, seed: u64) -> Self {
        assert!(shards > 0, "a data directory has at least one shard");
        Self { shards, seed }
    }

    /// Seed of the hash.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// The shard that owns `key` of `collection`, in `0..shards`.
    ///
    /// `collection` must have been checked: 1 to 255 bytes.
    #[must_use]
    pub fn shard(&self, collection: &str, key: &[u8]) -> u32 {
        self.of_hash(self.hash(collection, key))
    }

    /// The shard of a key with this hash.
    #[must_use]
    pub(crate) fn of_hash(&self, hash: u64) -> u32 {
        let wide = u128::from(hash) * u128::from(self.shards);
        (wide >> 64) as u32
    }

    /// The hash that decides about the shard.
    pub(crate) fn hash(&self, collection: &str, key: &[u8]) -> u64 {
        debug_assert!((1..=255).contains(&collection.len()));
        let length = collection.len() as u8;
        let total = 1 + collection.len() + key.len();
        if total <= INLINE_BYTES_MAX {
            let mut input = [0u8; INLINE_BYTES_MAX];
            input[0] = length;
            input[1..=collection.len()].copy_from_slice(collection.as_bytes());
            input[1 + collection.len()..total].copy_from_slice(key);
            return xxh3_64_with_seed(&input[..total], self.seed);
        }
        let mut hasher = Xxh3::with_seed(self.seed);
        hasher.update(&[length]);
        hasher.update(collection.as_bytes());
        hasher.update(key);
        hasher.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A published vector, as in the table of `docs/reference/wire.md`.
    struct Vector {
        shards: u32,
        seed: u64,
        collection: &'static str,
        key: &'static [u8],
        hash: u64,
        shard: u32,
    }

    const VECTORS: &[Vector] = &[
        Vector {
            shards: 1,
            seed: 0x0,
            collection: "default",
            key: b"a",
            hash: 0x8b5eec818525d272,
            shard: 0,
        },
        Vector {
            shards: 2,
            seed: 0x0,
            collection: "default",
            key: b"a",
            hash: 0x8b5eec818525d272,
            shard: 1,
        },
        Vector {
            shards: 2,
            seed: 0x0,
            collection: "default",
            key: b"b",
            hash: 0xff7f9f5e9e8f3be9,
            shard: 1,
        },
        Vector {
            shards: 8,
            seed: 0x0,
            collection: "users",
            key: b"users:42",
            hash: 0x2dc4f9036be90d91,
            shard: 1,
        },
        Vector {
            shards: 8,
            seed: 0x123456789abcdef,
            collection: "users",
            key: b"users:42",
            hash: 0x8228bb49eff513f3,
            shard: 4,
        },
        Vector {
            shards: 16,
            seed: 0xffffffffffffffff,
            collection: "ab",
            key: b"c",
            hash: 0xdd8369480f0ee9ad,
            shard: 13,
        },
        Vector {
            shards: 16,
            seed: 0xffffffffffffffff,
            collection: "a",
            key: b"bc",
            hash: 0x8b147e743c8249ac,
            shard: 8,
        },
        Vector {
            shards: 3,
            seed: 0x7,
            collection: "c",
            key: &[0x5a; 300],
            hash: 0xae6afe9c65d5edb3,
            shard: 2,
        },
    ];

    #[test]
    fn published_vectors_hold() {
        for vector in VECTORS {
            let partition = Partition::new(vector.shards, vector.seed);
            let key = vector.key;
            assert_eq!(partition.hash(vector.collection, key), vector.hash, "{key:?}");
            assert_eq!(partition.shard(vector.collection, key), vector.shard, "{key:?}");
        }
    }

    /// A row of the page's table.
    fn row(vector: &Vector) -> String {
        let Vector { shards, seed, collection, key, hash, shard } = vector;
        let same = |bytes: &&[u8]| bytes.len() > 64 && bytes.iter().all(|byte| *byte == bytes[0]);
        let key = match Some(*key).filter(same) {
            Some(bytes) => format!("{:02x} × {}", bytes[0], bytes.len()),
            None => key.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        format!(
            "| `{collection}` | `{key}` | `{seed:#018x}` | {shards} | `{hash:#018x}` | {shard} |"
        )
    }

    #[test]
    fn the_published_table_holds_these_vectors_and_no_others() {
        let page = include_str!("../../docs/reference/wire.md");
        let (_, rest) = page.split_once("<!-- vectors;").unwrap();
        let (table, _) = rest.split_once("<!-- end of vectors -->").unwrap();
        // Behind the comment, the names of the columns and the line below them.
        let published: Vec<_> = table.trim_end().lines().skip(3).collect();
        assert_eq!(published, VECTORS.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn gathered_and_streamed_input_hash_alike() {
        let partition = Partition::new(4, 7);
        for length in [0, 1, 250, 254, 255, 256, 300, 65_536] {
            let key = vec![0x5a; length];
            let mut input = vec![1, b'c'];
            input.extend_from_slice(&key);
            assert_eq!(partition.hash("c", &key), xxh3_64_with_seed(&input, 7));
        }
    }

    #[test]
    fn keys_spread_evenly() {
        let partition = Partition::new(8, 1);
        let mut counts = [0u32; 8];
        for key in 0..80_000u32 {
            counts[partition.shard("default", &key.to_be_bytes()) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
