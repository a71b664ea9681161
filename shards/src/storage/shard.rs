//! The face of the engine: one shard, used by one task queue of one core. Cloning shares it.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use super::{
    StorageError,
    answer::Answer,
    cache::Cache,
    clock::Clock,
    commit,
    disk::Disk,
    entry::{Change, Entry, Probe},
    fetch::{Fetched, Miss},
    key::Key,
    layers::Layers,
    log::{self, Log, LogOptions},
    memtable::{Memtable, bounds},
    page::{Page, PageLimit, gather},
    scan,
    signal::Signal,
    state::{State, check_names, check_record},
    stats::{Recovery, Stats},
    ticket::{Outcome, Ticket},
    transaction::{self, Transaction},
    value::Value,
    view::{Progress, Search, View},
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

/// How a run of a transaction ended.
enum Attempt<T, E> {
    Ended(Result<(T, Ticket), E>),
    Missed(Vec<Miss>),
}

pub(super) struct Inner {
    pub(super) state: RefCell<State>,
    /// Blocks of tables and large values.
    pub(super) cache: Rc<Cache>,
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
            cache: Rc::new(Cache::new(0)),
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
        let Some(id) = state.memtable.id(collection) else { return Answer::Now(Ok(None)) };
        if let Some(change) = state.memtable.visible(id, key) {
            return self.value_of(&state.view, Some(change.clone()));
        }
        let Some(number) = state.memtable.number(id) else { return Answer::Now(Ok(None)) };
        let mut search = Search::new(Rc::clone(&state.view), Probe::new(number, key));
        match search.look(&self.0.cache) {
            Err(error) => Answer::Now(Err(error)),
            Ok(Progress::Done(change)) => self.value_of(search.view(), change),
            Ok(Progress::Needs(table, span)) => {
                let (cache, view) = (Rc::clone(&self.0.cache), Rc::clone(search.view()));
                Answer::Later(Box::pin(async move {
                    match search.finish(&cache, table, span).await? {
                        None | Some(Change::Tombstone) => Ok(None),
                        Some(Change::Inline(value)) => Ok(Some(value)),
                        Some(Change::Blob(meta, blob)) => view.value(&cache, meta, blob).await,
                    }
                }))
            }
        }
    }

    /// The value that a change says, whose files are in `view`.
    fn value_of(&self, view: &Rc<View>, change: Option<Change>) -> Answer<Option<Value>> {
        let (meta, blob) = match change {
            None | Some(Change::Tombstone) => return Answer::Now(Ok(None)),
            Some(Change::Inline(value)) => return Answer::Now(Ok(Some(value))),
            Some(Change::Blob(meta, blob)) => (meta, blob),
        };
        if let Some(data) = self.0.cache.get(blob.file, blob.offset) {
            return Answer::Now(Ok(Some(Value { data, meta })));
        }
        let (cache, view) = (Rc::clone(&self.0.cache), Rc::clone(view));
        Answer::Later(Box::pin(async move { view.value(&cache, meta, blob).await }))
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
        let (Some(id), Some(range)) = (state.memtable.id(collection), bounds(from, to)) else {
            return Answer::Now(Ok(Page::default()));
        };
        if state.memtable.number(id).is_some() && state.view.has_tables() {
            let (from, to) = (from.to_vec(), to.map(<[u8]>::to_vec));
            return Answer::Later(Box::pin(scan::page(Rc::clone(&self.0), id, from, to, limit)));
        }
        let mut layers = Layers::default();
        state.memtable.push_visible(id, range, &mut layers);
        let mut draft = gather(layers, limit);
        scan::complete_at_once(&mut draft, &self.0.cache);
        if draft.blobs.is_empty() {
            return Answer::Now(Ok(draft.page));
        }
        let (cache, view) = (Rc::clone(&self.0.cache), Rc::clone(&state.view));
        Answer::Later(Box::pin(async move { scan::complete(draft, &view, &cache).await }))
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
        let mut fetched = Fetched::default();
        let mut misses = match self.attempt(&fetched, &mut f) {
            Attempt::Ended(result) => return Answer::Now(result),
            Attempt::Missed(misses) => misses,
        };
        let shard = self.clone();
        Answer::Later(Box::pin(async move {
            loop {
                let (view, flushes) = shard.0.view();
                fetched.fetch(&view, &shard.0.cache, flushes, misses).await?;
                fetched.renew(shard.0.state.borrow().flushes);
                misses = match shard.attempt(&fetched, &mut f) {
                    Attempt::Ended(result) => return result,
                    Attempt::Missed(misses) => misses,
                };
            }
        }))
    }

    fn attempt<T, E: From<StorageError>>(
        &self,
        fetched: &Fetched,
        f: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Attempt<T, E> {
        let state = self.0.state.borrow();
        let mut transaction = Transaction::new(&state, &self.0.cache, fetched);
        let result = f(&mut transaction);
        let (mut own, misses) = transaction.into_parts();
        if !misses.is_empty() {
            return Attempt::Missed(misses);
        }
        let result = match result {
            Ok(result) if own.is_empty() => Ok((result, state.ticket_of_latest())),
            Ok(result) => {
                drop(state);
                let ticket = self.0.state.borrow_mut().stage(transaction::drafts(&mut own));
                self.0.work.raise();
                Ok((result, ticket))
            }
            Err(error) => Err(error),
        };
        Attempt::Ended(result)
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
        match self.delete_now(collection, key) {
            Err(StorageError::OnDisk) => {
                let (collection, key) = (collection.to_owned(), key.to_vec());
                self.transact(move |transaction| transaction.delete(&collection, &key))
            }
            result => Answer::Now(result),
        }
    }

    fn delete_now(&self, collection: &str, key: &[u8]) -> Result<(bool, Ticket), StorageError> {
        let mut state = self.0.state.borrow_mut();
        state.check_open()?;
        check_names(collection, key)?;
        let memtable = &state.memtable;
        let Some(id) = memtable.id(collection) else { return Ok((false, Ticket::resolved())) };
        match memtable.latest(id, key) {
            None if memtable.number(id).is_some() => return Err(StorageError::OnDisk),
            None | Some(Change::Tombstone) => {
                let staged = memtable.is_staged(id, key);
                let ticket = if staged { state.ticket_of_latest() } else { Ticket::resolved() };
                return Ok((false, ticket));
            }
            Some(_) => {}
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

impl Inner {
    /// The files of this moment, and how many flushes they hold.
    pub(super) fn view(&self) -> (Rc<View>, u64) {
        let state = self.state.borrow();
        (Rc::clone(&state.view), state.flushes)
    }
}

fn apply(memtable: &mut Memtable, collection: &str, key: &[u8], change: Change) {
    let id = memtable.intern(collection);
    memtable.apply(id, Key::new(key), Entry { sequence: 0, change });
}
