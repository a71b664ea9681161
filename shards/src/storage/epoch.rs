//! The order of what is seen on more than one shard: epochs, snapshots, and the verdicts of batches across shards.
//! `docs/explanation/transactions.md` tells why it is right.
//!
//! ```text
//! epoch     1 ──────────── 2 ─────────────── 3 ─────►    grows with each snapshot
//!                          └ snapshot 1      └ snapshot 2   sees what became visible in its epoch and before
//! ```
//!
//! Always true: what became visible before a snapshot was taken has an epoch of at most the snapshot's, what becomes
//! visible later a higher one; the same of every verdict, on all shards alike.
//!
//! This is the one place where reactors share words in memory. Each is written rarely and read often. All accesses are
//! sequentially consistent: the argument rests on one order of them.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// When a change became visible, counted in snapshots of the process. What is older than the process has 0.
pub type Epoch = u64;

/// The epochs of a process. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Epochs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    process: u64,
    current: Lone,
    /// What each reactor tells of its snapshots.
    told: Box<[Told]>,
}

/// A word with its cache lines to itself: 128 bytes, as the prefetcher of x86 takes them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Lone(AtomicU64);

/// The snapshots of one reactor, as others may see them. Every living one is in a word of its own, or not older than `young`.
#[derive(Debug)]
#[repr(align(128))]
struct Told {
    /// [`NONE`] if all are in words of their own.
    young: AtomicU64,
    /// Those that live for a while. So a long scan does not make shards keep what only short ones between then and now
    /// could want.
    old: [AtomicU64; OLD_MAX],
}

const OLD_MAX: usize = 7;

/// No snapshot.
const NONE: Epoch = Epoch::MAX;

/// The epoch of a step, and the snapshots that are alive in it: looked at once, and only if it matters.
pub(super) struct Look<'a> {
    /// None: it is before the process.
    epochs: Option<&'a Epochs>,
    now: Epoch,
    living: OnceCell<Living>,
}

/// The snapshots that may be alive: these, and any from `young` on.
struct Living {
    young: Epoch,
    old: Vec<Epoch>,
}

const NOBODY: Living = Living { young: NONE, old: Vec::new() };

/// The snapshots of one reactor.
pub struct Snapshots {
    epochs: Epochs,
    reactor: usize,
    /// By epoch.
    alive: RefCell<VecDeque<Taken>>,
    /// The epoch of the last tick.
    ticked: Cell<Epoch>,
}

struct Taken {
    epoch: Epoch,
    at: Instant,
    /// Its place in [`Told::old`].
    word: Option<usize>,
}

/// An instant of all shards, to be read for as long as this is alive.
pub struct Snapshot {
    epoch: Epoch,
    owner: Rc<Snapshots>,
}

/// What became of a batch across shards: set once, seen on all shards at the same instant.
#[derive(Debug)]
pub struct Verdict(AtomicU64);

const PENDING: u64 = 0;
const COMMITTING: u64 = 1;
const ABORTED: u64 = 2;
/// Committed in epoch 0; higher words in later ones.
const COMMITTED: u64 = 3;

impl Epochs {
    /// For so many reactors.
    #[must_use]
    pub fn new(reactors: usize) -> Self {
        let told = (0..reactors).map(|_| Told::default()).collect();
        // The seeds of the standard library's hashers are random.
        let process = RandomState::new().hash_one(std::process::id());
        Self(Arc::new(Shared { process, current: Lone(AtomicU64::new(1)), told }))
    }

    /// A random number that no other process has.
    #[must_use]
    pub fn process(&self) -> u64 {
        self.0.process
    }

    /// The epoch of what becomes visible now.
    pub(super) fn now(&self) -> Epoch {
        self.0.current.0.load(SeqCst)
    }

    /// For a step that begins.
    pub(super) fn look(&self) -> Look<'_> {
        Look { epochs: Some(self), now: self.now(), living: OnceCell::new() }
    }

    fn living(&self) -> Living {
        let mut living = NOBODY;
        for told in &self.0.told {
            // In this order: a snapshot that goes from one word to the other is seen in one of them.
            living.young = living.young.min(told.young.load(SeqCst));
            let old = told.old.iter().map(|word| word.load(SeqCst));
            living.old.extend(old.filter(|epoch| *epoch != NONE));
        }
        living
    }
}

impl Default for Told {
    fn default() -> Self {
        Self { young: AtomicU64::new(NONE), old: [const { AtomicU64::new(NONE) }; OLD_MAX] }
    }
}

impl Look<'_> {
    /// For what is older than the process.
    pub(super) fn before() -> Self {
        Self { epochs: None, now: 0, living: OnceCell::new() }
    }

    /// The epoch of what becomes visible in this step.
    pub(super) fn now(&self) -> Epoch {
        self.now
    }

    /// Whether a living snapshot may want what was visible from one epoch on and is hidden since another, no later than now.
    ///
    /// A snapshot that is missed here was taken after [`Look::now`] had been read, and so sees what hides.
    pub(super) fn wants(&self, from: Epoch, to: Epoch) -> bool {
        debug_assert!(to <= self.now, "what hides is not of the future");
        if from >= to {
            return false;
        }
        let living = || self.epochs.map_or(NOBODY, Epochs::living);
        let Living { young, old } = self.living.get_or_init(living);
        *young < to || old.iter().any(|epoch| (from..to).contains(epoch))
    }
}

impl Snapshots {
    /// The epochs of the process.
    #[must_use]
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Those of one reactor.
    #[must_use]
    pub fn new(epochs: Epochs, reactor: usize) -> Rc<Self> {
        Rc::new(Self { epochs, reactor, alive: RefCell::default(), ticked: Cell::default() })
    }

    /// Takes a snapshot of all shards.
    #[must_use]
    pub fn take(self: &Rc<Self>, now: Instant) -> Snapshot {
        let mut alive = self.alive.borrow_mut();
        if alive.back().is_none_or(|last| last.word.is_some()) {
            // Before the epoch is taken, so that whoever misses this word has an epoch that the snapshot sees. Where the last
            // one is young, the word holds an older epoch already: those without a word of their own are the newest.
            self.tell_young(self.epochs.now());
        }
        let epoch = self.epochs.0.current.0.fetch_add(1, SeqCst);
        alive.push_back(Taken { epoch, at: now, word: None });
        Snapshot { epoch, owner: Rc::clone(self) }
    }

    /// To be called regularly: lets go of those that have lived for so long, and gives words of their own to those that were
    /// there at the call before.
    pub fn tick(&self, now: Instant, lifetime: Duration) {
        let mut alive = self.alive.borrow_mut();
        while let Some(first) = alive.front()
            && now.saturating_duration_since(first.at) >= lifetime
        {
            if let Some(first) = alive.pop_front() {
                self.free(&first);
            }
        }
        let words = &self.told().old;
        let ticked = self.ticked.replace(self.epochs.now());
        let young = alive.iter_mut().filter(|taken| taken.word.is_none() && taken.epoch < ticked);
        for (taken, word) in young.zip(self.free_words()) {
            words[word].store(taken.epoch, SeqCst);
            taken.word = Some(word);
        }
        self.tell_young(self.young(&alive));
    }

    /// Words of [`Told::old`] that hold nothing. Only this reactor writes them.
    fn free_words(&self) -> impl Iterator<Item = usize> {
        let words = self.told().old.iter().enumerate();
        words.filter(|(_, word)| word.load(SeqCst) == NONE).map(|(index, _)| index)
    }

    fn free(&self, taken: &Taken) {
        if let Some(word) = taken.word {
            self.told().old[word].store(NONE, SeqCst);
        }
    }

    /// The oldest without a word of its own.
    fn young(&self, alive: &VecDeque<Taken>) -> Epoch {
        let young = alive.iter().find(|taken| taken.word.is_none());
        young.map_or(NONE, |taken| taken.epoch)
    }

    fn tell_young(&self, young: Epoch) {
        self.told().young.store(young, SeqCst);
    }

    fn told(&self) -> &Told {
        &self.epochs.0.told[self.reactor]
    }
}

impl Snapshot {
    /// What it sees: changes of this epoch, and older ones.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether what it sees is still kept. What was read of it before counts only if this is asked after.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.place(&self.owner.alive.borrow()).is_some()
    }

    fn place(&self, alive: &VecDeque<Taken>) -> Option<usize> {
        alive.binary_search_by_key(&self.epoch, |taken| taken.epoch).ok()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut alive = self.owner.alive.borrow_mut();
        let taken = self.place(&alive).and_then(|place| alive.remove(place));
        let Some(taken) = taken else { return };
        self.owner.free(&taken);
        if taken.word.is_none() {
            self.owner.tell_young(self.owner.young(&alive));
        }
    }
}

impl Default for Verdict {
    fn default() -> Self {
        Self(AtomicU64::new(PENDING))
    }
}

impl Verdict {
    /// Commits, for all who look from now on.
    pub fn commit(&self, epochs: &Epochs) {
        let pending = self.0.compare_exchange(PENDING, COMMITTING, SeqCst, SeqCst);
        debug_assert!(pending.is_ok(), "a verdict is set once");
        self.committed(epochs);
    }

    /// Aborts.
    pub fn abort(&self) {
        let pending = self.0.compare_exchange(PENDING, ABORTED, SeqCst, SeqCst);
        debug_assert!(pending.is_ok(), "a verdict is set once");
    }

    /// The epoch in which it was committed, if it was. Whoever comes between the two steps of a commit does the second one.
    pub(super) fn committed(&self, epochs: &Epochs) -> Option<Epoch> {
        let mut word = self.0.load(SeqCst);
        if word == COMMITTING {
            let committed = COMMITTED + epochs.now();
            word = match self.0.compare_exchange(COMMITTING, committed, SeqCst, SeqCst) {
                Ok(_) => committed,
                Err(by_another) => by_another,
            };
        }
        word.checked_sub(COMMITTED)
    }

    /// Whether it was set.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(SeqCst) != PENDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(snapshots: &Rc<Snapshots>) -> Snapshot {
        snapshots.take(Instant::now())
    }

    /// Which of the epochs up to now a living snapshot may have.
    fn wanted(epochs: &Epochs) -> Vec<Epoch> {
        let look = epochs.look();
        (0..look.now()).filter(|epoch| look.wants(*epoch, epoch + 1)).collect()
    }

    #[test]
    fn a_snapshot_sees_what_was_visible_before_it_and_nothing_later() {
        let epochs = Epochs::new(1);
        let snapshots = Snapshots::new(epochs.clone(), 0);
        let before = epochs.now();
        let snapshot = take(&snapshots);
        assert!(before <= snapshot.epoch());
        assert!(epochs.now() > snapshot.epoch());
    }

    #[test]
    fn what_no_snapshot_of_any_reactor_is_old_enough_for_is_not_wanted() {
        let epochs = Epochs::new(2);
        let (here, there) = (Snapshots::new(epochs.clone(), 0), Snapshots::new(epochs.clone(), 1));
        assert!(wanted(&epochs).is_empty());
        let (first, second, third) = (take(&here), take(&there), take(&here));
        assert_eq!((first.epoch(), second.epoch(), third.epoch()), (1, 2, 3));
        assert_eq!(wanted(&epochs), [1, 2, 3]);
        drop(first);
        assert_eq!(wanted(&epochs), [2, 3]);
        drop(second);
        assert_eq!(wanted(&epochs), [3]);
        drop(third);
        assert!(wanted(&epochs).is_empty());
    }

    #[test]
    fn what_lies_between_snapshots_that_live_for_a_while_is_not_wanted() {
        const FOREVER: Duration = Duration::from_secs(1000);
        let epochs = Epochs::new(1);
        let snapshots = Snapshots::new(epochs.clone(), 0);
        let mut old: Vec<_> = (0..OLD_MAX + 2).map(|_| take(&snapshots)).collect();
        for _ in 0..5 {
            drop(take(&snapshots));
        }
        let now = Instant::now();
        snapshots.tick(now, FOREVER);
        assert_eq!(wanted(&epochs).len(), OLD_MAX + 7, "they may have been taken just now");
        snapshots.tick(now, FOREVER);
        assert_eq!(wanted(&epochs).len(), OLD_MAX + 7, "there are not words for all");
        drop(old.remove(1));
        snapshots.tick(now, FOREVER);
        assert_eq!(wanted(&epochs).len(), OLD_MAX + 6);
        let last = old.pop().unwrap();
        drop(old);
        let (second, third) = (take(&snapshots), take(&snapshots));
        assert_eq!(wanted(&epochs), (last.epoch()..=third.epoch()).collect::<Vec<_>>());
        snapshots.tick(now, FOREVER);
        snapshots.tick(now, FOREVER);
        assert_eq!(wanted(&epochs), [last.epoch(), second.epoch(), third.epoch()]);
        drop(second);
        assert_eq!(wanted(&epochs), [last.epoch(), third.epoch()]);
    }

    #[test]
    fn a_snapshot_is_let_go_of_when_its_time_is_over() {
        let epochs = Epochs::new(1);
        let snapshots = Snapshots::new(epochs.clone(), 0);
        let lifetime = Duration::from_secs(60);
        let begin = Instant::now();
        let first = snapshots.take(begin);
        let second = snapshots.take(begin + Duration::from_secs(30));
        snapshots.tick(begin + Duration::from_secs(59), lifetime);
        assert!(first.is_alive() && second.is_alive());
        snapshots.tick(begin + Duration::from_secs(60), lifetime);
        assert!(!first.is_alive() && second.is_alive());
        assert_eq!(wanted(&epochs), [second.epoch()]);
        drop(first);
        assert_eq!(wanted(&epochs), [second.epoch()]);
    }

    #[test]
    fn a_verdict_is_seen_by_later_snapshots_and_not_by_earlier_ones() {
        let epochs = Epochs::new(1);
        let snapshots = Snapshots::new(epochs.clone(), 0);
        let verdict = Verdict::default();
        let before = take(&snapshots);
        assert_eq!(verdict.committed(&epochs), None);
        verdict.commit(&epochs);
        let after = take(&snapshots);
        let epoch = verdict.committed(&epochs).unwrap();
        assert!(before.epoch() < epoch && epoch <= after.epoch());
        let aborted = Verdict::default();
        aborted.abort();
        assert_eq!(aborted.committed(&epochs), None);
        assert!(aborted.is_set());
    }

    #[test]
    fn whoever_meets_a_commit_half_way_ends_it() {
        let epochs = Epochs::new(1);
        let verdict = Verdict(AtomicU64::new(COMMITTING));
        let seen = verdict.committed(&epochs);
        let snapshot = take(&Snapshots::new(epochs.clone(), 0));
        assert_eq!(verdict.committed(&epochs), seen, "a snapshot in between changes nothing");
        assert!(seen.unwrap() <= snapshot.epoch());
    }

    /// Two threads: one commits, and one takes snapshots and looks twice. What it sees must not differ.
    #[test]
    fn a_snapshot_sees_a_verdict_twice_alike() {
        let rounds = if cfg!(miri) { 50 } else { 2000 };
        let epochs = Epochs::new(1);
        for _ in 0..rounds {
            let verdict = Verdict::default();
            std::thread::scope(|scope| {
                scope.spawn(|| verdict.commit(&epochs));
                let snapshots = Snapshots::new(epochs.clone(), 0);
                loop {
                    let snapshot = take(&snapshots);
                    let sees = || {
                        let committed = verdict.committed(&epochs);
                        committed.is_some_and(|epoch| epoch <= snapshot.epoch())
                    };
                    let first = sees();
                    assert_eq!(first, sees());
                    if first {
                        break;
                    }
                }
            });
        }
    }
}
