//! Histories of a server that is made up, with and without bugs: the good ones must all pass, the bad ones be found.
//!
//! The made-up server has two shards and takes each call at a random instant between its begin and its end, whole. A bug
//! changes that. Nothing is random but by a seed.

use amaters_load::script::Random;

use super::{
    super::{
        call::{ABSENT, Call, Content, KEYS, Key, Outcome, Step},
        plan::{Plan, World},
    },
    check,
};

const CLIENTS: u32 = 12;
const CALLS: usize = 400;
/// Seeds that must pass, and of which most must show a bug, in the short form.
const SEEDS: u64 = 12;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// The second shard takes its share of a batch later than the first one.
    HalfVisible,
    /// What was answered last is lost in a crash.
    AnsweredEarly,
    /// Reads are answered from a content of a while ago.
    Stale,
    /// A batch reads first and writes later, and others come between.
    NotIsolated,
    /// A batch that is refused leaves its first write.
    NotUndone,
}

const BUGS: [Bug; 5] =
    [Bug::HalfVisible, Bug::AnsweredEarly, Bug::Stale, Bug::NotIsolated, Bug::NotUndone];

/// A server, and what was asked of it.
struct Simulation {
    random: Random,
    world: World,
    bug: Option<Bug>,
    content: Content,
    /// The content after each call.
    past: Vec<Content>,
    now: u64,
    calls: Vec<Call>,
    /// Writes that the second shard takes behind the next call.
    late: Option<Vec<(Key, u64)>>,
}

impl Simulation {
    /// One life: calls that overlap, a crash, and a look at everything.
    fn run(seed: u64, bug: Option<Bug>) -> Vec<Call> {
        let mut simulation = Self {
            random: Random::new(seed + 1),
            world: World::new(),
            bug,
            content: vec![ABSENT; KEYS.len()],
            past: Vec::new(),
            now: 0,
            calls: Vec::new(),
            late: None,
        };
        let mut open: Vec<(u32, Plan, u64)> = Vec::new();
        while simulation.calls.len() < CALLS {
            simulation.now += 1;
            let client = simulation.random.below(CLIENTS);
            match open.iter().position(|(other, ..)| *other == client) {
                None => {
                    let plan = simulation.world.plan(&mut simulation.random);
                    open.push((client, plan, simulation.now));
                }
                Some(place) => simulation.take(open.swap_remove(place)),
            }
        }
        for (client, plan, begun) in open {
            let happens = simulation.random.below(2) == 0;
            let mut steps = plan.steps;
            if happens && simulation.execute(&mut steps).is_err() {
                continue;
            }
            let (ended, outcome) = (simulation.now + 1, Outcome::Unknown);
            simulation.calls.push(Call { client, steps, begun, ended, outcome });
        }
        if bug == Some(Bug::AnsweredEarly) {
            let lost = simulation.past.len() - 5;
            simulation.content = simulation.past[lost].clone();
        }
        simulation.look_at_everything();
        simulation.calls
    }

    /// A call happens, and is answered after a while.
    fn take(&mut self, (client, plan, begun): (u32, Plan, u64)) {
        let late = self.late.take();
        let mut steps = plan.steps;
        let before = self.content.clone();
        let mut outcome = match self.execute(&mut steps) {
            Ok(()) => Outcome::Answered,
            Err(()) => Outcome::Refused,
        };
        let after = std::mem::replace(&mut self.content, before);
        self.become_visible(after, &mut steps, &mut outcome);
        for (key, version) in late.into_iter().flatten() {
            self.content[usize::from(key)] = version;
        }
        self.past.push(self.content.clone());
        if outcome == Outcome::Answered {
            self.world.note(&steps);
        }
        self.now += 1;
        self.calls.push(Call { client, steps, begun, ended: self.now, outcome });
    }

    /// The content becomes that of after the call; the bugs are here.
    fn become_visible(&mut self, after: Content, steps: &mut [Step], outcome: &mut Outcome) {
        let is_refused = *outcome == Outcome::Refused;
        let changes = |before: &Content, after: &Content| -> Vec<(Key, u64)> {
            let pairs = KEYS.zip(before.iter().zip(after));
            pairs.filter(|(_, (old, new))| old != new).map(|(key, (_, new))| (key, *new)).collect()
        };
        let changed = changes(&self.content, &after);
        match self.bug {
            Some(Bug::NotUndone) if is_refused => {
                let first = steps.iter().find_map(|step| match step {
                    Step::Set { key, version } => Some((*key, *version)),
                    _ => None,
                });
                if let Some((key, version)) = first {
                    self.content[usize::from(key)] = version;
                }
            }
            _ if is_refused => {}
            Some(Bug::HalfVisible) if changed.len() > 1 => {
                let (first, second) = changed.into_iter().partition(|(key, _)| key % 2 == 0);
                let first: Vec<(Key, u64)> = first;
                first
                    .into_iter()
                    .for_each(|(key, version)| self.content[usize::from(key)] = version);
                self.late = Some(second);
            }
            Some(Bug::Stale) if changed.is_empty() && self.random.below(20) == 0 => {
                let Some(old) = self.past.len().checked_sub(15) else { return };
                let now = std::mem::replace(&mut self.content, self.past[old].clone());
                if self.execute(steps).is_err() {
                    *outcome = Outcome::Refused;
                }
                self.content = now;
            }
            Some(Bug::NotIsolated) if changed.len() > 1 && self.random.below(10) == 0 => {
                // Somebody else deletes what was read, and is written over.
                let key = changed[0].0;
                let version = self.content[usize::from(key)];
                let steps = vec![
                    Step::Get { key, found: version },
                    Step::Delete { key, existed: version != ABSENT },
                ];
                let (begun, ended, client) = (self.now, self.now + 1, CLIENTS);
                self.now += 1;
                self.calls.push(Call { client, steps, begun, ended, outcome: Outcome::Answered });
                self.content = after;
            }
            _ => self.content = after,
        }
    }

    /// Runs steps on the content; what is refused changes nothing of it.
    fn execute(&mut self, steps: &mut [Step]) -> Result<(), ()> {
        let mut content = self.content.clone();
        for step in steps {
            match step {
                Step::Get { key, found } => *found = content[usize::from(*key)],
                Step::Set { key, version } => content[usize::from(*key)] = *version,
                Step::Delete { key, existed } => {
                    let before = std::mem::replace(&mut content[usize::from(*key)], ABSENT);
                    *existed = before != ABSENT;
                }
                Step::Rows { keys, min, limit, found } => {
                    let rows = keys.clone().map(|key| (key, content[usize::from(key)]));
                    let is_wanted = |(_, version): &(Key, u64)| {
                        *version != ABSENT && min.is_none_or(|min| *version >= min)
                    };
                    *found = rows.filter(is_wanted).take(limit.unwrap_or(usize::MAX)).collect();
                }
                Step::Update { keys, only, new, changed } => {
                    *changed = 0;
                    for key in keys.clone() {
                        let version = &mut content[usize::from(key)];
                        if *version != ABSENT && only.is_none_or(|only| *version == only) {
                            (*version, *changed) = (*new, *changed + 1);
                        }
                    }
                }
                Step::Spoil { keys } => {
                    if keys.clone().any(|key| content[usize::from(key)] != ABSENT) {
                        return Err(());
                    }
                }
            }
        }
        self.content = content;
        Ok(())
    }

    fn look_at_everything(&mut self) {
        let (begun, ended) = (self.now + 2, self.now + 3);
        let mut steps = vec![Step::Rows { keys: KEYS, min: None, limit: None, found: Vec::new() }];
        let told = self.execute(&mut steps);
        assert!(told.is_ok(), "a look is not refused");
        self.calls.push(Call { client: CLIENTS, steps, begun, ended, outcome: Outcome::Answered });
    }
}

fn seeds() -> u64 {
    std::env::var("AMATERS_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap())
}

#[test]
fn good_histories_pass() {
    for seed in 0..seeds() {
        let calls = Simulation::run(seed, None);
        let proof = check(&vec![ABSENT; KEYS.len()], &calls);
        proof.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}

#[test]
fn planted_bugs_are_found_in_most_histories() {
    let seeds = seeds();
    for bug in BUGS {
        let is_found = |seed: &u64| {
            let calls = Simulation::run(*seed, Some(bug));
            check(&vec![ABSENT; KEYS.len()], &calls).is_err()
        };
        let found = (0..seeds).filter(is_found).count() as u64;
        println!("{bug:?}: found in {found} of {seeds} histories");
        assert!(found * 2 > seeds, "{bug:?} was found in {found} of {seeds} histories only");
    }
}
