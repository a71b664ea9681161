//! A machine for tests: simulated disk and clock, one shard, and no executor: the test polls.

use std::{
    future::{Future, IntoFuture},
    path::{Path, PathBuf},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use crate::{
    settings::{CompactionSettings, CompactionStrategy, Durability, SyncMode},
    storage::{
        Decisions, EngineOptions, Epochs, Meta, Options, PageLimit, Recovery, Shard, Stats,
        StorageError, Value, Workshop,
        clock::sim::SimClock,
        disk::{
            BLOCK_BYTES, Disk, Opening,
            sim::{Crash, Dice, Fault, SimDisk},
        },
    },
};

pub(super) const DIR: &str = "/wal/shard-0000";
pub(super) const DATA: &str = "/data/shard-0000";
pub(super) const ALL: PageLimit = PageLimit { rows: usize::MAX, bytes: usize::MAX };
/// Interval of [`SyncMode::Interval`] in tests.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Machine {
    pub(super) disk: SimDisk,
    pub(super) clock: SimClock,
    pub(super) options: Options,
    pub(super) epochs: Epochs,
    running: Option<(Shard, LocalBoxFuture<'static, ()>)>,
}

impl Machine {
    pub(super) fn new(seed: u64, sync: SyncMode, segment_bytes: u64) -> Self {
        let engine = EngineOptions::Lsm {
            log_dir: PathBuf::from(DIR),
            data_dir: PathBuf::from(DATA),
            segment_bytes,
            durability: Durability::Logged(sync),
            blob_bytes_min: 4096,
            cache_bytes_max: 1 << 20,
            compaction: CompactionSettings::default(),
            decided: None,
        };
        Self {
            disk: SimDisk::new(seed),
            clock: SimClock::default(),
            options: Options { shard: 0, directory_id: 7, memtable_bytes_max: 1 << 30, engine },
            epochs: Epochs::new(2),
            running: None,
        }
    }

    /// Values of this length or more go into blob files from the next start on.
    pub(super) fn put_into_blobs(&mut self, bytes_min: usize) {
        if let EngineOptions::Lsm { blob_bytes_min, .. } = &mut self.options.engine {
            *blob_bytes_min = bytes_min;
        }
    }

    /// What makes a write last from the next start on.
    pub(super) fn set_durability(&mut self, new: Durability) {
        if let EngineOptions::Lsm { durability, .. } = &mut self.options.engine {
            *durability = new;
        }
    }

    /// Opens the shard and starts its commit loop.
    pub(super) fn start(&mut self) -> Result<Recovery, StorageError> {
        self.running = None;
        let (disk, clock) = (Rc::new(self.disk.clone()), Rc::new(self.clock.clone()));
        let workshop = Workshop::inline(disk.clone()).with_epochs(self.epochs.clone());
        let options = self.options.clone();
        let (shard, recovery) = finish(Shard::open(disk, clock, workshop, options))?;
        let traces = [(self.options.shard, shard.traces())];
        finish(shard.resolve(&Decisions::of(&traces.into())))?;
        let looping = shard.clone();
        self.running = Some((shard, Box::pin(async move { looping.run().await })));
        Ok(recovery)
    }

    pub(super) fn shard(&self) -> Shard {
        self.running.as_ref().unwrap().0.clone()
    }

    /// Of the shard, if there is one.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.running.as_ref().map(|(shard, _)| shard.stats())
    }

    /// Lets the commit loop make one step.
    pub(super) fn step(&mut self) {
        let (_, looping) = self.running.as_mut().unwrap();
        let _ = looping.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Lets the commit loop run until it has nothing to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..1000 {
            self.step();
        }
        assert_eq!(self.shard().stats().staged_bytes, 0);
    }

    /// Closes the shard in good order. Time passes meanwhile: what fails may be tried again.
    pub(super) fn close(&mut self) -> Stats {
        let shard = self.shard();
        let mut closing = pin!(shard.close());
        for round in 1..10_000 {
            self.step_unless_ended();
            if poll(closing.as_mut()).is_ready() {
                self.running = None;
                return shard.stats();
            }
            if round % 1000 == 0 {
                self.clock.advance(Duration::from_secs(1));
            }
        }
        panic!("it does not close");
    }

    /// Stops the machine and starts it again; the shard is gone.
    pub(super) fn crash(&mut self, crash: Crash) {
        self.running = None;
        self.disk.reboot(crash);
    }

    fn step_unless_ended(&mut self) {
        let Some((shard, looping)) = self.running.as_mut() else { return };
        if poll(looping.as_mut()).is_ready() {
            let shard = shard.clone();
            self.running = Some((shard, Box::pin(std::future::pending())));
        }
    }
}

/// One way of merging or another.
pub(super) fn any_strategy(dice: &mut Dice) -> CompactionStrategy {
    let strategies =
        [CompactionStrategy::Leveled, CompactionStrategy::Tiered, CompactionStrategy::Universal];
    strategies[dice.below(3) as usize]
}

/// A crash or a fault at some call, as far off as one of `reaches`; or none.
pub(super) fn plan_trouble(disk: &SimDisk, dice: &mut Dice, reaches: [u64; 3]) {
    let reach = reaches[dice.below(3) as usize];
    let calls = dice.below(reach);
    match dice.below(8) {
        0..=4 => disk.crash_after(calls),
        5 => disk.fail_after(calls, Fault::Io),
        6 => disk.fail_after(calls, Fault::NoSpace),
        _ => {}
    }
}

/// Polls until it is ready.
pub(in crate::storage) fn finish<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut future = pin!(future.into_future());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
    panic!("it never ends");
}

pub(in crate::storage) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

pub(super) fn value(data: impl Into<Vec<u8>>) -> Value {
    let data: Vec<u8> = data.into();
    let meta = Meta { size: data.len() as u64, version: Some(3), ..Meta::default() };
    Value { data: Bytes::from(data), meta }
}

pub(super) fn first_segment() -> PathBuf {
    Path::new(DIR).join("00000000000000000001.log")
}

/// Makes a file with these bytes, or puts them in the place of those that it has.
pub(in crate::storage) fn put_file(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    finish(async {
        let file = disk.open(path, Opening::Fresh).await?;
        let mut buffer = file.buffer(bytes.len().next_multiple_of(BLOCK_BYTES));
        buffer.fill(0);
        buffer[..bytes.len()].copy_from_slice(bytes);
        file.write_at(0, buffer).await?;
        file.truncate(bytes.len() as u64).await
    })
    .unwrap();
}

/// Runs `test` with the seed of `AMATERS_SEED`, or with `count` seeds (`AMATERS_SEEDS`), and says which one failed.
pub(in crate::storage) fn with_seeds(count: u64, test: impl Fn(u64)) {
    struct Name(u64);
    impl Drop for Name {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("to see this again: AMATERS_SEED={}", self.0);
            }
        }
    }
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let seeds = match number("AMATERS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("AMATERS_SEEDS").unwrap_or(count),
    };
    for seed in seeds {
        let name = Name(seed);
        test(seed);
        drop(name);
    }
}
