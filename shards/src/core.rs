//! What everything on one reactor may use, and what the reactors share with the control thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use tracing::{debug, warn};

use crate::{
    audit,
    auth::{Guards, cache::Cache},
    counters::{Counter, Counters, End},
    failure::Failure,
    grpc::{headers::Headers, method::Method},
    jobs::{Jobs, Reach},
    net::{registry::Registry, seldom::Seldom, sources::Sources, tls::handshake::Desk},
    payload::{Payload, Writer},
    recent::{Base, Event, RequestLine},
    router::Router,
    rpc::locality::Locality,
    settings::Settings,
    storage::{Epochs, MergeSlots, Ready, Shard, Stats},
    throttle::{Cost, Payer, Throttle, Throttling},
};

/// One reactor's belongings.
pub struct Core {
    /// Which reactor this is.
    pub index: usize,
    /// What the process was told.
    pub settings: Arc<Settings>,
    /// What all reactors and the control thread share.
    pub process: Arc<Process>,
    /// The way to every shard.
    pub router: Rc<Router>,
    /// Header lists of answers.
    pub headers: Headers,
    /// Bytes of requests and answers in flight on this reactor.
    pub flight: Rc<Cell<usize>>,
    /// Bytes that answers to reads under way are taken to have.
    pub awaited: Rc<Cell<usize>>,
    /// Open connections of this reactor.
    pub registry: Registry,
    /// What its TLS handshakes share.
    pub handshakes: Desk,
    /// Lines about clients that speak TLS where none is spoken.
    pub unexpected_tls: Seldom,
    /// Shards that a restore can be switched into.
    pub ready: RefCell<Vec<Ready>>,
    /// How much clients have asked for lately.
    pub throttle: Throttle,
    /// Tokens that were verified.
    pub tokens: RefCell<Cache>,
    /// Requests that have ended in this turn.
    ended: RefCell<Vec<Ended>>,
    scratch: RefCell<BytesMut>,
}

/// A request that has ended, but for the time that it took.
struct Ended {
    method: Option<Method>,
    line: RequestLine,
    arrived: Instant,
    end: End,
}

/// What all reactors and the control thread share: atomics, each with one writer or rarely written.
pub struct Process {
    /// When the server started.
    pub started: Instant,
    /// Open connections that are allowed, live.
    pub connections_max: AtomicUsize,
    /// Who may come in, and what they may do.
    pub guards: Arc<Guards>,
    /// Set once, when the server is to go away.
    pub draining: AtomicBool,
    /// Open connections of each reactor: counted in by whoever accepts, out by the owner.
    pub connections: Vec<AtomicUsize>,
    /// Open connections of each address.
    pub sources: Sources,
    /// How much clients may ask for.
    pub throttling: Arc<Throttling>,
    /// For each reactor.
    pub counters: Vec<Counters>,
    /// The clock of the lines that tell what happened lately.
    pub base: Base,
    /// From where on a request is slow.
    pub slow_request: SlowRequest,
    /// From where admin commands are taken that change something.
    pub admin_locality: Locality,
    /// For each reactor the steps of its recovery.
    pub recovery_steps: Vec<Arc<Counter>>,
    /// For each shard its figures, as its owner saw them last.
    pub shards: Vec<ArcSwapOption<Stats>>,
    /// For merges of all reactors.
    pub merge_slots: MergeSlots,
    /// Long work that operators ask for.
    pub jobs: Arc<Jobs>,
    /// The way to all reactors.
    pub reach: Arc<Reach>,
    /// For the shards and the snapshots of all reactors.
    pub epochs: Epochs,
}

/// From where on a request is slow, changeable at any time.
pub struct SlowRequest(AtomicU64);

impl SlowRequest {
    /// None: no request is.
    pub fn new(bound: Option<Duration>) -> Self {
        let slow = Self(AtomicU64::new(u64::MAX));
        slow.set(bound);
        slow
    }

    /// From now on.
    pub fn set(&self, bound: Option<Duration>) {
        let nanos = bound.map_or(u64::MAX, |bound| bound.as_nanos().try_into().unwrap_or(u64::MAX));
        self.0.store(nanos, Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }
}

/// Whether requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// They are.
    Serving,
    /// The server is going away.
    Draining,
    /// So many shards refuse writes after a failure of their disk.
    Broken(u64),
}

impl Core {
    /// A reactor's belongings.
    pub fn new(
        index: usize,
        settings: Arc<Settings>,
        process: Arc<Process>,
        router: Rc<Router>,
    ) -> Self {
        let handshakes = Desk::new(settings.limits.handshakes_max);
        let throttle = Throttle::new(Arc::clone(&process.throttling), index);
        Self {
            index,
            settings,
            process,
            router,
            headers: Headers::new(),
            flight: Rc::default(),
            awaited: Rc::default(),
            registry: Registry::default(),
            handshakes,
            unexpected_tls: Seldom::default(),
            ready: RefCell::default(),
            throttle,
            tokens: RefCell::default(),
            ended: RefCell::default(),
            scratch: RefCell::default(),
        }
    }

    /// This reactor's counters, which only it writes.
    pub fn counters(&self) -> &Counters {
        &self.process.counters[self.index]
    }

    /// Records what is decided or done here, if that is recorded.
    ///
    /// # Errors
    /// [`Failure::Unrecorded`]: it must not be done.
    pub fn record(&self, event: impl FnOnce() -> audit::Event) -> Result<(), Failure> {
        self.settings.audit.record(self.index, event)
    }

    /// Charges for bytes of a message, where bytes are bounded.
    pub fn charge_bytes(&self, payer: Payer, bytes: usize) {
        if self.throttle.counts_bytes() {
            let cost = Cost { requests: 0, bytes: bytes as u64 };
            self.throttle.charge(payer, Instant::now(), cost);
        }
    }

    /// A request has ended. Its time is taken with that of the others of this turn.
    pub fn ended(&self, method: Option<Method>, line: RequestLine, arrived: Instant, end: End) {
        self.ended.borrow_mut().push(Ended { method, line, arrived, end });
    }

    /// Takes the time of the requests that have ended in this turn: one look at the clock for all of them.
    pub fn settle_ended(&self) {
        let mut ended = self.ended.borrow_mut();
        if ended.is_empty() {
            return;
        }
        let now = Instant::now();
        let slow = self.process.slow_request.get();
        let (mut slow_count, mut slowest) = (0, None::<(Duration, RequestLine)>);
        let mut recent = self.router.recent().borrow_mut();
        for Ended { method, line, arrived, end } in ended.drain(..) {
            let latency = now.saturating_duration_since(arrived);
            self.counters().method(method).ended(end, latency);
            recent.push(Event::Request { line, latency, failed: end == End::Failed }, now);
            if latency >= slow && method.is_some_and(Method::is_unary) {
                slow_count += 1;
                if slowest.is_none_or(|(longest, _)| latency > longest) {
                    slowest = Some((latency, line));
                }
            }
        }
        if let Some((latency, line)) = slowest {
            self.warn_of_slow(slow_count, slow, latency, line);
        }
    }

    /// One line for the slow requests of a turn: what made one of them slow did so to the others.
    fn warn_of_slow(&self, count: u64, bound: Duration, latency: Duration, line: RequestLine) {
        let (reactor, bound, took) = (self.index, bound.as_millis(), latency.as_millis());
        let verb = line.verb();
        warn!(
            "slow requests on reactor {reactor}: {count} took {bound} ms or more, the slowest, {verb}, {took} ms"
        );
        debug!("the slowest of them: {line}");
    }

    /// Tells the control thread what this reactor holds at the moment.
    pub fn publish_load(&self) {
        let counters = self.counters();
        counters.in_flight_bytes.set(self.flight.get() as u64);
        let (under_way, waiting) = self.handshakes.counts();
        counters.tls_under_way.set(under_way);
        counters.tls_waiting.set(waiting);
        counters.hops.set(self.router.hops());
        counters.hops_under_way.set(self.router.hops_under_way() as u64);
    }

    /// Tells the control thread how the shards of this reactor are.
    pub fn publish_shards(&self) {
        let mut poisoned = 0;
        for (shard, figures) in self.own_shards() {
            let stats = shard.stats();
            poisoned += u64::from(stats.poisoned.is_some());
            figures.store(Some(Arc::new(stats)));
        }
        self.counters().poisoned_shards.set(poisoned);
    }

    /// The shards of this reactor, each with the place of its figures.
    fn own_shards(&self) -> impl Iterator<Item = (&Shard, &ArcSwapOption<Stats>)> {
        let places = self.process.shards.iter().skip(self.index);
        self.router.local_shards().iter().zip(places.step_by(self.process.counters.len()))
    }

    /// Builds bytes in a buffer that the answers of this reactor share.
    pub fn write(&self, write: impl FnOnce(&mut Writer<'_>)) -> Payload {
        let mut scratch = self.scratch.borrow_mut();
        // What an answer left behind that panicked half-way.
        scratch.clear();
        let mut writer = Writer::new(&mut scratch);
        write(&mut writer);
        writer.finish()
    }

    /// Whether this reactor holds as many bytes as it may.
    pub fn is_full(&self) -> bool {
        self.flight.get() > self.flight_max()
    }

    /// What one connection may hold at this moment: no more than is left for all others, so that
    /// a few that do not read their answers leave room for those who do (Choudhury & Hahne,
    /// "Dynamic queue length thresholds for shared-memory packet switches", 1998).
    pub fn connection_bytes_max(&self) -> usize {
        let taken = self.flight.get() + self.awaited.get();
        let left = self.flight_max().saturating_sub(taken);
        left.min(self.settings.limits.connection_bytes_max)
    }

    fn flight_max(&self) -> usize {
        self.settings.limits.in_flight_bytes_max / self.settings.cpus.len()
    }
}

impl Process {
    /// Whether requests are served.
    pub fn health(&self) -> Health {
        if self.draining.load(Relaxed) {
            return Health::Draining;
        }
        match self.counters.iter().map(|counters| counters.poisoned_shards.get()).sum() {
            0 => Health::Serving,
            shards => Health::Broken(shards),
        }
    }

    /// Open connections of all reactors.
    pub fn connections(&self) -> usize {
        self.connections.iter().map(|connections| connections.load(Relaxed)).sum()
    }
}
