//! Carries a merge out: reads the inputs once, writes the outputs once.
//!
//! ```text
//!  inputs, the newest first ─► merge ─► newest entry of each key ─► tables of about table_bytes each
//!                                │                  └─ a tombstone with nothing older below ─► left out
//!                                └─ what it shadows ─► left out; blobs that it refers to ─► garbage
//! ```
//!
//! Always true: when it ends well, the outputs and their names are durable; otherwise it leaves no file behind, as far as the
//! disk lets it. It keeps in memory what one table being written takes, and for each input run what one open table takes.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, rc::Rc};

use super::{input::Inputs, plan::Plan, shape::KeyRange};
use crate::storage::{
    StorageError,
    background::{Desk, GivenUp, Pace},
    disk::Disk,
    entry::{ChangeRef, Sequence},
    header::Binding,
    manifest::BlobBytes,
    merge::{Merge, Source, Target},
    table::{self, Builder, BuilderOptions, TableMeta},
    version::Version,
};

/// A merge, with all that it needs to know: it goes to another thread.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Job {
    /// The folder of the tables.
    pub(in crate::storage) dir: PathBuf,
    pub(in crate::storage) directory_id: u64,
    pub(in crate::storage) shard: u32,
    /// Tables of each input run in the order of their keys; the newest run first.
    pub(in crate::storage) inputs: Vec<Vec<TableMeta>>,
    /// Where older data lies, in order, not overlapping.
    pub(in crate::storage) older: Vec<KeyRange>,
    /// Bytes after which the next output is begun.
    pub(in crate::storage) table_bytes: u64,
    /// File numbers for the outputs, at least one. The last output takes what is left.
    pub(in crate::storage) numbers: Range<u64>,
    pub(in crate::storage) options: BuilderOptions,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Done {
    /// In the order of their keys.
    pub(in crate::storage) outputs: Vec<TableMeta>,
    /// What left-out entries referred to, by file.
    pub(in crate::storage) garbage: Vec<BlobBytes>,
    pub(in crate::storage) entries_read: u64,
    pub(in crate::storage) entries_written: u64,
    pub(in crate::storage) bytes_written: u64,
}

/// Why it was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::storage) enum JobError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    GivenUp(#[from] GivenUp),
}

impl Plan {
    /// The properties of the inputs in the version that the plan was made for; the newest run first.
    pub(in crate::storage) fn input_metas(&self, version: &Version) -> Vec<Vec<TableMeta>> {
        let metas = self.inputs.iter().map(|input| {
            let runs = version.levels().get(input.level).map_or(&[][..], Vec::as_slice);
            let run = runs.iter().find(|run| run.number == input.run);
            let tables = run.into_iter().flat_map(|run| &run.tables).map(|table| &table.meta);
            tables.filter(|meta| input.tables.contains(&meta.number)).cloned().collect()
        });
        metas.collect()
    }

    /// More file numbers than the outputs need.
    pub(in crate::storage) fn numbers_max(&self) -> u64 {
        // Merged tables are hardly ever larger than their inputs.
        2 * (self.bytes / self.table_bytes.max(1)) + 2
    }
}

impl Job {
    pub(in crate::storage) async fn run(self, desk: &Desk) -> Result<Done, JobError> {
        let mut output = Output::new(&self, Rc::clone(&desk.disk));
        let merged = match self.merge(&desk.disk, &desk.pace, &mut output).await {
            Ok(()) => output.finish().await,
            Err(error) => Err(error),
        };
        if merged.is_err() {
            output.abandon().await;
        }
        merged.map(|()| output.done)
    }

    async fn merge(
        &self,
        disk: &Rc<dyn Disk>,
        pace: &Pace,
        output: &mut Output<'_>,
    ) -> Result<(), JobError> {
        let sources = self.inputs.iter().map(|metas| -> Box<dyn Source> {
            let inputs = Inputs::new(Rc::clone(disk), self.dir.clone(), self.binding(0), metas);
            Box::new(inputs)
        });
        let mut merge = Merge::new(sources.collect());
        merge.seek(Target::First).await?;
        let mut garbage = BTreeMap::new();
        let mut filter = Filter::new(&self.older);
        while let Some((table_key, sequence)) = merge.place() {
            let change = merge.change()?;
            let bytes = table_key.len() + data_bytes(&change) + ENTRY_BYTES;
            match filter.judge(table_key, sequence, &change) {
                Verdict::Kept => output.add(table_key, sequence, change).await?,
                Verdict::Shadowed => {
                    if let ChangeRef::Blob(_, blob) = change {
                        *garbage.entry(blob.file).or_insert(0) += u64::from(blob.bytes);
                    }
                }
                Verdict::Void => {}
            }
            output.done.entries_read += 1;
            pace.spend(bytes as u64).await?;
            merge.advance().await?;
        }
        let garbage = garbage.into_iter().map(|(file, bytes)| BlobBytes { file, bytes });
        output.done.garbage = garbage.collect();
        Ok(())
    }

    fn binding(&self, number: u64) -> Binding {
        Binding { directory_id: self.directory_id, shard: self.shard, number }
    }
}

/// What an entry costs beside its key and data.
const ENTRY_BYTES: usize = 32;

fn data_bytes(change: &ChangeRef<'_>) -> usize {
    match change {
        ChangeRef::Inline(_, data) => data.len(),
        ChangeRef::Tombstone | ChangeRef::Blob(..) => 0,
    }
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    /// A newer one of the same key came before it.
    Shadowed,
    /// It has nothing to say: a tombstone that hides nothing, or the same entry once more.
    Void,
}

/// Looks at entries in order.
struct Filter<'a> {
    /// What is left of the ranges.
    older: &'a [KeyRange],
    /// The key that was seen last; empty before the first.
    table_key: Vec<u8>,
    sequence: Sequence,
}

impl<'a> Filter<'a> {
    fn new(older: &'a [KeyRange]) -> Self {
        Self { older, table_key: Vec::new(), sequence: 0 }
    }

    fn judge(&mut self, table_key: &[u8], sequence: Sequence, change: &ChangeRef<'_>) -> Verdict {
        // Table keys are never empty.
        if table_key == self.table_key {
            return if sequence == self.sequence { Verdict::Void } else { Verdict::Shadowed };
        }
        self.table_key.clear();
        self.table_key.extend_from_slice(table_key);
        self.sequence = sequence;
        match change {
            ChangeRef::Tombstone if !self.hides() => Verdict::Void,
            _ => Verdict::Kept,
        }
    }

    /// Whether there may be older entries of the key elsewhere.
    fn hides(&mut self) -> bool {
        while let Some((range, rest)) = self.older.split_first()
            && range.largest < self.table_key
        {
            self.older = rest;
        }
        self.older.first().is_some_and(|range| range.smallest <= self.table_key)
    }
}

/// Tables as they are written, one after the other.
struct Output<'a> {
    job: &'a Job,
    disk: Rc<dyn Disk>,
    numbers: Range<u64>,
    table: Option<Builder>,
    done: Done,
}

impl<'a> Output<'a> {
    fn new(job: &'a Job, disk: Rc<dyn Disk>) -> Self {
        Self { job, disk, numbers: job.numbers.clone(), table: None, done: Done::default() }
    }

    async fn add(
        &mut self,
        table_key: &[u8],
        sequence: Sequence,
        change: ChangeRef<'_>,
    ) -> Result<(), JobError> {
        let is_full = |table: &Builder| table.estimated_bytes() >= self.job.table_bytes;
        if self.table.as_ref().is_some_and(is_full) && !self.numbers.is_empty() {
            self.end_table().await?;
        }
        let table = match &mut self.table {
            Some(table) => table,
            none => {
                let number = self.numbers.next().unwrap_or(self.job.numbers.start);
                let (path, binding) =
                    (table::path(&self.job.dir, number), self.job.binding(number));
                let disk = Rc::clone(&self.disk);
                none.insert(Builder::begin(disk, path, binding, self.job.options).await?)
            }
        };
        table.add(table_key, sequence, change).await?;
        self.done.entries_written += 1;
        Ok(())
    }

    async fn end_table(&mut self) -> Result<(), JobError> {
        if let Some(table) = self.table.take() {
            let meta = table.finish().await?;
            self.done.bytes_written += meta.bytes;
            self.done.outputs.push(meta);
        }
        Ok(())
    }

    /// Ends the last table, and makes the names of all durable.
    async fn finish(&mut self) -> Result<(), JobError> {
        self.end_table().await?;
        if !self.done.outputs.is_empty() {
            let (disk, dir) = (&self.disk, &self.job.dir);
            let synced = disk.sync_dir(dir).await;
            synced.map_err(|error| StorageError::io("cannot sync the folder", dir, error))?;
        }
        Ok(())
    }

    /// Removes what was written. What stays is a file that nobody names: the next start removes it.
    async fn abandon(&mut self) {
        if let Some(table) = self.table.take() {
            table.abandon().await;
        }
        for meta in self.done.outputs.drain(..) {
            let _ = self.disk.remove(&table::path(&self.job.dir, meta.number)).await;
        }
    }
}
