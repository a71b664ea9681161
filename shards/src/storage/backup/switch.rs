//! How a running server gets what a restore has staged: all shards at one instant, or none.
//!
//! ```text
//! shard    flush ─► hold writers ─► flush ─► edit, files open ─► ready          installed ─► manifest ─► writers go on
//! job                                                              all ─► RESTORE ─┐   ▲
//! reactors                                                                         └─► all at once
//! ```
//!
//! - Writers are refused from the hold on, which lasts as long as the flush of what came in a moment: tens of milliseconds.
//! - `RESTORE` is the decision. A crash before it leaves everything as it was; after it, the next start carries it out.
//! - Nothing is visible before it is decided, and then on all reactors before any of them serves anybody again.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use super::stage::{Place, Staged};
use crate::storage::{
    Shard, StorageError,
    entry::CollectionId,
    manifest::Edit,
    shard::Inner,
    store::{Locked, Prepared, Store},
};

/// How often phases are looked at.
const LOOK: Duration = Duration::from_millis(1);
/// How many times, until writers have become quiet: batches across shards may be waiting for each other.
const QUIET_LOOKS_MAX: u32 = 20_000;
/// File numbers for one restore.
const NUMBERS: u64 = 1 << 24;
/// How far the numbers of records jump: more than are written while a restore is staged.
const JUMP: u64 = 1 << 40;

const PREPARE: u8 = 0;
const HOLD: u8 = 1;
const DECIDED: u8 = 2;
const GIVEN_UP: u8 = 3;

/// What the shards and reactors of one restore share.
#[derive(Debug)]
pub struct Switch {
    phase: AtomicU8,
    /// Everything that the backup does not have goes.
    replace: bool,
    reactors: usize,
    /// Reactors that have stopped for the instant, and those that are through.
    arrived: AtomicUsize,
}

/// A shard that can be switched, as its reactor keeps it until all can.
pub struct Ready {
    install: Box<dyn FnOnce()>,
    installed: Rc<Cell<bool>>,
}

impl Switch {
    /// For so many reactors.
    #[must_use]
    pub fn new(reactors: usize, replace: bool) -> Arc<Self> {
        let phase = AtomicU8::new(PREPARE);
        Arc::new(Self { phase, replace, reactors, arrived: AtomicUsize::new(0) })
    }

    /// All shards have flushed what they had: writers are held from now on.
    pub fn hold(&self) {
        self.phase.store(HOLD, SeqCst);
    }

    /// The decision is on the disk.
    pub fn decide(&self) {
        self.phase.store(DECIDED, SeqCst);
    }

    /// Whether it is.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.phase.load(SeqCst) == DECIDED
    }

    /// There will be none: shards go on as they were.
    pub fn give_up(&self) {
        self.phase.store(GIVEN_UP, SeqCst);
    }

    /// Stops this reactor until all have stopped, and switches its shards.
    pub fn meet(&self, ready: Vec<Ready>) {
        self.arrived.fetch_add(1, SeqCst);
        while self.arrived.load(SeqCst) < self.reactors {
            // Others may share the core.
            std::thread::yield_now();
        }
        for Ready { install, installed } in ready {
            install();
            installed.set(true);
        }
        // Nobody serves before everybody has switched.
        self.arrived.fetch_add(1, SeqCst);
        while self.arrived.load(SeqCst) < 2 * self.reactors {
            std::thread::yield_now();
        }
    }
}

/// Names the collections of a backup, and gives what those need who stage rows.
pub(in crate::storage) async fn place(
    inner: &Inner,
    store: &Store,
    names: &[String],
) -> Result<Place, StorageError> {
    loop {
        let (edit, mut next) = {
            let state = inner.state.borrow();
            state.check_open()?;
            let collections = state.view.version.collections();
            (unnamed(names, &|name| collections.id(name)), collections.next_id())
        };
        let mut named = Edit::default();
        for name in edit {
            let id = next.ok_or(StorageError::TooLarge {
                what: "a number of collections",
                bytes: u32::MAX.into(),
                max: u32::MAX.into(),
            })?;
            named.collections.push((id, Rc::from(&**name)));
            next = CollectionId::new(id.number() + 1);
        }
        if named.collections.is_empty() {
            break;
        }
        // Flushes name collections too.
        let _turn = store.flushing.lock().await;
        let is_stale = {
            let state = inner.state.borrow();
            let collections = state.view.version.collections();
            named.collections.iter().any(|(id, name)| {
                collections.id(name).is_some()
                    || collections.next_id().is_none_or(|next| *id < next)
            })
        };
        if is_stale {
            continue;
        }
        let numbers = named.collections.clone();
        let committed = store.commit(inner, named, move |state, _| {
            for (id, name) in numbers {
                state.memtable.set_number(&name, id);
            }
        });
        committed.await?;
    }
    let state = inner.state.borrow();
    let collections = state.view.version.collections();
    let of_name = |name: &String| Some((Arc::from(&**name), collections.id(name)?));
    Ok(Place {
        dir: store.dir.clone(),
        directory_id: store.directory_id,
        shard: store.shard,
        numbers: store.take_numbers(NUMBERS),
        sequence: state.newest_sequence() + JUMP,
        collections: names.iter().filter_map(of_name).collect(),
        blob_bytes_min: state.blob_bytes_min(),
        table_bytes: inner.policy.borrow().table_bytes,
    })
}

fn unnamed<'a>(names: &'a [String], id: &dyn Fn(&str) -> Option<CollectionId>) -> Vec<&'a String> {
    names.iter().filter(|name| id(name).is_none()).collect()
}

/// Switches one shard. `near` is called when all that it had is flushed, `ready` with the edit and what is to be called at the
/// instant. Ends when writers go on.
pub(in crate::storage) async fn switch(
    shard: &Shard,
    inner: &Inner,
    store: &Store,
    staged: Staged,
    switch: Arc<Switch>,
    near: impl FnOnce(),
    ready: impl FnOnce(Vec<u8>, Ready),
) -> Result<bool, StorageError> {
    // What is merged now would be missing later.
    let _merging = store.merging.lock().await;
    flush_all(inner, store, false, &switch).await?;
    near();
    while switch.phase.load(SeqCst) == PREPARE {
        inner.clock.sleep(LOOK).await;
    }
    let _held = Held::new(inner);
    flush_all(inner, store, true, &switch).await?;
    let _flushing = store.flushing.lock().await;
    let mut locked = store.lock().await?;
    let prepared = prepare(inner, store, &staged, switch.replace, &locked).await?;
    let (before, edit) = (Rc::clone(&prepared.before), prepared.edit.clone());
    let (tables, blobs) = prepared.files();
    let installed = Rc::new(Cell::new(false));
    let install = {
        let (shard, sequence) = (shard.clone(), staged.sequence);
        Box::new(move || shard.install_restore(prepared, sequence))
    };
    ready(edit.encode(), Ready { install, installed: Rc::clone(&installed) });
    while !installed.get() {
        if switch.phase.load(SeqCst) == GIVEN_UP {
            for table in tables {
                table.close().await;
            }
            for blob in blobs {
                blob.close().await;
            }
            return Ok(false);
        }
        inner.clock.sleep(LOOK).await;
    }
    // It is decided, and seen; now the manifest says so too.
    store.append_decided(inner, &mut locked, (&before, edit)).await?;
    drop((locked, before));
    inner.state.borrow_mut().jump_to = Some(staged.sequence + 1);
    while inner.state.borrow().jump_to.is_some() {
        inner.state.borrow().check_poisoned()?;
        inner.work.raise();
        inner.clock.sleep(LOOK).await;
    }
    Ok(true)
}

/// What a step to what was staged takes.
async fn prepare(
    inner: &Inner,
    store: &Store,
    staged: &Staged,
    replace: bool,
    locked: &Locked<'_>,
) -> Result<Prepared, StorageError> {
    let mut edit = {
        let state = inner.state.borrow();
        let version = &state.view.version;
        if state.newest_sequence() >= staged.sequence {
            let cause =
                "more was written while the restore was staged than it has numbers for".to_owned();
            return Err(StorageError::Background { cause });
        }
        let level = if replace { inner.policy.borrow().bottom() } else { 0 };
        let runs = staged.runs.len() as u64;
        let mut number = store.take_numbers(runs + 1).start;
        let mut edit = staged.edit(level, &mut number);
        if replace {
            edit.tables_removed = version.tables().map(|table| table.meta.number).collect();
            let active = state.blob_active;
            let blobs = version.blobs().keys().copied();
            edit.blobs_removed = blobs.filter(|file| Some(*file) != active).collect();
        }
        edit
    };
    edit.file_number = Some(store.take_number());
    store.prepare(edit, locked).await
}

/// Flushes what is in memory, and, with writers held, waits until nothing is on its way.
async fn flush_all(
    inner: &Inner,
    store: &Store,
    held: bool,
    switch: &Switch,
) -> Result<(), StorageError> {
    let begun = inner.state.borrow().freezes;
    for _ in 0..QUIET_LOOKS_MAX {
        {
            let mut state = inner.state.borrow_mut();
            state.check_poisoned()?;
            if state.is_closing() {
                return Err(StorageError::Closed { shard: store.shard });
            }
            if let Some(error) = state.flush_failed.clone() {
                return Err(error);
            }
            let frozen = state.memtable.frozen_count() == 0 && state.freezes > begun;
            if (held && state.is_quiet())
                || (!held && (frozen || state.memtable.active().sequence == 0))
            {
                return Ok(());
            }
            state.freeze_asked |= state.memtable.active().sequence > 0
                && (held || state.freezes == begun)
                && state.memtable.frozen_count() == 0;
        }
        if switch.phase.load(SeqCst) == GIVEN_UP {
            return Err(StorageError::GivenUp);
        }
        inner.work.raise();
        inner.clock.sleep(LOOK).await;
    }
    let cause = "writers do not become quiet, or memory is not flushed".to_owned();
    Err(StorageError::Background { cause })
}

/// Writers are refused as long as this lives.
struct Held<'a>(&'a Inner);

impl<'a> Held<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.state.borrow_mut().held = true;
        Self(inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().held = false;
        self.0.merges.raise();
        self.0.tidy.raise();
    }
}
