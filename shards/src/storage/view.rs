//! The files of one version, open for reading, and the search for a key in them.
//!
//! ```text
//! level 0   tables, newest first, may overlap      every table whose range holds the key
//! level n   tables in key order, disjoint          at most one table
//! ```
//!
//! Always true: of two entries of a key, the one that the search meets first is the newer one. Who holds a view keeps its
//! files from being closed and removed.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    StorageError,
    blob::BlobFile,
    cache::Cache,
    entry::{BlobRef, Change, Probe},
    merge::{Merge, Source},
    table::{Cursor, Lookup, Run, Span, Table},
    value::{Meta, Value},
};

/// The open files of a version.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) levels: Vec<Vec<Rc<Table>>>,
    pub(super) blobs: BTreeMap<u64, Rc<BlobFile>>,
}

/// A search for the newest entry of a key.
pub(super) struct Search {
    view: Rc<View>,
    probe: Probe,
    /// The table to look at next.
    level: usize,
    index: usize,
}

/// How far a search has come.
pub(super) enum Progress {
    /// The newest change of the key, if there is one.
    Done(Option<Change>),
    /// It depends on a block that is not cached.
    Needs(Rc<Table>, Span),
}

impl View {
    pub(super) fn has_tables(&self) -> bool {
        self.levels.iter().any(|level| !level.is_empty())
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Rc<Table>> {
        self.levels.iter().flatten()
    }

    /// All entries of a range of table keys, and perhaps some more.
    pub(super) fn merge(
        &self,
        cache: &Rc<Cache>,
        from: &[u8],
        to: &[u8],
    ) -> Result<Merge, StorageError> {
        let touches = |table: &&Rc<Table>| {
            let meta = table.meta();
            meta.largest[..] >= *from && meta.smallest[..] < *to
        };
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        for (level, tables) in self.levels.iter().enumerate() {
            let mut tables = tables.iter().filter(touches).cloned();
            if level == 0 {
                for table in tables {
                    sources.push(Box::new(Cursor::new(table, Some(Rc::clone(cache)))?));
                }
            } else if let Some(first) = tables.next() {
                let tables = std::iter::once(first).chain(tables).collect();
                sources.push(Box::new(Run::new(tables, Some(Rc::clone(cache)))));
            }
        }
        Ok(Merge::new(sources))
    }

    /// The data of a large value.
    pub(super) async fn read(
        &self,
        cache: &Cache,
        blob: BlobRef,
    ) -> Result<bytes::Bytes, StorageError> {
        if let Some(data) = cache.get(blob.file, blob.offset) {
            return Ok(data);
        }
        let Some(file) = self.blobs.get(&blob.file) else {
            return Err(StorageError::Corrupt {
                file: format!("blob file {}", blob.file).into(),
                offset: blob.offset,
                what: "an entry refers to it, but the manifest does not name it".to_owned(),
                advice: "Restore the data directory from a backup; other entries are not affected",
            });
        };
        let data = file.read(blob).await?;
        cache.insert(blob.file, blob.offset, data.clone());
        Ok(data)
    }

    /// The value of a change whose data has to be read.
    pub(super) async fn value(
        &self,
        cache: &Cache,
        meta: Meta,
        blob: BlobRef,
    ) -> Result<Option<Value>, StorageError> {
        Ok(Some(Value { data: self.read(cache, blob).await?, meta }))
    }
}

impl Search {
    pub(super) fn new(view: Rc<View>, probe: Probe) -> Self {
        Self { view, probe, level: 0, index: 0 }
    }

    /// Goes on as far as memory can tell.
    pub(super) fn look(&mut self, cache: &Cache) -> Result<Progress, StorageError> {
        while let Some(table) = self.next_table() {
            match table.get(cache, &self.probe)? {
                Lookup::Absent => {}
                Lookup::Found(entry) => return Ok(Progress::Done(Some(entry.change))),
                Lookup::NeedsBlock(span) => return Ok(Progress::Needs(table, span)),
            }
        }
        Ok(Progress::Done(None))
    }

    /// Goes on to the end, from where `look` stopped.
    pub(super) async fn finish(
        mut self,
        cache: &Cache,
        mut table: Rc<Table>,
        mut span: Span,
    ) -> Result<Option<Change>, StorageError> {
        loop {
            if let Some(entry) = table.get_slow(cache, &self.probe, span).await? {
                return Ok(Some(entry.change));
            }
            match self.look(cache)? {
                Progress::Done(change) => return Ok(change),
                Progress::Needs(next, block) => (table, span) = (next, block),
            }
        }
    }

    /// The next table whose range holds the key.
    fn next_table(&mut self) -> Option<Rc<Table>> {
        let key = self.probe.table_key();
        let holds = |table: &Rc<Table>| {
            let meta = table.meta();
            meta.smallest[..] <= *key && *key <= meta.largest[..]
        };
        while let Some(tables) = self.view.levels.get(self.level) {
            if self.level == 0 {
                if let Some(found) = tables[self.index..].iter().position(holds) {
                    self.index += found + 1;
                    return tables.get(self.index - 1).cloned();
                }
                self.level += 1;
                continue;
            }
            self.level += 1;
            let at = tables.partition_point(|table| table.meta().largest[..] < *key);
            if let Some(table) = tables.get(at).filter(|table| holds(table)) {
                return Some(Rc::clone(table));
            }
        }
        None
    }

    pub(super) fn view(&self) -> &Rc<View> {
        &self.view
    }
}
