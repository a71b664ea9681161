//! The files of one version, open for reading, and the search for a key in them.
//!
//! Always true: of two entries of a key, the one that the search meets first is the newer one. Who holds a view keeps its
//! files from being closed and removed.

use std::{collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::{
    StorageError,
    blob::BlobFile,
    cache::Cache,
    entry::{BlobRef, Change, Probe},
    merge::{Merge, Source},
    table::{Lookup, Run, Span, Table},
    value::{Meta, Value},
    version::Version,
};

/// A version and its open files.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) version: Rc<Version>,
    /// All that the version names.
    pub(super) blobs: BTreeMap<u64, Rc<BlobFile>>,
}

/// A search for the newest entry of a key.
pub(super) struct Search {
    view: Rc<View>,
    probe: Probe,
    /// Runs that it is done with, the newest first.
    runs: usize,
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
        self.version.runs().next().is_some()
    }

    /// Memory of filters and indexes.
    pub(super) fn table_memory_bytes(&self) -> u64 {
        let opened = self.version.tables().filter_map(|table| table.opened());
        opened.map(|table| table.memory_bytes()).sum()
    }

    /// All entries of a range of table keys, and perhaps some more.
    pub(super) fn merge(&self, cache: &Rc<Cache>, from: &[u8], to: &[u8]) -> Merge {
        let runs = self.version.runs().map(|run| run.range(from, Some(to)));
        let runs = runs.filter(|tables| !tables.is_empty());
        let sources = runs.map(|tables| {
            let tables = tables.iter().filter_map(|table| table.opened().cloned()).collect();
            Box::new(Run::new(tables, Some(Rc::clone(cache)))) as Box<dyn Source>
        });
        Merge::new(sources.collect())
    }

    /// The data of a large value.
    pub(super) async fn read(&self, cache: &Cache, blob: BlobRef) -> Result<Bytes, StorageError> {
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
        Self { view, probe, runs: 0 }
    }

    pub(super) fn view(&self) -> &Rc<View> {
        &self.view
    }

    /// Goes on as far as memory can tell.
    pub(super) fn look(&mut self, cache: &Cache) -> Result<Progress, StorageError> {
        for run in self.view.version.runs().skip(self.runs) {
            self.runs += 1;
            let table = run.find(self.probe.table_key()).and_then(|table| table.opened());
            let Some(table) = table else { continue };
            match table.get(cache, &self.probe)? {
                Lookup::Absent => {}
                Lookup::Found(entry) => return Ok(Progress::Done(Some(entry.change))),
                Lookup::NeedsBlock(span) => return Ok(Progress::Needs(Rc::clone(table), span)),
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
}
