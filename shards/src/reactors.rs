//! All reactors of the process, as the control thread sees them: start, watch, stop.

use std::{
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use crossbeam_channel::{Receiver, Sender};
use tracing::info;

use crate::{
    core::{Process, SlowRequest},
    counters::Counters,
    jobs::{Jobs, Reach, Runner},
    mesh,
    net::{listener, sources::Sources},
    pulse::{Beat, Pulse},
    reactor::{self, Command, Report, Seed},
    recent::Base,
    router::panic_text,
    rpc::locality::Locality,
    settings::{CompactionSettings, Durability, Engine, Settings},
    storage::{Decisions, Epochs, MergeSlots},
    throttle::{Rates, Throttling},
    watch::Watch,
};

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", hint(.error))]
    Bind {
        /// What was to be listened on.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A thread cannot be made.
    #[error("cannot start a thread for a reactor: {0}")]
    Thread(io::Error),
    /// A reactor or one of its shards cannot start.
    #[error("reactor {reactor}: {cause}")]
    Reactor {
        /// Which.
        reactor: usize,
        /// What it said.
        cause: String,
    },
}

/// The server did not stop well.
#[derive(Debug, thiserror::Error)]
#[error("reactor {reactor}: {cause}")]
pub struct StopError {
    reactor: usize,
    cause: String,
}

/// Running reactors.
pub struct Reactors {
    address: SocketAddr,
    process: Arc<Process>,
    members: Vec<Member>,
    /// How long the shards may take to close; without a limit where that is a flush of all that is in memory.
    closing_max: Option<Duration>,
    /// Leads jobs.
    runner: Option<JoinHandle<()>>,
}

struct Member {
    thread: JoinHandle<()>,
    alive: Arc<Alive>,
    beat: Arc<Beat>,
    pulse: Pulse,
    commands: Sender<Command>,
    reports: Receiver<Report>,
}

/// Whether a reactor's thread lives, and what it said when it died.
#[derive(Default)]
struct Alive {
    dead: AtomicBool,
    last_words: ArcSwapOption<String>,
}

/// Starts one reactor on each CPU of the settings; returns when all of them listen. `waiting` is called every few milliseconds
/// until then.
///
/// # Errors
/// One that cannot start stops all.
pub fn start(settings: Settings, waiting: &mut dyn FnMut(&Watch)) -> Result<Reactors, StartError> {
    let address = settings.bind_address;
    let count = settings.cpus.len();
    let bind = |error| StartError::Bind { address, error };
    let (address, sockets) = listener::bind(address, count).map_err(bind)?;
    let beats: Vec<Arc<Beat>> = (0..count).map(|_| Arc::default()).collect();
    let (reach, errands) = Reach::new(beats.iter().cloned());
    let reach = Arc::new(reach);
    let (jobs, queue) = Jobs::new(settings.roots.clone(), settings.backup_rate);
    let process = Arc::new(Process {
        started: Instant::now(),
        connections_max: AtomicUsize::new(settings.limits.connections_max),
        guards: Arc::clone(&settings.guards),
        draining: AtomicBool::new(false),
        connections: (0..count).map(|_| AtomicUsize::new(0)).collect(),
        sources: Sources::new(settings.connections_per_address_max),
        throttling: Arc::new(Throttling::new(count, settings.rates)),
        counters: (0..count).map(|_| Counters::default()).collect(),
        base: Base::now(),
        slow_request: SlowRequest::new(settings.slow_request),
        admin_locality: Locality::new(settings.admin_from_anywhere),
        recovery_steps: (0..count).map(|_| Arc::default()).collect(),
        shards: (0..settings.partition.shards()).map(|_| ArcSwapOption::empty()).collect(),
        merge_slots: MergeSlots::new(settings.tree.merges_max),
        jobs,
        reach: Arc::clone(&reach),
        epochs: Epochs::new(count),
    });
    let closing_max = closing_max(&settings.engine);
    let data_dir = matches!(settings.engine, Engine::Lsm(_)).then(|| settings.tree.dir.clone());
    let of_directory = (settings.partition, settings.directory_id);
    let runner = Runner::new(Arc::clone(&process.jobs), reach, of_directory, data_dir);
    let settings = Arc::new(settings);
    let mut members = Vec::new();
    let seeds = mesh::ports(count).into_iter().zip(sockets).zip(beats).zip(errands);
    for (((port, socket), beat), errands) in seeds {
        let (commands, orders) = crossbeam_channel::unbounded();
        let (reporter, reports) = crossbeam_channel::unbounded();
        let seed = Seed {
            index: port.index(),
            settings: Arc::clone(&settings),
            process: Arc::clone(&process),
            port,
            socket,
            beat: Arc::clone(&beat),
            commands: orders,
            errands,
            reports: reporter,
        };
        let alive = Arc::<Alive>::default();
        let thread = spawn(seed, Arc::clone(&alive)).map_err(StartError::Thread)?;
        let pulse = Pulse::new(Arc::clone(&beat));
        members.push(Member { thread, alive, beat, pulse, commands, reports });
    }
    let mut reactors = Reactors { address, process, members, closing_max, runner: None };
    let open = |report| match report {
        Report::Open(traces) => Ok(traces),
        other => Err(other),
    };
    let opened = reactors.reports(open, waiting)?;
    let decisions = Decisions::of(&opened.into_iter().flatten().collect());
    announce(&decisions);
    reactors.command(&Command::Resolve(Arc::new(decisions)));
    reactors.wait_for(|report| matches!(report, Report::Resolved), waiting)?;
    reactors.command(&Command::Listen);
    reactors.wait_for(|report| matches!(report, Report::Listening), waiting)?;
    reactors.runner = Some(runner.start(queue).map_err(StartError::Thread)?);
    Ok(reactors)
}

fn closing_max(engine: &Engine) -> Option<Duration> {
    /// For the last sync, which may find the disk busy.
    const CLOSING: Duration = Duration::from_secs(30);

    match engine {
        Engine::Lsm(wal) if wal.durability == Durability::Flushed => None,
        Engine::Memory | Engine::Lsm(_) => Some(CLOSING),
    }
}

fn announce(decisions: &Decisions) {
    let (committed, aborted) = decisions.counts();
    if committed + aborted > 0 {
        info!(
            "{committed} batches across shards that were under way at the stop are whole and count; {aborted} are \
             not, and do not"
        );
    }
}

fn spawn(seed: Seed, alive: Arc<Alive>) -> io::Result<JoinHandle<()>> {
    let name = format!("reactor-{}", seed.index);
    thread::Builder::new().name(name).spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| reactor::run(seed))) {
            alive.last_words.store(Some(Arc::new(panic_text(panic.as_ref()))));
        }
        alive.dead.store(true, Relaxed);
    })
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there: stop it, or choose another server.bind_address"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE: choose another server.bind_address"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this machine has that address: check server.bind_address"
        }
        _ => "",
    }
}

/// How often a waiting control thread looks.
const LOOK: Duration = Duration::from_millis(5);

impl Reactors {
    /// Where the server listens.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at every reactor and wakes those that may be asleep over work; to be called about
    /// every 10 ms.
    pub fn pulse(&mut self) {
        let now = Instant::now();
        for (member, counters) in self.members.iter_mut().zip(&self.process.counters) {
            member.pulse.look(counters.turns.get(), now);
        }
    }

    /// For each reactor, the longest time without a turn since this was last asked.
    pub fn take_longest_gaps(&mut self) -> Vec<Duration> {
        self.members.iter_mut().map(|member| member.pulse.take_longest()).collect()
    }

    /// For each reactor, how long it has not answered the pulse.
    pub fn silent(&self) -> Vec<Duration> {
        let now = Instant::now();
        self.members.iter().map(|member| member.pulse.silent(now)).collect()
    }

    /// A reactor that died, and why. The server is of no use then: keys of its shards have no
    /// owner.
    pub fn dead(&self) -> Option<String> {
        let dead = |(index, member): (usize, &Member)| {
            member.alive.dead.load(Relaxed).then(|| {
                let words = member.alive.last_words.load_full();
                let words = words.as_deref().map_or("it ended without a word", String::as_str);
                format!("reactor {index} died: {words}")
            })
        };
        self.members.iter().enumerate().find_map(dead)
    }

    /// For whoever wants to look at the reactors from another thread.
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.process))
    }

    /// Changes `server.max_connections`; connections that are open stay.
    pub fn set_connections_max(&self, count: usize) {
        self.process.connections_max.store(count, Relaxed);
    }

    /// Changes how much clients may ask for.
    pub fn set_rates(&self, rates: Rates) {
        self.process.throttling.set(rates);
    }

    /// Changes `limits.connections_per_address`; connections that are open stay.
    pub fn set_connections_per_address_max(&self, count: usize) {
        self.process.sources.set_max(count);
    }

    /// Changes `logging.slow_request_ms`.
    pub fn set_slow_request(&self, bound: Option<Duration>) {
        self.process.slow_request.set(bound);
    }

    /// Changes from where admin commands are taken that write files or change the server.
    pub fn set_admin_from_anywhere(&self, anywhere: bool) {
        self.process.admin_locality.set(anywhere);
    }

    /// Changes `storage.compaction`; merges that are under way end as they were begun.
    pub fn set_compaction(&self, settings: CompactionSettings) {
        self.command(&Command::Compaction(settings));
    }

    /// Tells clients whose certificates were verified under an older [`crate::tls::Credentials::trust`] to finish and
    /// go, or closes their connections `at_once`.
    pub fn retire(&self, trust: u64, at_once: bool) {
        self.command(&Command::Retire { trust, at_once });
    }

    /// Changes `storage.compaction.max_concurrent`; merges that are under way go on.
    pub fn set_merges_max(&self, count: usize) {
        self.process.merge_slots.set_max(count);
    }

    /// Long work that operators ask for.
    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.process.jobs
    }

    /// Stops accepting and tells clients to go elsewhere; returns at once.
    pub fn drain(&self) {
        self.process.draining.store(true, Relaxed);
        self.process.jobs.stop();
        self.command(&Command::Drain);
    }

    /// Whether no connection is left.
    pub fn is_drained(&self) -> bool {
        self.process.connections() == 0
    }

    /// Waits for the drain until `deadline`, then ends what is left, syncs and closes. `waiting` is called every few
    /// milliseconds until then.
    ///
    /// # Errors
    /// A reactor died, does not answer, or a shard could not be synced.
    #[expect(clippy::disallowed_methods, reason = "this is the control thread, not a reactor")]
    pub fn stop(mut self, deadline: Instant, waiting: &mut dyn FnMut()) -> Result<(), StopError> {
        self.drain();
        while !self.is_drained() && Instant::now() < deadline && self.dead().is_none() {
            self.pulse();
            waiting();
            thread::sleep(LOOK);
        }
        if let Some(runner) = self.runner.take() {
            while !runner.is_finished() && self.dead().is_none() {
                self.pulse();
                waiting();
                thread::sleep(LOOK);
            }
        }
        self.command(&Command::Stop);
        let end = self.closing_max.map(|time| deadline.max(Instant::now()) + time);
        let mut result = Ok(());
        for (reactor, member) in self.members.into_iter().enumerate() {
            if let Err(cause) = member.finish(end, waiting) {
                result = Err(StopError { reactor, cause });
            }
        }
        result
    }

    fn command(&self, command: &Command) {
        for member in &self.members {
            // A reactor that is gone is found by whoever waits for its report.
            let _ = member.commands.send(command.clone());
            member.beat.wake();
        }
    }

    /// Waits until every reactor has reported so; the first failure stops all.
    fn wait_for(
        &mut self,
        is_expected: fn(&Report) -> bool,
        waiting: &mut dyn FnMut(&Watch),
    ) -> Result<(), StartError> {
        let read = |report| if is_expected(&report) { Ok(()) } else { Err(report) };
        self.reports(read, waiting).map(drop)
    }

    /// Waits for one report of every reactor, in which `read` finds what is wanted or gives it back.
    fn reports<T>(
        &mut self,
        mut read: impl FnMut(Report) -> Result<T, Report>,
        waiting: &mut dyn FnMut(&Watch),
    ) -> Result<Vec<T>, StartError> {
        let (mut all, watch) = (Vec::new(), self.watch());
        for reactor in 0..self.members.len() {
            let cause = loop {
                match self.members[reactor].reports.recv_timeout(LOOK).map(&mut read) {
                    Ok(Ok(wanted)) => {
                        all.push(wanted);
                        break None;
                    }
                    Ok(Err(Report::Failed(cause))) => break Some(cause),
                    Ok(Err(report)) => break Some(format!("unexpected report: {report:?}")),
                    Err(_) => {
                        self.pulse();
                        waiting(&watch);
                    }
                }
                if let Some(dead) = self.dead() {
                    // It may have said why before it died.
                    let report = self.members[reactor].reports.try_recv();
                    break Some(match report {
                        Ok(Report::Failed(cause)) => cause,
                        _ => dead,
                    });
                }
            };
            if let Some(cause) = cause {
                self.command(&Command::Stop);
                return Err(StartError::Reactor { reactor, cause });
            }
        }
        Ok(all)
    }
}

impl Member {
    /// Waits until the reactor has stopped.
    fn finish(self, end: Option<Instant>, waiting: &mut dyn FnMut()) -> Result<(), String> {
        loop {
            match self.reports.recv_timeout(LOOK) {
                Ok(Report::Stopped(result)) => {
                    let joined = self.thread.join();
                    return result.and(joined.map_err(|panic| panic_text(panic.as_ref())));
                }
                Ok(Report::Failed(cause)) => return Err(cause),
                Ok(_) => {}
                Err(_) => {
                    self.beat.wake();
                    waiting();
                }
            }
            if self.alive.dead.load(Relaxed) && self.reports.is_empty() {
                let words = self.alive.last_words.load_full();
                let words = words.as_deref().map_or("it ended without a word", String::as_str);
                return Err(words.to_owned());
            }
            if end.is_some_and(|end| Instant::now() > end) {
                return Err("it does not stop; giving up".to_owned());
            }
        }
    }
}
