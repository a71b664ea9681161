//! How far a start has come: a line a second while it takes long, and none where it does not.

use std::{cell::Cell, fmt, rc::Rc, sync::Arc, time::Duration};

use super::clock::Clock;
use crate::counters::Counter;

/// An operator does not wonder for so long.
const SILENCE: Duration = Duration::from_secs(1);

/// The start of one shard.
pub(super) struct Progress {
    clock: Rc<dyn Clock>,
    shard: u32,
    begun: Duration,
    /// When the last line was told.
    told: Cell<Duration>,
    steps: Arc<Counter>,
}

/// What is being done, and how much of it has been.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Tables and blob files are opened.
    Files { opened: u64, of: u64 },
    /// The log is read.
    Log { bytes: u64, of: u64, records: u64 },
}

impl Progress {
    pub(super) fn begin(clock: Rc<dyn Clock>, shard: u32, steps: Arc<Counter>) -> Self {
        let begun = clock.now();
        Self { clock, shard, begun, told: Cell::new(begun), steps }
    }

    /// To be called as often as something has been done.
    pub(super) fn note(&self, stage: Stage) {
        self.steps.add(1);
        if let Some(line) = self.line(stage) {
            tracing::info!("{line}");
        }
    }

    /// To be called when the shard is ready.
    pub(super) fn end(&self) {
        if let Some(line) = self.last_line() {
            tracing::info!("{line}");
        }
    }

    fn line(&self, stage: Stage) -> Option<String> {
        let now = self.clock.now();
        if now < self.told.get() + SILENCE {
            return None;
        }
        self.told.set(now);
        Some(format!("shard {}: {stage}", self.shard))
    }

    fn last_line(&self) -> Option<String> {
        let took = self.clock.now() - self.begun;
        (took > SILENCE).then(|| format!("shard {}: ready after {took:.1?}", self.shard))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Files { opened, of } => {
                write!(f, "opening tables and blob files: {} of {}", Count(opened), Count(of))
            }
            Self::Log { bytes, of, records } => {
                let (bytes, of, records) = (Bytes(bytes), Bytes(of), Count(records));
                write!(f, "reading the log: {bytes} of {of}, {records} records")
            }
        }
    }
}

/// With commas between thousands.
struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.char_indices() {
            let is_border = index > 0 && (digits.len() - index).is_multiple_of(3);
            write!(f, "{}{digit}", if is_border { "," } else { "" })?;
        }
        Ok(())
    }
}

/// In the largest unit of which there is one, with two digits or more.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0 as f64;
        for unit in ["bytes", "KiB", "MiB", "GiB"] {
            if amount < 1024.0 {
                let decimals = usize::from(amount < 10.0 && unit != "bytes");
                return write!(f, "{amount:.decimals$} {unit}");
            }
            amount /= 1024.0;
        }
        write!(f, "{amount:.1} TiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::clock::sim::SimClock;

    const STAGE: Stage = Stage::Log { bytes: 412 << 20, of: 2_040_109_466, records: 1_204_331 };

    #[test]
    fn a_line_a_second_and_the_time_at_the_end() {
        let clock = SimClock::default();
        clock.advance(Duration::from_secs(70));
        let progress = Progress::begin(Rc::new(clock.clone()), 3, Arc::default());
        let mut lines = Vec::new();
        for _ in 0..35 {
            lines.extend(progress.line(STAGE));
            clock.advance(Duration::from_millis(100));
        }
        let line = "shard 3: reading the log: 412 MiB of 1.9 GiB, 1,204,331 records";
        assert_eq!(lines, [line; 3]);
        assert_eq!(progress.last_line().as_deref(), Some("shard 3: ready after 3.5s"));
    }

    #[test]
    fn a_quick_start_says_nothing() {
        let clock = SimClock::default();
        let progress = Progress::begin(Rc::new(clock.clone()), 3, Arc::default());
        assert_eq!(progress.line(STAGE), None);
        clock.advance(Duration::from_millis(999));
        assert_eq!((progress.line(STAGE), progress.last_line()), (None, None));
    }

    #[test]
    fn figures_are_for_people() {
        let counts = [0, 999, 1000, 12_345, 1_000_000].map(|count| Count(count).to_string());
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "1,000,000"]);
        let bytes = [0, 1023, 1024, 10_240, 1_572_864, 1 << 30, 1 << 40, 3 << 40];
        let bytes = bytes.map(|bytes| Bytes(bytes).to_string());
        let expected = [
            "0 bytes",
            "1023 bytes",
            "1.0 KiB",
            "10 KiB",
            "1.5 MiB",
            "1.0 GiB",
            "1.0 TiB",
            "3.0 TiB",
        ];
        assert_eq!(bytes, expected);
        let files = Stage::Files { opened: 512, of: 4000 }.to_string();
        assert_eq!(files, "opening tables and blob files: 512 of 4,000");
    }
}
