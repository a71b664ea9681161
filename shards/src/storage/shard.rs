//! The face of the engine: one shard, used by one task queue of one core. Cloning shares it.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use super::{
    StorageError,
    clock::Clock,
    commit,
    disk::Disk,
    key::Key,
    log::{self, Log, LogOptions},
    memtable::Memtable,
    page::{Page, PageLimit},
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
        let mut state = State::new(shard, memtable_bytes_max, has_log);
        let mut recovery = Recovery::default();
        let (mut log, mut mode) = (None, SyncMode::None);
        if let EngineOptions::Lsm { dir, segment_bytes, sync } = engine {
            let format = &wal::FORMAT;
            let options = LogOptions { format, disk, dir, directory_id, shard, segment_bytes };
            let memtable = &mut state.memtable;
            let mut operations = Operations(|collection: &str, key: &[u8], value| {
                apply(memtable, collection, key, value);
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

    /// The visible value of a key. Costs one search and no memory.
    pub fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Value>, StorageError> {
        let state = self.0.state.borrow();
        Ok(state.memtable.find(collection).and_then(|table| table.visible(key)).cloned())
    }

    /// Visible rows from `from` on, up to and without `to`, in key order.
    pub fn scan(
        &self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
    ) -> Result<Page, StorageError> {
        let state = self.0.state.borrow();
        let page = state.memtable.find(collection).map(|table| table.scan_visible(from, to, limit));
        Ok(page.unwrap_or_default())
    }

    /// Runs `f` as one atomic step. Its writes are one record; when it fails or panics there are none. The ticket tells when
    /// what it wrote, and all that it may have read, is durable.
    ///
    /// `f` must not write to this shard but through the transaction; that panics.
    pub fn transact<T, E: From<StorageError>>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
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
        check_record(Operation { collection, key, value: Some(&value) }.length())?;
        let before = state.memtable.find(collection).and_then(|table| table.latest(key));
        state.check_room(collection, key, before, &value, 0)?;
        let draft = (collection, (Key::new(key), Some(value.compacted())));
        let ticket = state.stage(std::iter::once(draft));
        drop(state);
        self.0.work.raise();
        Ok(ticket)
    }

    /// Deletes a key and says whether it had a value.
    pub fn delete(&self, collection: &str, key: &[u8]) -> Result<(bool, Ticket), StorageError> {
        let mut state = self.0.state.borrow_mut();
        state.check_open()?;
        check_names(collection, key)?;
        let Some(table) = state.memtable.find(collection) else {
            return Ok((false, Ticket::resolved()));
        };
        if table.latest(key).is_none() {
            let ticket =
                if table.is_staged(key) { state.ticket_of_latest() } else { Ticket::resolved() };
            return Ok((false, ticket));
        }
        let ticket = state.stage(std::iter::once((collection, (Key::new(key), None))));
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

fn apply(memtable: &mut Memtable, collection: &str, key: &[u8], value: Option<Value>) {
    let id = memtable.intern(collection);
    memtable.apply(id, Key::new(key), value);
}
