//! What came of it all, in figures.

use std::{fmt, time::Duration};

use super::room::Room;
use crate::report::Report;

/// What the server has written, and what of it is there, at one moment.
#[derive(Clone, Debug)]
pub struct Written {
    /// Bytes of the keys and values of all answered writes.
    pub sent_bytes: u64,
    /// Bytes of the keys and values that are there.
    pub live_bytes: u64,
    /// What the kernel wrote for the server.
    pub kernel_bytes: u64,
    /// Lengths of all files that there were.
    pub(super) files: Room,
    /// What the disk has given to those that are there.
    pub(super) taken: Room,
}

impl Written {
    /// Bytes that the kernel wrote for each byte of keys and values.
    pub fn write_amplification(&self) -> f64 {
        self.kernel_bytes as f64 / self.sent_bytes.max(1) as f64
    }

    /// Bytes on the disk for each byte of keys and values that is alive.
    pub fn space_amplification(&self) -> f64 {
        self.taken.bytes() as f64 / self.live_bytes.max(1) as f64
    }
}

impl fmt::Display for Written {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} MiB of keys and values\n  written by the kernel: {:.2} for each byte\n  \
             written to files:      {}\n  taken on the disk:     {} ({})",
            self.sent_bytes >> 20,
            self.write_amplification(),
            self.files.per(self.sent_bytes),
            self.taken.per(self.live_bytes),
            self.taken,
        )
    }
}

/// From the program's start to the first get, after a crash.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// Until it said that it listens.
    pub listening: Duration,
    /// Until the get was answered.
    pub answered: Duration,
}

impl fmt::Display for Restart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let (listening, answered) = (milliseconds(self.listening), milliseconds(self.answered));
        write!(
            out,
            "started again: listens after {listening:.0} ms, the first get is answered after {answered:.0} ms"
        )
    }
}

/// All of it.
#[derive(Debug)]
pub struct Endured {
    /// When the last write of the load was answered.
    pub loaded: Written,
    /// When compaction had come to rest, or the wait for it was over.
    pub rested: Written,
    /// Gets while nothing else went on.
    pub quiet: Report,
    /// Gets beside sets.
    pub beside: Report,
    /// Those sets.
    pub sets: Report,
    /// After the crash.
    pub restart: Restart,
    /// Keys that were looked at after it and had what they must have.
    pub looked: u64,
    /// The most memory that the server ever had.
    pub peak_bytes: u64,
}

impl fmt::Display for Endured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amplification =
            |written: &Written| (written.write_amplification(), written.space_amplification());
        let [loaded, rested] = [&self.loaded, &self.rested].map(amplification);
        writeln!(out, "written for each byte:  {:.2} loaded, {:.2} at rest", loaded.0, rested.0)?;
        writeln!(out, "taken for each byte:    {:.2} loaded, {:.2} at rest", loaded.1, rested.1)?;
        writeln!(out, "gets:                   {}", self.quiet)?;
        writeln!(out, "gets beside sets:       {}", self.beside)?;
        writeln!(out, "sets beside gets:       {}", self.sets)?;
        writeln!(out, "{}", self.restart)?;
        writeln!(out, "keys after the crash:   {}, none lost, none wrong", self.looked)?;
        write!(out, "most resident:          {} MiB", self.peak_bytes >> 20)
    }
}
