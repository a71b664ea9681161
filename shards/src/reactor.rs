//! One reactor: an executor pinned to a core, its shards, its listener and its tasks.

use std::{
    future::poll_fn,
    io,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use glommio::{LocalExecutorBuilder, Placement, timer::sleep};
use socket2::Socket;
use tracing::{error, info};

use crate::{
    core::{Core, Process},
    jobs::Errand,
    limits::SNAPSHOT_LIFETIME,
    mesh::Port,
    net::{listener, registry::Order},
    partition,
    pulse::Beat,
    recent::Recent,
    router::{Letter, Router, partners::ByRouter},
    settings::{CompactionSettings, Engine, Settings},
    storage::{
        Decisions, EngineOptions, Options, Recovery, Shard, Snapshots, StorageError, Traces,
        Workshop,
        disk::glommio::{GlommioClock, GlommioDisk},
    },
    traffic::Traffic,
};

/// What a reactor is made of, on its way to its thread.
pub struct Seed {
    /// Which reactor.
    pub index: usize,
    /// What the process was told.
    pub settings: Arc<Settings>,
    /// What all reactors share.
    pub process: Arc<Process>,
    /// Its end of the mesh.
    pub port: Port<Letter>,
    /// Its bound socket.
    pub socket: Socket,
    /// Its answer to the pulse.
    pub beat: Arc<Beat>,
    /// What the control thread wants.
    pub commands: Receiver<Command>,
    /// What jobs want.
    pub errands: Receiver<Errand>,
    /// What the control thread is told.
    pub reports: Sender<Report>,
}

/// What the control thread wants; the beat wakes the reactor to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// All reactors have told what their logs say of batches across shards: this follows.
    Resolve(Arc<Decisions>),
    /// All shards have been told: run them, and accept connections.
    Listen,
    /// Accept no more, say goodbye to clients, finish what is under way.
    Drain,
    /// Clients whose certificates were verified under an older trust are told to go, or made to.
    Retire { trust: u64, at_once: bool },
    /// Merge tables in this way from now on.
    Compaction(CompactionSettings),
    /// Close everything, sync, end.
    Stop,
}

/// What the control thread is told.
#[derive(Debug)]
pub enum Report {
    /// The shards are open; each with what its log says of batches across shards.
    Open(Vec<(u32, Traces)>),
    /// The shards know which of them count.
    Resolved,
    /// Connections are accepted.
    Listening,
    /// The reactor cannot start.
    Failed(String),
    /// All is synced and closed.
    Stopped(Result<(), String>),
}

/// Memory that an executor should register for I/O, three times over (measured); counts against
/// RLIMIT_MEMLOCK. Log writes take their buffers from it while it lasts.
pub const IO_MEMORY_BYTES: usize = 4 * 1024 * 1024;
/// Entries of a ring's submission queue.
pub(crate) const RING_DEPTH: usize = 1024;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between two sweeps of the connections.
const TICKS_PER_SWEEP: u32 = 10;

/// Runs a reactor on this thread until it is stopped.
pub fn run(seed: Seed) {
    let cpu = seed.settings.cpus[seed.index];
    let reports = seed.reports.clone();
    let executor = LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .io_memory(seed.settings.io_memory_bytes)
        .ring_depth(RING_DEPTH)
        .name("reactor")
        .make();
    match executor {
        Ok(executor) => executor.run(live(seed)),
        Err(error) => {
            let text = format!("io_uring on CPU {cpu} cannot be set up: {error}");
            let _ = reports.send(Report::Failed(text));
        }
    }
}

async fn live(seed: Seed) {
    let Seed { index, settings, process, port, socket, beat, commands, errands, reports } = seed;
    let shards = match open_shards(index, &settings, &process).await {
        Ok(shards) => shards,
        Err(error) => {
            let _ = reports.send(Report::Failed(error.to_string()));
            return;
        }
    };
    let reactors = settings.cpus.len();
    let snapshots = Snapshots::new(process.epochs.clone(), index);
    let notes = (index == 0).then(|| settings.notes.clone());
    let recent = (Recent::new(process.base, index), notes);
    let traffic = Traffic::new(settings.partition, chance(), process.started, Instant::now());
    let router =
        Router::new(settings.partition, shards, port, reactors, snapshots, recent, traffic);
    let router = Rc::new(router);
    let core = Rc::new(Core::new(index, settings, process, router));
    spawn_mesh(&core);
    glommio::spawn_local(tick(Rc::clone(&core))).detach();
    let numbers = (index as u32..).step_by(reactors);
    let traces = numbers.zip(core.router.local_shards().iter().map(Shard::traces));
    let _ = reports.send(Report::Open(traces.collect()));
    let result = govern(&core, socket, &beat, (&commands, &errands), &reports).await;
    let _ = reports.send(Report::Stopped(result));
}

/// For what is left to chance.
fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without it, samples are taken at the same places after each start.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Opens the shards of this reactor: every `reactors`-th, beginning with its own number.
async fn open_shards(
    index: usize,
    settings: &Settings,
    process: &Process,
) -> Result<Vec<Shard>, StorageError> {
    let shards = settings.partition.shards();
    let memtable_bytes_max = settings.memtable_bytes_max / u64::from(shards);
    let (slots, epochs) = (process.merge_slots.clone(), process.epochs.clone());
    let workshop = Workshop::thread(Some(settings.cpus[index]), slots, epochs);
    let workshop = workshop.map_err(StorageError::from)?;
    let workshop = workshop.with_steps(Arc::clone(&process.recovery_steps[index]));
    let mut open = Vec::new();
    for number in (index as u32..shards).step_by(settings.cpus.len()) {
        let engine = match &settings.engine {
            Engine::Memory => EngineOptions::Memory,
            Engine::Lsm(wal) => EngineOptions::Lsm {
                log_dir: wal.dir.join(partition::folder(number)),
                data_dir: settings.tree.dir.join(partition::folder(number)),
                segment_bytes: wal.segment_bytes,
                durability: wal.durability,
                blob_bytes_min: settings.tree.blob_bytes_min,
                cache_bytes_max: settings.tree.cache_bytes_max / u64::from(shards),
                compaction: settings.tree.compaction,
                decided: settings.pending.as_ref().and_then(|pending| pending.of(number)),
            },
        };
        let directory_id = settings.directory_id;
        let options = Options { shard: number, directory_id, memtable_bytes_max, engine };
        let (disk, clock) = (Rc::new(GlommioDisk), Rc::new(GlommioClock::default()));
        let (shard, recovery) = Shard::open(disk, clock, workshop.clone(), options).await?;
        announce(number, &recovery);
        open.push(shard);
    }
    Ok(open)
}

fn announce(shard: u32, recovery: &Recovery) {
    let Recovery { records, bytes, truncated_bytes, segments } = recovery;
    if *records > 0 || *truncated_bytes > 0 {
        info!(
            "shard {shard}: {records} records of {bytes} bytes read back from {segments} log \
             segments; {truncated_bytes} bytes of an unfinished write dropped"
        );
    }
}

fn spawn_mesh(core: &Rc<Core>) {
    let flusher = Rc::clone(core);
    let flush = poll_fn(move |cx| -> Poll<()> {
        flusher.router.poll_flush(cx);
        Poll::Pending
    });
    glommio::spawn_local(flush).detach();
    let receiver = Rc::clone(core);
    let receive = poll_fn(move |cx: &mut Context<'_>| -> Poll<()> {
        receiver.counters().turns.add(1);
        receiver.router.poll_inbox(cx, &mut |connection| listener::serve(&receiver, connection));
        Poll::Pending
    });
    glommio::spawn_local(receive).detach();
}

/// Deadlines, what is kept for snapshots, the sweep of the connections, and the health of the shards.
async fn tick(core: Rc<Core>) {
    let (patience, keepalive) =
        (core.settings.connection_timeout, core.settings.keepalive_interval);
    for ticks in 1u32.. {
        sleep(TICK).await;
        core.registry.expire();
        core.router.snapshots().tick(Instant::now(), SNAPSHOT_LIFETIME);
        core.router.local_shards().iter().for_each(Shard::release);
        core.publish_load();
        core.throttle.tick(Instant::now());
        core.router.tick_recent(Instant::now());
        core.router.traffic().tick(Instant::now());
        if ticks.is_multiple_of(TICKS_PER_SWEEP) {
            core.registry.sweep(Instant::now(), patience, keepalive);
            core.publish_shards();
        }
    }
}

/// Does what the control thread commands, until it says stop.
async fn govern(
    core: &Rc<Core>,
    socket: Socket,
    beat: &Beat,
    (commands, errands): (&Receiver<Command>, &Receiver<Errand>),
    reports: &Sender<Report>,
) -> Result<(), String> {
    let mut socket = Some(socket);
    let mut accepting = None;
    loop {
        match poll_fn(|cx| next_command(core, beat, (commands, errands), cx)).await {
            Command::Resolve(decisions) => {
                let _ = reports.send(match resolve(core, &decisions).await {
                    Ok(()) => Report::Resolved,
                    Err(error) => Report::Failed(error.to_string()),
                });
            }
            Command::Listen => match listen(socket.take()) {
                Ok(socket) => {
                    run_shards(core);
                    core.publish_shards();
                    let accept = listener::accept(Rc::clone(core), socket);
                    accepting = Some(glommio::spawn_local(accept));
                    let _ = reports.send(Report::Listening);
                }
                Err(error) => {
                    let _ = reports.send(Report::Failed(format!("cannot listen: {error}")));
                }
            },
            Command::Drain => {
                socket = None;
                if let Some(accepting) = accepting.take() {
                    accepting.cancel().await;
                }
                core.registry.order(Order::Drain);
            }
            Command::Retire { trust, at_once } => {
                let why = "its certificate was verified by authorities or revocations of before";
                let order = if at_once { Order::Cut(why) } else { Order::Drain };
                core.registry.retire(trust, order);
            }
            Command::Compaction(settings) => {
                for shard in core.router.local_shards() {
                    shard.set_compaction(&settings);
                }
            }
            Command::Stop => {
                if let Some(accepting) = accepting.take() {
                    accepting.cancel().await;
                }
                return stop(core).await;
            }
        }
    }
}

/// Tells the shards which batches of their logs count.
async fn resolve(core: &Core, decisions: &Decisions) -> Result<(), StorageError> {
    for shard in core.router.local_shards() {
        shard.resolve(decisions).await?;
    }
    Ok(())
}

fn run_shards(core: &Core) {
    for shard in core.router.local_shards() {
        shard.join(Rc::new(ByRouter(Rc::downgrade(&core.router))));
        let shard = shard.clone();
        glommio::spawn_local(async move { shard.run().await }).detach();
    }
}

fn next_command(
    core: &Rc<Core>,
    beat: &Beat,
    (commands, errands): (&Receiver<Command>, &Receiver<Errand>),
    cx: &mut Context<'_>,
) -> Poll<Command> {
    let _ = beat.poll(cx);
    core.counters().beats.add(1);
    for errand in errands.try_iter() {
        glommio::spawn_local(errand.begin(Rc::clone(core))).detach();
    }
    commands.try_recv().map_or(Poll::Pending, Poll::Ready)
}

fn listen(socket: Option<Socket>) -> io::Result<OwnedFd> {
    let socket = socket.ok_or_else(|| io::Error::other("told to listen twice"))?;
    listener::listen(socket)
}

/// Ends what connections are left, then syncs and closes the shards.
async fn stop(core: &Rc<Core>) -> Result<(), String> {
    /// Time for the last answers to be written.
    const FAREWELL: Duration = Duration::from_millis(50);
    /// How often, and how many times, batches are looked at that other reactors have not answered yet. What is cut short
    /// then the next start decides.
    const LOOK: Duration = Duration::from_millis(5);
    const PATIENCE_LOOKS: u32 = 200;

    if !core.registry.is_empty() {
        core.registry.order(Order::Abandon);
        sleep(FAREWELL).await;
    }
    for _ in 0..PATIENCE_LOOKS {
        if core.router.coordination().running() == 0 {
            break;
        }
        sleep(LOOK).await;
    }
    let mut result = Ok(());
    for shard in core.router.local_shards() {
        shard.close().await;
        if let Some(cause) = shard.stats().poisoned {
            error!("a shard was closed before all of it was on the disk: {cause}");
            result = Err(cause);
        }
    }
    core.process.connections[core.index].store(0, Relaxed);
    result
}
