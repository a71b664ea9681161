//! The face of the engine: one shard, used by one task queue of one core. Cloning shares it.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{join, join3, select};

use super::{
    StorageError,
    answer::Answer,
    cache::Cache,
    clock::Clock,
    collect, commit,
    compaction::{MergeSlots, Policy, Pressure, Strategy},
    disk::Disk,
    entry::{Change, Probe},
    fetch::{Fetched, Miss},
    flush,
    key::Key,
    layers::Layers,
    log::Log,
    memtable::bounds,
    merges,
    page::{Page, PageLimit, gather},
    recovery::{Places, recover},
    scan,
    signal::Signal,
    state::{State, check_names, check_record},
    stats::{Recovery, Stats},
    store::Store,
    ticket::{Outcome, Ticket},
    transaction::{self, Transaction},
    value::Value,
    view::{Progress, Search, View},
    wal::Operation,
    workshop::Workshop,
};
use crate::settings::{CompactionSettings, CompactionStrategy, SyncMode};

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
    /// In a tree of files, with a log.
    Lsm {
        /// Absolute folder of this shard's log alone.
        log_dir: PathBuf,
        /// Absolute folder of this shard's tables and blob files alone.
        data_dir: PathBuf,
        /// Bytes after which a new segment of the log is begun.
        segment_bytes: u64,
        /// What an answer promises.
        sync: SyncMode,
        /// Values of this length or more go into blob files.
        blob_bytes_min: usize,
        /// Memory for blocks and large values that were read or written lately.
        cache_bytes_max: u64,
        /// How tables are merged.
        compaction: CompactionSettings,
    },
}

/// Memtables that share the memory for entries: the active one, and those that wait for their flush.
const MEMTABLES: u64 = 3;

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
    /// None: nothing outlives the process.
    pub(super) store: Option<Store>,
    pub(super) segment_bytes: u64,
    /// Memory of the active memtable, at which it is frozen.
    pub(super) freeze_bytes: u64,
    pub(super) policy: RefCell<Policy>,
    /// Of all shards of the process.
    pub(super) slots: MergeSlots,
    /// How far merging is behind.
    pub(super) pressure: Cell<Pressure>,
    /// Settled when the shard is being closed.
    pub(super) ending: Rc<Outcome>,
    /// There may be something to merge.
    pub(super) merges: Signal,
    /// There is something for the commit loop to do.
    pub(super) work: Signal,
    /// There is something for the flush loop to do.
    pub(super) frozen: Signal,
    /// A version was installed: there may be garbage to find.
    pub(super) tidy: Signal,
    /// Settled when the commit loop has ended.
    pub(super) stopped: Rc<Outcome>,
}

impl Shard {
    /// Reads the log back, if there is one, and makes the shard ready. Writes go on once [`Shard::run`] runs.
    pub async fn open(
        disk: Rc<dyn Disk>,
        clock: Rc<dyn Clock>,
        workshop: Workshop,
        options: Options,
    ) -> Result<(Self, Recovery), StorageError> {
        let Options { shard, directory_id, memtable_bytes_max, engine } = options;
        let mut inner = Inner {
            state: RefCell::new(State::new(shard, memtable_bytes_max, false, usize::MAX)),
            cache: Rc::new(Cache::new(0)),
            clock,
            sync: SyncMode::None,
            log: RefCell::new(None),
            store: None,
            segment_bytes: 0,
            freeze_bytes: memtable_bytes_max / MEMTABLES,
            policy: RefCell::new(policy(&CompactionSettings::default(), 1)),
            slots: MergeSlots::new(1),
            pressure: Cell::default(),
            ending: Rc::default(),
            merges: Signal::default(),
            work: Signal::default(),
            frozen: Signal::default(),
            tidy: Signal::default(),
            stopped: Rc::default(),
        };
        let mut recovery = Recovery::default();
        if let EngineOptions::Lsm {
            log_dir,
            data_dir,
            segment_bytes,
            sync,
            blob_bytes_min,
            cache_bytes_max,
            compaction,
        } = engine
        {
            let mut state = State::new(shard, memtable_bytes_max, true, blob_bytes_min);
            let Workshop { background, slots } = workshop;
            let places =
                Places { disk, background, log_dir, data_dir, segment_bytes, directory_id, shard };
            let (store, log, found) = recover(places, &mut state).await?;
            recovery = found;
            inner.state = RefCell::new(state);
            inner.cache = Rc::new(Cache::new(cache_bytes_max));
            inner.log = RefCell::new(Some(log));
            inner.store = Some(store);
            inner.slots = slots;
            inner.policy = RefCell::new(policy(&compaction, inner.freeze_bytes));
            (inner.sync, inner.segment_bytes) = (sync, segment_bytes);
        }
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

    /// Commits, flushes and tidies up. The host runs it once, beside everything else; it ends after [`Shard::close`].
    pub async fn run(&self) {
        let care = async {
            if let Some(store) = &self.0.store {
                let (flushes, merges) = (flush::run(&self.0, store), merges::run(&self.0, store));
                join3(flushes, merges, collect::run(self, &self.0)).await;
            }
        };
        join(commit::run(&self.0), care).await;
    }

    /// Merges tables in this way from now on.
    pub fn set_compaction(&self, settings: &CompactionSettings) {
        *self.0.policy.borrow_mut() = policy(settings, self.0.freeze_bytes);
        self.0.merges.raise();
    }

    /// Refuses writes from now on, waits until all staged ones are durable in every sync mode, and ends [`Shard::run`].
    pub async fn close(&self) {
        self.0.state.borrow_mut().close();
        self.0.ending.settle(Ok(()));
        self.0.raise_all();
        if !self.0.state.borrow().has_log() {
            self.0.stopped.settle(Ok(()));
        }
        // Where nobody runs the commit loop, this does; otherwise it waits for the one that runs.
        commit::run(&self.0).await;
        if let Some(store) = &self.0.store {
            let (view, _) = self.0.view();
            store.close(&view).await;
        }
    }

    /// The names of all collections that have or had entries.
    #[must_use]
    pub fn collections(&self) -> Vec<Arc<str>> {
        self.0.state.borrow().memtable.names().cloned().collect()
    }

    /// Figures at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let cache = self.0.cache.stats();
        Stats {
            cache_hits: cache.hits,
            cache_misses: cache.misses,
            cache_bytes: cache.bytes,
            ..self.0.state.borrow().snapshot()
        }
    }
}

impl Inner {
    /// The files of this moment, and how many flushes they hold.
    pub(super) fn view(&self) -> (Rc<View>, u64) {
        let state = self.state.borrow();
        (Rc::clone(&state.view), state.flushes)
    }

    /// Writes are refused from now on: what the disk holds is unknown.
    pub(super) fn poison(&self, error: &StorageError) {
        self.state.borrow_mut().poison(error);
        self.raise_all();
    }

    /// Whether there is nothing left to do beside commits.
    pub(super) fn has_ended(&self) -> bool {
        let state = self.state.borrow();
        state.is_closing() || state.poisoned().is_some()
    }

    fn raise_all(&self) {
        for signal in [&self.work, &self.frozen, &self.merges, &self.tidy] {
            signal.raise();
        }
    }

    /// Waits so long, or until the signal is raised.
    pub(super) async fn pause(&self, signal: &Signal, time: Duration) {
        select(pin!(signal.wait()), self.clock.sleep(time)).await;
    }
}

fn policy(settings: &CompactionSettings, flush_bytes: u64) -> Policy {
    let CompactionSettings { strategy, levels, multiplier } = *settings;
    let strategy = match strategy {
        CompactionStrategy::Leveled => Strategy::Leveled,
        CompactionStrategy::Tiered => Strategy::Tiered,
        CompactionStrategy::Universal => Strategy::Universal,
    };
    Policy::new(strategy, levels, multiplier, flush_bytes)
}
