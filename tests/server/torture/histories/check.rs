//! Whether one order of all calls explains every answer: strict serializability.
//!
//! 1. **Dependencies** (Adya, "Weak Consistency", 2000). Versions are unique, so what was found names who wrote it; the
//!    order of the versions of a key is inferred from that and from real time (`infer.rs`), as far as it can be, in the manner
//!    of Elle (Kingsbury and Alvaro, VLDB 2020). A cycle is a violation, and is told in words.
//! 2. **Each key by itself** must be linearizable (`search.rs`).
//! 3. **All together**: an order is looked for that contains the dependencies and explains all answers, also what says nothing
//!    about single versions: absent keys, counts, rows that a filter left out. If one is found, nothing is left to doubt.
//!
//! A history is checked life by life: between two lives of the server nobody asks, and all keys are read.

use std::collections::{HashMap, HashSet};

use self::{
    graph::{Edges, Graph, Span},
    infer::{Contradiction, Inference},
    search::{Search, Stuck},
};
use super::{
    call::{ABSENT, Call, KEYS, Key, Outcome, Step, Version},
    effect::{Change, Effect, Need},
};

mod anomalies;
mod explain;
mod graph;
mod infer;
mod search;
mod simulated;

/// What a life without a violation consists of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proof {
    pub(super) calls: u64,
    /// Calls without an answer, and those of them that turned out to have happened.
    pub(super) unknown: u64,
    pub(super) happened: u64,
    pub(super) edges: Edges,
    /// How often conclusions were drawn, until there were no new ones.
    pub(super) rounds: u64,
    /// Choices of the searches, of single keys and of all.
    pub(super) key_choices: u64,
    pub(super) choices: u64,
}

/// Checks the calls of one life of a server in which the keys began with this content.
///
/// # Errors
/// A violation, in words.
pub(super) fn check(initial: &[Version], calls: &[Call]) -> Result<Proof, String> {
    let life = Life::new(initial, calls)?;
    let (graph, rounds) = life.dependencies()?;
    let mut proof =
        Proof { calls: life.calls.len() as u64, edges: graph.count(), rounds, ..Proof::default() };
    for (call, span) in life.calls.iter().zip(&life.spans).filter(|(c, _)| !c.is_answered()) {
        debug_assert_eq!(call.outcome, Outcome::Unknown);
        proof.unknown += 1;
        proof.happened += u64::from(span.must);
    }
    for key in KEYS {
        proof.key_choices += life.search_key(key)?;
    }
    let search = Search::new(&graph, &life.effects, &life.spans, initial);
    proof.choices = search.run().map_err(|stuck| life.explain_stuck(&stuck, None))?;
    Ok(proof)
}

/// The calls of one life that happened or may have.
struct Life<'a> {
    initial: &'a [Version],
    calls: Vec<&'a Call>,
    refused: Vec<&'a Call>,
    effects: Vec<Effect>,
    spans: Vec<Span>,
}

impl<'a> Life<'a> {
    fn new(initial: &'a [Version], calls: &'a [Call]) -> Result<Self, String> {
        let (refused, calls): (Vec<&Call>, Vec<&Call>) =
            calls.iter().partition(|call| call.outcome == Outcome::Refused);
        let homes = homes(initial, &calls);
        let key_of = |version| homes.get(&version).copied().flatten();
        let effect = |call: &&Call| {
            let refusal = |why| format!("this call contradicts itself: {why}\n  {call}");
            Effect::of(call, key_of).map_err(refusal)
        };
        let mut effects = calls.iter().map(effect).collect::<Result<Vec<_>, String>>()?;
        let found: HashSet<(Key, Version)> = effects.iter().flat_map(Effect::found).collect();
        let mut spans = Vec::new();
        for (call, effect) in calls.iter().zip(&mut effects) {
            let must = call.is_answered() || effect.was_seen(&found);
            spans.push(Span { begun: call.begun, ended: call.ended, must });
        }
        Ok(Self { initial, calls, refused, effects, spans })
    }

    /// What comes before what, with how many rounds it took to find that out.
    fn dependencies(&self) -> Result<(Graph, u64), String> {
        let mut graph = Graph::in_time(&self.spans);
        let told = |contradiction| self.explain_contradiction(&contradiction);
        let inference = Inference::new(self.initial, &self.effects, &self.spans, &mut graph);
        let mut inference = inference.map_err(told)?;
        for rounds in 1.. {
            graph.close().map_err(|cycle| self.explain_cycle(&cycle))?;
            if !inference.round(&mut graph).map_err(told)? {
                return Ok((graph, rounds));
            }
        }
        unreachable!("there are only so many edges")
    }

    /// Looks for an order of what happened to one key.
    fn search_key(&self, key: Key) -> Result<u64, String> {
        let on_key = self.effects.iter().map(|effect| effect.on(key));
        let on_key: Vec<(usize, Effect)> =
            on_key.enumerate().filter(|(_, effect)| !effect.is_empty()).collect();
        let spans: Vec<Span> = on_key.iter().map(|(call, _)| self.spans[*call]).collect();
        let (calls, effects): (Vec<usize>, Vec<Effect>) = on_key.into_iter().unzip();
        let graph = Graph::in_time(&spans);
        let search = Search::new(&graph, &effects, &spans, self.initial);
        search.run().map_err(|stuck| {
            let next = stuck.next.into_iter().map(|(call, why)| (calls[call], why)).collect();
            self.explain_stuck(&Stuck { next, ..stuck }, Some(key))
        })
    }
}

impl Effect {
    /// Whether anyone found what this may have written; then it happened, and what it had to find is known.
    fn was_seen(&mut self, found: &HashSet<(Key, Version)>) -> bool {
        let mut was_seen = false;
        for (key, change) in &mut self.changes {
            let version = change.version();
            if version == ABSENT || !found.contains(&(*key, version)) {
                continue;
            }
            was_seen = true;
            if let Change::If(old, new) = *change {
                self.needs.push((*key, Need::Is(old)));
                *change = Change::To(new);
            }
        }
        was_seen
    }
}

/// The key that each version was written to; none for those of several keys.
fn homes(initial: &[Version], calls: &[&Call]) -> HashMap<Version, Option<Key>> {
    let mut homes: HashMap<Version, Option<Key>> = HashMap::new();
    fn add(homes: &mut HashMap<Version, Option<Key>>, key: Key, version: Version) {
        let home = homes.entry(version).or_insert(Some(key));
        *home = home.filter(|home| *home == key);
    }
    for (key, version) in initial.iter().enumerate().filter(|(_, version)| **version != ABSENT) {
        add(&mut homes, key as Key, *version);
    }
    // In the order in which they began: an update was asked for when its row's version was known.
    for step in calls.iter().flat_map(|call| &call.steps) {
        match step {
            Step::Set { key, version } => add(&mut homes, *key, *version),
            Step::Update { keys, only: None, new, .. } => {
                keys.clone().for_each(|key| add(&mut homes, key, *new));
            }
            Step::Update { only: Some(old), new, .. } => {
                let home = homes.get(old).copied().flatten();
                homes.insert(*new, home);
            }
            _ => {}
        }
    }
    homes
}
