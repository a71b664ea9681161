//! The engine of one shard: entries in memory, a log that brings them back.
//!
//! ```text
//! shard ──► transaction ──► state ──► memtable          one step each, nothing waits
//!   │                         ▲ │
//!   └── ticket ◄──────────────┘ ▼ group
//!                             commit ──► wal ──► disk   the only part that waits
//! ```
//!
//! Always true:
//! - Everything of a shard happens on one core; nothing is borrowed across a wait.
//! - What readers see is durable, as far as the sync mode says; transactions see what is staged too, and their ticket
//!   resolves after what they rest on.
//! - A record of the log is there or not; what replay finds is a prefix of what was staged, and holds all that was
//!   acknowledged.
//! - After a failure that leaves the disk unknown the shard is poisoned: it answers reads and refuses writes.
//!
//! Disk and time are parameters ([`disk::Disk`], [`clock::Clock`]). Nothing above the engine is imported here.

pub mod clock;
pub mod disk;

#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "used by the engine when it flushes")
)]
mod background;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the engine when it flushes"))]
mod cache;
mod commit;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "used by the engine when it flushes")
)]
mod compaction;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the engine when it flushes"))]
mod entry;
mod error;
mod group;
mod header;
mod key;
mod log;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "used by the engine when it flushes")
)]
mod manifest;
mod memtable;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the engine when it flushes"))]
mod merge;
mod page;
mod shard;
mod signal;
mod state;
mod stats;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "used by the engine when it flushes")
)]
mod table;
mod ticket;
mod transaction;
mod value;
mod varint;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "used by the engine when it flushes")
)]
mod version;
mod wal;

#[cfg(test)]
mod tests;

pub use error::StorageError;
pub use page::{Page, PageLimit};
pub use shard::{EngineOptions, Options, Shard};
pub use stats::{Recovery, Stats};
pub use ticket::Ticket;
pub use transaction::Transaction;
pub use value::{Meta, Value};
