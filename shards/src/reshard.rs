//! Copies the entries of all shards into another number of shards: the long part of `amaters-server reshard`.
//! `docs/reference/reshard.md` tells the whole.
//!
//! ```text
//! shard 0 ─► pages ─┐                          ┌─► new shard 0
//! shard 1 …         ├─ one after the other ─►──┤   …          all open, each with its own commit loop
//! shard n           ┘      partition           └─► new shard m
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use glommio::{LocalExecutorBuilder, Placement, Task, timer::sleep};

use crate::{
    partition::{self, Partition},
    reactor::{IO_MEMORY_BYTES, RING_DEPTH},
    settings::{CompactionSettings, Durability, SyncMode},
    storage::{
        Decisions, EngineOptions, Epochs, MergeSlots, Options, PageLimit, Shard, StorageError,
        Ticket, Value, Workshop,
        disk::glommio::{GlommioClock, GlommioDisk},
    },
};

/// Rows and bytes that are read at once.
const PAGE: PageLimit = PageLimit { rows: 1024, bytes: 4 * 1024 * 1024 };
/// Bytes that wait for the disk at once.
const WINDOW_BYTES: usize = 32 * 1024 * 1024;
/// What is read is read once.
const SOURCE_CACHE_BYTES: u64 = 1024 * 1024;
/// While a new shard has no room in memory, and how often.
const ROOM_WAIT: Duration = Duration::from_millis(5);
const ROOM_WAITS_MAX: u32 = 12_000;

/// Where the shards of a data directory are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Holds the folders of the logs.
    pub log_dir: PathBuf,
    /// Holds the folders of tables and blob files.
    pub data_dir: PathBuf,
    /// Identity of the data directory.
    pub directory_id: u64,
    /// How keys are spread.
    pub partition: Partition,
}

/// How the new shards are written.
#[derive(Clone, Copy, Debug)]
pub struct CopySettings {
    /// Memory for entries, over all new shards.
    pub memtable_bytes_max: u64,
    /// Bytes of a segment of a log.
    pub segment_bytes: u64,
    /// Values of this length or more lie in blob files.
    pub blob_bytes_min: usize,
    /// How tables are merged.
    pub compaction: CompactionSettings,
}

/// The copy has ended without being whole.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The system gives no ring.
    #[error("io_uring cannot be set up: {0}")]
    Ring(String),
}

/// Copies every entry from `from` to `to`, whose folders must be empty, and makes the copies durable. `progress` hears, now
/// and then, how much of all is done (0 to 1) and how many entries that were.
///
/// # Errors
/// A file that is damaged or foreign, a disk that is full or fails; `to` is of no use then.
pub fn copy(
    from: Layout,
    to: Layout,
    settings: CopySettings,
    progress: impl FnMut(f64, u64) + Send + 'static,
) -> Result<u64, CopyError> {
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .name("reshard")
        .make()
        .map_err(|error| CopyError::Ring(error.to_string()))?;
    executor.run(copy_all(from, to, settings, progress))
}

async fn copy_all(
    from: Layout,
    to: Layout,
    settings: CopySettings,
    mut progress: impl FnMut(f64, u64),
) -> Result<u64, CopyError> {
    let workshop = Workshop::thread(None, MergeSlots::new(1), Epochs::new(1));
    let workshop = workshop.map_err(StorageError::from)?;
    let mut targets =
        Targets { partition: to.partition, shards: Vec::new(), waiting: VecDeque::new(), bytes: 0 };
    for number in 0..to.partition.shards() {
        targets.shards.push(Open::open(&to, number, settings, &workshop).await?);
    }
    let (mut done, sources) = (0, from.partition.shards());
    decide(&from, settings, &workshop).await?;
    for number in 0..sources {
        let source = Open::open(&from, number, settings, &workshop).await?;
        let (entries, before) = (source.shard.stats().entries.max(1), done);
        for collection in source.shard.collections() {
            let mut start = Vec::new();
            loop {
                let page = source.shard.scan(&collection, &start, None, PAGE).await?;
                for (key, value) in page.rows {
                    targets.set(&collection, &key, value).await?;
                    done += 1;
                }
                let part = ((done - before) as f64 / entries as f64).min(1.0);
                progress((f64::from(number) + part) / f64::from(sources), done);
                let Some(next) = page.next else { break };
                start = next.to_vec();
            }
        }
        source.close().await?;
    }
    targets.answered(0).await?;
    for target in targets.shards {
        target.close().await?;
    }
    Ok(done)
}

/// Ends the batches across shards that were under way at the stop, on all shards before any of them runs.
async fn decide(
    layout: &Layout,
    settings: CopySettings,
    workshop: &Workshop,
) -> Result<(), StorageError> {
    let mut traces = BTreeMap::new();
    for number in 0..layout.partition.shards() {
        let shard = open(layout, number, settings, workshop).await?;
        traces.insert(number, shard.traces());
        shard.close().await;
    }
    let decisions = Decisions::of(&traces);
    if decisions.counts() != (0, 0) {
        for number in 0..layout.partition.shards() {
            let shard = open(layout, number, settings, workshop).await?;
            shard.resolve(&decisions).await?;
            shard.close().await;
        }
    }
    Ok(())
}

/// A shard whose loops do not run yet.
async fn open(
    layout: &Layout,
    number: u32,
    settings: CopySettings,
    workshop: &Workshop,
) -> Result<Shard, StorageError> {
    let folder = partition::folder(number);
    let engine = EngineOptions::Lsm {
        log_dir: layout.log_dir.join(&folder),
        data_dir: layout.data_dir.join(&folder),
        segment_bytes: settings.segment_bytes,
        // A copy that a power cut ends is thrown away; closing makes it durable.
        durability: Durability::Logged(SyncMode::None),
        blob_bytes_min: settings.blob_bytes_min,
        cache_bytes_max: SOURCE_CACHE_BYTES,
        compaction: settings.compaction,
        decided: None,
    };
    let memtable_bytes_max = settings.memtable_bytes_max / u64::from(layout.partition.shards());
    let directory_id = layout.directory_id;
    let options = Options { shard: number, directory_id, memtable_bytes_max, engine };
    let (disk, clock) = (Rc::new(GlommioDisk), Rc::new(GlommioClock::default()));
    Ok(Shard::open(disk, clock, workshop.clone(), options).await?.0)
}

/// A shard whose loops run.
struct Open {
    number: u32,
    shard: Shard,
    running: Task<()>,
}

impl Open {
    async fn open(
        layout: &Layout,
        number: u32,
        settings: CopySettings,
        workshop: &Workshop,
    ) -> Result<Self, StorageError> {
        let shard = open(layout, number, settings, workshop).await?;
        // What the log says of batches is all that there is to know by now.
        shard.resolve(&Decisions::default()).await?;
        let looping = shard.clone();
        let running = glommio::spawn_local(async move { looping.run().await });
        Ok(Self { number, shard, running })
    }

    async fn close(self) -> Result<(), StorageError> {
        self.shard.close().await;
        self.running.await;
        match self.shard.stats().poisoned {
            None => Ok(()),
            Some(cause) => Err(StorageError::Poisoned { shard: self.number, cause: cause.into() }),
        }
    }
}

/// The new shards, and what waits for their disks.
struct Targets {
    partition: Partition,
    shards: Vec<Open>,
    waiting: VecDeque<(Ticket, usize)>,
    bytes: usize,
}

impl Targets {
    async fn set(
        &mut self,
        collection: &str,
        key: &[u8],
        value: Value,
    ) -> Result<(), StorageError> {
        let shard = self.partition.shard(collection, key) as usize;
        let bytes = key.len() + value.data.len();
        let mut waits = 0;
        let ticket = loop {
            match self.shards[shard].shard.set(collection, key, value.clone()) {
                Ok(ticket) => break ticket,
                Err(StorageError::Busy { .. } | StorageError::Full { .. })
                    if waits < ROOM_WAITS_MAX =>
                {
                    waits += 1;
                    self.answered(self.bytes / 2).await?;
                    sleep(ROOM_WAIT).await;
                }
                Err(error) => return Err(error),
            }
        };
        self.waiting.push_back((ticket, bytes));
        self.bytes += bytes;
        self.answered(WINDOW_BYTES).await
    }

    /// Waits until no more than so many bytes wait.
    async fn answered(&mut self, bytes_max: usize) -> Result<(), StorageError> {
        while self.bytes > bytes_max
            && let Some((ticket, bytes)) = self.waiting.pop_front()
        {
            ticket.await?;
            self.bytes -= bytes;
        }
        Ok(())
    }
}
