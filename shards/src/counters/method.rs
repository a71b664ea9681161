//! What became of the requests of one method on one reactor.
//!
//! Always true, once nothing is under way: begun = answered or failed (both in the latencies) + given up.

use std::time::Duration;

use super::{Counter, Histogram};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In an answer.
    Answered,
    /// In an error, in-band or in the status.
    Failed,
}

/// The numbers of one method on one reactor.
#[derive(Debug, Default)]
pub struct MethodCounters {
    /// Requests begun.
    pub begun: Counter,
    /// Requests that ended in an error.
    pub failed: Counter,
    /// Requests whose client, or its connection, went before the end.
    pub given_up: Counter,
    /// From the arrival of the bytes to the end, errors included.
    pub latencies: Histogram,
}

impl MethodCounters {
    /// A request has ended.
    pub fn ended(&self, end: End, latency: Duration) {
        if end == End::Failed {
            self.failed.add(1);
        }
        self.latencies.record(latency);
    }
}
