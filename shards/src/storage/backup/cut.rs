//! What one shard had at an instant, in a shape that outlives the instant: files that stay as long as somebody holds their
//! view, and layers of memory that never change.
//!
//! ```text
//! snapshot ─► freeze ─► one step: the files that it sees, the layers over them, batches that it sees and that have not ended
//! ```
//!
//! Nothing is read and nothing is copied here, and writers do not wait: what they write goes into the next memtable.

use std::{collections::BTreeMap, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use super::{BackupError, Control};
use crate::storage::{
    PageLimit, Shard, StorageError,
    entry::{Change, CollectionId},
    epoch::Epoch,
    key::Key,
    layers::Layers,
    memtable::{Frozen, bounds},
    shard::Inner,
    store::Store,
    table::TableMeta,
    view::View,
};

/// How often it is looked whether the memtable has been frozen.
const LOOK: Duration = Duration::from_millis(1);
/// How many times: a freeze wants room in the log.
const LOOKS_MAX: u32 = 30_000;
/// Of the memory engine, in one step.
const PAGE: PageLimit = PageLimit { rows: 1024, bytes: 1024 * 1024 };

/// What a shard had at an instant.
pub(in crate::storage) struct Cut {
    /// Keeps the files.
    pub(in crate::storage) view: Rc<View>,
    /// What the copy is made from; it goes to another thread.
    pub(in crate::storage) sources: Sources,
}

/// What a copy of a shard is made from.
#[derive(Default)]
pub(in crate::storage) struct Sources {
    pub(super) epoch: Epoch,
    /// What is in no layer, by collection and key: newer than all layers.
    pub(super) rows: BTreeMap<Arc<str>, BTreeMap<Key, Change>>,
    /// The newest first.
    pub(super) layers: Vec<Arc<Frozen>>,
    /// Tables of each run in the order of their keys; the newest run first.
    pub(super) runs: Vec<Vec<TableMeta>>,
    pub(super) collections: BTreeMap<Arc<str>, CollectionId>,
    pub(super) dir: PathBuf,
    pub(super) directory_id: u64,
    pub(super) shard: u32,
    /// Bytes in all that, about.
    pub(in crate::storage) bytes: u64,
}

/// What a snapshot sees of a shard. The snapshot must be alive until this returns.
pub(in crate::storage) async fn cut(
    shard: &Shard,
    inner: &Inner,
    epoch: Epoch,
) -> Result<Cut, StorageError> {
    match &inner.store {
        Some(store) => {
            freeze(inner, store).await?;
            take(inner, store, epoch)
        }
        None => of_memory(shard, inner, epoch).await,
    }
}

/// Has what is in the active memtable frozen.
async fn freeze(inner: &Inner, store: &Store) -> Result<(), StorageError> {
    let before = {
        let mut state = inner.state.borrow_mut();
        state.check_open()?;
        if state.memtable.active().sequence == 0 && !state.memtable.has_provisional() {
            return Ok(());
        }
        state.freeze_asked = true;
        state.freezes
    };
    inner.work.raise();
    for _ in 0..LOOKS_MAX {
        {
            let state = inner.state.borrow();
            state.check_poisoned()?;
            if state.is_closing() {
                return Err(StorageError::Closed { shard: store.shard });
            }
            if state.freezes != before {
                return Ok(());
            }
        }
        inner.clock.sleep(LOOK).await;
    }
    let cause = "the memtable cannot be frozen; is there room on the disk of the log?".to_owned();
    Err(StorageError::Background { cause })
}

/// Has all that is in memory now flushed, and tells how many entries that were.
pub(in crate::storage) async fn flush(
    inner: &Inner,
    store: &Store,
    control: &Control,
) -> Result<u64, BackupError> {
    let entries = {
        let state = inner.state.borrow();
        state.memtable.totals().map(|totals| totals.values + totals.tombstones).sum()
    };
    freeze(inner, store).await?;
    let until = inner.state.borrow().newest_frozen();
    loop {
        {
            let state = inner.state.borrow();
            state.check_poisoned()?;
            if let Some(error) = &state.flush_failed {
                return Err(error.clone().into());
            }
            if state.flushed >= until {
                return Ok(entries);
            }
        }
        control.check()?;
        inner.clock.sleep(LOOK).await;
    }
}

/// One step.
fn take(inner: &Inner, store: &Store, epoch: Epoch) -> Result<Cut, StorageError> {
    let state = inner.state.borrow();
    state.check_kept(Some(epoch))?;
    let view = Rc::clone(state.view_at(Some(epoch)));
    let layers = state.frozen_at(epoch);
    let mut rows = BTreeMap::<Arc<str>, BTreeMap<Key, Change>>::new();
    if state.memtable.has_provisional() {
        for name in state.memtable.names() {
            let (Some(id), Some(range)) = (state.memtable.id(name), bounds(&[], None)) else {
                continue;
            };
            let mut committed = Layers::default();
            state.memtable.push_committed(id, range, (&state.epochs, epoch), &mut committed);
            let committed: BTreeMap<_, _> =
                committed.map(|(key, change)| (key.clone(), change.clone())).collect();
            if !committed.is_empty() {
                rows.insert(Arc::clone(name), committed);
            }
        }
    }
    // A batch that ended just now: it was there before the snapshot, and is in the layer behind the freeze.
    for (name, key, visible) in state.memtable.active_at(epoch) {
        let rows = rows.entry(Arc::clone(name)).or_default();
        rows.entry(key.clone()).or_insert_with(|| visible.change.clone());
    }
    let version = &view.version;
    let runs =
        version.runs().map(|run| run.tables.iter().map(|table| table.meta.clone()).collect());
    let runs: Vec<Vec<TableMeta>> = runs.collect();
    let in_tables = runs.iter().flatten().flat_map(|meta| {
        meta.blobs.iter().map(|blob| blob.bytes).chain([meta.key_bytes + meta.data_bytes])
    });
    // Values that are in blob files already count for little memory, and are copied all the same.
    let in_memory = layers.iter().map(|layer| {
        let totals = layer.totals();
        totals.bytes + totals.blobs.values().sum::<u64>()
    });
    let sources = Sources {
        epoch,
        rows,
        bytes: in_tables.chain(in_memory).sum(),
        layers,
        runs,
        collections: version
            .collections()
            .iter()
            .map(|(id, name)| (Arc::from(&**name), id))
            .collect(),
        dir: store.dir.clone(),
        directory_id: store.directory_id,
        shard: store.shard,
    };
    drop(state);
    Ok(Cut { view, sources })
}

/// The memory engine has nothing that stays: its rows are gathered, page by page, without a copy of their data.
async fn of_memory(shard: &Shard, inner: &Inner, epoch: Epoch) -> Result<Cut, StorageError> {
    let mut sources = Sources { epoch, shard: inner.state.borrow().number(), ..Sources::default() };
    for name in shard.collections() {
        let mut rows = BTreeMap::new();
        let mut from = Some(Vec::new());
        while let Some(start) = from {
            let page = shard.scan_at(&name, &start, None, PAGE, Some(epoch)).await?;
            for (key, value) in page.rows {
                sources.bytes += (key.len() + value.data.len()) as u64;
                rows.insert(Key::new(&key), Change::Inline(value));
            }
            from = page.next.map(|next| next.to_vec());
            inner.clock.sleep(Duration::ZERO).await;
        }
        sources.rows.insert(name, rows);
    }
    Ok(Cut { view: Rc::default(), sources })
}
