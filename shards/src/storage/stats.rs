//! Figures of a shard, for the log line at start, for metrics and for operators.

use std::time::Duration;

use crate::counters::{Latencies, Sizes};

/// What replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records applied.
    pub records: u64,
    /// Their bytes in the log.
    pub bytes: u64,
    /// Bytes at the end of the log that were never durable as a whole and have been left out.
    pub truncated_bytes: u64,
    /// Segments of the log, the new one included.
    pub segments: u64,
}

/// The state of a shard at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries of all collections, about: what has been overwritten counts until it is merged away.
    pub entries: u64,
    /// Memory that those count for which are not in tables yet.
    pub memtable_bytes: u64,
    /// Entries that are not in tables yet, tombstones among them.
    pub memtable_entries: u64,
    /// Memory of what only scans that go on still see; that in memtables counts there, too.
    pub snapshot_bytes: u64,
    /// Bytes that wait for the log.
    pub staged_bytes: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Operations on the shard since the start.
    pub operations: Operations,
    /// Groups committed since the start.
    pub groups: u64,
    /// Records of each of them.
    pub group_records: Sizes,
    /// Syncs of the log since the start.
    pub syncs: u64,
    /// How long each of them took.
    pub sync_times: Latencies,
    /// Time that writers waited because flushes or merges were behind.
    pub stall_time: Duration,
    /// Memtables that wait for their flush.
    pub frozen_memtables: u64,
    /// Number of the last write that readers see.
    pub sequence: u64,
    /// Number of the last write that is in tables: without a log, a crash loses those behind it.
    pub flushed_sequence: u64,
    /// Tables.
    pub tables: u64,
    /// Bytes of them.
    pub table_bytes: u64,
    /// The same for each level.
    pub levels: Vec<Level>,
    /// Bytes that merges have to write until all is well, about.
    pub debt_bytes: u64,
    /// Files of large values.
    pub blob_files: u64,
    /// Data in them.
    pub blob_bytes: u64,
    /// That of it which no entry refers to any more.
    pub blob_garbage_bytes: u64,
    /// Memtables flushed since the start.
    pub flushes: u64,
    /// Time that took.
    pub flush_time: Duration,
    /// Merges of tables since the start, moves included.
    pub merges: u64,
    /// Bytes of tables that they took in.
    pub merged_bytes: u64,
    /// Bytes of tables that they wrote.
    pub merge_written_bytes: u64,
    /// Time that took.
    pub merge_time: Duration,
    /// Memory of filters and indexes of tables.
    pub table_memory_bytes: u64,
    /// Blocks and large values that were cached when they were asked for, since the start.
    pub cache_hits: u64,
    /// Those that were not.
    pub cache_misses: u64,
    /// Those that were thrown out to make room.
    pub cache_evictions: u64,
    /// Memory that they take.
    pub cache_bytes: u64,
    /// Memory that they may take.
    pub cache_capacity_bytes: u64,
    /// Why writes are refused, if they are.
    pub poisoned: Option<String>,
}

/// Operations on a shard since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Keys looked up, one at a time.
    pub gets: u64,
    /// Keys written, one at a time.
    pub sets: u64,
    /// Keys removed, one at a time.
    pub deletes: u64,
    /// Pages of scans.
    pub scans: u64,
    /// Steps of batches and updates.
    pub transactions: u64,
}

/// One level of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Tables in it.
    pub tables: u64,
    /// Bytes of them.
    pub bytes: u64,
}
