//! What happened since the last look, in numbers that fit into a line: for the log, and for `systemctl status`.

use std::{
    fmt,
    time::{Duration, Instant},
};

use amaters_shards::{Latencies, Method, Watch};

/// What the reactors stood at.
#[derive(Clone, Copy, Default)]
struct Point {
    requests: u64,
    errors: u64,
    bytes: u64,
    latencies: Latencies,
}

/// Remembers the last look.
pub(crate) struct Meter {
    looked: Instant,
    point: Point,
}

/// What happened in a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// The while.
    pub(crate) time: Duration,
    /// Requests that ended a second.
    pub(crate) requests_per_second: f64,
    /// Requests that failed.
    pub(crate) errors: u64,
    /// Bytes read and written a second.
    pub(crate) bytes_per_second: f64,
    /// Bounds of the latencies of unary requests: of half of them, and of 99 in 100.
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    /// Open connections.
    pub(crate) connections: usize,
}

impl Meter {
    /// Begins now.
    pub(crate) fn new(watch: &Watch, now: Instant) -> Self {
        Self { looked: now, point: Point::of(watch) }
    }

    /// Since the last look.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.looked)
    }

    /// What happened since the last look.
    pub(crate) fn take(&mut self, watch: &Watch, now: Instant) -> Summary {
        let (time, point) = (self.elapsed(now), Point::of(watch));
        let before = std::mem::replace(&mut self.point, point);
        self.looked = now;
        let seconds = time.as_secs_f64().max(f64::MIN_POSITIVE);
        let latencies = point.latencies.since(&before.latencies);
        Summary {
            time,
            requests_per_second: (point.requests - before.requests) as f64 / seconds,
            errors: point.errors - before.errors,
            bytes_per_second: (point.bytes - before.bytes) as f64 / seconds,
            median: latencies.quantile(0.5),
            p99: latencies.quantile(0.99),
            connections: watch.connections().iter().sum(),
        }
    }
}

impl Point {
    fn of(watch: &Watch) -> Self {
        let mut point = Self::default();
        for counters in watch.counters() {
            for method in Method::ALL.into_iter().map(Some).chain([None]) {
                let numbers = counters.method(method);
                let latencies = numbers.latencies.read();
                point.requests += latencies.count();
                point.errors += numbers.failed.get();
                if method.is_some_and(Method::is_unary) {
                    point.latencies.merge(&latencies);
                }
            }
            point.bytes += counters.bytes_sent.get() + counters.bytes_received.get();
        }
        point
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests_per_second, errors, bytes_per_second, connections, .. } = self;
        let mebibytes = bytes_per_second / (1 << 20) as f64;
        write!(f, "{requests_per_second:.0} requests/s, {errors} errors, {mebibytes:.1} MiB/s")?;
        if *requests_per_second > 0.0 {
            write!(f, ", p50 ≤ {:?}, p99 ≤ {:?}", self.median, self.p99)?;
        }
        write!(f, ", {connections} connections")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_a_line_without_latencies_where_there_were_none() {
        let mut summary = Summary {
            time: Duration::from_secs(60),
            requests_per_second: 1234.4,
            errors: 2,
            bytes_per_second: 3_145_728.0,
            median: Duration::from_micros(100),
            p99: Duration::from_micros(2500),
            connections: 8,
        };
        let line = "1234 requests/s, 2 errors, 3.0 MiB/s, p50 ≤ 100µs, p99 ≤ 2.5ms, 8 connections";
        assert_eq!(summary.to_string(), line);
        summary.requests_per_second = 0.0;
        assert_eq!(summary.to_string(), "0 requests/s, 2 errors, 3.0 MiB/s, 8 connections");
    }
}
