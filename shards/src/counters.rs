//! Numbers that a reactor writes and others read: one writer each, on cache lines of its own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number with one writer: changing it is a load and a store, never a locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Adds; only for the thread that owns the counter.
    pub fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Relaxed);
    }

    /// Takes away; only for the thread that owns the counter.
    pub fn sub(&self, count: u64) {
        self.0.store(self.get().wrapping_sub(count), Relaxed);
    }

    /// Sets; only for the thread that owns the counter.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// One reactor's numbers.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    /// Steps of work: polls of connections and of the mesh. Stands still when the reactor does.
    pub turns: Counter,
    /// Times that the control thread's pulse was answered.
    pub beats: Counter,
    /// Connections accepted since the start.
    pub connections_accepted: Counter,
    /// Connections closed at once because `server.max_connections` were open.
    pub connections_refused: Counter,
    /// Connections closed because they sent too many control frames or stood still.
    pub connections_cut: Counter,
    /// Requests begun.
    pub requests: Counter,
    /// Requests answered with status OK, in-band errors included.
    pub answers: Counter,
    /// Requests that ended in an error, in-band or in the status.
    pub errors: Counter,
    /// Requests sent to other reactors.
    pub remote_requests: Counter,
    /// Bytes read from connections.
    pub bytes_received: Counter,
    /// Bytes written to connections.
    pub bytes_sent: Counter,
    /// Shards of this reactor that refuse writes.
    pub poisoned_shards: Counter,
}

impl Counters {
    /// A request was answered under status OK.
    pub fn answered(&self) {
        self.answers.add(1);
    }

    /// A request ended in an error.
    pub fn failed(&self) {
        self.errors.add(1);
    }
}
