//! How much an address or a principal may ask of the process in a second, over all reactors; and how often an address may
//! show wrong credentials.
//!
//! ```text
//!                    admitted: charged here at once ─┐            each tick
//! request ─► bucket of this reactor                  ├─► charges ──────────► buckets of all other reactors
//!                    over: refused, nothing charged  ┘
//! ```
//!
//! Each reactor keeps a whole bucket for everybody whom it serves, and learns within two ticks what others have let
//! through. So a client has its whole rate wherever its connections are, and it is spent where it asks.
//!
//! Always true:
//! - What is let through is charged on all reactors: over any time `t`, n reactors let through no more than
//!   `rate × t + n × BURST × rate`, and what is beyond `rate × t + BURST × rate` is owed and paid back.
//! - A bucket never goes back to full before it is paid: see `table`.

mod table;

use std::{
    cell::RefCell,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use self::table::Cost;
use self::table::Table;

/// Charges of one tick that another reactor is told of; the rest waits for the next.
const CHARGES_MAX: usize = 4096;
/// Ticks of another reactor that wait for one that does not turn.
const TICKS_MAX: usize = 64;
/// Between two events about the same bucket.
const SILENCE_NANOS: u64 = 60 * SECOND_NANOS;
/// Events about all buckets of a reactor in that time.
const NEWS_MAX: u32 = 100;

/// A bound that an operator may set, all of them for a whole process. 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Queries in a second, of all clients of one address.
    pub requests_per_address: u64,
    /// Queries in a second, of one principal.
    pub requests_per_principal: u64,
    /// Bytes of requests and answers in a second, of all clients of one address.
    pub bytes_per_address: u64,
    /// The same of one principal.
    pub bytes_per_principal: u64,
    /// Wrong credentials in a minute, of all clients of one address.
    pub auth_failures_per_address: u64,
}

/// A bound, as it is told to those who are over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.requests_per_second_per_address`
    RequestsPerAddress,
    /// `limits.requests_per_second_per_principal`
    RequestsPerPrincipal,
    /// `limits.bytes_per_second_per_address`
    BytesPerAddress,
    /// `limits.bytes_per_second_per_principal`
    BytesPerPrincipal,
    /// `limits.auth_failures_per_minute_per_address`
    AuthFailuresPerAddress,
}

impl Limit {
    /// All of them, each at the place that is its number.
    pub const ALL: [Self; 5] = [
        Self::RequestsPerAddress,
        Self::RequestsPerPrincipal,
        Self::BytesPerAddress,
        Self::BytesPerPrincipal,
        Self::AuthFailuresPerAddress,
    ];

    /// The key of the configuration.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::RequestsPerAddress => "limits.requests_per_second_per_address",
            Self::RequestsPerPrincipal => "limits.requests_per_second_per_principal",
            Self::BytesPerAddress => "limits.bytes_per_second_per_address",
            Self::BytesPerPrincipal => "limits.bytes_per_second_per_principal",
            Self::AuthFailuresPerAddress => "limits.auth_failures_per_minute_per_address",
        }
    }
}

/// Somebody is over a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which.
    pub limit: Limit,
    /// After which time it may be tried again.
    pub wait: Duration,
    /// It was not told of for a while.
    pub is_news: bool,
}

/// Who pays for a request. Made once for a connection and its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payer {
    address: u64,
    principal: u64,
}

/// What the reactors of a process share.
#[derive(Debug)]
pub struct Throttling {
    started: Instant,
    /// Some bound on requests or bytes is set.
    is_on: AtomicBool,
    counts_bytes: AtomicBool,
    rates: [AtomicU64; Limit::ALL.len()],
    /// Secret, so that nobody can choose addresses that share a bucket.
    hasher: RandomState,
    inboxes: Vec<Inbox>,
}

#[derive(Debug)]
struct Inbox {
    sender: Sender<Arc<[Charge]>>,
    receiver: Receiver<Arc<[Charge]>>,
}

/// Something that was let through on another reactor.
#[derive(Clone, Copy, Debug)]
struct Charge {
    scope: Scope,
    key: u64,
    cost: Cost,
}

/// What a table has buckets for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Address,
    Principal,
    Failures,
}

impl Throttling {
    /// For so many reactors.
    pub fn new(reactors: usize, rates: Rates) -> Self {
        let inbox = |_| {
            let (sender, receiver) = bounded(TICKS_MAX * reactors);
            Inbox { sender, receiver }
        };
        let throttling = Self {
            started: Instant::now(),
            is_on: AtomicBool::new(false),
            counts_bytes: AtomicBool::new(false),
            rates: Default::default(),
            hasher: RandomState::new(),
            inboxes: (0..reactors).map(inbox).collect(),
        };
        throttling.set(rates);
        throttling
    }

    /// From now on.
    pub fn set(&self, rates: Rates) {
        let Rates {
            requests_per_address,
            requests_per_principal,
            bytes_per_address,
            bytes_per_principal,
            auth_failures_per_address,
        } = rates;
        let values = [
            requests_per_address,
            requests_per_principal,
            bytes_per_address,
            bytes_per_principal,
            auth_failures_per_address,
        ];
        self.rates.iter().zip(values).for_each(|(rate, value)| rate.store(value, Relaxed));
        self.counts_bytes.store(bytes_per_address + bytes_per_principal > 0, Relaxed);
        self.is_on.store(values[..4].iter().any(|rate| *rate > 0), Relaxed);
    }

    /// Who pays: an address, of IPv6 its network of 64 bits, and a principal.
    pub fn payer(&self, address: IpAddr, principal: &str) -> Payer {
        Payer { address: self.key(source(address)), principal: self.key(principal) }
    }

    fn key(&self, of: impl Hash) -> u64 {
        // 0 is nobody.
        self.hasher.hash_one(of).max(1)
    }

    fn rate(&self, limit: Limit) -> u64 {
        self.rates[limit as usize].load(Relaxed)
    }

    fn nanos(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_nanos() as u64
    }
}

/// What counts as one address: all that one customer of a provider has.
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

/// The buckets of one reactor.
#[derive(Debug)]
pub struct Throttle {
    shared: Arc<Throttling>,
    reactor: usize,
    tables: RefCell<Tables>,
}

/// Each is made when it is needed.
#[derive(Debug, Default)]
struct Tables {
    addresses: Option<Table>,
    principals: Option<Table>,
    failures: Option<Table>,
    news: News,
}

/// How many events there were lately.
#[derive(Debug, Default)]
struct News {
    since: u64,
    count: u32,
}

impl News {
    fn may_tell(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.since) >= SILENCE_NANOS {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        self.count <= NEWS_MAX
    }
}

impl Tables {
    fn of(&mut self, scope: Scope) -> &mut Option<Table> {
        match scope {
            Scope::Address => &mut self.addresses,
            Scope::Principal => &mut self.principals,
            Scope::Failures => &mut self.failures,
        }
    }
}

impl Throttle {
    /// All buckets are full.
    pub fn new(shared: Arc<Throttling>, reactor: usize) -> Self {
        Self { shared, reactor, tables: RefCell::default() }
    }

    /// Whether anything but credentials is bounded.
    pub fn is_on(&self) -> bool {
        self.shared.is_on.load(Relaxed)
    }

    /// Whether bytes are bounded.
    pub fn counts_bytes(&self) -> bool {
        self.shared.counts_bytes.load(Relaxed)
    }

    /// Lets queries and bytes through, and charges for them, or says why not. What is let through may cost more than is
    /// left, and is paid back before the next.
    ///
    /// # Errors
    /// A bucket is empty.
    pub fn pay(&self, payer: Payer, now: Instant, cost: Cost) -> Result<(), Over> {
        if !self.is_on() || payer == Payer::default() {
            return Ok(());
        }
        let now = self.shared.nanos(now);
        let (address, principal) = (self.bounds(Scope::Address), self.bounds(Scope::Principal));
        let tables = &mut *self.tables.borrow_mut();
        if address.is_set() {
            let table = tables.addresses.get_or_insert_default();
            look(table, &mut tables.news, payer.address, now, address)?;
        }
        if principal.is_set() {
            let table = tables.principals.get_or_insert_default();
            look(table, &mut tables.news, payer.principal, now, principal)?;
            self.take(table, payer.principal, now, principal, cost);
        }
        // Nobody is charged on one side who was refused on the other.
        if let Some(table) = tables.addresses.as_mut().filter(|_| address.is_set()) {
            self.take(table, payer.address, now, address, cost);
        }
        Ok(())
    }

    /// Charges for what was let through already.
    pub fn charge(&self, payer: Payer, now: Instant, cost: Cost) {
        if !self.is_on() || cost == Cost::default() || payer == Payer::default() {
            return;
        }
        let now = self.shared.nanos(now);
        let tables = &mut *self.tables.borrow_mut();
        for (scope, key) in [(Scope::Address, payer.address), (Scope::Principal, payer.principal)] {
            let bounds = self.bounds(scope);
            if bounds.is_set() {
                let table = tables.of(scope).get_or_insert_default();
                self.take(table, key, now, bounds, cost);
            }
        }
    }

    /// Whether credentials of this address are looked at.
    ///
    /// # Errors
    /// Too many were wrong.
    pub fn may_fail(&self, payer: Payer, now: Instant) -> Result<(), Over> {
        let bounds = self.bounds(Scope::Failures);
        let Tables { failures, news, .. } = &mut *self.tables.borrow_mut();
        match failures.as_mut().filter(|_| bounds.is_set()) {
            Some(table) => look(table, news, payer.address, self.shared.nanos(now), bounds),
            None => Ok(()),
        }
    }

    /// Credentials of this address were wrong.
    pub fn has_failed(&self, payer: Payer, now: Instant) {
        let bounds = self.bounds(Scope::Failures);
        if bounds.is_set() {
            let table = &mut self.tables.borrow_mut().failures;
            let table = table.get_or_insert_default();
            let one = Cost { requests: 1, bytes: 0 };
            self.take(table, payer.address, self.shared.nanos(now), bounds, one);
        }
    }

    /// Tells the others what was let through, and learns from them; to be called often.
    pub fn tick(&self, now: Instant) {
        let now = self.shared.nanos(now);
        let tables = &mut *self.tables.borrow_mut();
        if self.shared.inboxes.len() > 1 {
            self.tell(tables);
        }
        while let Ok(charges) = self.shared.inboxes[self.reactor].receiver.try_recv() {
            for Charge { scope, key, cost } in charges.iter().copied() {
                let bounds = self.bounds(scope);
                if bounds.is_set() {
                    tables.of(scope).get_or_insert_default().charge(key, now, bounds, cost);
                }
            }
        }
    }

    fn tell(&self, tables: &mut Tables) {
        let mut charges = Vec::new();
        for scope in [Scope::Address, Scope::Principal, Scope::Failures] {
            let left = CHARGES_MAX - charges.len();
            if let Some(table) = tables.of(scope) {
                let owed = table.take_untold(left);
                charges.extend(owed.map(|(key, cost)| Charge { scope, key, cost }));
            }
        }
        if charges.is_empty() {
            return;
        }
        let charges: Arc<[Charge]> = charges.into();
        for (reactor, inbox) in self.shared.inboxes.iter().enumerate() {
            if reactor != self.reactor {
                // One that does not turn lets nothing through either.
                let _ = inbox.sender.try_send(Arc::clone(&charges));
            }
        }
    }

    fn bounds(&self, scope: Scope) -> Bounds {
        let rate = |limit| self.shared.rate(limit);
        match scope {
            Scope::Address => Bounds {
                burst: BURST_NANOS,
                period: SECOND_NANOS,
                requests: rate(Limit::RequestsPerAddress),
                bytes: rate(Limit::BytesPerAddress),
                limits: [Limit::RequestsPerAddress, Limit::BytesPerAddress],
            },
            Scope::Principal => Bounds {
                burst: BURST_NANOS,
                period: SECOND_NANOS,
                requests: rate(Limit::RequestsPerPrincipal),
                bytes: rate(Limit::BytesPerPrincipal),
                limits: [Limit::RequestsPerPrincipal, Limit::BytesPerPrincipal],
            },
            Scope::Failures => Bounds {
                burst: MINUTE_NANOS,
                period: MINUTE_NANOS,
                requests: rate(Limit::AuthFailuresPerAddress),
                bytes: 0,
                limits: [Limit::AuthFailuresPerAddress; 2],
            },
        }
    }

    fn take(&self, table: &mut Table, key: u64, now: u64, bounds: Bounds, cost: Cost) {
        table.charge(key, now, bounds, cost);
        if self.shared.inboxes.len() > 1 {
            table.tell_later(key, cost);
        }
    }
}

fn look(
    table: &mut Table,
    news: &mut News,
    key: u64,
    now: u64,
    bounds: Bounds,
) -> Result<(), Over> {
    let Err((kind, nanos)) = table.look(key, now, bounds) else { return Ok(()) };
    let is_news = table.is_news(key, now, SILENCE_NANOS) && news.may_tell(now);
    Err(Over { limit: bounds.limits[kind], wait: Duration::from_nanos(nanos), is_news })
}

const SECOND_NANOS: u64 = 1_000_000_000;
const MINUTE_NANOS: u64 = 60 * SECOND_NANOS;
/// What may be asked at once by who has asked nothing lately: what the rate gives in this time.
const BURST_NANOS: u64 = SECOND_NANOS;

/// The bounds of a table's buckets.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// What may be asked at once: what the rate gives in this time.
    burst: u64,
    /// Of the rates.
    period: u64,
    /// 0: no bound.
    requests: u64,
    /// 0: no bound.
    bytes: u64,
    limits: [Limit; 2],
}

impl Bounds {
    fn is_set(&self) -> bool {
        self.requests > 0 || self.bytes > 0
    }
}

#[cfg(test)]
mod tests;
