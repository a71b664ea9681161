//! The face of the engine: one shard, used by one task queue of one core. Cloning shares it.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use super::{
    StorageError,
    answer::Answer,
    clock::Clock,
    commit,
    disk::Disk,
    entry::{Change, Entry},
    key::Key,
    layers::Layers,
    log::{self, Log, LogOptions},
    memtable::{Memtable, bounds},
    page::{Page, PageLimit, gather},
    signal::Signal,
    state::{State, check_names, check_record},
    stats::{Recovery, Stats},
    ticket::{Outcome, Ticket},
    transaction::{self, Transaction},
    value::Value,
    wal::{self, Operation, Operations},
};
use crate::settings::SyncMode;

/// What a shard is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its number in the data directory.
    pub shard: u32,
    /// Random identity of the data directory.
    pub directory_id: u64,
    /// Memory for the entries of this shard.
    pub memtable_bytes_max: u64,
    /// Where they are kept.
    pub engine: EngineOptions,
}

/// Where the entries of a shard are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineOptions {
    /// Nothing outlives the process.
    Memory,
    /// In memory, with a log.
    Lsm {
        /// Absolute folder of this shard alone.
        dir: PathBuf,
        /// Bytes after which a new segment of the log is begun.
        segment_bytes: u64,
        /// What an answer promises.
        sync: SyncMode,
    },
}

/// One shard. Reads see what is durable, as far as the sync mode says; writes give a [`Ticket`] that tells when they are.
#[derive(Clone)]
pub struct Shard(Rc<Inner>);

pub(super) struct Inner {
    pub(super) state: RefCell<State>,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) sync: SyncMode,
    /// Until the commit loop takes it.
    pub(super) log: RefCell<Option<Log>>,
    /// There is something for the commit loop to do.
    pub(super) work: Signal,
    /// Settled when the commit loop has ended.
    pub(super) stopped: Rc<Outcome>,
}

impl Shard {
    /// Reads the log back, if there is one, and makes the shard ready. Writes go on once [`Shard::run`] runs.
    pub async fn open(
        disk: Rc<dyn Disk>,
        clock: Rc<dyn Clock>,
        options: Options,
    ) -> Result<(Self, Recovery), StorageError> {
        let Options { shard, directory_id, memtable_bytes_max, engine } = options;
        let has_log = engine != EngineOptions::Memory;
        let mut state = State::new(shard, memtable_bytes_max, has_log, usize::MAX);
        let mut recovery = Recovery::default();
        let (mut log, mut mode) = (None, SyncMode::None);
        if let EngineOptions::Lsm { dir, segment_bytes, sync } = engine {
            let format = &wal::FORMAT;
            let options = LogOptions { format, disk, dir, directory_id, shard, segment_bytes };
            let memtable = &mut state.memtable;
            let mut operations = Operations(|collection: &str, key: &[u8], change| {
                apply(memtable, collection, key, change);
            });
            let numbers = log::numbers(&options).await?;
            let found = log::read(&options, &numbers, 1, &mut operations).await?;
            recovery = Recovery {
                records: found.records,
                bytes: found.bytes,
                truncated_bytes: found.truncated_bytes,
                segments: 0,
            };
            let ready = found.resume(options).await?;
            state.stats.log_bytes = ready.bytes();
            state.stats.segments = ready.segments();
            recovery.segments = ready.segments();
            (log, mode) = (Some(ready), sync);
        }
        let inner = Inner {
            state: RefCell::new(state),
            clock,
            sync: mode,
            log: RefCell::new(log),
            work: Signal::default(),
            stopped: Rc::default(),
        };
        Ok((Self(Rc::new(inner)), recovery))
    }

    /// The visible value of a key. Told by memory, it costs one search and no allocation.
    pub fn get(&self, collection: &str, key: &[u8]) -> Answer<Option<Value>> {
        let state = self.0.state.borrow();
        let memtable = &state.memtable;
        let change = memtable.id(collection).and_then(|id| memtable.visible(id, key));
        Answer::Now(Ok(match change {
            Some(Change::Inline(value)) => Some(value.clone()),
            _ => None,
        }))
    }

    /// Visible rows from `from` on, up to and without `to`, in key order.
    pub fn scan(
        &self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
    ) -> Answer<Page> {
        let state = self.0.state.borrow();
        let mut layers = Layers::default();
        if let (Some(id), Some(range)) = (state.memtable.id(collection), bounds(from, to)) {
            state.memtable.push_visible(id, range, &mut layers);
        }
        Answer::Now(Ok(gather(layers, limit).page))
    }

    /// Runs `f` as one atomic step. Its writes are one record; when it fails or panics there are none. The ticket tells when
    /// what it wrote, and all that it may have read, is durable.
    ///
    /// What `f` reads may lie on the disk: then it is told [`StorageError::OnDisk`], gives up, and is run again once that has
    /// been read. `f` must not write to this shard but through the transaction; that panics.
    pub fn transact<T: 'static, E: From<StorageError> + 'static>(
        &self,
        mut f: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + 'static,
    ) -> Answer<(T, Ticket), E> {
        Answer::Now(self.attempt(&mut f))
    }

    fn attempt<T, E: From<StorageError>>(
        &self,
        f: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Ticket), E> {
        let state = self.0.state.borrow();
        let mut transaction = Transaction::new(&state);
        let result = f(&mut transaction)?;
        let mut own = transaction.into_drafts();
        if own.is_empty() {
            return Ok((result, state.ticket_of_latest()));
        }
        drop(state);
        let ticket = self.0.state.borrow_mut().stage(transaction::drafts(&mut own));
        self.0.work.raise();
        Ok((result, ticket))
    }

    /// Sets a value.
    pub fn set(&self, collection: &str, key: &[u8], value: Value) -> Result<Ticket, StorageError> {
        let mut state = self.0.state.borrow_mut();
        state.check_open()?;
        check_names(collection, key)?;
        let change = Change::Inline(value.compacted());
        check_record(Operation { collection, key, change: change.borrowed() }.length())?;
        state.check_room(collection, key, &change, 0)?;
        let draft = (collection, (Key::new(key), change));
        let ticket = state.stage(std::iter::once(draft));
        drop(state);
        self.0.work.raise();
        Ok(ticket)
    }

    /// Deletes a key and says whether it had a value.
    pub fn delete(&self, collection: &str, key: &[u8]) -> Answer<(bool, Ticket)> {
        Answer::Now(self.delete_now(collection, key))
    }

    fn delete_now(&self, collection: &str, key: &[u8]) -> Result<(bool, Ticket), StorageError> {
        let mut state = self.0.state.borrow_mut();
        state.check_open()?;
        check_names(collection, key)?;
        let memtable = &state.memtable;
        let Some(id) = memtable.id(collection) else { return Ok((false, Ticket::resolved())) };
        if let None | Some(Change::Tombstone) = memtable.latest(id, key) {
            let staged = memtable.is_staged(id, key);
            let ticket = if staged { state.ticket_of_latest() } else { Ticket::resolved() };
            return Ok((false, ticket));
        }
        let draft = (collection, (Key::new(key), Change::Tombstone));
        let ticket = state.stage(std::iter::once(draft));
        drop(state);
        self.0.work.raise();
        Ok((true, ticket))
    }

    /// The commit loop. The host runs it once, beside everything else; it ends after [`Shard::close`].
    pub async fn run(&self) {
        commit::run(&self.0).await;
    }

    /// Refuses writes from now on, waits until all staged ones are durable in every sync mode, and ends the commit loop.
    pub async fn close(&self) {
        self.0.state.borrow_mut().close();
        self.0.work.raise();
        if !self.0.state.borrow().has_log() {
            self.0.stopped.settle(Ok(()));
        }
        // Where nobody runs the commit loop, this does; otherwise it waits for the one that runs.
        commit::run(&self.0).await;
    }

    /// Figures at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.state.borrow().snapshot()
    }
}

fn apply(memtable: &mut Memtable, collection: &str, key: &[u8], change: Change) {
    let id = memtable.intern(collection);
    memtable.apply(id, Key::new(key), Entry { sequence: 0, change });
}
