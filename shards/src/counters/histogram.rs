//! Where values fall between fixed bounds: with one writer among threads, or plain.
//!
//! ```text
//! bounds      b0      b1      b2     …      bn
//! counts   c0 │   c1  │   c2  │   …     │ cn  │ c(n+1)
//! ```
//!
//! Always true: a value `v` is counted in `ci` for the least `i` with `v ≤ bi`, in the last count if there is none.

use std::time::Duration;

use super::Counter;

/// Upper bounds of latencies, in nanoseconds: 50 µs to 10 s. The milliseconds 1, 5, 10, 50, 100, 500 and 1000 are among
/// them, as `amaters_net_rtt` wants.
pub const LATENCY_BOUNDS_NANOS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Upper bounds of the sizes of batches.
pub const SIZE_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// Latencies, counted.
pub type Latencies = Tally<18>;
/// Sizes of batches, counted.
pub type Sizes = Tally<12>;

const _: () = assert!(LATENCY_BOUNDS_NANOS.len() + 1 == 18);
const _: () = assert!(SIZE_BOUNDS.len() + 1 == 12);

/// Counts of values between bounds, and their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally<const COUNTS: usize> {
    /// One for each bound, and one for what exceeds them.
    pub counts: [u64; COUNTS],
    /// Of all values; wraps.
    pub sum: u64,
}

impl<const COUNTS: usize> Default for Tally<COUNTS> {
    fn default() -> Self {
        Self { counts: [0; COUNTS], sum: 0 }
    }
}

impl<const COUNTS: usize> Tally<COUNTS> {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another has counted between the same bounds.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.wrapping_add(more);
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// What was counted since `before`, which this has grown from.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        for (count, less) in since.counts.iter_mut().zip(before.counts) {
            *count = count.wrapping_sub(less);
        }
        since.sum = since.sum.wrapping_sub(before.sum);
        since
    }

    fn note(&mut self, value: u64, bounds: &[u64]) {
        self.counts[place(value, bounds)] += 1;
        self.sum = self.sum.wrapping_add(value);
    }
}

impl Latencies {
    /// Counts a latency.
    pub fn record(&mut self, latency: Duration) {
        self.note(nanos(latency), &LATENCY_BOUNDS_NANOS);
    }

    /// The bound that so large a share of the latencies does not exceed; the last bound where they do.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut below = 0;
        for (count, bound) in self.counts.iter().zip(LATENCY_BOUNDS_NANOS) {
            below += count;
            if below >= wanted {
                return Duration::from_nanos(bound);
            }
        }
        Duration::from_nanos(LATENCY_BOUNDS_NANOS[LATENCY_BOUNDS_NANOS.len() - 1])
    }
}

impl Sizes {
    /// Counts a size.
    pub fn record(&mut self, size: u64) {
        self.note(size, &SIZE_BOUNDS);
    }
}

/// Latencies with one writer, readable from other threads.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [Counter; 18],
    sum_nanos: Counter,
}

impl Histogram {
    /// Counts a latency; only for the thread that owns it.
    pub fn record(&self, latency: Duration) {
        let nanos = nanos(latency);
        self.counts[place(nanos, &LATENCY_BOUNDS_NANOS)].add(1);
        self.sum_nanos.add(nanos);
    }

    /// What it stands at.
    pub fn read(&self) -> Latencies {
        let mut tally = Latencies { sum: self.sum_nanos.get(), ..Latencies::default() };
        for (count, counter) in tally.counts.iter_mut().zip(&self.counts) {
            *count = counter.get();
        }
        tally
    }
}

fn place(value: u64, bounds: &[u64]) -> usize {
    bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len())
}

/// After 584 years it is at its end.
fn nanos(latency: Duration) -> u64 {
    u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_at_the_least_bound_that_it_does_not_exceed() {
        assert!(LATENCY_BOUNDS_NANOS.is_sorted() && SIZE_BOUNDS.is_sorted());
        let histogram = Histogram::default();
        for (index, bound) in LATENCY_BOUNDS_NANOS.into_iter().enumerate() {
            for value in [bound, bound + 1] {
                histogram.record(Duration::from_nanos(value));
            }
            let counts = histogram.read().counts;
            assert_eq!(counts[index], if index == 0 { 1 } else { 2 }, "{bound}");
            assert_eq!(counts[index + 1], 1, "{bound}");
        }
        let sum = 2 * LATENCY_BOUNDS_NANOS.iter().sum::<u64>() + LATENCY_BOUNDS_NANOS.len() as u64;
        assert_eq!((histogram.read().count(), histogram.read().sum), (34, sum));
    }

    #[test]
    fn every_bound_of_the_round_trips_is_one_of_ours() {
        for millis in [1, 5, 10, 50, 100, 500, 1000] {
            assert!(LATENCY_BOUNDS_NANOS.contains(&(millis * 1_000_000)), "{millis}");
        }
    }

    #[test]
    fn quantiles_are_bounds_and_what_came_since_is_told_apart() {
        let mut all = Latencies::default();
        for _ in 0..99 {
            all.record(Duration::from_micros(80));
        }
        all.record(Duration::from_secs(60));
        assert_eq!(all.quantile(0.5), Duration::from_micros(100));
        assert_eq!(all.quantile(0.99), Duration::from_micros(100));
        assert_eq!(all.quantile(1.0), Duration::from_secs(10));
        let before = all;
        all.record(Duration::from_millis(3));
        assert_eq!(all.since(&before).count(), 1);
        assert_eq!(all.since(&before).quantile(0.5), Duration::from_millis(5));
        let mut both = before;
        both.merge(&all.since(&before));
        assert_eq!(both, all);
    }
}
