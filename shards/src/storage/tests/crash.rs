//! Random work, a crash at any call, and a comparison with a model: what comes back is a prefix of what was staged, whole
//! steps only, and holds all that was acknowledged; without a log, all that was flushed, and nothing that was not acknowledged.

use std::{collections::BTreeMap, future::IntoFuture as _, pin::Pin, task::Poll};

use bytes::Bytes;

use super::machine::{
    ALL, INTERVAL, Machine, any_strategy, finish, plan_trouble, poll, with_seeds,
};
use crate::{
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        LockSet, Meta, Stats, StorageError, Ticket, Value,
        disk::sim::{Crash, Dice},
    },
};

const COLLECTIONS: [&str; 2] = ["tokens", "sealed"];
const KEYS: u64 = 9;

/// What makes a write last, in each life of a story.
pub(super) const ALWAYS: [Durability; 1] = [Durability::Logged(SyncMode::Always)];
pub(super) const AT_INTERVALS: [Durability; 1] = [Durability::Logged(SyncMode::Interval(INTERVAL))];
const UNSYNCED: [Durability; 1] = [Durability::Logged(SyncMode::None)];
pub(super) const UNLOGGED: [Durability; 1] = [Durability::Flushed];
pub(super) const CHANGING: [Durability; 5] =
    [ALWAYS[0], Durability::Flushed, AT_INTERVALS[0], Durability::Flushed, UNSYNCED[0]];

/// What a shard should hold: (collection, key) → value.
type Contents = BTreeMap<(usize, Vec<u8>), Value>;

/// Every state that the shard may be in after a crash, in order.
struct Model {
    /// `states[n]` is what there is after n steps.
    states: Vec<Contents>,
    tickets: Vec<Ticket>,
    /// Steps that have been acknowledged: those before it, always.
    acknowledged: usize,
    /// Steps that must be there when the machine starts again.
    floor: usize,
    /// Steps that must be there even after a power cut.
    durable: usize,
    /// The number of the last write that readers saw, and the steps that were acknowledged then.
    seen: Vec<(u64, usize)>,
    /// Steps that are in tables, at least.
    flushed: usize,
}

impl Model {
    fn at(contents: Contents) -> Self {
        Self {
            states: vec![contents],
            tickets: Vec::new(),
            acknowledged: 0,
            floor: 0,
            durable: 0,
            seen: Vec::new(),
            flushed: 0,
        }
    }

    fn latest(&self) -> &Contents {
        &self.states[self.states.len() - 1]
    }

    fn visible(&self) -> &Contents {
        &self.states[self.acknowledged]
    }

    fn push(&mut self, contents: Contents, ticket: Ticket) {
        self.states.push(contents);
        self.tickets.push(ticket);
    }

    /// Takes note of flushes, right after a look.
    fn note(&mut self, stats: &Stats) {
        let seen = (stats.sequence, self.acknowledged);
        if self.seen.last() != Some(&seen) {
            self.seen.push(seen);
        }
        let is_flushed = |(sequence, _): &&(u64, usize)| *sequence <= stats.flushed_sequence;
        if let Some((_, steps)) = self.seen.iter().rev().find(is_flushed) {
            self.flushed = *steps;
        }
    }

    /// A life without a log is over: what is in no table is gone, and what was not acknowledged never was in any.
    fn forget_unlogged(&mut self) {
        (self.floor, self.durable) = (self.flushed, self.flushed);
        self.states.truncate(self.acknowledged + 1);
        self.tickets.truncate(self.acknowledged);
    }

    /// Takes note of tickets that have resolved. False if the log has failed.
    fn look(&mut self) -> bool {
        while let Some(ticket) =
            self.tickets.get(self.acknowledged).filter(|ticket| ticket.is_done())
        {
            match finish(ticket.clone()) {
                Ok(()) => self.acknowledged += 1,
                Err(StorageError::NoSpace { .. }) => {
                    assert!(
                        self.tickets.iter().all(Ticket::is_done),
                        "all that rests on it has failed too"
                    );
                    self.tickets.truncate(self.acknowledged);
                    self.states.truncate(self.acknowledged + 1);
                }
                Err(_) => {
                    assert!(
                        self.tickets[self.acknowledged..].iter().all(Ticket::is_done),
                        "nobody waits for a log that has failed"
                    );
                    return false;
                }
            }
        }
        let rest = &self.tickets[self.acknowledged..];
        assert!(rest.iter().all(|ticket| !ticket.is_done()), "acknowledged in order");
        true
    }
}

/// All that readers see; an error if the disk has failed as planned.
fn contents(machine: &Machine) -> Result<Contents, StorageError> {
    let shard = machine.shard();
    let mut contents = Contents::new();
    for (index, collection) in COLLECTIONS.iter().enumerate() {
        let page = finish(shard.scan(collection, b"", None, ALL))?;
        assert!(page.next.is_none());
        contents.extend(page.rows.into_iter().map(|(key, value)| ((index, key.to_vec()), value)));
    }
    Ok(contents)
}

/// What the disk may say when something was planned for it.
fn assert_planned(error: &StorageError) {
    assert!(matches!(error, StorageError::NoSpace { .. } | StorageError::Io { .. }), "{error}");
}

/// One story: several lives of one disk.
pub(super) struct Story {
    machine: Machine,
    dice: Dice,
    model: Model,
    /// Each life has one of these.
    ways: &'static [Durability],
    durability: Durability,
    values: u64,
    /// Most values are ciphertexts: blob files come and go, and are still referred to from memory.
    is_large: bool,
}

impl Story {
    pub(super) fn new(seed: u64, ways: &'static [Durability]) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let segment_bytes = [8192, 65_536, 1 << 20][dice.below(3) as usize];
        let mut machine = Machine::new(seed, SyncMode::Always, segment_bytes);
        machine.options.memtable_bytes_max = [3000, 12_000, 1 << 30][dice.below(3) as usize];
        machine.put_into_blobs([40, 4096, usize::MAX][dice.below(3) as usize]);
        let is_large = dice.one_in(4);
        let model = Model::at(Contents::new());
        Self { machine, dice, model, ways, durability: ways[0], values: 0, is_large }
    }

    pub(super) fn tell(&mut self) {
        for _ in 0..6 {
            self.choose_way();
            self.plan_trouble();
            let lived = match self.machine.start() {
                Ok(_) => self.check_recovered(),
                Err(error) => {
                    assert_planned(&error);
                    false
                }
            };
            if lived {
                self.live();
            }
            self.end(lived);
        }
        self.choose_way();
        self.machine.start().unwrap();
        assert!(self.check_recovered());
    }

    fn choose_way(&mut self) {
        if self.ways.len() > 1 {
            self.durability = self.ways[self.dice.below(self.ways.len() as u64) as usize];
        }
        self.machine.set_durability(self.durability);
    }

    /// A crash or a fault at some call, in recovery or later; or none.
    fn plan_trouble(&mut self) {
        plan_trouble(&self.machine.disk, &mut self.dice, [20, 200, 1000]);
    }

    /// False if the disk failed before all could be read.
    fn check_recovered(&mut self) -> bool {
        let found = match contents(&self.machine) {
            Ok(found) => found,
            Err(error) => {
                assert_planned(&error);
                return false;
            }
        };
        let model = &self.model;
        let step =
            (model.floor..model.states.len()).rev().find(|step| model.states[*step] == found);
        let Some(step) = step else {
            let early = model.states.iter().rposition(|state| *state == found);
            panic!(
                "{found:?} is none of the states from {} to {} (state {early:?} of all)",
                model.floor,
                model.states.len() - 1
            );
        };
        self.model = Model::at(self.model.states[step].clone());
        true
    }

    fn live(&mut self) {
        for _ in 0..self.dice.below(150) {
            let sound = match self.dice.below(10) {
                0..=2 => self.set(),
                3 => self.delete(),
                4 => self.transact(),
                5 if self.dice.one_in(4) => {
                    self.change_compaction();
                    true
                }
                5 => {
                    let time = INTERVAL / 3;
                    self.machine.clock.advance(time);
                    true
                }
                6 => self.read(),
                _ => {
                    for _ in 0..self.dice.below(4) {
                        self.machine.step();
                    }
                    true
                }
            };
            if !(self.look() && sound) {
                return;
            }
        }
        if self.dice.one_in(3) {
            let stats = self.machine.close();
            if self.model.look() && stats.poisoned.is_none() {
                self.model.note(&stats);
                assert_eq!(self.model.acknowledged, self.model.states.len() - 1);
                self.model.durable = self.model.acknowledged;
                if self.durability == Durability::Flushed {
                    assert_eq!(self.model.flushed, self.model.acknowledged, "all is in tables");
                }
            }
        }
    }

    /// Takes note of all that has happened. False if the disk has failed.
    fn look(&mut self) -> bool {
        let sound = self.model.look();
        if let Some(stats) = self.machine.stats() {
            self.model.note(&stats);
        }
        sound
    }

    /// The machine stops. What must survive depends on how, and on the mode.
    fn end(&mut self, lived: bool) {
        if lived {
            self.look();
            let model = &mut self.model;
            model.floor = model.acknowledged;
            match self.durability {
                Durability::Logged(SyncMode::Always) => model.durable = model.acknowledged,
                Durability::Logged(_) => {}
                Durability::Flushed => model.forget_unlogged(),
            }
        }
        let crash = if self.dice.one_in(2) { Crash::Process } else { Crash::Power };
        let model = &mut self.model;
        if crash == Crash::Power {
            model.floor = model.floor.min(model.durable);
        }
        self.machine.crash(crash);
    }

    fn set(&mut self) -> bool {
        let (collection, key) = self.entry();
        let value = self.value();
        let shard = self.machine.shard();
        let Ok(ticket) = shard.set(COLLECTIONS[collection], &key, value.clone()) else {
            return false;
        };
        let mut next = self.model.latest().clone();
        next.insert((collection, key), value);
        self.model.push(next, ticket);
        true
    }

    fn delete(&mut self) -> bool {
        let (collection, key) = self.entry();
        let mut deleting = self.machine.shard().delete(COLLECTIONS[collection], &key).into_future();
        let deleted = (0..1000).find_map(|_| match poll(Pin::new(&mut deleting)) {
            Poll::Ready(deleted) => Some(deleted),
            Poll::Pending => None,
        });
        // While a large value is being written again it is locked, and that may wait for the loop: then it is given up.
        let Some(deleted) = deleted else { return true };
        let Ok((found, ticket)) = deleted else { return false };
        let mut next = self.model.latest().clone();
        assert_eq!(found, next.remove(&(collection, key)).is_some());
        if found {
            self.model.push(next, ticket);
        }
        true
    }

    /// A transaction tells what it found; the model must have found the same.
    fn transact(&mut self) -> bool {
        let changes: Vec<_> = (0..=self.dice.below(5))
            .map(|_| (self.entry(), if self.dice.one_in(3) { None } else { Some(self.value()) }))
            .collect();
        let fails = self.dice.one_in(5);
        let (mut next, mut wrote) = (self.model.latest().clone(), false);
        let mut expected = Vec::new();
        for (place, change) in &changes {
            expected.push(next.get(place).cloned());
            wrote |= change.is_some() || next.contains_key(place);
            match change {
                Some(value) => next.insert(place.clone(), value.clone()),
                None => next.remove(place),
            };
        }
        let done = finish(self.machine.shard().transact(LockSet::default, move |transaction| {
            let mut found = Vec::new();
            for ((collection, key), change) in &changes {
                let name = COLLECTIONS[*collection];
                let before = transaction.get(name, key)?;
                match change {
                    Some(value) => transaction.set(name, key, value.clone())?,
                    None => assert_eq!(transaction.delete(name, key)?, before.is_some()),
                }
                found.push(before);
            }
            let page = transaction.scan(COLLECTIONS[0], b"", None, ALL)?;
            if fails { Err(StorageError::Closed { shard: 99 }) } else { Ok((found, page.rows)) }
        }));
        match done {
            Ok(((found, rows), ticket)) => {
                assert_eq!(found, expected);
                let first = next.iter().filter(|((collection, _), _)| *collection == 0);
                let first = first.map(|((_, key), value)| (&key[..], value));
                assert!(rows.iter().map(|(key, value)| (&key[..], value)).eq(first));
                if wrote {
                    self.model.push(next, ticket);
                }
            }
            Err(StorageError::Closed { shard: 99 }) => {}
            Err(_) => return false,
        }
        true
    }

    /// Readers see what was acknowledged, no more and no less.
    fn read(&mut self) -> bool {
        if !self.look() {
            return false;
        }
        let (collection, key) = self.entry();
        let visible = self.model.visible();
        match finish(self.machine.shard().get(COLLECTIONS[collection], &key)) {
            Ok(found) => assert_eq!(found.as_ref(), visible.get(&(collection, key))),
            Err(error) => {
                assert_planned(&error);
                return false;
            }
        }
        if !self.dice.one_in(10) {
            return true;
        }
        let found = contents(&self.machine);
        match &found {
            Ok(found) => assert_eq!(found, self.model.visible()),
            Err(error) => assert_planned(error),
        }
        found.is_ok()
    }

    fn change_compaction(&mut self) {
        let strategy = any_strategy(&mut self.dice);
        let levels = 2 + self.dice.below(4) as usize;
        let multiplier = 2 + self.dice.below(3) as usize;
        let settings = CompactionSettings { strategy, levels, multiplier };
        self.machine.shard().set_compaction(&settings);
    }

    fn entry(&mut self) -> (usize, Vec<u8>) {
        let collection = self.dice.below(2) as usize;
        let mut key = format!("key-{}", self.dice.below(KEYS)).into_bytes();
        if key.ends_with(b"0") {
            key.resize(700, b'x');
        }
        (collection, key)
    }

    /// A value that is unlike all others.
    fn value(&mut self) -> Value {
        self.values += 1;
        let length = match self.dice.below(40) {
            0..30 if self.is_large => 5000 + self.dice.below(30_000) as usize,
            0 => 300_000,
            1..=3 => 70_000,
            4..=5 => 20_000,
            6..=8 => 5000,
            9 => 0,
            _ => 8 + self.dice.below(100) as usize,
        };
        let mut data = self.values.to_le_bytes().repeat(length / 8 + 1);
        data.truncate(length);
        let meta = Meta { size: self.values, created_at: -1, ..Meta::default() };
        Value { data: Bytes::from(data), meta }
    }
}

#[test]
fn storage_survives_crashes_with_sync_always() {
    with_seeds(200, |seed| Story::new(seed, &ALWAYS).tell());
}

#[test]
fn storage_survives_crashes_with_sync_interval() {
    with_seeds(150, |seed| Story::new(seed, &AT_INTERVALS).tell());
}

#[test]
fn storage_survives_crashes_with_sync_none() {
    with_seeds(150, |seed| Story::new(seed, &UNSYNCED).tell());
}

#[test]
fn storage_survives_crashes_without_a_log() {
    with_seeds(150, |seed| Story::new(seed, &UNLOGGED).tell());
}

#[test]
fn storage_survives_crashes_with_a_log_that_comes_and_goes() {
    with_seeds(200, |seed| Story::new(seed, &CHANGING).tell());
}
