//! The data folder of a shard: which files count, how that changes, and what becomes of files that count no more.
//!
//! ```text
//! files written and synced ─► commit: edit in the manifest ─► one step: view, state ─► … last reader gone ─► removed
//! ```
//!
//! Always true: what the manifest names is durable before it is named, and is removed after it is named no more. Versions
//! follow each other one by one.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use futures_util::lock::{Mutex, MutexGuard};

use super::{
    StorageError,
    background::Background,
    blob::{self, BlobFile, Writer},
    disk::Disk,
    header::Binding,
    log::{AppendError, Coverage},
    manifest::{Addition, BlobBytes, Edit, Manifest},
    progress::{Progress, Stage},
    shard::Inner,
    state::State,
    table::{self, Table, TableMeta},
    version::{DataFile, History, Version},
    view::View,
};

/// The data folder of one shard.
pub(super) struct Store {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) shard: u32,
    pub(super) directory_id: u64,
    pub(super) background: Rc<dyn Background>,
    /// The next file number that has never been used.
    number: Cell<u64>,
    /// Whoever holds it is the only one who changes the version.
    manifest: Mutex<Option<Manifest>>,
    history: RefCell<History>,
    /// Whoever holds it is the only one who flushes.
    pub(super) flushing: Mutex<()>,
    /// Whoever holds it is the only one who merges tables, or takes others for them.
    pub(super) merging: Mutex<()>,
    /// Files that count no more and are still open, until their last reader has gone.
    closing: RefCell<BTreeMap<DataFile, Open>>,
}

/// A file that is open for reading.
enum Open {
    Table(Rc<Table>),
    Blob(Rc<BlobFile>),
}

/// Nobody else changes the version as long as this is held.
pub(super) struct Locked<'a>(MutexGuard<'a, Option<Manifest>>);

/// A step of the version that can be taken at once: its files are open.
pub(super) struct Prepared {
    pub(super) edit: Edit,
    pub(super) before: Rc<Version>,
    next: Version,
    tables: Vec<Rc<Table>>,
    blobs: Vec<Rc<BlobFile>>,
}

impl Prepared {
    /// What is open, for who may have to close it.
    pub(super) fn files(&self) -> (Vec<Rc<Table>>, Vec<Rc<BlobFile>>) {
        (self.tables.clone(), self.blobs.clone())
    }
}

/// Whose files these are.
#[derive(Clone)]
pub(super) struct StoreOptions {
    pub(super) disk: Rc<dyn Disk>,
    pub(super) background: Rc<dyn Background>,
    pub(super) dir: PathBuf,
    pub(super) shard: u32,
    pub(super) directory_id: u64,
}

impl Store {
    /// Opens all files of a version, as the manifest has told it.
    pub(super) async fn open(
        options: StoreOptions,
        manifest: Manifest,
        version: Version,
        progress: &Progress,
    ) -> Result<(Self, View), StorageError> {
        let StoreOptions { disk, background, dir, shard, directory_id } = options;
        let this = Self {
            disk,
            dir,
            shard,
            directory_id,
            background,
            number: Cell::new(version.file_number()),
            manifest: Mutex::new(Some(manifest)),
            history: RefCell::new(History::new(version)),
            flushing: Mutex::new(()),
            merging: Mutex::new(()),
            closing: RefCell::default(),
        };
        let version = Rc::clone(this.history.borrow().current());
        let (mut opened, of) = (0, version.files().count() as u64);
        let mut note = || {
            opened += 1;
            progress.note(Stage::Files { opened, of });
        };
        for table in version.tables() {
            table.open(this.open_table(&table.meta).await?);
            note();
        }
        let mut blobs = BTreeMap::new();
        for &number in version.blobs().keys() {
            let file = BlobFile::open(&*this.disk, &this.dir, this.binding(number)).await?;
            blobs.insert(number, Rc::new(file));
            note();
        }
        Ok((this, View { version, blobs }))
    }

    /// Notes durably which records are in the log. At a start, before anybody reads.
    pub(super) async fn note_coverage(
        &self,
        view: &mut View,
        coverage: Coverage,
    ) -> Result<(), StorageError> {
        if view.version.coverage() == coverage {
            return Ok(());
        }
        let mut manifest = self.manifest.lock().await;
        let Some(manifest) = manifest.as_mut() else {
            return Err(StorageError::Closed { shard: self.shard });
        };
        let edit = Edit { coverage: Some(coverage), ..Edit::default() };
        let mut number = self.take_number();
        let appended = manifest.append(&view.version, edit, &mut number).await;
        let mut history = self.history.borrow_mut();
        history.install(appended.map_err(AppendError::into_inner)?);
        view.version = Rc::clone(history.current());
        Ok(())
    }

    pub(super) fn binding(&self, number: u64) -> Binding {
        Binding { directory_id: self.directory_id, shard: self.shard, number }
    }

    /// A file number that has never been used.
    pub(super) fn take_number(&self) -> u64 {
        let number = self.number.get();
        self.number.set(number + 1);
        number
    }

    /// File numbers that have never been used.
    pub(super) fn take_numbers(&self, count: u64) -> Range<u64> {
        let first = self.number.get();
        self.number.set(first + count);
        first..first + count
    }

    /// Makes an edit durable, then installs it: the view, and in the same step what `then` does to the state, which is given
    /// the view of before. A failure that leaves the manifest unknown poisons the shard.
    pub(super) async fn commit(
        &self,
        inner: &Inner,
        edit: Edit,
        then: impl FnOnce(&mut State, Rc<View>),
    ) -> Result<(), StorageError> {
        self.commit_with(inner, edit, None, then).await
    }

    /// Keeps the version as it is.
    pub(super) async fn lock(&self) -> Result<Locked<'_>, StorageError> {
        let manifest = self.manifest.lock().await;
        match *manifest {
            Some(_) => Ok(Locked(manifest)),
            None => Err(StorageError::Closed { shard: self.shard }),
        }
    }

    /// Opens what a step of the version adds.
    pub(super) async fn prepare(
        &self,
        edit: Edit,
        _locked: &Locked<'_>,
    ) -> Result<Prepared, StorageError> {
        let before = Rc::clone(self.history.borrow().current());
        let next = before.apply(&edit).map_err(|misfit| {
            let cause = format!("a restore does not fit what is there: {misfit}");
            StorageError::Background { cause }
        })?;
        let tables = self.open_added(&before, &edit).await?;
        let mut blobs = Vec::new();
        for blob in &edit.blobs {
            match BlobFile::open(&*self.disk, &self.dir, self.binding(blob.file)).await {
                Ok(file) => blobs.push(Rc::new(file)),
                Err(error) => {
                    self.close_all(tables).await;
                    for blob in blobs {
                        blob.close().await;
                    }
                    return Err(error);
                }
            }
        }
        adopt(&next, &tables);
        Ok(Prepared { edit, before, next, tables, blobs })
    }

    /// One step: takes a step that has been prepared.
    pub(super) fn take_step(
        &self,
        inner: &Inner,
        prepared: Prepared,
        then: impl FnOnce(&mut State, Rc<View>),
    ) {
        let Prepared { next, blobs, .. } = prepared;
        self.install(inner, next, blobs, then);
    }

    /// Has the manifest say what has been decided and taken already. Room is waited for.
    pub(super) async fn append_decided(
        &self,
        inner: &Inner,
        locked: &mut Locked<'_>,
        (before, edit): (&Version, Edit),
    ) -> Result<(), StorageError> {
        const RETRY: Duration = Duration::from_secs(1);

        let closed = || StorageError::Closed { shard: self.shard };
        let manifest = locked.0.as_mut().ok_or_else(closed)?;
        loop {
            let mut number = self.take_number();
            match manifest.append(before, edit.clone(), &mut number).await {
                Ok(_) => return Ok(()),
                Err(AppendError::NoSpace(error)) if !inner.has_ended() => {
                    tracing::warn!("shard {}: {error}; a restore waits for room", self.shard);
                    inner.clock.sleep(RETRY).await;
                }
                Err(error) => {
                    let error = error.into_inner();
                    inner.poison(&error);
                    return Err(error);
                }
            }
        }
    }

    /// Makes the next blob file, and names it.
    pub(super) async fn begin_blob_file(&self, inner: &Inner) -> Result<Writer, AppendError> {
        let binding = self.binding(self.take_number());
        let made = Writer::create(&*self.disk, &self.dir, binding).await;
        // Nobody has heard of it: a failure leaves a file without a name, and nothing else.
        let writer = made.map_err(AppendError::from_reserve)?;
        let edit =
            Edit { blobs: vec![BlobBytes { file: binding.number, bytes: 0 }], ..Edit::default() };
        let file = Rc::clone(writer.file());
        // In the same step: a file that nobody refers to yet is not to be taken for one that nobody needs.
        let begin = |state: &mut State, _| state.blob_active = Some(binding.number);
        match self.commit_with(inner, edit, Some(file), begin).await {
            Ok(()) => Ok(writer),
            Err(error) => {
                writer.file().close().await;
                self.discard(DataFile::Blob(binding.number), &error).await;
                Err(AppendError::from_reserve(error))
            }
        }
    }

    async fn commit_with(
        &self,
        inner: &Inner,
        edit: Edit,
        blob: Option<Rc<BlobFile>>,
        then: impl FnOnce(&mut State, Rc<View>),
    ) -> Result<(), StorageError> {
        let mut manifest = self.manifest.lock().await;
        let Some(manifest) = manifest.as_mut() else {
            return Err(StorageError::Closed { shard: self.shard });
        };
        let current = Rc::clone(self.history.borrow().current());
        // Before the edit: what cannot be opened is not to count.
        let opened = self.open_added(&current, &edit).await?;
        // Whatever the manifest takes a number for, nobody else has it.
        let mut number = self.take_number();
        let next = match manifest.append(&current, edit, &mut number).await {
            Ok(next) => next,
            Err(AppendError::NoSpace(error)) => {
                self.close_all(opened).await;
                return Err(error);
            }
            Err(AppendError::Fatal(error)) => {
                inner.poison(&error);
                return Err(error);
            }
        };
        adopt(&next, &opened);
        self.install(inner, next, blob, then);
        Ok(())
    }

    async fn open_added(
        &self,
        current: &Version,
        edit: &Edit,
    ) -> Result<Vec<Rc<Table>>, StorageError> {
        let mut opened = Vec::new();
        for Addition { meta, .. } in &edit.tables_added {
            // One that only moves stays open.
            if current.tables().any(|table| table.meta.number == meta.number) {
                continue;
            }
            match self.open_table(meta).await {
                Ok(table) => opened.push(table),
                Err(error) => {
                    self.close_all(opened).await;
                    return Err(error);
                }
            }
        }
        Ok(opened)
    }

    async fn open_table(&self, meta: &TableMeta) -> Result<Rc<Table>, StorageError> {
        let path = table::path(&self.dir, meta.number);
        let opened = Table::open(&*self.disk, path, self.binding(meta.number), Some(meta)).await?;
        Ok(Rc::new(opened))
    }

    async fn close_all(&self, tables: Vec<Rc<Table>>) {
        for table in tables {
            table.close().await;
        }
    }

    /// One step: from here on readers see the new version.
    fn install(
        &self,
        inner: &Inner,
        next: Version,
        added: impl IntoIterator<Item = Rc<BlobFile>>,
        then: impl FnOnce(&mut State, Rc<View>),
    ) {
        let mut history = self.history.borrow_mut();
        let mut state = inner.state.borrow_mut();
        let before = Rc::clone(&state.view);
        history.install(next);
        let version = Rc::clone(history.current());
        let mut blobs = before.blobs.clone();
        blobs.extend(added.into_iter().map(|file| (file.binding.number, file)));
        blobs.retain(|number, _| version.blobs().contains_key(number));

        let kept: HashSet<DataFile> = version.files().collect();
        let mut closing = self.closing.borrow_mut();
        for table in before.version.tables() {
            let file = DataFile::Table(table.meta.number);
            if let Some(table) = table.opened().filter(|_| !kept.contains(&file)) {
                closing.insert(file, Open::Table(Rc::clone(table)));
            }
        }
        for (number, blob) in &before.blobs {
            let file = DataFile::Blob(*number);
            if !kept.contains(&file) {
                closing.insert(file, Open::Blob(Rc::clone(blob)));
            }
        }
        state.view = Rc::new(View { version, blobs });
        then(&mut state, before);
    }

    /// Closes and removes the files that count no more and that nobody reads any more.
    pub(super) async fn sweep(&self) {
        let trash = self.history.borrow_mut().trash();
        for file in trash {
            let open = self.closing.borrow_mut().remove(&file);
            match open {
                Some(Open::Table(table)) => table.close().await,
                Some(Open::Blob(blob)) => blob.close().await,
                None => {}
            }
            self.remove(&self.path(file)).await;
        }
    }

    /// Lets go of everything. Nothing may be read any more.
    pub(super) async fn close(&self, view: &View) {
        self.sweep().await;
        if let Some(manifest) = self.manifest.lock().await.take() {
            manifest.close().await;
        }
        for table in view.version.tables().filter_map(|table| table.opened()) {
            table.close().await;
        }
        for blob in view.blobs.values() {
            blob.close().await;
        }
    }

    /// Removes a file that nobody was told of.
    pub(super) async fn remove_unnamed(&self, file: DataFile) {
        self.remove(&self.path(file)).await;
    }

    /// Removes a file that was not named, because of `error`. Where that leaves open whether it was, it stays.
    pub(super) async fn discard(&self, file: DataFile, error: &StorageError) {
        if matches!(error, StorageError::NoSpace { .. }) {
            self.remove(&self.path(file)).await;
        }
    }

    fn path(&self, file: DataFile) -> PathBuf {
        match file {
            DataFile::Table(number) => table::path(&self.dir, number),
            DataFile::Blob(number) => blob::path(&self.dir, number),
        }
    }

    async fn remove(&self, path: &Path) {
        if let Err(error) = self.disk.remove(path).await {
            // The next start finds that nobody names it.
            tracing::warn!("shard {}: cannot remove {}: {error}", self.shard, path.display());
        }
    }
}

/// Gives the tables of a version the files that were opened for them.
fn adopt(version: &Version, opened: &[Rc<Table>]) {
    for table in version.tables().filter(|table| table.opened().is_none()) {
        if let Some(open) = opened.iter().find(|open| open.meta().number == table.meta.number) {
            table.open(Rc::clone(open));
        }
    }
}
