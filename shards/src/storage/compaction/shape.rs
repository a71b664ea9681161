//! A version as pickers see it: keys and figures, no files.

use bytes::Bytes;

use super::plan::Claim;
use crate::storage::{table::TableMeta, version::Version};

/// All runs, and what is being done to them.
#[derive(Clone, Debug, Default)]
pub(in crate::storage) struct Shape {
    /// Runs of each level, the newest first.
    pub(in crate::storage) levels: Vec<Vec<RunShape>>,
    /// The newest record that is in tables.
    pub(in crate::storage) sequence: u64,
    /// Plans that are being carried out.
    pub(in crate::storage) claims: Vec<Claim>,
}

/// Tables that do not overlap, in the order of their keys. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct RunShape {
    pub(in crate::storage) number: u64,
    pub(in crate::storage) tables: Vec<TableShape>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct TableShape {
    pub(in crate::storage) number: u64,
    pub(in crate::storage) bytes: u64,
    pub(in crate::storage) entries: u64,
    pub(in crate::storage) tombstones: u64,
    /// The newest record in it.
    pub(in crate::storage) sequence_max: u64,
    pub(in crate::storage) keys: KeyRange,
}

/// Table keys from the smallest to the largest, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct KeyRange {
    pub(in crate::storage) smallest: Bytes,
    pub(in crate::storage) largest: Bytes,
}

/// A run and the level that it lies in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) level: usize,
    pub(super) run: &'a RunShape,
}

impl Shape {
    pub(in crate::storage) fn of(version: &Version, claims: Vec<Claim>) -> Self {
        let levels = version.levels().iter().map(|runs| {
            let runs = runs.iter().map(|run| RunShape {
                number: run.number,
                tables: run.tables.iter().map(|table| TableShape::of(&table.meta)).collect(),
            });
            runs.collect()
        });
        Self { levels: levels.collect(), sequence: version.flushed_sequence(), claims }
    }

    /// Runs of a level, the newest first.
    pub(super) fn level(&self, level: usize) -> &[RunShape] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// All runs, the newest data first.
    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = Placed<'_>> {
        let levels = self.levels.iter().enumerate();
        levels.flat_map(|(level, runs)| runs.iter().map(move |run| Placed { level, run }))
    }

    /// The deepest level that is not empty.
    pub(super) fn deepest(&self) -> usize {
        self.levels.iter().rposition(|runs| !runs.is_empty()).unwrap_or(0)
    }

    pub(super) fn level_bytes(&self, level: usize) -> u64 {
        self.level(level).iter().map(RunShape::bytes).sum()
    }
}

impl RunShape {
    pub(super) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    pub(super) fn entries(&self) -> u64 {
        self.tables.iter().map(|table| table.entries).sum()
    }

    pub(super) fn tombstones(&self) -> u64 {
        self.tables.iter().map(|table| table.tombstones).sum()
    }

    /// The tables that share keys with `keys`.
    pub(super) fn overlapping(&self, keys: &KeyRange) -> &[TableShape] {
        let rest = &self.tables[self.before(keys)..];
        &rest[..rest.partition_point(|table| table.keys.smallest <= keys.largest)]
    }

    /// How many tables end before `keys` begin.
    pub(super) fn before(&self, keys: &KeyRange) -> usize {
        self.tables.partition_point(|table| table.keys.largest < keys.smallest)
    }
}

impl TableShape {
    fn of(meta: &TableMeta) -> Self {
        Self {
            number: meta.number,
            bytes: meta.bytes,
            entries: meta.entries,
            tombstones: meta.tombstones,
            sequence_max: meta.sequence_max,
            keys: KeyRange { smallest: meta.smallest.clone(), largest: meta.largest.clone() },
        }
    }
}

impl KeyRange {
    pub(in crate::storage) fn overlaps(&self, other: &Self) -> bool {
        self.smallest <= other.largest && other.smallest <= self.largest
    }

    /// The smallest range that holds both.
    pub(super) fn hull(&self, other: &Self) -> Self {
        Self {
            smallest: self.smallest.clone().min(other.smallest.clone()),
            largest: self.largest.clone().max(other.largest.clone()),
        }
    }

    /// The smallest range that holds all of them.
    pub(super) fn hull_of<'a>(ranges: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut ranges = ranges.into_iter();
        let first = ranges.next()?.clone();
        Some(ranges.fold(first, |hull, range| hull.hull(range)))
    }
}
