//! A live restore that is cut off at any call of the disk: before the decision everything is as it was, after it everything is
//! as it is to be, on all shards; nothing that was acknowledged is lost, and nothing else appears.
//!
//! ```text
//! sets ─► places ─► stage ─► flush, hold ─► RESTORE ─► all at once ─► manifests ─► RESTORE removed ─► sets
//!  └───────── as before ────────────────────────┘└──────────── as restored ──────────────────────────────┘
//! ```

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{LocalBoxFuture, join_all};
use xxhash_rust::xxh3::xxh3_64;

use super::machine::{ALL, finish, poll, value, with_seeds};
use crate::{
    partition::Partition,
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        BackupError, Control, Decisions, EngineOptions, Epochs, Options, Pending, Shard,
        StorageError, Switch, Ticket, Value, Workshop,
        backup::{Entry, Kept, KeptValue, stage_on},
        clock::sim::SimClock,
        disk::sim::{Crash, Dice, SimDisk},
    },
};

const ROOT: &str = "/data";
const DIRECTORY: u64 = 7;
const SHARDS: u32 = 2;
const COLLECTION: &str = "c";

type Contents = BTreeMap<Vec<u8>, Value>;

/// Two shards on one disk, and what they must hold.
struct Story {
    disk: SimDisk,
    clock: SimClock,
    shards: Vec<Shard>,
    running: Vec<LocalBoxFuture<'static, ()>>,
    dice: Dice,
    replace: bool,
    /// Before the restore, with the sets of `earlier` that were acknowledged.
    base: Contents,
    backup: Contents,
    /// Sets before the decision and after it: each of a key of its own.
    earlier: Vec<(Vec<u8>, Ticket)>,
    later: Vec<(Vec<u8>, Ticket)>,
    decision: Decision,
    sets: u32,
}

/// How far the decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Open,
    /// It is being written.
    Falling,
    Made,
}

impl Story {
    /// The same seed gives the same story; the disk has dice of its own for what a crash leaves.
    fn new(seed: u64, disk_seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x4e57);
        let mut story = Self {
            disk: SimDisk::new(disk_seed),
            clock: SimClock::default(),
            shards: Vec::new(),
            running: Vec::new(),
            replace: seed.is_multiple_of(2),
            base: Contents::new(),
            backup: Contents::new(),
            earlier: Vec::new(),
            later: Vec::new(),
            decision: Decision::Open,
            sets: 0,
            dice: dice.clone(),
        };
        story.start().unwrap();
        for number in 0..12 {
            let (key, value) = row(&mut dice, "old", number);
            let ticket = story.set(&key, &value);
            story.finish(ticket).unwrap();
            story.base.insert(key, value);
        }
        for number in 6..18 {
            let (key, value) = row(&mut dice, "new", number);
            story.backup.insert(key, value);
        }
        story
    }

    /// As the process starts: a decision is carried out before anything else.
    fn start(&mut self) -> Result<(), BackupError> {
        (self.shards, self.running) = Default::default();
        let pending = finish(Pending::read_from(&self.disk, Path::new(ROOT), DIRECTORY))?;
        let epochs = Epochs::new(1);
        for shard in 0..SHARDS {
            let disk = Rc::new(self.disk.clone());
            let workshop = Workshop::inline(disk.clone()).with_epochs(epochs.clone());
            let engine = EngineOptions::Lsm {
                log_dir: PathBuf::from(format!("/wal/shard-{shard:04}")),
                data_dir: Path::new(ROOT).join(format!("shard-{shard:04}")),
                segment_bytes: 65_536,
                durability: Durability::Logged(SyncMode::Always),
                blob_bytes_min: 4096,
                cache_bytes_max: 1 << 20,
                compaction: CompactionSettings::default(),
                decided: pending.as_ref().and_then(|pending| pending.of(shard)),
            };
            let options =
                Options { shard, directory_id: DIRECTORY, memtable_bytes_max: 1 << 30, engine };
            let clock = Rc::new(self.clock.clone());
            self.shards.push(finish(Shard::open(disk, clock, workshop, options))?.0);
        }
        let decisions = Decisions::of(&(0..).zip(self.shards.iter().map(Shard::traces)).collect());
        for shard in &self.shards {
            finish(shard.resolve(&decisions))?;
            let looping = shard.clone();
            self.running.push(Box::pin(async move { looping.run().await }));
        }
        if pending.is_some() {
            finish(Pending::remove_from(&self.disk, Path::new(ROOT)))?;
        }
        Ok(())
    }

    /// Polls it and the shards in turn; none if it does not end because the machine has stopped.
    fn drive<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        for _ in 0..20_000 {
            if let std::task::Poll::Ready(done) = poll(future.as_mut()) {
                return Some(done);
            }
            if self.disk.is_crashed() {
                return None;
            }
            for running in &mut self.running {
                let _ = poll(running.as_mut());
            }
            self.clock.advance(Duration::from_micros(100));
        }
        panic!("it never ends");
    }

    fn finish(&mut self, ticket: Ticket) -> Result<(), StorageError> {
        self.drive(ticket).unwrap_or(Err(StorageError::Closed { shard: 99 }))
    }

    fn set(&self, key: &[u8], value: &Value) -> Ticket {
        self.shards[shard_of(key)].set(COLLECTION, key, value.clone()).unwrap()
    }

    /// Sets a key of its own, if writers are let in.
    fn set_more(&mut self) {
        self.sets += 1;
        let key = format!("set {}", self.sets).into_bytes();
        let shard = &self.shards[shard_of(&key)];
        if let Ok(ticket) = shard.set(COLLECTION, &key, set_value()) {
            let sets = match self.decision {
                Decision::Made => &mut self.later,
                _ => &mut self.earlier,
            };
            sets.push((key, ticket));
        }
    }

    /// All of a live restore, as the job that leads it does it; none if the machine stops.
    fn restore(&mut self) -> Option<Result<(), BackupError>> {
        let names = [COLLECTION.to_owned()];
        let shards = self.shards.clone();
        let places = self.drive(join_all(shards.iter().map(|shard| shard.place(&names))))?;
        let places = match places.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(places) => places,
            Err(error) => return Some(Err(error)),
        };
        self.set_more();
        let mut rows = self.backup.clone().into_iter().map(entry);
        let (disk, control) = (Rc::new(self.disk.clone()), Control::new(0));
        let partition = Partition::new(SHARDS, 1);
        let mut next = || Ok(rows.next());
        let staged = self.drive(stage_on(disk, places, &partition, &mut next, &control))?;
        let staged = match staged {
            Ok((staged, _)) => staged,
            Err(error) => return Some(Err(error)),
        };
        self.set_more();

        let switch = Switch::new(1, self.replace);
        let (near, ready) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(BTreeMap::new())));
        let switching = (0..).zip(staged).map(|(number, staged)| {
            let (shard, switch) = (shards[number as usize].clone(), Arc::clone(&switch));
            let (near, ready) = (Rc::clone(&near), Rc::clone(&ready));
            async move {
                let near = move || near.set(near.get() + 1);
                let ready = move |edit: Vec<u8>, own| {
                    ready.borrow_mut().insert(number, (edit, own));
                };
                shard.switch(staged, switch, near, ready).await
            }
        });
        let mut switching = Box::pin(join_all(switching.collect::<Vec<_>>()));
        for wanted in [false, true] {
            loop {
                if let Some(ended) = self.drive(once(switching.as_mut()))? {
                    return Some(ended.into_iter().try_for_each(|ended| ended.map(drop)));
                }
                let all = SHARDS as usize;
                if wanted && ready.borrow().len() == all || !wanted && near.get() == all {
                    break;
                }
                self.drive(yield_once())?;
            }
            self.set_more();
            if !wanted {
                switch.hold();
            }
        }
        let ready = ready.take();
        let edits = ready.iter().map(|(number, (edit, _))| (*number, edit[..].into()));
        let pending = Pending::new(DIRECTORY, edits.collect());
        self.decision = Decision::Falling;
        let disk = self.disk.clone();
        if let Err(error) = self.drive(pending.write_to(&disk, Path::new(ROOT)))? {
            return Some(Err(error));
        }
        self.decision = Decision::Made;
        switch.decide();
        switch.meet(ready.into_values().map(|(_, own)| own).collect());
        self.set_more();
        for ended in self.drive(switching)? {
            if let Err(error) = ended {
                return Some(Err(error));
            }
        }
        for _ in 0..3 {
            self.set_more();
        }
        let removed = self.drive(Pending::remove_from(&disk, Path::new(ROOT)))?;
        if let Some((_, ticket)) = self.later.last() {
            let ticket = ticket.clone();
            self.finish(ticket).ok()?;
        }
        Some(removed)
    }

    /// What is there after a start.
    fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        for shard in &self.shards {
            let page = finish(shard.scan(COLLECTION, b"", None, ALL)).unwrap();
            assert!(page.next.is_none());
            contents.extend(page.rows.into_iter().map(|(key, value)| (key.to_vec(), value)));
        }
        contents
    }

    /// Compares, and tells whether it is restored.
    fn check(&self) -> bool {
        let found = self.contents();
        let acknowledged = |sets: &[(Vec<u8>, Ticket)]| -> Vec<Vec<u8>> {
            let done = |ticket: &Ticket| ticket.is_done() && finish(ticket.clone()).is_ok();
            let sets = sets.iter().filter(|(_, ticket)| done(ticket));
            sets.map(|(key, _)| key.clone()).collect()
        };
        let is_restored = self.backup.iter().any(|(key, value)| found.get(key) == Some(value));
        let mut rest = found;
        let mut expected = match (is_restored, self.replace) {
            (false, _) => self.base.clone(),
            (true, true) => self.backup.clone(),
            (true, false) => self.base.clone().into_iter().chain(self.backup.clone()).collect(),
        };
        let must = match (is_restored, self.replace) {
            (false, _) => acknowledged(&self.earlier),
            (true, true) => acknowledged(&self.later),
            (true, false) => [acknowledged(&self.earlier), acknowledged(&self.later)].concat(),
        };
        let may: Vec<&[(Vec<u8>, Ticket)]> = match (is_restored, self.replace) {
            (false, _) => vec![&self.earlier],
            (true, true) => vec![&self.later],
            (true, false) => vec![&self.earlier, &self.later],
        };
        for key in must {
            assert_eq!(rest.remove(&key), Some(set_value()), "{}", key.escape_ascii());
        }
        for (key, _) in may.into_iter().flatten() {
            rest.remove(key);
        }
        for (key, value) in std::mem::take(&mut expected) {
            assert_eq!(rest.remove(&key), Some(value), "{}", key.escape_ascii());
        }
        assert!(rest.is_empty(), "{:?} appeared", rest.keys());
        match self.decision {
            Decision::Open => assert!(!is_restored, "it was not decided"),
            Decision::Falling => {}
            Decision::Made => assert!(is_restored, "it was decided"),
        }
        is_restored
    }

    /// The machine starts again, twice, and between them something is written.
    fn go_on(&mut self, crash: Crash) -> bool {
        (self.shards, self.running) = Default::default();
        self.disk.reboot(crash);
        // Starts may be cut off too.
        if self.dice.one_in(3) {
            self.disk.crash_after(self.dice.below(40));
            let _ = self.start();
            (self.shards, self.running) = Default::default();
            self.disk.reboot(crash);
        }
        self.start().unwrap();
        let is_restored = self.check();
        let (key, value) = (b"at last".to_vec(), value("of all"));
        let ticket = self.set(&key, &value);
        self.finish(ticket).unwrap();
        let mut before = self.contents();
        before.insert(key, value);
        (self.shards, self.running) = Default::default();
        self.disk.reboot(crash);
        self.start().unwrap();
        assert_eq!(self.contents(), before, "the second start finds the same");
        is_restored
    }
}

fn shard_of(key: &[u8]) -> usize {
    Partition::new(SHARDS, 1).shard(COLLECTION, key) as usize
}

fn set_value() -> Value {
    value("set")
}

/// Small values and large ones.
fn row(dice: &mut Dice, kind: &str, number: u32) -> (Vec<u8>, Value) {
    let length = [20, 300, 6000][dice.below(3) as usize];
    let data = format!("{kind} {number} ").into_bytes().repeat(length / 8);
    (format!("key {number:02}").into_bytes(), value(data))
}

fn entry((key, value): (Vec<u8>, Value)) -> Entry {
    let Value { data, meta } = value;
    let (bytes, hash) = (data.len() as u64, xxh3_64(&data));
    let kept = Kept::Value(KeptValue { sequence: 0, meta, bytes, hash });
    Entry { collection: COLLECTION.into(), key: key.into(), kept, data }
}

/// What a future has come to, without waiting for it.
async fn once<F: Future + ?Sized>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Lets everybody else have a turn.
async fn yield_once() {
    let mut has_waited = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut has_waited, true) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

#[test]
fn a_restore_that_is_cut_off_at_any_call_has_not_happened_or_is_carried_out() {
    with_seeds(2, |seed| {
        let mut story = Story::new(seed, seed);
        let before = story.disk.calls();
        story.restore().unwrap().unwrap();
        let calls = story.disk.calls() - before;
        assert!(story.check(), "nothing went wrong");
        let (mut restored, mut not) = (0, 0);
        for call in 0..calls {
            for crash in [Crash::Process, Crash::Power, Crash::Power] {
                let mut story = Story::new(seed, 1000 * seed + call + restored + not);
                story.disk.crash_after(call);
                let done = story.restore();
                assert!(!matches!(done, Some(Ok(()))) || !story.disk.is_crashed());
                match story.go_on(crash) {
                    true => restored += 1,
                    false => not += 1,
                }
            }
        }
        println!("seed {seed}: {calls} calls, restored {restored} times, {not} times not");
        assert!(restored > 0 && not > 0);
    });
}
