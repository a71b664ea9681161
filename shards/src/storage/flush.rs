//! From a frozen memtable to a table of level 0, and out of memory.
//!
//! ```text
//! frozen ─► table, synced ─► manifest ─► one step: the table is there, the layer is gone ─► log is cut
//!             │ fails: its file is removed, tried again later
//! ```
//!
//! One at a time, the oldest first.

use std::{path::PathBuf, pin::pin, rc::Rc, sync::Arc, time::Duration};

use futures_util::future::{Either, pending, select};

use super::{
    StorageError,
    background::{self, Lost, Urgency},
    bugs::{Bug, is_planted},
    disk::Disk,
    entry::{CollectionId, Sequence, push_table_key},
    header::Binding,
    manifest::{Addition, Edit},
    memtable::Frozen,
    merges,
    part::{BatchId, Writers},
    partners,
    shard::Inner,
    state::State,
    store::Store,
    table::{self, Builder, BuilderOptions, TableMeta},
    ticket::Ticket,
    version::DataFile,
};
use crate::settings::Durability;

/// After a failure that may pass.
const RETRY: Duration = Duration::from_secs(1);
/// So many failures in a row do not pass, unless it is room that is wanted.
const FAILURES_MAX: u32 = 5;

/// Runs until the shard is closed.
pub(super) async fn run(inner: &Inner, store: &Store) {
    while !inner.has_ended() {
        match flush_oldest(inner, store).await {
            Ok(true) => {
                inner.merges.raise();
                inner.tidy.raise();
            }
            Ok(false) => inner.frozen.wait().await,
            Err(StorageError::Closed { .. }) => return,
            Err(error) => {
                warn(store, &error);
                inner.pause(&inner.frozen, RETRY).await;
            }
        }
    }
}

/// Flushes all that is frozen while the shard is being closed. Nothing else holds it, so a full disk is waited for: somebody
/// may make room.
pub(super) async fn flush_all(inner: &Inner, store: &Store) {
    let mut failures = 0;
    while inner.state.borrow().poisoned().is_none() {
        match flush_oldest(inner, store).await {
            Ok(true) => failures = 0,
            Ok(false) => return,
            Err(error) => {
                failures += u32::from(!matches!(error, StorageError::NoSpace { .. }));
                if failures == FAILURES_MAX {
                    inner.poison(&error);
                    return;
                }
                warn(store, &error);
                inner.clock.sleep(RETRY).await;
            }
        }
    }
}

fn warn(store: &Store, error: &StorageError) {
    tracing::warn!("shard {}: a memtable was not flushed: {error}", store.shard);
}

/// Flushes the oldest frozen memtable; false if there is none.
async fn flush_oldest(inner: &Inner, store: &Store) -> Result<bool, StorageError> {
    let _turn = store.flushing.lock().await;
    let frozen = inner.state.borrow().memtable.oldest_frozen().cloned();
    let Some(frozen) = frozen else { return Ok(false) };
    let begun = inner.clock.now();
    let flushed = flush(inner, store, frozen).await;
    {
        let mut state = inner.state.borrow_mut();
        state.flush_failed = flushed.as_ref().err().cloned();
        state.stats.flush_time += inner.clock.now() - begun;
    }
    merges::look(inner);
    flushed.map(|()| true)
}

async fn flush(inner: &Inner, store: &Store, frozen: Arc<Frozen>) -> Result<(), StorageError> {
    let number = store.take_number();
    let version = Rc::clone(&inner.state.borrow().view.version);
    let mut edit = Edit { flushed_sequence: Some(frozen.last()), ..Edit::default() };
    let mut next = version.collections().next_id();
    let mut collections = Vec::new();
    for (index, (name, _)) in frozen.collections().enumerate() {
        let id = match version.collections().id(name) {
            Some(id) => id,
            None => {
                let id = next.ok_or_else(store_is_full)?;
                edit.collections.push((id, Rc::from(&**name)));
                next = CollectionId::new(id.number() + 1);
                id
            }
        };
        collections.push((id, index));
    }
    // Whoever holds a version keeps its files.
    drop(version);
    let has_entries = !frozen.totals().is_empty();
    if has_entries {
        collections.sort_unstable();
        let (dir, binding) = (store.dir.clone(), store.binding(number));
        let build = Build { frozen: Arc::clone(&frozen), collections, dir, binding };
        let meta = have_built(inner, store, build).await?;
        edit.tables_added.push(Addition { level: 0, run: number, meta });
    }
    if let Err(error) = secure(inner, store, &frozen).await {
        if has_entries {
            store.remove_unnamed(DataFile::Table(number)).await;
        }
        return Err(error);
    }
    edit.blobs_removed = dead_blobs(&inner.state.borrow(), &edit, frozen.last());
    let committed = store.commit(inner, edit, |state, before| state.flushed(&frozen, before)).await;
    if let Err(error) = &committed
        && has_entries
    {
        store.discard(DataFile::Table(number), error).await;
    }
    store.sweep().await;
    committed
}

/// Has the other shards vouch for the batches that this layer holds changes of.
async fn secure(inner: &Inner, store: &Store, frozen: &Frozen) -> Result<(), StorageError> {
    let is_shared = |(_, writers): &(BatchId, Writers)| writers.len() > 1;
    let is_logged = matches!(inner.durability, Durability::Logged(_));
    if is_planted(Bug::PartnersNotTold) || !is_logged || !frozen.batches().iter().any(is_shared) {
        return Ok(());
    }
    let Some(partners) = inner.partners.get() else {
        let cause = "it cannot be reached".to_owned();
        return Err(StorageError::Partner { shard: store.shard, cause });
    };
    let secured = partners::secure(&**partners, store.shard, frozen.batches());
    match select(pin!(secured), Ticket::new(&inner.ending)).await {
        Either::Left((secured, _)) => secured,
        Either::Right(_) => Err(StorageError::Closed { shard: store.shard }),
    }
}

/// Has a table built beside the reactor.
async fn have_built(inner: &Inner, store: &Store, build: Build) -> Result<TableMeta, StorageError> {
    let work = move |desk: background::Desk| build.run(desk.disk);
    let built = background::run(&*store.background, Urgency::Flush, work);
    let closed = StorageError::Closed { shard: store.shard };
    match select(pin!(built), pin!(given_up(inner))).await {
        Either::Left((Ok(built), _)) => built,
        Either::Left((Err(Lost::Panicked(cause)), _)) => Err(StorageError::Background { cause }),
        Either::Left((Err(Lost::Stopped), _)) => Err(closed),
        Either::Right((_, built)) => {
            // It is built to its end all the same; nobody is told of it.
            if let Ok(Ok(meta)) = built.await {
                store.remove_unnamed(DataFile::Table(meta.number)).await;
            }
            Err(closed)
        }
    }
}

/// Ready when the shard is being closed, and the log has what is in memory.
async fn given_up(inner: &Inner) {
    match inner.durability {
        Durability::Logged(_) => drop(Ticket::new(&inner.ending).await),
        Durability::Flushed => pending().await,
    }
}

/// The blob files that are not needed any more once `edit` counts, and with it the oldest layer is flushed.
///
/// An entry of memory counts even when it has been overwritten there: what has overwritten it may not be durable.
fn dead_blobs(state: &State, edit: &Edit, flushed: Sequence) -> Vec<u64> {
    let version = &state.view.version;
    let referred = |meta: &TableMeta, file| meta.blobs.iter().any(|blob| blob.file == file);
    let is_dead = |file: &u64| {
        // Entries of older tables that refer to a collected file lie beneath newer ones.
        let is_collected = state.collected.get(file).is_some_and(|newest| *newest <= flushed);
        state.blob_active != Some(*file)
            && !state.memtable.mentions(*file)
            && !edit.tables_added.iter().any(|added| referred(&added.meta, *file))
            && (is_collected || !version.tables().any(|table| referred(&table.meta, *file)))
    };
    version.blobs().keys().copied().filter(is_dead).collect()
}

fn store_is_full() -> StorageError {
    StorageError::TooLarge {
        what: "a number of collections",
        bytes: u32::MAX.into(),
        max: u32::MAX.into(),
    }
}

/// A table to be built: nothing in it is shared with the owner but what never changes.
pub(super) struct Build {
    frozen: Arc<Frozen>,
    /// Numbers of the collections, ascending, and which of the layer's they are.
    collections: Vec<(CollectionId, usize)>,
    dir: PathBuf,
    binding: Binding,
}

impl Build {
    /// Writes the table, durable under its name.
    pub(super) async fn run(self, disk: Rc<dyn Disk>) -> Result<TableMeta, StorageError> {
        let path = table::path(&self.dir, self.binding.number);
        let options = BuilderOptions::default();
        let mut builder = Builder::begin(Rc::clone(&disk), path, self.binding, options).await?;
        if let Err(error) = self.fill(&mut builder).await {
            builder.abandon().await;
            return Err(error);
        }
        let meta = builder.finish().await?;
        if is_planted(Bug::FolderNotSynced) {
            return Ok(meta);
        }
        let synced = disk.sync_dir(&self.dir).await;
        synced.map_err(|error| StorageError::io("cannot sync the folder", &self.dir, error))?;
        Ok(meta)
    }

    async fn fill(&self, builder: &mut Builder) -> Result<(), StorageError> {
        let layers: Vec<_> = self.frozen.collections().map(|(_, entries)| entries).collect();
        let mut table_key = Vec::new();
        for (id, index) in &self.collections {
            for (key, entry) in layers[*index] {
                table_key.clear();
                push_table_key(*id, key, &mut table_key);
                builder.add(&table_key, entry.sequence, entry.change.borrowed()).await?;
            }
        }
        Ok(())
    }
}
