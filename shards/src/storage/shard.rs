//! The face of the engine: one shard, used by one task queue of one core. Cloning shares it.

mod batches;
mod care;

pub use care::Compacted;

use std::{
    cell::{Cell, OnceCell, RefCell},
    path::PathBuf,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    future::{join, join3, select},
    lock::Mutex,
};

use super::{
    StorageError,
    answer::Answer,
    background::Background,
    cache::Cache,
    clock::Clock,
    collect, commit,
    compaction::{MergeSlots, Policy, Pressure, Strategy},
    disk::Disk,
    entry::{Change, Probe},
    epoch::{Epoch, Epochs},
    fetch::{Fetched, Miss},
    flush,
    journal::Journal,
    key::Key,
    layers::Layers,
    locks::{Acquired, LockSet},
    memtable::bounds,
    merges,
    page::{Page, PageLimit, gather_to},
    partners::Partners,
    recovery::{Places, Recovered, Stash, recover},
    scan,
    signal::Signal,
    state::{State, check_names, check_record},
    stats::{Operations, Recovery, Stats},
    store::{Prepared, Store},
    ticket::{Outcome, Ticket},
    transaction::{self, CollectionWrites, Transaction},
    value::Value,
    view::{Progress, Search, View},
    wal::Operation,
    workshop::Workshop,
};
use crate::settings::{CompactionSettings, CompactionStrategy, Durability};

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
    /// In a tree of files, with a log or without.
    Lsm {
        /// Absolute folder of this shard's log alone.
        log_dir: PathBuf,
        /// Absolute folder of this shard's tables and blob files alone.
        data_dir: PathBuf,
        /// Bytes after which a new segment of the log is begun.
        segment_bytes: u64,
        /// What makes a write outlive the process.
        durability: Durability,
        /// Values of this length or more go into blob files.
        blob_bytes_min: usize,
        /// Memory for blocks and large values that were read or written lately.
        cache_bytes_max: u64,
        /// How tables are merged.
        compaction: CompactionSettings,
        /// A step that was decided before this start: see [`Pending`](super::Pending).
        decided: Option<Arc<[u8]>>,
    },
}

/// Memtables that share the memory for entries: the active one, and those that wait for their flush.
const MEMTABLES: u64 = 3;

/// One shard. Reads see what is durable, as far as [`Durability`] says; writes give a [`Ticket`] that tells when they are.
#[derive(Clone)]
pub struct Shard(Rc<Inner>);

/// How a run of a transaction ended.
enum Attempt<T, E> {
    Ended(Result<(T, Ticket), E>),
    Missed(Vec<Miss>),
}

pub(super) struct Inner {
    pub(super) state: RefCell<State>,
    pub(super) operations: Cell<Operations>,
    /// Blocks of tables and large values.
    pub(super) cache: Rc<Cache>,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) durability: Durability,
    /// Until the commit loop takes it.
    pub(super) journal: RefCell<Option<Journal>>,
    /// Where work is done that takes long.
    pub(super) background: Rc<dyn Background>,
    /// Of all shards of the reactor.
    walks: Rc<Mutex<()>>,
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
    /// Held by the loops beside the commits: no file may be closed under them.
    care: Mutex<()>,
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
    /// Parts that the log has, until [`Shard::resolve`].
    pub(super) stash: RefCell<Stash>,
    /// The way to the other shards, where there are some.
    pub(super) partners: OnceCell<Rc<dyn Partners>>,
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
        let Workshop { background, slots, epochs, walks, steps } = workshop;
        let state =
            State::new(shard, memtable_bytes_max, false, usize::MAX, Epochs::clone(&epochs));
        let mut inner = Inner {
            state: RefCell::new(state),
            operations: Cell::default(),
            cache: Rc::new(Cache::new(0)),
            clock,
            durability: Durability::Flushed,
            journal: RefCell::new(None),
            background,
            walks,
            store: None,
            segment_bytes: 0,
            freeze_bytes: memtable_bytes_max / MEMTABLES,
            policy: RefCell::new(policy(&CompactionSettings::default(), 1)),
            slots: MergeSlots::new(1),
            pressure: Cell::default(),
            care: Mutex::new(()),
            ending: Rc::default(),
            merges: Signal::default(),
            work: Signal::default(),
            frozen: Signal::default(),
            tidy: Signal::default(),
            stopped: Rc::default(),
            stash: RefCell::default(),
            partners: OnceCell::new(),
        };
        let mut recovery = Recovery::default();
        if let EngineOptions::Lsm {
            log_dir,
            data_dir,
            segment_bytes,
            durability,
            blob_bytes_min,
            cache_bytes_max,
            compaction,
            decided,
        } = engine
        {
            let mut state = State::new(shard, memtable_bytes_max, true, blob_bytes_min, epochs);
            let clock = Rc::clone(&inner.clock);
            let places = Places {
                disk,
                clock,
                background: Rc::clone(&inner.background),
                steps,
                log_dir,
                data_dir,
                segment_bytes,
                directory_id,
                shard,
                decided,
            };
            let recovered = recover(places, durability, &mut state).await?;
            let Recovered { store, journal, recovery: found, stash } = recovered;
            recovery = found;
            inner.stash = RefCell::new(stash);
            inner.state = RefCell::new(state);
            inner.cache = Rc::new(Cache::new(cache_bytes_max));
            inner.journal = RefCell::new(Some(journal));
            inner.store = Some(store);
            inner.slots = slots;
            inner.policy = RefCell::new(policy(&compaction, inner.freeze_bytes));
            (inner.durability, inner.segment_bytes) = (durability, segment_bytes);
        }
        Ok((Self(Rc::new(inner)), recovery))
    }

    /// The visible value of a key. Told by memory, it costs one search and no allocation.
    pub fn get(&self, collection: &str, key: &[u8]) -> Answer<Option<Value>> {
        self.count(|operations| &mut operations.gets);
        let state = self.0.state.borrow();
        let Some(id) = state.memtable.id(collection) else { return Answer::Now(Ok(None)) };
        if state.memtable.has_provisional()
            && let Some(change) = state.memtable.committed(id, key, &state.epochs)
        {
            return self.value_of(&state.view, Some(change.clone()));
        }
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
        self.scan_at(collection, from, to, limit, None)
    }

    /// The same as a snapshot sees it, which is alive before and after. Such a page may be empty though there is more.
    pub fn scan_at(
        &self,
        collection: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: PageLimit,
        epoch: Option<Epoch>,
    ) -> Answer<Page> {
        self.count(|operations| &mut operations.scans);
        let state = self.0.state.borrow();
        let (Some(id), Some(range)) = (state.memtable.id(collection), bounds(from, to)) else {
            return Answer::Now(Ok(Page::default()));
        };
        if let Err(error) = state.check_kept(epoch) {
            return Answer::Now(Err(error));
        }
        if state.memtable.number(id).is_some() && state.view_at(epoch).has_tables() {
            let range = (from.to_vec(), to.map(<[u8]>::to_vec));
            let inner = Rc::clone(&self.0);
            return Answer::Later(Box::pin(scan::page(inner, id, range, limit, epoch)));
        }
        let mut layers = Layers::default();
        let hidden = state.push(id, range, epoch, &mut layers);
        let mut draft = gather_to(layers, &hidden, limit);
        scan::complete_at_once(&mut draft, &self.0.cache);
        if draft.blobs.is_empty() {
            return Answer::Now(Ok(draft.page));
        }
        let (cache, view) = (Rc::clone(&self.0.cache), Rc::clone(state.view_at(epoch)));
        Answer::Later(Box::pin(async move { scan::complete(draft, &view, &cache).await }))
    }

    /// Lets go of what was kept for snapshots that are gone, or of a part of it: to be called regularly.
    pub fn release(&self) {
        if self.0.state.borrow_mut().release() {
            self.0.tidy.raise();
        }
    }

    /// Runs `f` as one atomic step, once no batch across shards is in the way of `locks`. Its writes are one record; when it
    /// fails or panics there are none. The ticket tells when what it wrote, and all that it may have read, is durable.
    ///
    /// What `f` reads may lie on the disk: then it is told [`StorageError::OnDisk`], gives up, and is run again once that has
    /// been read. `f` must not write to this shard but through the transaction; that panics.
    pub fn transact<T: 'static, E: From<StorageError> + 'static>(
        &self,
        locks: impl Fn() -> LockSet + 'static,
        f: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + 'static,
    ) -> Answer<(T, Ticket), E> {
        self.count(|operations| &mut operations.transactions);
        self.in_turn(locks, f)
    }

    /// The same, as a part of an operation that is counted already.
    fn in_turn<T: 'static, E: From<StorageError> + 'static>(
        &self,
        locks: impl Fn() -> LockSet + 'static,
        mut f: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + 'static,
    ) -> Answer<(T, Ticket), E> {
        let mut stage = |shard: &Self, _: &T, own: &mut [CollectionWrites]| shard.stage(own);
        let mut misses = Vec::new();
        if self.allows(&locks) {
            match self.attempt(&Fetched::default(), &mut f, &mut stage) {
                Attempt::Ended(result) => return Answer::Now(result),
                Attempt::Missed(missed) => misses = missed,
            }
        }
        let shard = self.clone();
        Answer::Later(Box::pin(async move {
            let _claim = Claim::take(&shard, locks()).await?;
            shard.attempts(misses, f, stage).await
        }))
    }

    /// Whether nothing is in the way of `locks`, which is asked only where something may be.
    fn allows(&self, locks: impl Fn() -> LockSet) -> bool {
        let held = &self.0.state.borrow().locks;
        held.is_empty() || held.allows(&locks())
    }

    /// Runs `f` as one atomic step, and hands its result and what it wrote to `stage`.
    fn run_step<T: 'static, E: From<StorageError> + 'static>(
        &self,
        mut f: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + 'static,
        mut stage: impl FnMut(&Self, &T, &mut [CollectionWrites]) -> Result<Ticket, StorageError>
        + 'static,
    ) -> Answer<(T, Ticket), E> {
        let misses = match self.attempt(&Fetched::default(), &mut f, &mut stage) {
            Attempt::Ended(result) => return Answer::Now(result),
            Attempt::Missed(misses) => misses,
        };
        let shard = self.clone();
        Answer::Later(Box::pin(async move { shard.attempts(misses, f, stage).await }))
    }

    /// Reads what was missed, and tries until nothing is.
    async fn attempts<T, E: From<StorageError>>(
        &self,
        mut misses: Vec<Miss>,
        mut f: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
        mut stage: impl FnMut(&Self, &T, &mut [CollectionWrites]) -> Result<Ticket, StorageError>,
    ) -> Result<(T, Ticket), E> {
        let mut fetched = Fetched::default();
        loop {
            let (view, flushes) = self.0.view();
            fetched.fetch(&view, &self.0.cache, flushes, misses).await?;
            fetched.renew(self.0.state.borrow().flushes);
            misses = match self.attempt(&fetched, &mut f, &mut stage) {
                Attempt::Ended(result) => return result,
                Attempt::Missed(misses) => misses,
            };
        }
    }

    fn attempt<T, E: From<StorageError>>(
        &self,
        fetched: &Fetched,
        f: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
        stage: &mut impl FnMut(&Self, &T, &mut [CollectionWrites]) -> Result<Ticket, StorageError>,
    ) -> Attempt<T, E> {
        let state = self.0.state.borrow();
        let mut transaction = Transaction::new(&state, &self.0.cache, fetched);
        let result = f(&mut transaction);
        let (mut own, misses) = transaction.into_parts();
        if !misses.is_empty() {
            return Attempt::Missed(misses);
        }
        drop(state);
        Attempt::Ended(result.and_then(|result| {
            let ticket = stage(self, &result, &mut own)?;
            Ok((result, ticket))
        }))
    }

    /// Makes one record of what a step wrote.
    fn stage(&self, own: &mut [CollectionWrites]) -> Result<Ticket, StorageError> {
        if own.is_empty() {
            return Ok(self.0.state.borrow().ticket_of_latest());
        }
        let ticket = self.0.state.borrow_mut().stage(transaction::drafts(own));
        self.0.work.raise();
        Ok(ticket)
    }

    /// Sets a value.
    ///
    /// # Errors
    /// What the shard refuses; [`StorageError::Locked`] if it has to be waited for, see [`Shard::set_in_turn`].
    pub fn set(&self, collection: &str, key: &[u8], value: Value) -> Result<Ticket, StorageError> {
        self.count(|operations| &mut operations.sets);
        let mut state = self.0.state.borrow_mut();
        state.check_writable()?;
        check_names(collection, key)?;
        if !state.locks.allows_write(collection, key) {
            return Err(StorageError::Locked);
        }
        let change = Change::Inline(value.compacted());
        check_record(Operation { collection, key, change: change.borrowed() }.length())?;
        state.check_room(collection, key, &change, 0)?;
        let draft = (collection, (Key::new(key), change));
        let ticket = state.stage(std::iter::once(draft));
        drop(state);
        self.0.work.raise();
        Ok(ticket)
    }

    /// Sets a value, once no batch across shards is in the way.
    pub fn set_in_turn(&self, collection: &str, key: &[u8], value: Value) -> Answer<((), Ticket)> {
        let (collection, key, value) = (collection.to_owned(), key.to_vec(), value.compacted());
        let locks = LockSet::of_write(&collection, &key);
        let set = move |transaction: &mut Transaction<'_>| {
            transaction.set(&collection, &key, value.clone())
        };
        self.in_turn(move || locks.clone(), set)
    }

    /// Deletes a key and says whether it had a value.
    pub fn delete(&self, collection: &str, key: &[u8]) -> Answer<(bool, Ticket)> {
        self.count(|operations| &mut operations.deletes);
        match self.delete_now(collection, key) {
            Err(StorageError::OnDisk | StorageError::Locked) => {
                let (collection, key) = (collection.to_owned(), key.to_vec());
                let locks = LockSet::of_write(&collection, &key);
                let delete =
                    move |transaction: &mut Transaction<'_>| transaction.delete(&collection, &key);
                self.in_turn(move || locks.clone(), delete)
            }
            result => Answer::Now(result),
        }
    }

    fn delete_now(&self, collection: &str, key: &[u8]) -> Result<(bool, Ticket), StorageError> {
        let mut state = self.0.state.borrow_mut();
        state.check_writable()?;
        check_names(collection, key)?;
        if !state.locks.allows_write(collection, key) {
            return Err(StorageError::Locked);
        }
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
        debug_assert!(self.0.stash.borrow().is_empty(), "batches of the log were not resolved");
        let care = async {
            if let Some(store) = &self.0.store {
                let _caring = self.0.care.lock().await;
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

    /// Refuses writes from now on, waits until all staged ones are durable, with a log and without, and ends [`Shard::run`].
    pub async fn close(&self) {
        self.0.state.borrow_mut().close();
        self.0.ending.settle(Ok(()));
        self.0.raise_all();
        if !self.0.state.borrow().has_tree() {
            self.0.stopped.settle(Ok(()));
        }
        // Where nobody runs the commit loop, this does; otherwise it waits for the one that runs.
        commit::run(&self.0).await;
        if let Some(store) = &self.0.store {
            let _ended = self.0.care.lock().await;
            self.0.state.borrow_mut().end_past();
            store.sweep().await;
            let (view, _) = self.0.view();
            store.close(&view).await;
        }
    }

    /// The names of all collections that have or had entries.
    #[must_use]
    pub fn collections(&self) -> Vec<Arc<str>> {
        self.0.state.borrow().memtable.names().cloned().collect()
    }

    fn count(&self, operation: impl FnOnce(&mut Operations) -> &mut u64) {
        let mut operations = self.0.operations.get();
        *operation(&mut operations) += 1;
        self.0.operations.set(operations);
    }

    /// Figures at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let cache = self.0.cache.stats();
        Stats {
            operations: self.0.operations.get(),
            debt_bytes: self.0.pressure.get().debt_bytes,
            cache_evictions: cache.evictions,
            cache_capacity_bytes: cache.capacity_bytes,
            cache_hits: cache.hits,
            cache_misses: cache.misses,
            cache_bytes: cache.bytes,
            ..self.0.state.borrow().snapshot()
        }
    }
}

/// Locks of one step that had to wait for something, until it has ended.
struct Claim {
    shard: Shard,
    locks: LockSet,
    number: Option<u64>,
}

impl Claim {
    async fn take(shard: &Shard, locks: LockSet) -> Result<Self, StorageError> {
        let acquired = shard.0.state.borrow_mut().locks.acquire(&locks);
        let (number, granted) = match acquired {
            Acquired::Now => (None, None),
            Acquired::Later(number, granted) => (Some(number), Some(Ticket::new(&granted))),
        };
        // From here on dropping it gives the place in the queue up, or the locks back.
        let claim = Self { shard: shard.clone(), locks, number };
        if let Some(granted) = granted {
            granted.await?;
        }
        Ok(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let granted = {
            let locks = &mut self.shard.0.state.borrow_mut().locks;
            match self.number {
                None => locks.release(&self.locks),
                Some(number) => locks.give_up(number, &self.locks),
            }
        };
        granted.into_iter().for_each(|granted| granted.settle(Ok(())));
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
