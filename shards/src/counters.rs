//! Numbers that a reactor writes and others read: one writer each, on cache lines of its own.

mod histogram;
mod method;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use self::{
    histogram::{Histogram, LATENCY_BOUNDS_NANOS, Latencies, SIZE_BOUNDS, Sizes, Tally},
    method::{End, MethodCounters},
    tls::{TlsFailure, TlsKind, TlsVersion},
};
use crate::{grpc::method::Method, throttle::Limit};

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
    /// Connections closed at once because their address had as many as it may.
    pub connections_refused_by_address: Counter,
    /// Connections closed because they sent too many control frames or stood still.
    pub connections_cut: Counter,
    /// Principals recognised, once for each connection and credential.
    pub principals_admitted: Counter,
    /// Credentials that were not right, or were not there.
    pub credentials_refused: Counter,
    /// Requests for what their principal may not do.
    pub requests_denied: Counter,
    /// Clients that began with TLS where none is spoken.
    pub tls_unexpected: Counter,
    /// Handshakes of TLS that have a place, at the last look.
    pub tls_under_way: Counter,
    /// Handshakes of TLS that wait for a place, at the last look.
    pub tls_waiting: Counter,
    /// Bytes read from connections.
    pub bytes_received: Counter,
    /// Bytes written to connections.
    pub bytes_sent: Counter,
    /// Operations sent to shards of other reactors.
    pub hops: Counter,
    /// Those of them that are not answered yet, at the last look.
    pub hops_under_way: Counter,
    /// Bytes of requests and answers in flight, at the last look.
    pub in_flight_bytes: Counter,
    /// Shards of this reactor that refuse writes.
    pub poisoned_shards: Counter,
    tls_handshakes: [[Counter; TlsKind::ALL.len()]; TlsVersion::ALL.len()],
    tls_failures: [Counter; TlsFailure::ALL.len()],
    tls_connections: [Counter; TlsVersion::ALL.len()],
    limited: [Counter; Limit::ALL.len()],
    methods: [MethodCounters; Method::ALL.len()],
    strangers: MethodCounters,
}

impl Counters {
    /// The numbers of one method; none means requests that name no method of ours.
    pub fn method(&self, method: Option<Method>) -> &MethodCounters {
        match method {
            Some(method) => &self.methods[method as usize],
            None => &self.strangers,
        }
    }

    /// Handshakes of TLS that ended well.
    pub fn tls_handshakes(&self, version: TlsVersion, kind: TlsKind) -> &Counter {
        &self.tls_handshakes[version as usize][kind as usize]
    }

    /// Handshakes of TLS that came to nothing.
    pub fn tls_failures(&self, failure: TlsFailure) -> &Counter {
        &self.tls_failures[failure as usize]
    }

    /// Open connections of TLS.
    pub fn tls_connections(&self, version: TlsVersion) -> &Counter {
        &self.tls_connections[version as usize]
    }

    /// Requests that were refused because of a bound.
    pub fn limited(&self, limit: Limit) -> &Counter {
        &self.limited[limit as usize]
    }

    /// Requests begun, of all methods and of none.
    pub fn requests(&self) -> u64 {
        self.all().map(|method| method.begun.get()).sum()
    }

    fn all(&self) -> impl Iterator<Item = &MethodCounters> {
        self.methods.iter().chain([&self.strangers])
    }
}
