//! What a shard's files are at one moment: which tables lie where, which blob files there are, what the collections are
//! called. A version never changes; readers hold on to the one they began with.
//!
//! ```text
//!  version ─► levels ─► runs, the newest first ─► tables that do not overlap, in the order of their keys
//!     │ apply(edit)
//!     ▼
//!  version ─► shares what is the same
//! ```
//!
//! `docs/reference/data-files.md` lists what is always true.

mod apply;
mod history;
#[cfg(test)]
mod tests;

pub(super) use history::{DataFile, History};

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap},
    fmt,
    rc::Rc,
};

use super::{
    entry::{CollectionId, Sequence},
    log::Coverage,
    manifest::{Addition, BlobBytes, Edit},
    table::{Table, TableMeta},
};

/// The files of a shard at one moment.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// Runs of each level, the newest first. The last level is not empty.
    levels: Vec<Vec<Rc<SortedRun>>>,
    /// By file number.
    blobs: Rc<BTreeMap<u64, BlobState>>,
    collections: Rc<Collections>,
    flushed_sequence: Sequence,
    file_number: u64,
    coverage: Coverage,
}

/// Tables that do not overlap, in the order of their keys. Never empty.
#[derive(Debug)]
pub(super) struct SortedRun {
    pub(super) number: u64,
    pub(super) tables: Vec<Rc<LiveTable>>,
}

/// A table of a version, and the open file behind it once somebody has opened it.
pub(super) struct LiveTable {
    pub(super) meta: TableMeta,
    opened: OnceCell<Rc<Table>>,
}

/// How much of a blob file is what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlobState {
    /// Data in it.
    pub(super) bytes: u64,
    /// Data that no entry refers to any more.
    pub(super) garbage: u64,
}

/// The collections that have a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Collections {
    names: BTreeMap<CollectionId, Rc<str>>,
    ids: HashMap<Rc<str>, CollectionId>,
}

impl Default for Version {
    /// Of a new shard.
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            blobs: Rc::default(),
            collections: Rc::default(),
            flushed_sequence: 0,
            file_number: 1,
            coverage: Coverage::Whole,
        }
    }
}

impl Version {
    /// Runs of each level, the newest first.
    pub(super) fn levels(&self) -> &[Vec<Rc<SortedRun>>] {
        &self.levels
    }

    /// All runs, the newest data first.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Rc<SortedRun>> {
        self.levels.iter().flatten()
    }

    /// All tables, in no order that means something.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Rc<LiveTable>> {
        self.runs().flat_map(|run| &run.tables)
    }

    /// The tables that may hold a key, the newest data first.
    pub(super) fn candidates<'a>(
        &'a self,
        table_key: &'a [u8],
    ) -> impl Iterator<Item = &'a Rc<LiveTable>> {
        self.runs().filter_map(|run| run.find(table_key))
    }

    /// Blob files by number.
    pub(super) fn blobs(&self) -> &BTreeMap<u64, BlobState> {
        &self.blobs
    }

    pub(super) fn collections(&self) -> &Collections {
        &self.collections
    }

    /// All records up to this one are in tables.
    pub(super) fn flushed_sequence(&self) -> Sequence {
        self.flushed_sequence
    }

    /// Which records are in the write-ahead log, beside those that are in tables.
    pub(super) fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// The next file number that has never been used, as far as the manifest knows.
    pub(super) fn file_number(&self) -> u64 {
        self.file_number
    }

    /// The edit that makes this version out of the empty one.
    pub(super) fn snapshot(&self) -> Edit {
        let mut edit = Edit {
            flushed_sequence: Some(self.flushed_sequence),
            file_number: Some(self.file_number),
            coverage: Some(self.coverage).filter(|coverage| *coverage != Coverage::Whole),
            ..Edit::default()
        };
        for (level, runs) in self.levels.iter().enumerate() {
            for run in runs {
                edit.tables_added.extend(run.tables.iter().map(|table| Addition {
                    level: level as u8,
                    run: run.number,
                    meta: table.meta.clone(),
                }));
            }
        }
        for (&file, blob) in &*self.blobs {
            edit.blobs.push(BlobBytes { file, bytes: blob.bytes });
            if blob.garbage > 0 {
                edit.garbage.push(BlobBytes { file, bytes: blob.garbage });
            }
        }
        edit.collections.extend(self.collections.iter().map(|(id, name)| (id, Rc::clone(name))));
        edit
    }

    /// No number up to this one is to be used any more.
    pub(super) fn skip_file_numbers(&mut self, used: u64) {
        self.file_number = self.file_number.max(used.saturating_add(1));
    }
}

impl SortedRun {
    /// The table that may hold a key.
    pub(super) fn find(&self, table_key: &[u8]) -> Option<&Rc<LiveTable>> {
        let at = self.tables.partition_point(|table| table.meta.largest < table_key);
        self.tables.get(at).filter(|table| table.meta.smallest <= table_key)
    }

    /// The tables that may hold keys from `from` on, up to and without `to`.
    pub(super) fn range(&self, from: &[u8], to: Option<&[u8]>) -> &[Rc<LiveTable>] {
        let first = self.tables.partition_point(|table| table.meta.largest < from);
        let rest = &self.tables[first..];
        let count = rest.partition_point(|table| to.is_none_or(|to| table.meta.smallest < to));
        &rest[..count]
    }
}

impl LiveTable {
    pub(super) fn new(meta: TableMeta) -> Self {
        Self { meta, opened: OnceCell::new() }
    }

    /// The open file; a table is opened before its version is installed.
    pub(super) fn opened(&self) -> Option<&Rc<Table>> {
        self.opened.get()
    }

    /// Keeps the open file. The first one counts.
    pub(super) fn open(&self, table: Rc<Table>) {
        debug_assert_eq!(*table.meta(), self.meta);
        let _ = self.opened.set(table);
    }
}

impl fmt::Debug for LiveTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meta.fmt(f)
    }
}

impl Collections {
    pub(super) fn id(&self, name: &str) -> Option<CollectionId> {
        self.ids.get(name).copied()
    }

    /// Numbers and names, in the order of the numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (CollectionId, &Rc<str>)> {
        self.names.iter().map(|(id, name)| (*id, name))
    }

    /// The number for the next new collection, and none after four thousand million.
    pub(super) fn next_id(&self) -> Option<CollectionId> {
        let last = self.names.last_key_value().map_or(0, |(id, _)| id.number());
        CollectionId::new(last + 1)
    }
}
