//! Batches over several shards of one disk, with crashes at any call: all of a batch comes back or nothing, what was
//! acknowledged comes back, what was undone does not; and a snapshot sees all of a batch or nothing. Some batches have a
//! condition: what it is told to be is what all readers see at that moment.

mod full_logs;

pub(super) use self::full_logs::fill_logs;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use futures_util::future::LocalBoxFuture;

use super::machine::{ALL, INTERVAL, finish, plan_trouble, poll, value, with_seeds};
use crate::{
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        Batch, BatchId, Decisions, EngineOptions, Epochs, LockSet, Options, Partners, Shard,
        Snapshots, StorageError, Ticket, Transaction, Value, Verdict, Workshop, Writers,
        clock::sim::SimClock,
        disk::sim::{Crash, Dice, SimDisk},
    },
};

const KEYS: u64 = 5;

type Place = (u32, u8);

/// Several shards on one disk.
struct Cluster {
    disk: SimDisk,
    clock: SimClock,
    shards: Rc<RefCell<Vec<Shard>>>,
    running: Vec<LocalBoxFuture<'static, ()>>,
    snapshots: Rc<Snapshots>,
    count: u32,
    sync: SyncMode,
    memtable_bytes_max: u64,
    blob_bytes_min: usize,
}

impl Drop for Cluster {
    /// Each shard knows all of them: somebody has to let go first.
    fn drop(&mut self) {
        self.stop();
    }
}

/// The other shards, at once.
struct Direct(Rc<RefCell<Vec<Shard>>>);

impl Partners for Direct {
    fn sync(&self, shard: u32) -> LocalBoxFuture<'static, Result<(), StorageError>> {
        let shard = self.0.borrow()[shard as usize].clone();
        Box::pin(async move { shard.sync()?.await })
    }

    fn note_committed(
        &self,
        shard: u32,
        batches: Arc<[BatchId]>,
    ) -> LocalBoxFuture<'static, Result<(), StorageError>> {
        let shard = self.0.borrow()[shard as usize].clone();
        Box::pin(async move { shard.note_committed(&batches)?.await })
    }
}

impl Cluster {
    fn start(&mut self) -> Result<(), StorageError> {
        self.stop();
        let epochs = Epochs::new(1);
        self.snapshots = Snapshots::new(epochs.clone(), 0);
        let mut shards = Vec::new();
        for shard in 0..self.count {
            let disk = Rc::new(self.disk.clone());
            let workshop = Workshop::inline(disk.clone()).with_epochs(epochs.clone());
            let engine = EngineOptions::Lsm {
                log_dir: PathBuf::from(format!("/wal/shard-{shard:04}")),
                data_dir: PathBuf::from(format!("/data/shard-{shard:04}")),
                segment_bytes: 8192,
                durability: Durability::Logged(self.sync),
                blob_bytes_min: self.blob_bytes_min,
                cache_bytes_max: 1 << 20,
                compaction: CompactionSettings::default(),
                decided: None,
            };
            let memtable_bytes_max = self.memtable_bytes_max;
            let options = Options { shard, directory_id: 7, memtable_bytes_max, engine };
            let clock = Rc::new(self.clock.clone());
            shards.push(finish(Shard::open(disk, clock, workshop, options))?.0);
        }
        let traces = (0..).zip(shards.iter().map(Shard::traces)).collect();
        let decisions = Decisions::of(&traces);
        for shard in &shards {
            finish(shard.resolve(&decisions))?;
        }
        self.shards = Rc::new(RefCell::new(shards));
        for shard in self.shards.borrow().iter() {
            shard.join(Rc::new(Direct(Rc::clone(&self.shards))));
            let looping = shard.clone();
            self.running.push(Box::pin(async move { looping.run().await }));
        }
        Ok(())
    }

    fn shard(&self, number: u32) -> Shard {
        self.shards.borrow()[number as usize].clone()
    }

    fn step(&mut self, number: u32) {
        let _ = poll(self.running[number as usize].as_mut());
    }

    fn stop(&mut self) {
        self.running.clear();
        self.shards.borrow_mut().clear();
    }

    /// All that a snapshot sees, or all that is visible now.
    fn contents(&self, epoch: Option<u64>) -> Result<BTreeMap<Place, Value>, StorageError> {
        let mut contents = BTreeMap::new();
        for number in 0..self.count {
            let shard = self.shard(number);
            let mut from = Vec::new();
            loop {
                let page = finish(shard.scan_at("c", &from, None, ALL, epoch))?;
                contents
                    .extend(page.rows.into_iter().map(|(key, value)| ((number, key[0]), value)));
                let Some(next) = page.next else { break };
                from = next.to_vec();
            }
        }
        Ok(contents)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It may be there after a crash, or not.
    Open,
    /// It is there.
    Answered,
    /// It is not there.
    Refused,
}

/// The number of a value.
fn short(value: Option<&Value>) -> String {
    value.map_or("none".into(), |value| {
        format!("{}", u64::from_le_bytes(value.data[..8].try_into().unwrap()))
    })
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { value, fate, visible, batch } = self;
        write!(f, "{} {fate:?} visible={visible} {batch:?}", short(value.as_ref()))
    }
}

/// A value that a key was given, or none.
#[derive(Clone)]
struct Version {
    value: Option<Value>,
    fate: Fate,
    /// It has been seen.
    visible: bool,
    batch: Option<usize>,
}

/// A batch that has not been answered.
struct Going {
    batch: Arc<Batch>,
    number: usize,
    shards: Vec<u32>,
    writers: Writers,
    /// What must be there for the batch to be done.
    condition: Option<(Place, Option<Value>)>,
    votes: Vec<LocalBoxFuture<'static, Result<(bool, Ticket), StorageError>>>,
    /// Whether what a shard found was as it must be, and when that is durable.
    tickets: Vec<(bool, Ticket)>,
    failed: bool,
}

struct Story {
    cluster: Cluster,
    dice: Dice,
    history: BTreeMap<Place, Vec<Version>>,
    singles: Vec<(Place, usize, Ticket)>,
    going: Vec<Going>,
    /// Shards that have not been told the verdict.
    letters: Vec<(u32, Arc<Batch>)>,
    /// Batches whose abort is not durable yet.
    undoing: Vec<(usize, Vec<Ticket>)>,
    batches: usize,
    values: u64,
    committed: u64,
    /// Batches whose condition did not hold.
    unmet: u64,
    /// Of values.
    lengths: [usize; 3],
}

impl Story {
    fn new(seed: u64, sync: SyncMode) -> Self {
        let mut dice = Dice::new(seed ^ 0xba7c);
        let cluster = Cluster {
            disk: SimDisk::new(seed),
            clock: SimClock::default(),
            shards: Rc::default(),
            running: Vec::new(),
            snapshots: Snapshots::new(Epochs::new(1), 0),
            count: 2 + dice.below(2) as u32,
            sync,
            memtable_bytes_max: [2500, 6000, 1 << 30][dice.below(3) as usize],
            blob_bytes_min: [40, 4096, usize::MAX][dice.below(3) as usize],
        };
        Self {
            cluster,
            dice,
            history: BTreeMap::new(),
            singles: Vec::new(),
            going: Vec::new(),
            letters: Vec::new(),
            undoing: Vec::new(),
            batches: 0,
            values: 0,
            committed: 0,
            unmet: 0,
            lengths: [20, 200, 900],
        }
    }

    /// Tells how many batches were committed, and how many had a condition that did not hold.
    fn tell(&mut self) -> (u64, u64) {
        for _ in 0..5 {
            self.plan_trouble();
            match self.cluster.start() {
                Ok(()) => self.check_recovered(),
                Err(error) => assert_planned(&error),
            }
            if self.cluster.running.len() == self.cluster.count as usize {
                self.live();
            }
            self.end();
        }
        self.cluster.start().unwrap();
        self.check_recovered();
        (self.committed, self.unmet)
    }

    fn plan_trouble(&mut self) {
        plan_trouble(&self.cluster.disk, &mut self.dice, [20, 200, 1500]);
    }

    fn live(&mut self) {
        let mut watched = Vec::new();
        for _ in 0..self.dice.below(250) {
            match self.dice.below(12) {
                0..=1 => self.set(),
                2..=3 => self.begin_batch(),
                4..=5 => self.deliver(),
                6 if self.dice.one_in(6) => self.cluster.clock.advance(INTERVAL / 3),
                6 => self.give_up(),
                7 if watched.len() < 3 => {
                    self.look();
                    let snapshot = self.cluster.snapshots.take(Instant::now());
                    watched.push((snapshot, self.visible()));
                }
                8 if !watched.is_empty() => {
                    let index = self.dice.below(watched.len() as u64) as usize;
                    let (snapshot, expected) = &watched[index];
                    let epoch = snapshot.epoch();
                    if let Ok(found) = self.cluster.contents(Some(epoch)) {
                        assert_eq!(&found, expected, "a snapshot shows one instant");
                    }
                    if self.dice.one_in(2) {
                        watched.swap_remove(index);
                    }
                }
                _ => {
                    let shard = self.dice.below(u64::from(self.cluster.count)) as u32;
                    for _ in 0..self.dice.below(5) {
                        self.cluster.step(shard);
                    }
                }
            }
            self.look();
        }
    }

    /// What readers see, by the model.
    fn visible(&self) -> BTreeMap<Place, Value> {
        let newest = |versions: &Vec<Version>| {
            versions.iter().rev().find(|version| version.visible)?.value.clone()
        };
        self.history.iter().filter_map(|(place, all)| Some((*place, newest(all)?))).collect()
    }

    fn place(&mut self) -> Place {
        let shard = self.dice.below(u64::from(self.cluster.count)) as u32;
        (shard, self.dice.below(KEYS) as u8)
    }

    fn value(&mut self) -> Option<Value> {
        self.values += 1;
        let length = self.lengths[self.dice.below(3) as usize];
        let mut data = self.values.to_le_bytes().to_vec();
        data.resize(length, 7);
        (!self.dice.one_in(5)).then(|| value(data))
    }

    fn note(&mut self, place: Place, value: Option<Value>, batch: Option<usize>) -> usize {
        let versions = self.history.entry(place).or_default();
        versions.push(Version { value, fate: Fate::Open, visible: false, batch });
        versions.len() - 1
    }

    fn set(&mut self) {
        let place = self.place();
        let Some(value) = self.value() else { return };
        let shard = self.cluster.shard(place.0);
        if let Ok(ticket) = shard.set("c", &[place.1], value.clone()) {
            let index = self.note(place, Some(value), None);
            self.singles.push((place, index, ticket));
        }
    }

    fn begin_batch(&mut self) {
        let mut changes: BTreeMap<u32, BTreeMap<u8, Option<Value>>> = BTreeMap::new();
        for _ in 0..2 + self.dice.below(3) {
            let (shard, key) = self.place();
            let value = self.value();
            changes.entry(shard).or_default().insert(key, value);
        }
        let number = self.batches;
        self.batches += 1;
        let id =
            BatchId { process: self.cluster.snapshots.epochs().process(), number: number as u64 };
        let batch = Arc::new(Batch { id, verdict: Verdict::default() });
        let writers: Writers = changes.keys().copied().collect();
        let condition = self.condition();
        if let Some(((shard, _), _)) = &condition {
            // It may be on a shard that the batch only reads.
            changes.entry(*shard).or_default();
        }
        let shards: Vec<u32> = changes.keys().copied().collect();
        let locked = changes.iter().all(|(shard, changes)| {
            let mut locks = LockSet::default();
            changes.keys().for_each(|key| locks.key("c", &[*key], true));
            if let Some(((_, key), _)) = condition.as_ref().filter(|((on, _), _)| on == shard) {
                locks.key("c", &[*key], false);
            }
            self.cluster.shard(*shard).try_lock(&batch, locks.sorted())
        });
        let mut votes = Vec::new();
        if locked {
            for (shard, changes) in &changes {
                for (key, value) in changes {
                    self.note((*shard, *key), value.clone(), Some(number));
                }
                let changes = changes.clone();
                let condition = condition.clone().filter(|((on, _), _)| on == shard);
                let step = move |transaction: &mut Transaction<'_>| {
                    if let Some(((_, key), expected)) = &condition
                        && transaction.get("c", &[*key])? != *expected
                    {
                        return Ok(false);
                    }
                    changes.iter().try_for_each(|(key, value)| match value {
                        Some(value) => transaction.set("c", &[*key], value.clone()),
                        None => transaction.delete_for_good("c", &[*key]).map(drop),
                    })?;
                    Ok(true)
                };
                let writers = writers.contains(shard).then(|| Arc::clone(&writers));
                let prepared =
                    self.cluster.shard(*shard).prepare(&batch, writers, step, |yes| *yes);
                votes.push(Box::pin(prepared.into_future()) as LocalBoxFuture<'static, _>);
            }
        }
        self.going.push(Going {
            batch,
            number,
            shards,
            writers,
            condition,
            votes,
            tickets: Vec::new(),
            failed: !locked,
        });
    }

    /// Something that may be true of a key, or not, when it is looked at.
    fn condition(&mut self) -> Option<(Place, Option<Value>)> {
        if self.dice.one_in(2) {
            return None;
        }
        let place = self.place();
        let versions = self.history.get(&place).map_or(&[][..], Vec::as_slice);
        let back = versions.len() - self.dice.below(3).min(versions.len() as u64) as usize;
        Some((place, versions[..back].last().and_then(|version| version.value.clone())))
    }

    /// Time is up for a batch.
    fn give_up(&mut self) {
        if !self.going.is_empty() && self.dice.one_in(3) {
            let index = self.dice.below(self.going.len() as u64) as usize;
            self.going[index].failed = true;
        }
    }

    /// Tells one shard a verdict.
    fn deliver(&mut self) {
        if self.letters.is_empty() {
            return;
        }
        let index = self.dice.below(self.letters.len() as u64) as usize;
        let (shard, batch) = self.letters.swap_remove(index);
        // What cannot be logged now, another shard logs, or nobody is told.
        let _ = self.cluster.shard(shard).finish(&batch);
    }

    fn look(&mut self) {
        let mut singles = std::mem::take(&mut self.singles);
        singles.retain(|(place, index, ticket)| {
            if !ticket.is_done() {
                return true;
            }
            let answered = finish(ticket.clone());
            if let Some(version) = self.history.get_mut(place).and_then(|all| all.get_mut(*index)) {
                match answered {
                    Ok(()) => (version.fate, version.visible) = (Fate::Answered, true),
                    Err(StorageError::NoSpace { .. }) => version.fate = Fate::Refused,
                    // It may be on the disk.
                    Err(_) => {}
                }
            }
            false
        });
        self.singles = singles;
        for mut going in std::mem::take(&mut self.going) {
            let mut votes = Vec::new();
            for mut vote in std::mem::take(&mut going.votes) {
                match poll(vote.as_mut()) {
                    Poll::Pending => votes.push(vote),
                    Poll::Ready(Ok(vote)) => going.tickets.push(vote),
                    Poll::Ready(Err(_)) => going.failed = true,
                }
            }
            going.votes = votes;
            let failed =
                |(_, ticket): &(bool, Ticket)| ticket.is_done() && finish(ticket.clone()).is_err();
            going.failed |= going.tickets.iter().any(failed);
            let is_done = |(_, ticket): &(bool, Ticket)| ticket.is_done();
            if going.failed {
                self.abort(going);
            } else if going.votes.is_empty() && going.tickets.iter().all(is_done) {
                let is_met = going.tickets.iter().all(|(yes, _)| *yes);
                if let Some((place, expected)) = &going.condition {
                    // It is locked, and all that was found is durable: so it is what everybody sees.
                    let is_there = self.visible().get(place) == expected.as_ref();
                    assert_eq!(is_met, is_there, "batch {}: {place:?}", going.number);
                }
                if is_met {
                    self.commit(&going);
                } else {
                    self.unmet += 1;
                    self.abort(going);
                }
            } else {
                self.going.push(going);
            }
        }
        let mut undoing = std::mem::take(&mut self.undoing);
        undoing.retain(|(number, tickets)| {
            let done = |ticket: &Ticket| ticket.is_done() && finish(ticket.clone()).is_ok();
            let undone = tickets.iter().any(done);
            if undone {
                self.each_of(*number, |version| version.fate = Fate::Refused);
            }
            !undone
        });
        self.undoing = undoing;
    }

    fn each_of(&mut self, number: usize, change: impl Fn(&mut Version)) {
        let versions = self.history.values_mut().flatten();
        versions.filter(|version| version.batch == Some(number)).for_each(change);
    }

    fn commit(&mut self, going: &Going) {
        self.committed += 1;
        going.batch.verdict.commit(self.cluster.snapshots.epochs());
        self.each_of(going.number, |version| {
            (version.fate, version.visible) = (Fate::Answered, true);
        });
        self.letters.extend(going.shards.iter().map(|shard| (*shard, Arc::clone(&going.batch))));
        if self.dice.one_in(3) {
            self.check_now();
        }
    }

    /// Nobody is told of an abort before it is durable somewhere; a shard that has no part will never have one.
    fn abort(&mut self, going: Going) {
        going.batch.verdict.abort();
        let mut told: Vec<Ticket> = Vec::new();
        for shard in &going.shards {
            let ticket = self.cluster.shard(*shard).finish(&going.batch);
            // One that only read undoes nothing.
            told.extend(ticket.ok().filter(|_| going.writers.contains(shard)));
        }
        self.undoing.push((going.number, told));
    }

    /// What single reads see is what the model says.
    fn check_now(&self) {
        let expected = self.visible();
        for shard in 0..self.cluster.count {
            for key in 0..KEYS as u8 {
                let found = finish(self.cluster.shard(shard).get("c", &[key]));
                let Ok(found) = found else { continue };
                assert_eq!(found.as_ref(), expected.get(&(shard, key)), "shard {shard}, key {key}");
            }
        }
    }

    fn end(&mut self) {
        if self.cluster.running.len() == self.cluster.count as usize {
            self.look();
        }
        let crash = if self.dice.one_in(2) { Crash::Process } else { Crash::Power };
        if crash == Crash::Power && self.cluster.sync != SyncMode::Always {
            // The newest may be lost, on each shard by itself.
            for version in self.history.values_mut().flatten() {
                if version.fate == Fate::Answered {
                    version.fate = Fate::Open;
                }
            }
        }
        self.singles.clear();
        self.going.clear();
        self.letters.clear();
        self.undoing.clear();
        self.cluster.stop();
        self.cluster.disk.reboot(crash);
    }

    fn check_recovered(&mut self) {
        let found = match self.cluster.contents(None) {
            Ok(found) => found,
            Err(error) => {
                assert_planned(&error);
                self.cluster.stop();
                return;
            }
        };
        // For each batch: whether it is there, and whether it is not, by its keys.
        let mut seen: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
        for (place, versions) in &self.history {
            let value = found.get(place);
            let floor = versions.iter().rposition(|version| version.fate == Fate::Answered);
            let candidates: Vec<usize> = (floor.unwrap_or(0)..versions.len())
                .filter(|index| {
                    let version = &versions[*index];
                    version.value.as_ref() == value && version.fate != Fate::Refused
                })
                .collect();
            let before_all = floor.is_none() && value.is_none();
            assert!(
                !candidates.is_empty() || before_all,
                "{:?}: {place:?} has {}, of {versions:#?}",
                self.cluster.sync,
                short(value)
            );
            // A value names its version; a missing one may be any of several deletes.
            let (Some(&first), Some(&last)) = (candidates.first(), candidates.last()) else {
                for version in versions {
                    if let Some(batch) = version.batch.filter(|_| version.fate != Fate::Refused) {
                        seen.entry(batch).or_default().1 = true;
                    }
                }
                continue;
            };
            let is_certain = first == last && !(before_all);
            for (index, version) in versions.iter().enumerate() {
                let Some(batch) = version.batch.filter(|_| version.fate != Fate::Refused) else {
                    continue;
                };
                let seen = seen.entry(batch).or_default();
                if is_certain && index == last {
                    seen.0 = true;
                }
                if index > last {
                    seen.1 = true;
                }
            }
        }
        for (batch, (there, missing)) in seen {
            let (sync, history) = (self.cluster.sync, &self.history);
            let found: Vec<_> = found.iter().map(|(at, value)| (at, short(Some(value)))).collect();
            assert!(
                !(there && missing),
                "{sync:?}: a part of batch {batch} is there: {found:#?} of {history:#?}"
            );
        }
        self.history.clear();
        for (place, value) in found {
            let version =
                Version { value: Some(value), fate: Fate::Answered, visible: true, batch: None };
            self.history.insert(place, vec![version]);
        }
    }
}

/// What the disk may say when something was planned for it.
fn assert_planned(error: &StorageError) {
    let planned = matches!(
        error,
        StorageError::NoSpace { .. } | StorageError::Io { .. } | StorageError::Closed { .. }
    );
    assert!(planned, "{error}");
}

pub(super) fn tell(seed: u64, sync: SyncMode) -> (u64, u64) {
    Story::new(seed, sync).tell()
}

#[test]
fn batches_over_shards_are_whole_after_any_crash() {
    let (committed, unmet) = (Cell::new(0), Cell::new(0));
    with_seeds(40, |seed| {
        for sync in [SyncMode::Always, SyncMode::Interval(INTERVAL), SyncMode::None] {
            let told = tell(seed, sync);
            committed.set(committed.get() + told.0);
            unmet.set(unmet.get() + told.1);
        }
    });
    println!("{} batches were committed, {} were not to be", committed.get(), unmet.get());
    assert!(
        committed.get().min(unmet.get()) > 0 || std::env::var_os("AMATERS_SEED").is_some(),
        "batches do get through, and some conditions do not hold"
    );
}
