//! Looks for an order of calls in which each found what those before it had left: the definition itself.
//!
//! As Wing and Gong do it, with the memory of Lowe ("Testing for linearizability", 2017): one call after the other is
//! taken of those whose predecessors have all been taken, and what turns out to lead nowhere is given back. A set of taken
//! calls with a content that was met before is not tried again. Two things keep it from wandering: a call that fits and
//! changes nothing is taken at once, which can do no harm, and no version is written over while a call is left that is known to
//! have found it.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        call::{ABSENT, Key, Shown, Version, name},
        effect::Effect,
    },
    graph::{Graph, Span},
};

/// Choices that are looked at before the search gives up.
const CHOICES_MAX: u64 = 1_000_000;

/// Why no order was found.
#[derive(Debug)]
pub(super) struct Stuck {
    /// There is none; else the search gave up.
    pub(super) is_certain: bool,
    /// Calls of the longest beginning of an order that was found.
    pub(super) taken: usize,
    /// The calls that could come next, each with what stands against it.
    pub(super) next: Vec<(usize, String)>,
}

/// A search under way.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    effects: &'a [Effect],
    spans: &'a [Span],
    content: Vec<Version>,
    /// Predecessors that have not been taken.
    waits_for: Vec<u32>,
    ready: Vec<usize>,
    /// Calls that must be taken and were not yet.
    left: usize,
    /// How many calls are left that found a version.
    readers: HashMap<(Key, Version), u32>,
    taken: Vec<Taken>,
    /// Of which calls are taken, and of the content.
    hash: u128,
    met: HashSet<u128>,
    choices: u64,
    best: Option<Stuck>,
}

/// What it takes to give a call back.
struct Taken {
    call: usize,
    before: Vec<(Key, Version)>,
    /// Nodes that have no predecessors left since.
    passed: Vec<usize>,
    /// The latest begin of any call taken before.
    latest: u64,
}

/// A point to come back to.
struct Choice {
    taken: usize,
    options: std::vec::IntoIter<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        effects: &'a [Effect],
        spans: &'a [Span],
        initial: &[Version],
    ) -> Self {
        let mut readers = HashMap::new();
        for (effect, _) in effects.iter().zip(spans).filter(|(_, span)| span.must) {
            found_values(effect).for_each(|found| *readers.entry(found).or_default() += 1);
        }
        let waits_for = graph.edges_in();
        // An instant comes behind the call that ends in it.
        let ready = (0..graph.calls()).filter(|call| waits_for[*call] == 0).collect();
        Self {
            graph,
            effects,
            spans,
            content: initial.to_vec(),
            waits_for,
            ready,
            left: spans.iter().filter(|span| span.must).count(),
            readers,
            taken: Vec::new(),
            hash: 0,
            met: HashSet::new(),
            choices: 0,
            best: None,
        }
    }

    /// Tells how many choices it took.
    pub(super) fn run(mut self) -> Result<u64, Stuck> {
        let mut choices: Vec<Choice> = Vec::new();
        loop {
            self.take_readers();
            if self.left == 0 {
                return Ok(self.choices);
            }
            self.choices += 1;
            let is_new = self.met.insert(self.hash);
            let options = if is_new { self.options() } else { Vec::new() };
            if options.is_empty() {
                self.note_stuck();
            }
            choices.push(Choice { taken: self.taken.len(), options: options.into_iter() });
            loop {
                let Some(choice) = choices.last_mut() else { return Err(self.stuck(true)) };
                let (taken, option) = (choice.taken, choice.options.next());
                self.give_back_to(taken);
                if let Some(option) = option {
                    self.take(option);
                    break;
                }
                choices.pop();
            }
            if self.choices > CHOICES_MAX {
                return Err(self.stuck(false));
            }
        }
    }

    /// Takes whatever fits, changes nothing, and closes no door.
    fn take_readers(&mut self) {
        let fits = |search: &Self, call: usize| {
            search.effects[call].changes.is_empty()
                && search.spans[call].must
                && search.closes_no_door(call)
                && search.objection(call).is_none()
        };
        while let Some(call) = self.ready.iter().copied().find(|call| fits(self, *call)) {
            self.take(call);
        }
    }

    /// Whether no call is left that may have happened, but only before this one.
    fn closes_no_door(&self, call: usize) -> bool {
        let begun = self.spans[call].begun;
        let mut doors = self.ready.iter().filter(|other| !self.spans[**other].must);
        doors.all(|other| self.spans[*other].ended >= begun)
    }

    /// What can be taken next: first what ended first, last what need not have happened.
    fn options(&self) -> Vec<usize> {
        let fits = |call: &usize| {
            let is_idle = !self.spans[*call].must && self.changed(*call).is_empty();
            !is_idle && self.objection(*call).is_none()
        };
        let mut options: Vec<usize> = self.ready.iter().copied().filter(fits).collect();
        options.sort_by_key(|call| (!self.spans[*call].must, self.spans[*call].ended));
        options
    }

    /// What a call would write over, and by what.
    fn changed(&self, call: usize) -> Vec<(Key, Version)> {
        let mut content: HashMap<Key, Version> = HashMap::new();
        for (key, change) in &self.effects[call].changes {
            let version = content.entry(*key).or_insert(self.content[usize::from(*key)]);
            *version = change.of(*version);
        }
        let is_new = |(key, version): &(Key, Version)| self.content[usize::from(*key)] != *version;
        content.into_iter().filter(is_new).collect()
    }

    /// Why a call cannot be next.
    fn objection(&self, call: usize) -> Option<String> {
        let (effect, span) = (&self.effects[call], self.spans[call]);
        if !span.must && self.taken.last().is_some_and(|last| self.latest(last) > span.ended) {
            return Some("something has happened that began later".into());
        }
        for (key, need) in &effect.needs {
            let version = self.content[usize::from(*key)];
            if !need.holds(version) {
                return Some(format!("{} is {}, not {need:?}", name(*key), Shown(version)));
            }
        }
        if let Some((keys, count)) = &effect.count {
            let is_there = |key: &&Key| self.content[usize::from(**key)] != ABSENT;
            let there = keys.iter().filter(is_there).count() as u64;
            if there != *count {
                return Some(format!("{there} rows are there, not {count}"));
            }
        }
        for (key, _) in self.changed(call) {
            let version = self.content[usize::from(key)];
            let own = span.must && found_values(effect).any(|found| found == (key, version));
            let readers = self.readers.get(&(key, version)).copied().unwrap_or(0);
            if version != ABSENT && readers > u32::from(own) {
                let name = name(key);
                return Some(format!("others are still to find {name} = {version}"));
            }
        }
        None
    }

    fn latest(&self, taken: &Taken) -> u64 {
        taken.latest.max(self.spans[taken.call].begun)
    }

    fn take(&mut self, call: usize) {
        let place = self.ready.iter().position(|ready| *ready == call);
        self.ready.swap_remove(place.expect("what is taken is ready"));
        let mut before = Vec::new();
        for (key, version) in self.changed(call) {
            before.push((key, self.put(key, version)));
        }
        if self.spans[call].must {
            self.left -= 1;
            for found in found_values(&self.effects[call]) {
                if let Some(left) = self.readers.get_mut(&found) {
                    *left -= 1;
                }
            }
        }
        self.hash ^= noise(call as u64);
        let latest = self.taken.last().map_or(0, |last| self.latest(last));
        let mut taken = Taken { call, before, passed: vec![call], latest };
        let mut next = 0;
        while let Some(node) = taken.passed.get(next).copied() {
            next += 1;
            for edge in self.graph.edges(node) {
                let to = edge.to as usize;
                self.waits_for[to] -= 1;
                if self.waits_for[to] == 0 {
                    if to < self.graph.calls() {
                        self.ready.push(to);
                    } else {
                        taken.passed.push(to);
                    }
                }
            }
        }
        self.taken.push(taken);
    }

    fn give_back_to(&mut self, count: usize) {
        while self.taken.len() > count {
            let Some(Taken { call, before, passed, .. }) = self.taken.pop() else { return };
            for node in passed.into_iter().rev() {
                for edge in self.graph.edges(node) {
                    let to = edge.to as usize;
                    if self.waits_for[to] == 0 {
                        self.ready.retain(|ready| *ready != to);
                    }
                    self.waits_for[to] += 1;
                }
            }
            self.hash ^= noise(call as u64);
            if self.spans[call].must {
                self.left += 1;
                for found in found_values(&self.effects[call]) {
                    if let Some(left) = self.readers.get_mut(&found) {
                        *left += 1;
                    }
                }
            }
            for (key, version) in before {
                self.put(key, version);
            }
            self.ready.push(call);
        }
    }

    fn put(&mut self, key: Key, version: Version) -> Version {
        let before = std::mem::replace(&mut self.content[usize::from(key)], version);
        for version in [before, version] {
            self.hash ^= noise(u64::from(key) << 48 ^ version ^ 1 << 63);
        }
        before
    }

    fn note_stuck(&mut self) {
        if self.best.as_ref().is_none_or(|best| best.taken < self.taken.len()) {
            let mut next: Vec<usize> =
                self.ready.iter().copied().filter(|call| self.spans[*call].must).collect();
            next.sort_by_key(|call| self.spans[*call].ended);
            let objection = |call: usize| (call, self.objection(call).unwrap_or_default());
            let next = next.into_iter().map(objection).collect();
            self.best = Some(Stuck { is_certain: false, taken: self.taken.len(), next });
        }
    }

    fn stuck(self, is_certain: bool) -> Stuck {
        let nothing = Stuck { is_certain, taken: 0, next: Vec::new() };
        Stuck { is_certain, ..self.best.unwrap_or(nothing) }
    }
}

/// The versions that a call found. Absence does not count: it can come again.
fn found_values(effect: &Effect) -> impl Iterator<Item = (Key, Version)> {
    effect.found().filter(|(_, version)| *version != ABSENT)
}

/// Bits that look random and follow from a number (SplitMix64, twice).
fn noise(number: u64) -> u128 {
    let mix = |seed: u64| {
        let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    u128::from(mix(number)) << 64 | u128::from(mix(!number))
}
