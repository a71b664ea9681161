//! Looks at every state that a model can reach, nearest first.
//!
//! A state is known again by 64 bits of hash: of a million states, two share them once in thirty million searches. Of a
//! state that was looked at nothing is kept but the way back to the start, as one number for each step.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
};

use xxhash_rust::xxh3::Xxh3;

/// Something that goes from state to state.
pub trait Model {
    type State: Hash + fmt::Display;
    type Step: fmt::Display;

    fn start(&self) -> Self::State;

    /// All that may happen next.
    fn steps(&self, state: &Self::State) -> Vec<(Self::Step, Self::State)>;

    /// What must not be, but is.
    fn wrong(&self, state: &Self::State) -> Option<String>;

    /// Whether this step is taken sooner or later if it can be: nobody has to ask for it.
    fn is_owed(&self, state: &Self::State, step: &Self::Step) -> bool;

    /// What still waits, in a state where nothing is owed any more.
    fn waits(&self, state: &Self::State) -> Option<String>;
}

/// What was seen, if nothing was wrong.
#[derive(Debug)]
pub struct Census {
    pub states: usize,
    pub steps: usize,
    /// Steps of the longest way that has no shorter one.
    pub depth: usize,
}

/// The shortest way to something wrong.
pub struct Counterexample {
    /// What was done, and the state after it.
    pub way: Vec<(String, String)>,
    pub wrong: String,
}

/// Looks at all states, or finds one that is wrong.
pub fn search<M: Model>(model: &M) -> Result<Census, Counterexample> {
    let start = model.start();
    let mut ways = Ways::default();
    ways.is_new(&start, None);
    let mut frontier = vec![(0, start)];
    let mut census = Census { states: 1, steps: 0, depth: 0 };
    loop {
        let mut next = Vec::new();
        for (place, state) in &frontier {
            let steps = model.steps(state);
            if let Some(wrong) = wrong(model, state, &steps) {
                return Err(Counterexample { way: ways.told(model, *place), wrong });
            }
            census.steps += steps.len();
            for (ordinal, (_, after)) in steps.into_iter().enumerate() {
                if let Some(new) = ways.is_new(&after, Some((*place, ordinal))) {
                    next.push((new, after));
                }
            }
        }
        if next.is_empty() {
            return Ok(census);
        }
        census.states += next.len();
        census.depth += 1;
        frontier = next;
    }
}

fn wrong<M: Model>(model: &M, state: &M::State, steps: &[(M::Step, M::State)]) -> Option<String> {
    model.wrong(state).or_else(|| {
        let stands = !steps.iter().any(|(step, _)| model.is_owed(state, step));
        let waits = stands.then(|| model.waits(state)).flatten();
        waits.map(|who| format!("nothing goes on, but {who}"))
    })
}

/// The states that were met, and how.
#[derive(Default)]
struct Ways {
    met: HashSet<u64, BuildHasherDefault<Plain>>,
    /// The state before, and which of its steps it was.
    back: Vec<(u32, u32)>,
}

impl Ways {
    fn is_new(&mut self, state: &impl Hash, from: Option<(u32, usize)>) -> Option<u32> {
        if !self.met.insert(BuildHasherDefault::<Xxh3>::default().hash_one(state)) {
            return None;
        }
        let place = u32::try_from(self.back.len()).expect("fewer states than 4 billion");
        let (before, ordinal) = from.unwrap_or((0, 0));
        self.back.push((before, ordinal as u32));
        Some(place)
    }

    /// Goes the way to a state once more.
    fn told<M: Model>(&self, model: &M, mut place: u32) -> Vec<(String, String)> {
        let mut ordinals = Vec::new();
        while place != 0 {
            let (before, ordinal) = self.back[place as usize];
            ordinals.push(ordinal);
            place = before;
        }
        let mut state = model.start();
        let mut way = Vec::new();
        for ordinal in ordinals.into_iter().rev() {
            let (step, after) = model.steps(&state).swap_remove(ordinal as usize);
            way.push((step.to_string(), after.to_string()));
            state = after;
        }
        way
    }
}

/// The keys of the set are hashes already.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (step, after)) in self.way.iter().enumerate() {
            writeln!(f, "{:3}. {step:<58} {after}", number + 1)?;
        }
        write!(f, "     WRONG: {}", self.wrong)
    }
}
