//! How a block lies in the file: compressed if that pays, with a checksum that is good at one place only.
//!
//! ```text
//!  0            s                 s+4c                                              s+4c+16
//!  ├ as stored ─┼ c × CRC32 ──────┼ raw bytes u32 ┼ s u32 ┼ compression u8 ┼ 3 × 0 ┼ CRC32 ┤
//!               │ c = 0 if s ≤ 16384, else ⌈s/16384⌉
//! ```
//!
//! The last CRC covers the place, the trailer, and the stored bytes; where those have chunk CRCs it covers these.

use bytes::Bytes;
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};

use crate::storage::header::{Binding, number_u32};

/// Bytes behind the stored bytes of a small block.
const TRAILER_BYTES: usize = 16;
/// Longest block before compression.
const RAW_BYTES_MAX: usize = u32::MAX as usize;

const CHUNK_BYTES: usize = 16 * 1024;
/// LZ4 cannot make more of a byte than this.
const EXPANSION_MAX: usize = 256;
/// Compression is used only where it saves one part in so many.
const GAIN_DIVISOR: usize = 8;
/// After failures in a row, at most so many blocks are stored as they are before the next attempt.
const SKIPPED_MAX: u32 = 15;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// Bytes of a block that is sealed without compression.
pub(super) fn sealed_bytes(raw_bytes: usize) -> usize {
    raw_bytes + 4 * chunk_count(raw_bytes) + TRAILER_BYTES
}

/// Closes `stored`, which is at most [`RAW_BYTES_MAX`] long and not compressed, for its place.
pub(super) fn seal(stored: &mut Vec<u8>, binding: Binding, offset: u64) {
    let raw_bytes = stored.len();
    close(stored, raw_bytes, PLAIN, binding, offset);
}

/// Seals blocks of one table, compressed where that pays. Where it did not for some blocks, most of the next are not tried:
/// ciphertexts come in long runs.
pub(super) struct Sealer {
    /// What it compresses with; `None`: not at all.
    lz4: Option<CompressTable>,
    compressed: Vec<u8>,
    failures: u32,
    skip: u32,
}

impl Sealer {
    pub(super) fn new(compress: bool) -> Self {
        let lz4 = compress.then(CompressTable::default);
        Self { lz4, compressed: Vec::new(), failures: 0, skip: 0 }
    }

    /// Closes a block for its place; what comes back is to be written there.
    pub(super) fn seal<'a>(
        &'a mut self,
        raw: &'a mut Vec<u8>,
        binding: Binding,
        offset: u64,
    ) -> &'a [u8] {
        if self.compress(raw) {
            close(&mut self.compressed, raw.len(), LZ4, binding, offset);
            return &self.compressed;
        }
        seal(raw, binding, offset);
        raw
    }

    /// Whether `compressed` now holds the block, and is worth it.
    fn compress(&mut self, raw: &[u8]) -> bool {
        let Some(lz4) = &mut self.lz4 else { return false };
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.compressed.resize(get_maximum_output_size(raw.len()), 0);
        let length = compress_into_with_table(raw, &mut self.compressed, lz4).unwrap_or(usize::MAX);
        if length > raw.len() - raw.len().div_ceil(GAIN_DIVISOR) {
            self.failures += 1;
            self.skip = (1 << self.failures.min(8)).min(SKIPPED_MAX + 1) - 1;
            return false;
        }
        self.failures = 0;
        self.compressed.truncate(length);
        true
    }
}

fn close(stored: &mut Vec<u8>, raw_bytes: usize, compression: u8, binding: Binding, offset: u64) {
    assert!(raw_bytes <= RAW_BYTES_MAX && stored.len() <= RAW_BYTES_MAX);
    let stored_bytes = stored.len();
    for chunk in 0..chunk_count(stored_bytes) {
        let end = stored_bytes.min((chunk + 1) * CHUNK_BYTES);
        let checksum = crc32fast::hash(&stored[chunk * CHUNK_BYTES..end]);
        stored.extend_from_slice(&checksum.to_le_bytes());
    }
    let mut fields = [0; TRAILER_BYTES - 4];
    fields[..4].copy_from_slice(&(raw_bytes as u32).to_le_bytes());
    fields[4..8].copy_from_slice(&(stored_bytes as u32).to_le_bytes());
    fields[8] = compression;
    let table_or_bytes = &stored[covered_from(stored_bytes)..];
    let checksum = place_checksum(binding, offset, &fields, table_or_bytes);
    stored.extend_from_slice(&fields);
    stored.extend_from_slice(&checksum.to_le_bytes());
}

/// What was sealed as `sealed` at this place, or what is wrong with it.
pub(super) fn open(sealed: Bytes, binding: Binding, offset: u64) -> Result<Bytes, &'static str> {
    let (before, trailer) =
        sealed.split_last_chunk::<TRAILER_BYTES>().ok_or("it is shorter than its trailer")?;
    let (raw_bytes, stored_bytes) =
        (number_u32(trailer, 0) as usize, number_u32(trailer, 4) as usize);
    if sealed.len() != sealed_bytes(stored_bytes) {
        return Err("it is not as long as its trailer says");
    }
    let (fields, checksum) = trailer.split_at(TRAILER_BYTES - 4);
    let table_or_bytes = &before[covered_from(stored_bytes)..];
    if place_checksum(binding, offset, fields, table_or_bytes) != number_u32(checksum, 0) {
        return Err("its checksum does not fit its bytes, or not this place");
    }
    let (stored, table) = before.split_at(stored_bytes);
    if !table.is_empty() {
        let mut chunks = stored.chunks(CHUNK_BYTES).zip(table.chunks_exact(4));
        if !chunks.all(|(chunk, place)| crc32fast::hash(chunk) == number_u32(place, 0)) {
            return Err("the checksum of a part does not fit its bytes");
        }
    }
    match fields[8..] {
        [PLAIN, 0, 0, 0] if raw_bytes == stored_bytes => {
            let mut raw = sealed;
            raw.truncate(stored_bytes);
            Ok(raw)
        }
        [LZ4, 0, 0, 0] if raw_bytes <= stored_bytes.saturating_mul(EXPANSION_MAX) => {
            let mut raw = vec![0; raw_bytes];
            match decompress_into(stored, &mut raw) {
                Ok(length) if length == raw_bytes => Ok(raw.into()),
                _ => Err("it cannot be decompressed"),
            }
        }
        _ => Err("its trailer has a sound checksum and makes no sense"),
    }
}

/// Makes the checksums right again of what was sealed, as far as its trailer can be true.
#[cfg(test)]
pub(super) fn repair(sealed: &mut [u8], binding: Binding, offset: u64) {
    let Some((before, trailer)) = sealed.split_last_chunk_mut::<TRAILER_BYTES>() else { return };
    let stored_bytes = number_u32(trailer, 4) as usize;
    let Some((stored, table)) = before.split_at_mut_checked(stored_bytes) else { return };
    for (chunk, place) in stored.chunks(CHUNK_BYTES).zip(table.chunks_exact_mut(4)) {
        place.copy_from_slice(&crc32fast::hash(chunk).to_le_bytes());
    }
    let covered = before.get(covered_from(stored_bytes)..).unwrap_or_default();
    let checksum = place_checksum(binding, offset, &trailer[..TRAILER_BYTES - 4], covered);
    trailer[TRAILER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
}

fn chunk_count(stored_bytes: usize) -> usize {
    if stored_bytes <= CHUNK_BYTES { 0 } else { stored_bytes.div_ceil(CHUNK_BYTES) }
}

/// Where the bytes before the trailer begin that its checksum covers.
fn covered_from(stored_bytes: usize) -> usize {
    if stored_bytes <= CHUNK_BYTES { 0 } else { stored_bytes }
}

fn place_checksum(binding: Binding, offset: u64, fields: &[u8], covered: &[u8]) -> u32 {
    let mut place = [0; 28 + TRAILER_BYTES - 4];
    place[..8].copy_from_slice(&binding.directory_id.to_le_bytes());
    place[8..12].copy_from_slice(&binding.shard.to_le_bytes());
    place[12..20].copy_from_slice(&binding.number.to_le_bytes());
    place[20..28].copy_from_slice(&offset.to_le_bytes());
    place[28..].copy_from_slice(fields);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place);
    hasher.update(covered);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::disk::sim::Dice;

    const BINDING: Binding = Binding { directory_id: 77, shard: 3, number: 5 };

    fn noise(bytes: usize) -> Vec<u8> {
        let mut dice = Dice::new(bytes as u64);
        (0..bytes).map(|_| dice.throw() as u8).collect()
    }

    fn sealed(raw: &[u8], compress: bool) -> Vec<u8> {
        Sealer::new(compress).seal(&mut raw.to_vec(), BINDING, 8192).to_vec()
    }

    #[test]
    fn blocks_come_back_at_every_border() {
        for length in [0, 1, 100, 16_383, 16_384, 16_385, 32_768, 32_769, 100_000] {
            for raw in [vec![9; length], noise(length)] {
                for compress in [false, true] {
                    let sealed = sealed(&raw, compress);
                    let opened = open(sealed.into(), BINDING, 8192);
                    assert_eq!(opened.as_deref(), Ok(&raw[..]), "{length} {compress}");
                }
            }
        }
    }

    #[test]
    fn compression_is_used_where_it_pays_only() {
        assert!(sealed(&[7; 8000], true).len() < 200);
        assert_eq!(sealed(&[7; 8000], false).len(), 8000 + TRAILER_BYTES);
        assert_eq!(sealed(&noise(8000), true).len(), 8000 + TRAILER_BYTES);
        let mut nearly = noise(8000);
        nearly[..900].fill(0);
        assert_eq!(sealed(&nearly, true).len(), 8000 + TRAILER_BYTES, "it saves under an eighth");
    }

    #[test]
    fn after_a_run_of_ciphertexts_compression_is_found_again() {
        let mut sealer = Sealer::new(true);
        for _ in 0..100 {
            sealer.seal(&mut noise(8000), BINDING, 0);
        }
        let compressed =
            (0..100).filter(|_| sealer.seal(&mut vec![7; 8000], BINDING, 0).len() < 8000).count();
        assert!(compressed >= 100 - SKIPPED_MAX as usize, "{compressed}");
    }

    #[test]
    fn one_flipped_byte_anywhere_is_found() {
        for raw in [noise(300), vec![7; 5000], noise(40_000)] {
            let mut bytes = sealed(&raw, true);
            for at in 0..bytes.len() {
                bytes[at] ^= 0x04;
                assert!(open(bytes.clone().into(), BINDING, 8192).is_err(), "{at}");
                bytes[at] ^= 0x04;
            }
        }
    }

    #[test]
    fn a_block_of_another_place_is_refused() {
        let bytes = Bytes::from(sealed(&noise(300), true));
        assert!(open(bytes.clone(), BINDING, 8192).is_ok());
        assert!(open(bytes.clone(), BINDING, 4096).is_err());
        for binding in [
            Binding { directory_id: 78, ..BINDING },
            Binding { shard: 4, ..BINDING },
            Binding { number: 6, ..BINDING },
        ] {
            assert!(open(bytes.clone(), binding, 8192).is_err());
        }
    }

    #[test]
    fn a_block_cut_short_or_too_long_is_refused() {
        for raw in [noise(50), noise(20_000)] {
            let bytes = sealed(&raw, true);
            for length in (0..bytes.len()).step_by(7) {
                assert!(open(bytes[..length].to_vec().into(), BINDING, 8192).is_err());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(open(longer.into(), BINDING, 8192).is_err());
        }
    }

    /// A forged trailer with a sound checksum.
    fn forged(stored: &[u8], raw_bytes: usize, compression: u8) -> Bytes {
        let mut stored = stored.to_vec();
        close(&mut stored, raw_bytes, compression, BINDING, 0);
        stored.into()
    }

    #[test]
    fn trailers_that_make_no_sense_take_no_memory() {
        assert!(open(forged(b"abc", 4, PLAIN), BINDING, 0).is_err());
        assert!(open(forged(b"abc", 3, 2), BINDING, 0).is_err());
        assert!(open(forged(b"abc", u32::MAX as usize, LZ4), BINDING, 0).is_err());
    }

    #[test]
    fn the_best_that_lz4_can_do_is_within_the_bound() {
        for length in [100, 8192, 1 << 20, 16 << 20] {
            let bytes = sealed(&vec![0; length], true);
            assert_eq!(open(bytes.into(), BINDING, 8192).map(|raw| raw.len()), Ok(length));
        }
    }

    #[test]
    fn fuzz_sealed_blocks() {
        let text = b"user:00000000001 user:00000000002 user:00000000003 ".repeat(8);
        let seeds = [text, vec![7; 5000], noise(100), noise(17_000)];
        let seeds = seeds.iter().map(|raw| sealed(raw, true)).collect();
        let campaign = Campaign::new("sealed blocks", seeds)
            .repair(|bytes| repair(bytes, BINDING, 8192))
            // What the best compression makes of it, beside the input itself.
            .memory_max(|bytes| 4096 + bytes + bytes * EXPANSION_MAX);
        campaign.run(|bytes| {
            let raw = open(Bytes::copy_from_slice(bytes), BINDING, 8192)?;
            Ok(raw.len() as u64)
        });
    }

    proptest! {
        #[test]
        fn any_bytes_under_a_sound_checksum_are_taken_or_refused(
            stored in proptest::collection::vec(any::<u8>(), 0..200),
            raw_bytes in 0usize..5000,
        ) {
            if let Ok(raw) = open(forged(&stored, raw_bytes, LZ4), BINDING, 0) {
                prop_assert_eq!(raw.len(), raw_bytes);
            }
        }
    }
}
