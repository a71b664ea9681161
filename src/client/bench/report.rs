//! What was measured, and how.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::Bench;

/// Percentiles that are told.
const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
    ("max", 100.0),
];
/// A client that is busier than this may be what is measured.
const BUSY: f64 = 0.9;

/// Answers, failures and latencies of the measured time.
pub(super) struct Report {
    seconds: Duration,
    begun: u64,
    gets: Histogram<u64>,
    sets: Histogram<u64>,
    absent: u64,
    failures: BTreeMap<String, u64>,
    value_bytes: u64,
    cpu: Option<Duration>,
    busy: Option<f64>,
}

impl Report {
    pub(super) fn new(seconds: Duration) -> Self {
        Self {
            seconds,
            begun: 0,
            gets: histogram(),
            sets: histogram(),
            absent: 0,
            failures: BTreeMap::new(),
            value_bytes: 0,
            cpu: None,
            busy: None,
        }
    }

    pub(super) fn cpu_begins(&mut self) {
        self.cpu = Some(cpu());
    }

    pub(super) fn cpu_ends(&mut self) {
        let used = self.cpu.map(|before| cpu().saturating_sub(before));
        self.busy = used.map(|used| used.as_secs_f64() / self.seconds.as_secs_f64());
    }

    /// A request is due.
    pub(super) fn begins(&mut self) {
        self.begun += 1;
    }

    pub(super) fn answered(&mut self, is_get: bool, latency: Duration, bytes: usize) {
        let histogram = if is_get { &mut self.gets } else { &mut self.sets };
        histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        self.value_bytes += bytes as u64;
    }

    /// A get was answered: there is no value.
    pub(super) fn absent(&mut self, latency: Duration) {
        self.absent += 1;
        self.answered(true, latency, 0);
    }

    pub(super) fn failed(&mut self, why: &str) {
        *self.failures.entry(why.to_owned()).or_default() += 1;
    }

    fn answers(&self) -> u64 {
        self.gets.len() + self.sets.len()
    }

    fn unfinished(&self) -> u64 {
        self.begun - self.answers() - self.failures.values().sum::<u64>()
    }

    fn per_second(&self) -> f64 {
        self.answers() as f64 / self.seconds.as_secs_f64()
    }

    /// What was done, in words.
    fn method(bench: &Bench) -> String {
        let streams = u32::from(bench.connections) * u32::from(bench.streams);
        let mix = format!(
            "{} % gets, {} keys ({:?}), values of {} bytes; {} connections with {} requests at once",
            bench.reads,
            bench.keys,
            bench.distribution,
            bench.value_bytes,
            bench.connections,
            bench.streams
        );
        let mix = mix.replace("Uniform", "uniform").replace("Zipf", "zipf");
        match bench.rate {
            Some(rate) => {
                format!("open loop, {rate} requests/s due, latency from when they were due; {mix}")
            }
            None => format!(
                "closed loop, {streams} streams that wait for their answers, latency from the sending; {mix}"
            ),
        }
    }

    pub(super) fn text(&self, bench: &Bench) -> String {
        let mut text = format!(
            "{}\n\n{:.1} requests/s, {:.1} MB/s of values;\n{} answered, {} failed, {} unfinished, {} gets found no value\n",
            Self::method(bench).replace("; ", ";\n"),
            self.per_second(),
            self.value_bytes as f64 / self.seconds.as_secs_f64() / 1e6,
            self.answers(),
            self.failures.values().sum::<u64>(),
            self.unfinished(),
            self.absent,
        );
        for (why, count) in &self.failures {
            text.push_str(&format!("  {count} × {why}\n"));
        }
        let names: String = PERCENTILES.iter().map(|(name, _)| format!("{name:>10}")).collect();
        text.push_str(&format!("\n{:<6}{:>10}{names}\n", "ms", "count"));
        for (name, histogram) in [("get", &self.gets), ("set", &self.sets)] {
            if histogram.is_empty() {
                continue;
            }
            let ms = |share: f64| histogram.value_at_percentile(share) as f64 / 1e6;
            let cells: String =
                PERCENTILES.iter().map(|(_, share)| format!("{:>10.3}", ms(*share))).collect();
            text.push_str(&format!("{name:<6}{:>10}{cells}\n", histogram.len()));
        }
        for note in self.notes(bench) {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }

    /// What whoever reads the figures should know.
    fn notes(&self, bench: &Bench) -> Vec<String> {
        let mut notes = Vec::new();
        let unfinished = self.unfinished();
        if let Some(rate) = bench.rate {
            if self.per_second() < f64::from(rate) * 0.99 {
                notes.push(format!(
                    "The rate was not reached: {:.0} of {rate} requests/s were answered. Latencies grow as long as it is asked for.",
                    self.per_second()
                ));
            }
            if unfinished > 0 {
                notes.push(format!(
                    "{unfinished} requests had no answer 10 s behind the end, and are not among the latencies: those are too good."
                ));
            }
        } else {
            notes.push(
                "In a closed loop, a server that stalls is asked less: --rate shows what users would have waited.".into(),
            );
        }
        match self.busy {
            Some(busy) if busy > BUSY => notes.push(format!(
                "This client used {:.0} % of one CPU, and may be what was measured: use several of them, on other machines.",
                busy * 100.0
            )),
            Some(busy) => notes.push(format!("This client used {:.0} % of one CPU.", busy * 100.0)),
            None => {}
        }
        notes
    }

    pub(super) fn json(&self, bench: &Bench) -> Value {
        let latency = |histogram: &Histogram<u64>| {
            let ms = |share: f64| json!(histogram.value_at_percentile(share) as f64 / 1e6);
            let mut object = json!({"count": histogram.len()});
            if !histogram.is_empty() {
                object["mean_ms"] = json!(histogram.mean() / 1e6);
                for (name, share) in PERCENTILES {
                    object[format!("{name}_ms")] = ms(share);
                }
            }
            object
        };
        json!({
            "method": Self::method(bench),
            "loop": if bench.rate.is_some() { "open" } else { "closed" },
            "rate_due": bench.rate,
            "seconds": self.seconds.as_secs(),
            "warmup_seconds": bench.warmup,
            "requests_per_second": self.per_second(),
            "value_bytes_per_second": self.value_bytes as f64 / self.seconds.as_secs_f64(),
            "answered": self.answers(),
            "absent": self.absent,
            "failed": self.failures.values().sum::<u64>(),
            "failures": self.failures,
            "unfinished": self.unfinished(),
            "latency": {"get": latency(&self.gets), "set": latency(&self.sets)},
            "client_cpu": self.busy,
            "notes": self.notes(bench),
        })
    }
}

/// One nanosecond to an hour, to a thousandth.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
        .unwrap_or_else(|error| unreachable!("the bounds are fine: {error}"))
}

/// CPU that this process has used.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
