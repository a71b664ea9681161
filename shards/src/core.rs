//! What everything on one reactor may use, and what the reactors share with the control thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use bytes::BytesMut;

use crate::{
    counters::Counters,
    grpc::headers::Headers,
    net::registry::Registry,
    payload::{Payload, Writer},
    router::Router,
    settings::Settings,
    storage::{Epochs, MergeSlots},
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
    scratch: RefCell<BytesMut>,
}

/// What all reactors and the control thread share: atomics, each with one writer or rarely written.
pub struct Process {
    /// When the server started.
    pub started: Instant,
    /// Open connections that are allowed, live.
    pub connections_max: AtomicUsize,
    /// Set once, when the server is to go away.
    pub draining: AtomicBool,
    /// Open connections of each reactor: counted in by whoever accepts, out by the owner.
    pub connections: Vec<AtomicUsize>,
    /// For each reactor.
    pub counters: Vec<Counters>,
    /// For merges of all reactors.
    pub merge_slots: MergeSlots,
    /// For the shards and the snapshots of all reactors.
    pub epochs: Epochs,
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
        Self {
            index,
            settings,
            process,
            router,
            headers: Headers::new(),
            flight: Rc::default(),
            awaited: Rc::default(),
            registry: Registry::default(),
            scratch: RefCell::default(),
        }
    }

    /// This reactor's counters, which only it writes.
    pub fn counters(&self) -> &Counters {
        &self.process.counters[self.index]
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
