//! What batches across shards keep others from doing on this shard while they are under way, and who waits for that.
//!
//! ```text
//! name ─► holders: readers, a writer …      whoever is compatible with all of them, and has nobody before it, goes on
//!         queue:   first in, first out      the others wait, in the queues of all names at once
//! ```
//!
//! Always true: two requests stand in the same order in every queue that both are in; a request holds all its names or
//! none; nobody is overtaken by someone it excludes.
//!
//! Modes are those of Gray et al., "Granularity of Locks and Degrees of Consistency in a Shared Data Base" (1976), on two
//! levels: keys are read or written, collections are also intended to be read or written in part.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::ticket::Outcome;

/// What is locked, as a hash: a collection, or a key in one. Two that share a name wait for each other, no more.
type Name = u64;

/// How something is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// Parts of it are read.
    IntendRead,
    /// Parts of it are written.
    IntendWrite,
    /// It is read.
    Read,
    /// It is written.
    Write,
}

/// All that a request locks on a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet(Vec<(Name, Mode)>);

/// Who holds what, and who waits.
#[derive(Default)]
pub(super) struct Locks {
    names: HashMap<Name, Lock>,
    waiters: HashMap<u64, Waiter>,
    /// Of the next waiter.
    number: u64,
}

#[derive(Default)]
struct Lock {
    /// Holders in each mode.
    holders: [u32; 4],
    /// Numbers of waiters.
    queue: VecDeque<(u64, Mode)>,
}

struct Waiter {
    set: LockSet,
    granted: Rc<Outcome>,
}

/// How a request for locks went.
pub(super) enum Acquired {
    /// All is held.
    Now,
    /// All is held when the outcome is settled. The number is for those who give up.
    Later(u64, Rc<Outcome>),
}

impl Mode {
    /// Gray's matrix.
    fn excludes(self, other: Self) -> bool {
        use Mode::{IntendRead, IntendWrite, Read, Write};

        match (self, other) {
            (Write, _) | (_, Write) => true,
            (IntendWrite, Read) | (Read, IntendWrite) => true,
            (IntendRead | IntendWrite | Read, IntendRead) => false,
            (IntendRead, IntendWrite | Read) => false,
            (IntendWrite, IntendWrite) | (Read, Read) => false,
        }
    }
}

impl LockSet {
    /// Locks a key, to write it or only to read it.
    pub fn key(&mut self, collection: &str, key: &[u8], write: bool) {
        let of_collection = collection_name(collection);
        let (on_key, on_collection) =
            if write { (Mode::Write, Mode::IntendWrite) } else { (Mode::Read, Mode::IntendRead) };
        self.add(of_collection, on_collection);
        self.add(xxh3_64_with_seed(key, of_collection), on_key);
    }

    /// What the write of one key locks.
    #[must_use]
    pub fn of_write(collection: &str, key: &[u8]) -> Self {
        let mut set = Self::default();
        set.key(collection, key, true);
        set.sorted()
    }

    /// Locks a whole collection.
    pub fn collection(&mut self, collection: &str, write: bool) {
        let mode = if write { Mode::Write } else { Mode::Read };
        self.add(collection_name(collection), mode);
    }

    /// Names that are locked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is locked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes it ready to be locked: each name once, in the strongest way asked for.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self.0.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = stronger(first.1, later.1);
            }
            same
        });
        self
    }

    fn add(&mut self, name: Name, mode: Mode) {
        self.0.push((name, mode));
    }
}

/// A mode that excludes all that either excludes.
fn stronger(one: Mode, other: Mode) -> Mode {
    use Mode::{IntendWrite, Read, Write};

    match (one.min(other), one.max(other)) {
        // Reading all and writing some: Gray's SIX, which is rare enough to write all.
        (IntendWrite, Read) => Write,
        (_, higher) => higher,
    }
}

fn collection_name(collection: &str) -> Name {
    xxh3_64(collection.as_bytes())
}

impl Locks {
    /// Whether nothing is held and nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a single write of a key has nothing to wait for.
    pub(super) fn allows_write(&self, collection: &str, key: &[u8]) -> bool {
        if self.is_empty() {
            return true;
        }
        let of_collection = collection_name(collection);
        let allows = |name, mode| self.names.get(&name).is_none_or(|lock| lock.allows(mode));
        allows(of_collection, Mode::IntendWrite)
            && allows(xxh3_64_with_seed(key, of_collection), Mode::Write)
    }

    /// Whether a request has nothing to wait for.
    pub(super) fn allows(&self, set: &LockSet) -> bool {
        set.0.iter().all(|(name, mode)| self.names.get(name).is_none_or(|lock| lock.allows(*mode)))
    }

    /// Takes all locks of a sorted set, if nothing has to be waited for.
    pub(super) fn try_acquire(&mut self, set: &LockSet) -> bool {
        let allowed = self.allows(set);
        if allowed {
            self.hold(set);
        }
        allowed
    }

    /// Takes all locks of a sorted set, or waits for all of them.
    pub(super) fn acquire(&mut self, set: &LockSet) -> Acquired {
        if self.try_acquire(set) {
            return Acquired::Now;
        }
        let number = self.number;
        self.number += 1;
        for (name, mode) in &set.0 {
            self.names.entry(*name).or_default().queue.push_back((number, *mode));
        }
        let granted = Rc::<Outcome>::default();
        self.waiters.insert(number, Waiter { set: set.clone(), granted: Rc::clone(&granted) });
        Acquired::Later(number, granted)
    }

    /// Gives locks back. What is returned is to be settled once nothing is borrowed: that wakes tasks.
    pub(super) fn release(&mut self, set: &LockSet) -> Vec<Rc<Outcome>> {
        for (name, mode) in &set.0 {
            if let Some(lock) = self.names.get_mut(name) {
                lock.holders[*mode as usize] -= 1;
            }
        }
        self.move_up(set)
    }

    /// Gives up waiting, or what has been granted meanwhile. As [`Locks::release`].
    pub(super) fn give_up(&mut self, number: u64, set: &LockSet) -> Vec<Rc<Outcome>> {
        match self.waiters.remove(&number) {
            None => self.release(set),
            Some(_) => {
                self.leave_queues(number, set);
                self.move_up(set)
            }
        }
    }

    /// Lets those go on who had to wait for what is no longer held, or waited for, at these names.
    fn move_up(&mut self, set: &LockSet) -> Vec<Rc<Outcome>> {
        let mut granted = Vec::new();
        for (name, mode) in &set.0 {
            while let Some(due) = self.due_at(*name, *mode) {
                granted.push(due);
            }
            if self.names.get(name).is_some_and(Lock::is_idle) {
                self.names.remove(name);
            }
        }
        granted
    }

    /// Grants the first waiter of a queue that `gone` excluded and that nothing excludes any more.
    fn due_at(&mut self, name: Name, gone: Mode) -> Option<Rc<Outcome>> {
        let mut due = Vec::new();
        for (number, mode) in &self.names.get(&name)?.queue {
            if mode.excludes(gone) {
                due.push(*number);
            }
            if *mode == Mode::Write {
                break;
            }
        }
        due.into_iter().find_map(|number| self.grant_if_due(number))
    }

    fn grant_if_due(&mut self, number: u64) -> Option<Rc<Outcome>> {
        let waiter = self.waiters.get(&number)?;
        let is_due = |(name, mode): &(Name, Mode)| {
            self.names.get(name).is_none_or(|lock| lock.is_turn_of(number, *mode))
        };
        if !waiter.set.0.iter().all(is_due) {
            return None;
        }
        let Waiter { set, granted } = self.waiters.remove(&number)?;
        self.leave_queues(number, &set);
        self.hold(&set);
        Some(granted)
    }

    fn leave_queues(&mut self, number: u64, set: &LockSet) {
        for (name, _) in &set.0 {
            if let Some(lock) = self.names.get_mut(name)
                && let Some(place) = lock.queue.iter().position(|(waiting, _)| *waiting == number)
            {
                lock.queue.remove(place);
            }
        }
    }

    fn hold(&mut self, set: &LockSet) {
        for (name, mode) in &set.0 {
            self.names.entry(*name).or_default().holders[*mode as usize] += 1;
        }
    }
}

impl Lock {
    /// Whether someone who comes now has nothing to wait for.
    fn allows(&self, mode: Mode) -> bool {
        !self.holds_against(mode) && !self.queue.iter().any(|(_, other)| other.excludes(mode))
    }

    fn holds_against(&self, mode: Mode) -> bool {
        const MODES: [Mode; 4] = [Mode::IntendRead, Mode::IntendWrite, Mode::Read, Mode::Write];

        let held = MODES.iter().zip(self.holders).filter(|(_, count)| *count > 0);
        held.into_iter().any(|(other, _)| other.excludes(mode))
    }

    /// Whether neither a holder nor someone before it in the queue is in the way of a waiter.
    fn is_turn_of(&self, number: u64, mode: Mode) -> bool {
        let before = self.queue.iter().take_while(|(waiting, _)| *waiting != number);
        !self.holds_against(mode) && !before.into_iter().any(|(_, other)| other.excludes(mode))
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.holders == [0; 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ticket::Ticket;

    fn keys(keys: &[(&str, bool)]) -> LockSet {
        let mut set = LockSet::default();
        for (key, write) in keys {
            set.key("c", key.as_bytes(), *write);
        }
        set.sorted()
    }

    fn whole(write: bool) -> LockSet {
        let mut set = LockSet::default();
        set.collection("c", write);
        set
    }

    fn wait(locks: &mut Locks, set: &LockSet) -> (u64, Ticket) {
        match locks.acquire(set) {
            Acquired::Later(number, granted) => (number, Ticket::new(&granted)),
            Acquired::Now => panic!("nothing was in the way"),
        }
    }

    fn settle(granted: Vec<Rc<Outcome>>) -> usize {
        granted.iter().for_each(|outcome| outcome.settle(Ok(())));
        granted.len()
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        let mut locks = Locks::default();
        let (read, write) = (keys(&[("k", false)]), keys(&[("k", true)]));
        assert!(locks.try_acquire(&read) && locks.try_acquire(&read));
        assert!(!locks.allows_write("c", b"k") && locks.allows_write("c", b"l"));
        let (_, ticket) = wait(&mut locks, &write);
        assert!(!locks.try_acquire(&read), "a reader does not overtake a writer that waits");
        assert_eq!(settle(locks.release(&read)), 0);
        assert_eq!(settle(locks.release(&read)), 1);
        assert!(ticket.is_done());
        assert_eq!(settle(locks.release(&write)), 0);
        assert!(locks.is_empty());
    }

    #[test]
    fn a_collection_excludes_the_writers_of_its_keys_and_nobody_elses() {
        let mut locks = Locks::default();
        assert!(locks.try_acquire(&whole(false)));
        assert!(locks.try_acquire(&keys(&[("k", false)])));
        assert!(!locks.allows_write("c", b"l") && locks.allows_write("d", b"l"));
        let mut all = Locks::default();
        assert!(all.try_acquire(&whole(true)));
        assert!(!all.try_acquire(&keys(&[("k", false)])));
    }

    #[test]
    fn all_names_are_granted_in_one_step_and_in_turn() {
        let mut locks = Locks::default();
        let (a, b, both) =
            (keys(&[("a", true)]), keys(&[("b", true)]), keys(&[("a", true), ("b", true)]));
        assert!(locks.try_acquire(&a));
        let (_, first) = wait(&mut locks, &both);
        let (_, second) = wait(&mut locks, &b);
        assert!(!second.is_done(), "b is free, but the first in its queue waits for a");
        assert_eq!(settle(locks.release(&a)), 1);
        assert!(first.is_done() && !second.is_done());
        assert_eq!(settle(locks.release(&both)), 1);
        assert!(second.is_done());
    }

    #[test]
    fn giving_up_lets_those_behind_go_on() {
        let mut locks = Locks::default();
        let (a, b, both) =
            (keys(&[("a", true)]), keys(&[("b", true)]), keys(&[("a", true), ("b", true)]));
        assert!(locks.try_acquire(&a));
        let (number, _) = wait(&mut locks, &both);
        let (_, behind) = wait(&mut locks, &b);
        assert_eq!(settle(locks.give_up(number, &both)), 1);
        assert!(behind.is_done());
        locks.release(&b);
        locks.release(&a);
        assert!(locks.is_empty());
    }

    #[test]
    fn a_key_asked_for_twice_is_locked_once_in_the_stronger_way() {
        let mut set = LockSet::default();
        set.key("c", b"k", false);
        set.key("c", b"k", true);
        set.collection("c", false);
        let set = set.sorted();
        assert_eq!(set.len(), 2);
        assert!(set.0.iter().all(|(_, mode)| *mode == Mode::Write));
    }

    /// Random requests on few names: nobody excludes a holder, all get their turn, nothing is left behind.
    #[test]
    fn everybody_gets_a_turn_and_no_two_that_exclude_each_other_at_once() {
        let mut random = 7u64;
        let mut next = move |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..300 {
            let mut locks = Locks::default();
            let mut holders: Vec<LockSet> = Vec::new();
            let mut waiting: Vec<(u64, LockSet, Ticket)> = Vec::new();
            for _ in 0..60 {
                let mut set = LockSet::default();
                for _ in 0..=next(3) {
                    let name = next(5);
                    match next(8) {
                        0 => set.collection(["c", "d"][(name % 2) as usize], next(2) == 0),
                        _ => set.key(["c", "d"][(name % 2) as usize], &[name as u8], next(2) == 0),
                    }
                }
                let set = set.sorted();
                match locks.acquire(&set) {
                    Acquired::Now => holders.push(set),
                    Acquired::Later(number, granted) => {
                        waiting.push((number, set, Ticket::new(&granted)));
                    }
                }
                let granted = match next(3) {
                    0 if !holders.is_empty() => {
                        let index = next(holders.len() as u64) as usize;
                        locks.release(&holders.swap_remove(index))
                    }
                    1 if !waiting.is_empty() && next(3) == 0 => {
                        let index = next(waiting.len() as u64) as usize;
                        let (number, set, _) = waiting.remove(index);
                        locks.give_up(number, &set)
                    }
                    _ => Vec::new(),
                };
                settle(granted);
                let (ready, still): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|(_, _, ticket)| ticket.is_done());
                waiting = still;
                holders.extend(ready.into_iter().map(|(_, set, _)| set));
                for (index, one) in holders.iter().enumerate() {
                    for other in &holders[..index] {
                        let clash = one.0.iter().any(|(name, mode)| {
                            other.0.iter().any(|held| held.0 == *name && held.1.excludes(*mode))
                        });
                        assert!(!clash, "{one:?} and {other:?}");
                    }
                }
            }
            while let Some(set) = holders.pop() {
                settle(locks.release(&set));
                let (ready, still): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|(_, _, ticket)| ticket.is_done());
                waiting = still;
                holders.extend(ready.into_iter().map(|(_, set, _)| set));
            }
            assert!(waiting.is_empty() && locks.is_empty() && locks.waiters.is_empty());
        }
    }
}
