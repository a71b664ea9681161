//! The engine of one shard: a tree of memtables and tables, blob files for large values, a log that brings back what is
//! in memory only, unless it is switched off. `docs/explanation/engine.md` tells how it works and why it is safe.
//!
//! ```text
//! shard ─► transaction ─► state ─► memtable             one step each, nothing waits
//!   │ │                    ▲ │
//!   │ └─ ticket ◄──────────┘ ▼ group
//!   │                      commit ─► journal, blob      one task, the only writer of both; a journal is a log, or none
//!   │                      flush, merges, collect ─► store   tables, blob files, the manifest: which files count
//!   └─ scan, fetch ─► view ─► table, blob, cache        what memory cannot tell
//! ```
//!
//! Always true:
//! - Everything of a shard happens on one core; nothing is borrowed across a wait.
//! - What readers see is durable, as far as the settings say; transactions see what is staged too, and their ticket
//!   resolves after what they rest on.
//! - A record of the log is there or not; what replay finds is a prefix of what was staged, and holds all that was
//!   acknowledged.
//! - After a failure that leaves the disk unknown the shard is poisoned: it answers reads and refuses writes.
//!
//! Disk and time are parameters ([`disk::Disk`], [`clock::Clock`]). Nothing above the engine is imported here.

pub mod clock;
pub mod disk;

mod answer;
mod background;
mod backup;
mod blob;
mod bugs;
#[cfg_attr(not(test), expect(dead_code, reason = "the capacity is to change with a reload"))]
mod cache;
mod check;
mod collect;
mod commit;
mod compaction;
mod entry;
#[cfg_attr(not(test), expect(dead_code, reason = "verdicts are for batches across shards"))]
mod epoch;
mod error;
mod fetch;
mod flush;
mod group;
mod header;
mod journal;
mod key;
mod layer;
mod layers;
mod locks;
mod log;
mod manifest;
mod memtable;
#[cfg_attr(not(test), expect(dead_code, reason = "for scans that go backward"))]
mod merge;
mod merges;
mod owed;
mod page;
mod part;
mod partners;
mod past;
mod progress;
mod recovery;
mod scan;
mod shard;
mod signal;
mod state;
mod stats;
mod store;
mod table;
mod ticket;
mod totals;
mod traces;
mod transaction;
mod value;
mod varint;
#[cfg_attr(not(test), expect(dead_code, reason = "searches ask runs, one after the other"))]
mod version;
mod view;
mod wal;
mod workshop;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Later};
pub use backup::{
    BackupError, BackupId, BackupMeta, Chain, Control, Copied, DataFile, Draft, Folder, Fresh,
    Keep, Manifest, Pending, Place, Reader, Ready, Restored, Roots, SCHEDULED, Source, Staged,
    Switch, Verified, make_shards, newest_scheduled, prune, read_through, stage_all, sweep, verify,
};
/// Gives this thread the lowest priority: what it does is to disturb no reactor.
pub(crate) fn work_quietly() {
    background::work_quietly();
}

pub use check::{CheckOptions, Checked, Finding, check};
pub use compaction::MergeSlots;
pub use epoch::{Epoch, Epochs, Snapshot, Snapshots, Verdict};
pub use error::StorageError;
pub use locks::LockSet;
pub use page::{Page, PageLimit};
pub use part::{Batch, BatchId, Writers};
pub use partners::Partners;
pub use shard::{Compacted, EngineOptions, Options, Shard};
pub use stats::{Level, Operations, Recovery, Stats};
pub use ticket::Ticket;
pub use traces::{Decisions, Traces};
pub use transaction::Transaction;
pub use value::{Meta, Value};
pub use workshop::Workshop;
