//! What clients ask: chosen so that the order of versions can mostly be told from the answers.
//!
//! Most writes are a batch "get k, set k", whose get names the version that the set replaces; blind sets, deletes, updates
//! and whole rows come between, and batches that are refused or short of time.

use std::ops::Range;

use amaters_load::script::Random;

use super::call::{ABSENT, Content, KEYS, Key, LARGE, PLAIN, Step, Version};

/// What those who ask know.
#[derive(Debug)]
pub(super) struct World {
    /// What was last seen of each key; it may be old.
    pub(super) seen: Content,
    /// Versions given out so far.
    versions: Version,
    /// Versions that more than one key may have: an update cannot name its row by them.
    shared: Vec<Version>,
}

/// One request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) manner: Manner,
    /// What they find is still to be filled in.
    pub(super) steps: Vec<Step>,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As a query by itself.
    Single,
    /// As a query whose answer is streamed.
    Stream,
    /// As a batch, which is given little time or plenty.
    Batch { is_hurried: bool },
}

impl World {
    /// In which all keys are absent.
    pub(super) fn new() -> Self {
        Self { seen: vec![ABSENT; KEYS.len()], versions: 0, shared: Vec::new() }
    }

    fn version(&mut self) -> Version {
        self.versions += 1;
        self.versions
    }

    /// Takes note of what an answered call has seen and written.
    pub(super) fn note(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Get { key, found: version } | Step::Set { key, version } => {
                    self.seen[usize::from(*key)] = *version;
                }
                Step::Delete { key, .. } => self.seen[usize::from(*key)] = ABSENT,
                Step::Rows { found, .. } => {
                    found.iter().for_each(|(key, version)| self.seen[usize::from(*key)] = *version);
                }
                Step::Update { .. } | Step::Spoil { .. } => {}
            }
        }
    }

    /// The next request.
    pub(super) fn plan(&mut self, random: &mut Random) -> Plan {
        let one = |manner, step| Plan { manner, steps: vec![step] };
        let batch = |steps| Plan { manner: Manner::Batch { is_hurried: false }, steps };
        match random.below(100) {
            0..18 => one(Manner::Single, get(any(random))),
            18..30 => one(Manner::Single, self.set(any(random))),
            30..35 => one(Manner::Single, delete(any(random))),
            35..41 => one(Manner::Single, self.swap(random)),
            41..66 => batch(self.exchanges(random)),
            66..70 => {
                Plan { manner: Manner::Batch { is_hurried: true }, steps: self.exchanges(random) }
            }
            70..78 => batch((0..2 + random.below(4)).map(|_| get(any(random))).collect()),
            78..84 => batch(self.mixture(random)),
            84..86 => batch(self.sweep()),
            86..89 => {
                let mut steps = self.exchanges(random);
                steps.push(Step::Spoil { keys: PLAIN });
                batch(steps)
            }
            89..93 => one(Manner::Single, rows(random)),
            93..97 => one(Manner::Stream, rows(random)),
            _ => one(Manner::Single, self.filter(random)),
        }
    }

    fn set(&mut self, key: Key) -> Step {
        Step::Set { key, version: self.version() }
    }

    /// Up to four keys, each read and written.
    fn exchanges(&mut self, random: &mut Random) -> Vec<Step> {
        let keys = (0..1 + random.below(4)).map(|_| any(random)).collect::<Vec<_>>();
        let mut steps = Vec::new();
        for key in keys {
            steps.push(get(key));
            steps.push(if random.below(6) == 0 { delete(key) } else { self.set(key) });
        }
        steps
    }

    /// Of everything something, in any order.
    fn mixture(&mut self, random: &mut Random) -> Vec<Step> {
        let step = |world: &mut Self, random: &mut Random| match random.below(8) {
            0..2 => get(any(random)),
            2..5 => world.set(any(random)),
            5 => delete(any(random)),
            6 => rows(random),
            _ => world.swap(random),
        };
        (0..2 + random.below(6)).map(|_| step(self, random)).collect()
    }

    /// Every plain row is changed, and seen before and after.
    fn sweep(&mut self) -> Vec<Step> {
        let new = self.version();
        self.shared.push(new);
        let all = Step::Rows { keys: PLAIN, min: None, limit: None, found: Vec::new() };
        let update = Step::Update { keys: PLAIN, only: None, new, changed: 0 };
        vec![all.clone(), update, all]
    }

    /// A row gets a new version if it still has the one that was seen.
    fn swap(&mut self, random: &mut Random) -> Step {
        let seen = self.seen[usize::from(of(&PLAIN, random))];
        if seen == ABSENT || self.shared.contains(&seen) {
            return self.set(of(&PLAIN, random));
        }
        Step::Update { keys: PLAIN, only: Some(seen), new: self.version(), changed: 0 }
    }

    fn filter(&mut self, random: &mut Random) -> Step {
        let min = Some(self.seen[usize::from(of(&PLAIN, random))].max(1));
        let limit = (random.below(3) == 0).then_some(4);
        Step::Rows { keys: PLAIN, min, limit, found: Vec::new() }
    }
}

fn any(random: &mut Random) -> Key {
    of(&KEYS, random)
}

fn of(keys: &Range<Key>, random: &mut Random) -> Key {
    keys.start + random.below(keys.len() as u32) as Key
}

fn get(key: Key) -> Step {
    Step::Get { key, found: ABSENT }
}

fn delete(key: Key) -> Step {
    Step::Delete { key, existed: false }
}

/// A whole collection, or a piece of it.
fn rows(random: &mut Random) -> Step {
    let collection = if random.below(3) > 0 { PLAIN } else { LARGE };
    let keys = if random.below(2) == 0 {
        collection
    } else {
        let start = of(&collection, random);
        start..start + 1 + random.below(u32::from(collection.end - start)) as Key
    };
    let limit = (random.below(4) == 0).then_some(3);
    Step::Rows { keys, min: None, limit, found: Vec::new() }
}
