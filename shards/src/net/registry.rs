//! The open connections of a reactor, their signs of life, and the sweep that acts on them.
//!
//! The sweep decides, the connection's own task acts: it finds an order in its [`Vitals`].

use std::{
    cell::{Cell, OnceCell, RefCell},
    net::SocketAddr,
    rc::Rc,
    task::Waker,
    time::{Duration, Instant},
};

use slab::Slab;

/// How long a peer may take to answer a PING.
const PONG_PATIENCE: Duration = Duration::from_secs(20);

/// The open connections of a reactor.
#[derive(Default)]
pub struct Registry {
    connections: RefCell<Slab<Rc<Vitals>>>,
    /// Connections so far.
    count: Cell<u64>,
}

/// Who is connected, for those who ask.
pub struct About {
    /// Its number in this process: of the reactor, and in the lower 48 bits one that grows.
    pub id: u64,
    /// The other end.
    pub address: SocketAddr,
    /// Since when.
    pub opened: Instant,
    /// Requests that are under way.
    pub requests: Cell<usize>,
}

/// Signs of life of a connection, written by its task and its transport.
pub struct Vitals {
    /// When bytes came last.
    pub heard: Cell<Instant>,
    /// Since when the preface or a frame is incomplete, with no progress worth the name.
    pub stuck_reading: Cell<Option<Instant>>,
    /// Since when the peer takes none of what is to be sent.
    pub stuck_writing: Cell<Option<Instant>>,
    /// Since when a PING is unanswered.
    pub pinged: Cell<Option<Instant>>,
    /// Whether a request waits for the disk or another reactor, so that a deadline may pass.
    pub waiting: Cell<bool>,
    /// Under which [`crate::tls::Credentials::trust`] the peer's certificate was verified, if it has one.
    pub trust: Cell<Option<u64>>,
    /// What is told of it, once that is known.
    pub about: OnceCell<About>,
    /// What the task shall do.
    pub order: Cell<Option<Order>>,
    /// The task.
    pub waker: RefCell<Option<Waker>>,
}

/// What a connection's task is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Look at the deadlines of its requests.
    Expire,
    /// Ask the peer for a sign of life.
    Ping,
    /// Say goodbye, finish what is under way, close.
    Drain,
    /// Answer those who wait that the server goes away, and close.
    Abandon,
    /// Close at once; the reason is for the log.
    Cut(&'static str),
}

/// A place in the registry, left on drop.
pub struct Place<'a> {
    registry: &'a Registry,
    index: usize,
}

impl Registry {
    /// Adds a connection.
    pub fn enter(&self, vitals: Rc<Vitals>) -> Place<'_> {
        let index = self.connections.borrow_mut().insert(vitals);
        Place { registry: self, index }
    }

    /// A number for the next connection of this reactor.
    pub fn next_id(&self, reactor: usize) -> u64 {
        self.count.set(self.count.get() + 1);
        (reactor as u64) << 48 | self.count.get()
    }

    /// Tells of each connection.
    pub fn list<T>(&self, tell: impl Fn(&About) -> T) -> Vec<T> {
        let connections = self.connections.borrow();
        connections.iter().filter_map(|(_, vitals)| vitals.about.get().map(&tell)).collect()
    }

    /// Has those say goodbye that are wanted, and counts them.
    pub fn drain_some(&self, wanted: impl Fn(&About) -> bool) -> u64 {
        let mut count = 0;
        self.each(|vitals| {
            let drains = vitals.about.get().is_some_and(&wanted);
            drains.then_some(Order::Drain)
        });
        for (_, vitals) in self.connections.borrow().iter() {
            count += u64::from(vitals.about.get().is_some_and(&wanted));
        }
        count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }

    /// Gives every connection the same order.
    pub fn order(&self, order: Order) {
        self.each(|_| Some(order));
    }

    /// Gives an order to those whose certificate was verified under an older trust than `trust`.
    pub fn retire(&self, trust: u64, order: Order) {
        self.each(|vitals| vitals.trust.get().filter(|older| *older < trust).map(|_| order));
    }

    /// Makes those look at their deadlines who have requests waiting.
    pub fn expire(&self) {
        self.each(|vitals| vitals.waiting.get().then_some(Order::Expire));
    }

    /// Looks for connections that are silent, stuck or dead.
    pub fn sweep(&self, now: Instant, patience: Duration, keepalive: Duration) {
        self.each(|vitals| vitals.verdict(now, patience, keepalive));
    }

    fn each(&self, order: impl Fn(&Vitals) -> Option<Order>) {
        for (_, vitals) in self.connections.borrow().iter() {
            if let Some(order) = order(vitals) {
                vitals.give(order);
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.registry.connections.borrow_mut().remove(self.index);
    }
}

impl Vitals {
    /// A connection that was just accepted and owes its preface.
    pub fn new(now: Instant) -> Self {
        Self {
            heard: Cell::new(now),
            stuck_reading: Cell::new(Some(now)),
            stuck_writing: Cell::new(None),
            pinged: Cell::new(None),
            waiting: Cell::new(false),
            trust: Cell::new(None),
            about: OnceCell::new(),
            order: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    fn verdict(&self, now: Instant, patience: Duration, keepalive: Duration) -> Option<Order> {
        let over = |since: &Cell<Option<Instant>>, patience| {
            since.get().is_some_and(|since| now.saturating_duration_since(since) > patience)
        };
        if over(&self.stuck_reading, patience) {
            return Some(Order::Cut("the handshake or a frame stayed incomplete"));
        }
        if over(&self.stuck_writing, patience) {
            return Some(Order::Cut("the peer does not read its answers"));
        }
        if over(&self.pinged, PONG_PATIENCE) {
            return Some(Order::Cut("the peer does not answer PING"));
        }
        let silent = now.saturating_duration_since(self.heard.get()) > keepalive;
        (silent && self.pinged.get().is_none()).then_some(Order::Ping)
    }

    fn give(&self, order: Order) {
        self.order.set(Some(order));
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const KEEPALIVE: Duration = Duration::from_secs(60);

    #[test]
    fn silence_is_asked_about_and_the_stuck_are_cut() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let vitals = Vitals::new(start);
        assert_eq!(vitals.verdict(after(30), PATIENCE, KEEPALIVE), None);
        assert!(matches!(vitals.verdict(after(31), PATIENCE, KEEPALIVE), Some(Order::Cut(_))));
        vitals.stuck_reading.set(None);
        assert_eq!(vitals.verdict(after(60), PATIENCE, KEEPALIVE), None);
        assert_eq!(vitals.verdict(after(61), PATIENCE, KEEPALIVE), Some(Order::Ping));
        vitals.pinged.set(Some(after(61)));
        assert_eq!(vitals.verdict(after(80), PATIENCE, KEEPALIVE), None);
        assert!(matches!(vitals.verdict(after(82), PATIENCE, KEEPALIVE), Some(Order::Cut(_))));
        vitals.pinged.set(None);
        vitals.stuck_writing.set(Some(after(0)));
        assert!(matches!(vitals.verdict(after(31), PATIENCE, KEEPALIVE), Some(Order::Cut(_))));
    }

    #[test]
    fn those_of_an_older_trust_are_retired_and_nobody_else() {
        let registry = Registry::default();
        let entered = [None, Some(3), Some(4)].map(|trust| {
            let vitals = Rc::new(Vitals::new(Instant::now()));
            vitals.trust.set(trust);
            (registry.enter(Rc::clone(&vitals)), vitals)
        });
        registry.retire(4, Order::Drain);
        let orders = entered.each_ref().map(|(_, vitals)| vitals.order.get());
        assert_eq!(orders, [None, Some(Order::Drain), None]);
    }

    #[test]
    fn a_place_is_left_on_drop() {
        let registry = Registry::default();
        let place = registry.enter(Rc::new(Vitals::new(Instant::now())));
        assert!(!registry.is_empty());
        drop(place);
        assert!(registry.is_empty());
    }
}
