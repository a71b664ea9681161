//! What a run of load found out.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;

/// Answers, failures and latencies of one measured interval.
#[derive(Clone, Debug)]
pub struct Report {
    /// How long the interval was.
    pub elapsed: Duration,
    /// Good answers.
    pub answered: u64,
    /// Bad answers by what was wrong with them.
    pub failures: BTreeMap<String, u64>,
    /// Requests that were due in the interval and had no answer at its end (open loop only); their
    /// latency so far is in the histogram.
    pub unfinished: u64,
    /// Bytes of the values that were carried.
    pub value_bytes: u64,
    /// The longest time between two good answers.
    pub gap_max: Duration,
    /// Nanoseconds from the intended start of a request to its answer.
    pub latency: Histogram<u64>,
    /// Share of its core that the generator used; near one, the generator was the limit.
    pub generator_busy: f64,
}

impl Report {
    /// An interval in which nothing happened yet.
    pub(crate) fn empty() -> Self {
        Self {
            elapsed: Duration::ZERO,
            answered: 0,
            failures: BTreeMap::new(),
            unfinished: 0,
            value_bytes: 0,
            gap_max: Duration::ZERO,
            latency: histogram(),
            generator_busy: 0.0,
        }
    }

    pub(crate) fn record(&mut self, latency_ns: u64) {
        self.latency.saturating_record(latency_ns.max(1));
    }

    pub(crate) fn fail(&mut self, what: String) {
        *self.failures.entry(what).or_default() += 1;
    }

    /// Takes in another interval.
    pub fn add(&mut self, other: &Self) {
        let busy = |report: &Self| report.elapsed.mul_f64(report.generator_busy);
        let busy = busy(self) + busy(other);
        self.elapsed += other.elapsed;
        if !self.elapsed.is_zero() {
            self.generator_busy = busy.as_secs_f64() / self.elapsed.as_secs_f64();
        }
        self.answered += other.answered;
        self.unfinished += other.unfinished;
        self.value_bytes += other.value_bytes;
        self.gap_max = self.gap_max.max(other.gap_max);
        for (what, count) in &other.failures {
            *self.failures.entry(what.clone()).or_default() += count;
        }
        // Both have the same bounds.
        let _ = self.latency.add(&other.latency);
    }

    /// Bad answers.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Good answers a second.
    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Gigabytes (10⁹) of values a second.
    pub fn gigabytes_per_second(&self) -> f64 {
        self.value_bytes as f64 / self.elapsed.as_secs_f64() / 1e9
    }

    /// Microseconds within which a share of the requests was answered.
    pub fn latency_us(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// One nanosecond to ten minutes, to a hundredth.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 2)
        .unwrap_or_else(|error| unreachable!("the bounds are fine: {error}"))
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.0} req/s, {:.3} GB/s, p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, max {:.0} µs, \
             longest gap {:.1} ms, {} answered, {} failed, {} unfinished, generator {:.0} % busy",
            self.per_second(),
            self.gigabytes_per_second(),
            self.latency_us(0.5),
            self.latency_us(0.99),
            self.latency_us(0.999),
            self.latency_us(1.0),
            self.gap_max.as_secs_f64() * 1e3,
            self.answered,
            self.failed(),
            self.unfinished,
            self.generator_busy * 100.0,
        )?;
        for (what, count) in &self.failures {
            write!(out, "\n  {count} × {what}")?;
        }
        Ok(())
    }
}
