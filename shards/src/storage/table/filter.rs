//! Tells which keys a table cannot hold, at the cost of one cache miss.
//!
//! A bloom filter whose bits for one key lie in one line of 512 bits (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", WEA 2007). With 10 bits a key about one absent key in a hundred is not told.

use crate::storage::header::number_u64;

const LINE_BYTES: usize = 64;
const LINE_BITS: u64 = 512;
/// Each probe takes 9 bits of one 64-bit number.
const PROBES_MAX: u32 = 7;
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bits of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// None: every key may be there.
    lines: Box<[Line]>,
    probes: u32,
}

/// One cache line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
struct Line([u64; LINE_BYTES / 8]);

impl Filter {
    /// A filter over the hashes of distinct keys.
    pub(super) fn build(hashes: &[u64], bits_per_key: u32) -> Self {
        let bits = hashes.len() as u64 * u64::from(bits_per_key);
        let lines = bits.div_ceil(LINE_BITS).min(u64::from(u32::MAX)) as usize;
        // The number of probes that is best for whole filters is 0.69 a bit; lines want a little fewer.
        let probes = if lines == 0 { 0 } else { (bits_per_key * 6 / 10).clamp(1, PROBES_MAX) };
        let mut filter = Self { lines: vec![Line::default(); lines].into(), probes };
        for &hash in hashes {
            filter.insert(hash);
        }
        filter
    }

    fn insert(&mut self, hash: u64) {
        let Some(line) = self.lines.get_mut(line_index(hash, self.lines.len())) else { return };
        for bit in bits(hash, self.probes) {
            line.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether a key with this hash may be there; never false for one that is.
    #[inline]
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        match self.lines.get(line_index(hash, self.lines.len())) {
            Some(line) => {
                bits(hash, self.probes).all(|bit| line.0[bit / 64] & (1 << (bit % 64)) != 0)
            }
            None => true,
        }
    }

    /// Puts its bytes behind what `out` holds.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.lines.len() * LINE_BYTES + 1);
        for word in self.lines.iter().flat_map(|line| line.0) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.push(self.probes as u8);
    }

    /// What `bytes` say; `None` if they are not a filter.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&probes, lines) = bytes.split_last()?;
        let probes = u32::from(probes);
        let fits = lines.len().is_multiple_of(LINE_BYTES)
            && probes <= PROBES_MAX
            && (probes == 0) == lines.is_empty();
        let lines = lines.chunks_exact(LINE_BYTES);
        let lines =
            lines.map(|line| Line(std::array::from_fn(|index| number_u64(line, index * 8))));
        fits.then(|| Self { lines: lines.collect(), probes })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.lines.len() * LINE_BYTES
    }
}

#[inline]
fn line_index(hash: u64, lines: usize) -> usize {
    (((hash >> 32) * lines as u64) >> 32) as usize
}

#[inline]
fn bits(hash: u64, probes: u32) -> impl Iterator<Item = usize> {
    let spread = hash.wrapping_mul(SPREAD);
    (0..probes).map(move |probe| (spread >> (55 - 9 * probe)) as usize % LINE_BITS as usize)
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::entry::table_key_hash;

    fn hashes(range: std::ops::Range<u64>) -> Vec<u64> {
        range.map(|number| table_key_hash(&number.to_be_bytes())).collect()
    }

    fn false_positives(keys: u64, bits_per_key: u32) -> f64 {
        let filter = Filter::build(&hashes(0..keys), bits_per_key);
        let probes = 100_000;
        let absent = hashes(1 << 32..(1 << 32) + probes);
        absent.iter().filter(|hash| filter.may_hold(**hash)).count() as f64 / probes as f64
    }

    #[test]
    fn no_key_is_lost_and_the_filter_comes_back() {
        for keys in [0, 1, 51, 52, 5000] {
            let hashes = hashes(0..keys);
            let filter = Filter::build(&hashes, 10);
            assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
            let mut bytes = Vec::new();
            filter.write(&mut bytes);
            assert_eq!(Filter::read(&bytes), Some(filter));
        }
    }

    #[test]
    fn about_one_absent_key_in_a_hundred_passes_at_ten_bits() {
        for keys in [10_000, 300_000] {
            let rate = false_positives(keys, 10);
            assert!((0.005..0.0125).contains(&rate), "{rate}");
        }
        assert!(false_positives(100_000, 16) < 0.002);
    }

    #[test]
    fn a_filter_of_no_bits_lets_everything_pass() {
        let filter = Filter::build(&hashes(0..100), 0);
        assert!(hashes(500..600).iter().all(|hash| filter.may_hold(*hash)));
        assert_eq!(filter.memory_bytes(), 0);
    }

    #[test]
    fn fuzz_filters() {
        let seeds = [0, 30, 200].map(|keys| {
            let mut bytes = Vec::new();
            Filter::build(&hashes(0..keys), 10).write(&mut bytes);
            bytes
        });
        Campaign::new("filters", seeds.to_vec()).run(|bytes| {
            let filter = Filter::read(bytes).ok_or("no filter")?;
            let mut again = Vec::new();
            filter.write(&mut again);
            assert_eq!(again, bytes, "there is one way to write a filter");
            let held = hashes(0..50).iter().filter(|hash| filter.may_hold(**hash)).count();
            Ok(held as u64)
        });
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_are_a_filter(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            probes in 0u8..9,
            hash in any::<u64>(),
        ) {
            bytes.push(probes);
            for length in [bytes.len(), bytes.len() / 64 * 64 + 1] {
                let Some(filter) = bytes.get(bytes.len().saturating_sub(length)..).and_then(Filter::read)
                else { continue };
                let mut again = Vec::new();
                filter.write(&mut again);
                prop_assert!(bytes.ends_with(&again));
                filter.may_hold(hash);
            }
        }
    }
}
