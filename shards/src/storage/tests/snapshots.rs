//! Scans at one instant: random work with several snapshots alive, each compared with a copy of what was visible when it was
//! taken.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

use super::machine::{INTERVAL, Machine, any_strategy, finish, poll, value, with_seeds};
use crate::{
    settings::{CompactionSettings, SyncMode},
    storage::{
        Answer, EngineOptions, LockSet, Page, PageLimit, Snapshot, Snapshots, StorageError, Ticket,
        Value,
        disk::sim::{Crash, Dice},
    },
};

const COLLECTIONS: [&str; 3] = ["tokens", "sealed", "late"];
const FOREVER: Duration = Duration::from_secs(1000);

/// (collection, key) → value.
type Contents = BTreeMap<(usize, Vec<u8>), Value>;

/// What a step changed.
type Changes = Vec<((usize, Vec<u8>), Option<Value>)>;

/// A snapshot, what it must show, and how far each collection has been read.
struct Held {
    snapshot: Snapshot,
    contents: Contents,
    read_to: [Vec<u8>; COLLECTIONS.len()],
}

pub(super) struct Story {
    machine: Machine,
    dice: Dice,
    /// As of two reactors.
    snapshots: [Rc<Snapshots>; 2],
    /// With what is staged.
    latest: Contents,
    visible: Contents,
    staged: VecDeque<(Ticket, Changes)>,
    held: Vec<Held>,
    values: u64,
    /// There is so little memory that snapshots may be refused.
    is_tight: bool,
    is_lsm: bool,
    pages: u64,
    outdated: u64,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5a5a);
        let mut machine = Machine::new(seed, SyncMode::Always, 8192);
        let is_lsm = !dice.one_in(5);
        let is_tight = dice.one_in(3);
        if is_tight {
            machine.options.memtable_bytes_max = 15_000;
        }
        if !is_lsm {
            machine.options.engine = EngineOptions::Memory;
        }
        machine.start().unwrap();
        let snapshots = [0, 1].map(|reactor| Snapshots::new(machine.epochs.clone(), reactor));
        Self {
            machine,
            dice,
            snapshots,
            latest: Contents::new(),
            visible: Contents::new(),
            staged: VecDeque::new(),
            held: Vec::new(),
            values: 0,
            is_tight,
            is_lsm,
            pages: 0,
            outdated: 0,
        }
    }

    pub(super) fn tell(&mut self) {
        for action in 0..2500 {
            match self.dice.below(20) {
                0..=6 => self.write(action),
                7..=8 if self.held.len() < 12 => self.take(),
                9..=12 => self.read_page(),
                13 if self.dice.one_in(3) => self.drop_one(),
                14 => self.tick(),
                15 if self.dice.one_in(20) => self.change_compaction(),
                16 if self.is_lsm && self.dice.one_in(60) => self.restart(),
                _ => self.steps(),
            }
            self.look();
        }
        self.end();
    }

    fn steps(&mut self) {
        self.machine.clock.advance(INTERVAL);
        for _ in 0..self.dice.below(20) {
            self.machine.step();
        }
    }

    /// Until there is nothing to do; where merging is behind, writes wait for the clock.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.machine.clock.advance(INTERVAL);
            for _ in 0..50 {
                self.machine.step();
            }
        }
        let stats = self.machine.shard().stats();
        assert_eq!(stats.staged_bytes, 0, "{stats:?}");
    }

    /// Takes note of what has become visible.
    fn look(&mut self) {
        while self.staged.front().is_some_and(|(ticket, _)| ticket.is_done()) {
            let Some((ticket, changes)) = self.staged.pop_front() else { return };
            finish(ticket).unwrap();
            apply(&mut self.visible, changes);
        }
    }

    /// A few changes in one step.
    fn write(&mut self, action: u64) {
        let mut changes = Changes::new();
        for _ in 0..=self.dice.below(3) {
            let collections = if action < 1000 { 2 } else { 3 };
            let collection = self.dice.below(collections) as usize;
            let key = format!("key-{:02}", self.dice.below(30)).into_bytes();
            let new = if self.dice.one_in(3) { None } else { Some(self.value()) };
            changes.push(((collection, key), new));
        }
        let (written, shard) = (changes.clone(), self.machine.shard());
        let step = shard.transact(LockSet::default, move |transaction| {
            for ((collection, key), new) in &written {
                match new {
                    Some(value) => transaction.set(COLLECTIONS[*collection], key, value.clone())?,
                    None => drop(transaction.delete(COLLECTIONS[*collection], key)?),
                }
            }
            Ok::<_, StorageError>(())
        });
        match self.finish(step) {
            Ok(((), ticket)) => {
                apply(&mut self.latest, changes.clone());
                self.staged.push_back((ticket, changes));
            }
            Err(StorageError::Full { .. }) if !self.is_lsm && self.is_tight => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// A value that is unlike all others.
    fn value(&mut self) -> Value {
        self.values += 1;
        let length = if self.dice.one_in(8) { 5000 } else { 8 + self.dice.below(300) as usize };
        let mut data = self.values.to_le_bytes().repeat(length / 8 + 1);
        data.truncate(length);
        value(data)
    }

    fn take(&mut self) {
        self.look();
        let snapshots = &self.snapshots[self.dice.below(2) as usize];
        let snapshot = snapshots.take(Instant::now());
        let read_to = Default::default();
        self.held.push(Held { snapshot, contents: self.visible.clone(), read_to });
    }

    /// The next page of some snapshot.
    fn read_page(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let index = self.dice.below(self.held.len() as u64) as usize;
        let collection = self.dice.below(COLLECTIONS.len() as u64) as usize;
        self.read_page_of(index, collection);
    }

    /// Reads on in one collection. False at its end.
    fn read_page_of(&mut self, index: usize, collection: usize) -> bool {
        let (name, limit) = (COLLECTIONS[collection], self.limit());
        let Held { snapshot, read_to, .. } = &self.held[index];
        let (epoch, from) = (snapshot.epoch(), read_to[collection].clone());
        let shard = self.machine.shard();
        let answer = shard.scan_at(name, &from, None, limit, Some(epoch));
        let page = match self.finish(answer) {
            Ok(page) => page,
            Err(StorageError::Outdated { .. }) if self.is_tight => {
                self.outdated += 1;
                drop(self.held.swap_remove(index));
                return false;
            }
            Err(error) => panic!("{error}"),
        };
        self.pages += 1;
        let held = &mut self.held[index];
        let expected = held.contents.range((collection, from.clone())..(collection + 1, vec![]));
        let expected = expected.map(|((_, key), value)| (&key[..], value));
        let expected = expected.filter(|(key, _)| page.next.as_ref().is_none_or(|next| key < next));
        let Page { rows, next } = &page;
        let rows = rows.iter().map(|(key, value)| (&key[..], value));
        assert!(
            rows.clone().eq(expected.clone()),
            "{name} at {epoch} from {from:?}: {:?} ≠ {:?}",
            rows.map(|row| row.0).collect::<Vec<_>>(),
            expected.map(|row| row.0).collect::<Vec<_>>()
        );
        assert!(next.as_ref().is_none_or(|next| *next > from));
        held.read_to[collection] = next.as_ref().map_or(Vec::new(), |next| next.to_vec());
        next.is_some()
    }

    fn limit(&mut self) -> PageLimit {
        PageLimit { rows: 1 + self.dice.below(12) as usize, bytes: 12_000 }
    }

    /// Reads all of a snapshot, and drops it.
    fn drop_one(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let index = self.dice.below(self.held.len() as u64) as usize;
        if self.dice.one_in(2) {
            let epoch = self.held[index].snapshot.epoch();
            for collection in 0..COLLECTIONS.len() {
                while self.read_page_of(index, collection) {}
                if self.held.get(index).is_none_or(|held| held.snapshot.epoch() != epoch) {
                    return;
                }
            }
        }
        drop(self.held.swap_remove(index));
    }

    fn tick(&mut self) {
        for snapshots in &self.snapshots {
            snapshots.tick(Instant::now(), FOREVER);
        }
        self.machine.shard().release();
    }

    fn change_compaction(&mut self) {
        let strategy = any_strategy(&mut self.dice);
        let settings = CompactionSettings { strategy, levels: 3, multiplier: 2 };
        self.machine.shard().set_compaction(&settings);
    }

    /// Snapshots do not outlive the process.
    fn restart(&mut self) {
        self.held.clear();
        self.settle();
        self.look();
        if self.dice.one_in(2) {
            self.machine.close();
        }
        self.machine.crash(Crash::Power);
        self.machine.start().unwrap();
    }

    /// With the shard going on meanwhile.
    fn finish<T, E>(&mut self, answer: Answer<T, E>) -> Result<T, E> {
        let later = match answer {
            Answer::Now(result) => return result,
            Answer::Later(later) => later,
        };
        let mut later = later.fuse();
        for _ in 0..100_000 {
            if let Poll::Ready(result) = poll(std::pin::Pin::new(&mut later)) {
                return result;
            }
            self.steps();
        }
        panic!("it never ends");
    }

    /// When all snapshots are gone, so is all that was kept for them.
    fn end(&mut self) {
        while !self.held.is_empty() {
            self.drop_one();
        }
        self.settle();
        for _ in 0..100 {
            self.machine.shard().release();
            self.machine.step();
        }
        self.settle();
        let stats = self.machine.shard().stats();
        assert_eq!(stats.snapshot_bytes, 0);
        let files = self.machine.disk.files();
        let count = |ending: &str| {
            let ends = |path: &Path| path.extension().is_some_and(|found| found == ending);
            files.iter().filter(|(path, _)| ends(path)).count() as u64
        };
        assert_eq!((count("sst"), count("blob")), (stats.tables, stats.blob_files));
        if !self.is_lsm {
            self.look();
            assert_eq!(stats.entries, self.visible.len() as u64);
        }
    }
}

fn apply(contents: &mut Contents, changes: Changes) {
    for (place, new) in changes {
        match new {
            Some(value) => contents.insert(place, value),
            None => contents.remove(&place),
        };
    }
}

#[test]
fn every_page_of_a_snapshot_shows_what_was_there_when_it_was_taken() {
    let (pages, outdated) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    with_seeds(40, |seed| {
        let mut story = Story::new(seed);
        story.tell();
        pages.set(pages.get() + story.pages);
        outdated.set(outdated.get() + story.outdated);
    });
    println!("{} pages, {} snapshots refused for want of memory", pages.get(), outdated.get());
}
