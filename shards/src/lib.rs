//! One core, one owner: reactors, their listeners, their gRPC and their storage.
//!
//! ```text
//!   reactors ─► reactor ─► net ─► grpc ─► rpc ─► router ─┬─► storage
//!   (control      (one thread each)                      └─► mesh ─► other reactors
//!    thread)
//! ```
//!
//! Imports point to the right only; `storage` knows nothing above it.

pub mod audit;
pub mod auth;
#[cfg(test)]
mod containment;
mod core;
mod counters;
mod dice;
mod failure;
mod grpc;
pub mod jobs;
pub mod limits;
mod mesh;
mod net;
pub mod partition;
mod payload;
mod pulse;
mod reactor;
mod reactors;
mod recent;
pub mod reshard;
mod router;
mod rpc;
pub mod settings;
pub mod storage;
pub mod throttle;
pub mod tls;
mod traffic;
mod turn;
pub mod utc;
mod watch;

pub use self::{
    core::Health,
    counters::{
        Counter, Counters, LATENCY_BOUNDS_NANOS, Latencies, MethodCounters, SIZE_BOUNDS, Sizes,
        Tally, TlsFailure, TlsKind, TlsVersion,
    },
    grpc::method::Method,
    net::peer::{ClientCertificate, Peer},
    pulse::{Beat, Pulse},
    reactor::IO_MEMORY_BYTES,
    reactors::{Reactors, StartError, StopError, start},
    recent::Notes,
    watch::Watch,
};
