//! Looks at the files of a shard that is in use: every block of every table, and the large value of every key that clients can
//! see. On a thread that may block, at a bounded rate.

use std::{collections::HashSet, path::PathBuf, rc::Rc, sync::Arc};

use super::{BackupError, Control, Verified, cut::Sources};
use crate::storage::{
    StorageError,
    background::{Desk, GivenUp},
    blob::BlobFile,
    cache::Cache,
    entry::{BlobRef, Change},
    header::Binding,
    merge::{Merge, Source, Target},
    table::{self, Run, Table},
};

/// The look at one shard.
pub(in crate::storage) struct Inspection {
    pub(in crate::storage) sources: Sources,
    pub(in crate::storage) control: Arc<Control>,
}

impl Inspection {
    /// Looks at everything; what is damaged is found, not an error.
    pub(in crate::storage) async fn run(self, desk: &Desk) -> Result<Verified, BackupError> {
        let Self { sources, control } = self;
        let mut look = Look {
            desk,
            control: &control,
            sources: &sources,
            found: Verified::default(),
            open: None,
        };
        let looked = look.all().await;
        look.close().await;
        looked.map(|()| look.found)
    }
}

struct Look<'a> {
    desk: &'a Desk,
    control: &'a Control,
    sources: &'a Sources,
    found: Verified,
    /// The blob file that was read last.
    open: Option<BlobFile>,
}

impl Look<'_> {
    async fn all(&mut self) -> Result<(), BackupError> {
        let mut runs: Vec<Vec<Rc<Table>>> = Vec::new();
        let mut sound = true;
        for metas in &self.sources.runs {
            let mut run = Vec::new();
            for meta in metas {
                let path = table::path(&self.sources.dir, meta.number);
                let opened =
                    Table::open(&*self.desk.disk, path, self.binding(meta.number), Some(meta))
                        .await;
                let table = match opened {
                    Ok(table) => Rc::new(table),
                    Err(error) => {
                        sound = false;
                        self.found.note(&error.into());
                        continue;
                    }
                };
                let mut damages = Vec::new();
                table.check(|error| damages.push(error)).await;
                sound &= damages.is_empty();
                damages.into_iter().for_each(|error| self.found.note(&error.into()));
                self.found.files += 1;
                self.pace(0, meta.bytes).await?;
                run.push(table);
            }
            runs.push(run);
        }
        let looked = if sound { self.values(&runs).await } else { Ok(()) };
        for table in runs.into_iter().flatten() {
            table.close().await;
        }
        looked
    }

    /// The large values that the newest entries in tables refer to.
    async fn values(&mut self, runs: &[Vec<Rc<Table>>]) -> Result<(), BackupError> {
        let none = None::<Rc<Cache>>;
        let run =
            |run: &Vec<Rc<Table>>| Box::new(Run::new(run.clone(), none.clone())) as Box<dyn Source>;
        let mut merge = Merge::new(runs.iter().map(run).collect());
        merge.seek(Target::First).await?;
        let mut files = HashSet::new();
        while let Some(newest) = merge.next_newest().await? {
            let key_bytes = newest.table_key.len() as u64;
            match newest.entry.change {
                Change::Tombstone => {}
                Change::Inline(value) => {
                    self.found.keys += 1;
                    self.found.bytes += key_bytes + value.data.len() as u64;
                    self.control.note(1, 0);
                }
                Change::Blob(_, blob) => {
                    files.insert(blob.file);
                    match self.read(blob).await {
                        Ok(()) => {}
                        Err(
                            error @ (StorageError::Corrupt { .. }
                            | StorageError::Io { .. }
                            | StorageError::Foreign { .. }),
                        ) => {
                            self.found.note(&error.into());
                        }
                        Err(error) => return Err(error.into()),
                    }
                    self.found.keys += 1;
                    self.found.bytes += key_bytes + u64::from(blob.bytes);
                    self.pace(1, blob.bytes.into()).await?;
                }
            }
            self.pace(0, 0).await?;
        }
        self.found.files += files.len() as u64;
        Ok(())
    }

    async fn read(&mut self, blob: BlobRef) -> Result<(), StorageError> {
        if self.open.as_ref().is_none_or(|open| open.binding.number != blob.file) {
            self.close().await;
            let dir: &PathBuf = &self.sources.dir;
            self.open = Some(BlobFile::open(&*self.desk.disk, dir, self.binding(blob.file)).await?);
        }
        match &self.open {
            Some(open) => open.read(blob).await.map(drop),
            None => Ok(()),
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.close().await;
        }
    }

    async fn pace(&self, keys: u64, bytes: u64) -> Result<(), BackupError> {
        self.control.check()?;
        if keys + bytes > 0 {
            self.control.note(keys, bytes);
            self.control.spend(bytes).await;
        }
        self.desk.pace.spend(32 + bytes).await.map_err(|GivenUp| BackupError::Cancelled)
    }

    fn binding(&self, number: u64) -> Binding {
        Binding { directory_id: self.sources.directory_id, shard: self.sources.shard, number }
    }
}
