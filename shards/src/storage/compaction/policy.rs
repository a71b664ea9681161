//! What the operator wants of compaction (`storage.compaction`), and what follows from it.

use crate::storage::manifest::LEVELS_MAX;

/// Runs of level 0 that are worth a merge.
pub(in crate::storage) const LEVEL_0_RUNS: usize = 4;

/// What is paid with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Strategy {
    /// One run a level, each `multiplier` times the one above: little space, few runs to read, much to rewrite.
    Leveled,
    /// Up to `multiplier` runs a level, merged together into the next: little to rewrite, much space, many runs.
    Tiered,
    /// Up to `multiplier` runs in all, those of like size merged: in between, with large merges.
    Universal,
}

/// How tables are to lie. It may change at any moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Policy {
    pub(in crate::storage) strategy: Strategy,
    /// Levels in use, level 0 included.
    levels: usize,
    multiplier: usize,
    /// Bytes of what a flush makes, about.
    pub(in crate::storage) flush_bytes: u64,
    /// Bytes after which a merge begins the next table.
    pub(in crate::storage) table_bytes: u64,
}

impl Policy {
    /// Whatever it is given, it is made possible.
    pub(in crate::storage) fn new(
        strategy: Strategy,
        levels: usize,
        multiplier: usize,
        flush_bytes: u64,
    ) -> Self {
        /// Smaller ones are too many, larger ones make steps too long.
        const TABLE_BYTES_MIN: u64 = 4 * 1024 * 1024;
        const TABLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

        let flush_bytes = flush_bytes.max(1);
        Self {
            strategy,
            levels: levels.clamp(2, LEVELS_MAX),
            multiplier: multiplier.clamp(2, 1000),
            flush_bytes,
            table_bytes: flush_bytes.clamp(TABLE_BYTES_MIN, TABLE_BYTES_MAX),
        }
    }

    /// The deepest level that it wants to use.
    pub(in crate::storage) fn bottom(&self) -> usize {
        self.levels - 1
    }

    pub(in crate::storage) fn multiplier(&self) -> usize {
        self.multiplier
    }

    /// What level 0 holds when it is merged: the least that makes a level of its own worth while.
    pub(in crate::storage) fn base_bytes(&self) -> u64 {
        self.flush_bytes.saturating_mul(LEVEL_0_RUNS as u64)
    }
}
