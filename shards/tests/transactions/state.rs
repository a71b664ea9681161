//! All that there is at one moment: what the disks keep, what is in memory, and what the clients know.

use std::fmt;

use super::{
    locks::Lock,
    log::{Id, Log, Record, name},
    world::{Mode, Operation, SHARDS_MAX, World},
};

/// What a key holds: nothing, or what the operation `value - 1` wrote.
pub type Value = u8;
pub const NOTHING: Value = 0;
/// For keys that an operation did not look at.
pub const UNSEEN: Value = u8::MAX;
/// What was read, for each shard.
pub type Seen = [Value; SHARDS_MAX];

pub type Epoch = u8;
/// No snapshot is alive.
pub const NONE: Epoch = u8::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub life: Life,
    pub shards: Vec<Shard>,
    pub courses: Vec<Course>,
    /// The epoch counter, and the word of the one reactor that takes snapshots.
    pub epoch: Epoch,
    pub oldest: Epoch,
    pub left: Left,
    /// What the keys held when the history began that the courses tell.
    pub base: Seen,
    /// Whether the power went since then.
    pub was_cut: bool,
}

/// Times that something may still go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub kills: u8,
    pub cuts: u8,
    pub freezes: u8,
    pub refusals: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    Serving,
    /// The logs are being read.
    Starting,
    /// It is decided which batches count; the shards write that down.
    Settling {
        counts: Vec<Id>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shard {
    // On the disk.
    pub log: Log,
    pub table: Value,

    // In memory.
    pub active: Layer,
    pub frozen: Option<Frozen>,
    /// What became visible and may still be wanted, each with its epoch; the newest last.
    pub versions: Vec<(Epoch, Value)>,
    pub lock: Lock,
    /// A write that has loaded the epoch and not yet looked for snapshots. Nothing else is done here meanwhile.
    pub showing: Option<(u8, Epoch)>,
}

/// What a table would be made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layer {
    pub value: Option<Value>,
    /// Those whose parts are in it.
    pub batches: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frozen {
    pub layer: Layer,
    /// Records before here are in it.
    pub place: usize,
    /// The undecided parts were written again up to here.
    pub restated: usize,
}

/// What became of an operation so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Course {
    /// Operations that were answered before this one was asked for, a bit each.
    pub after: u16,
    pub answer: Answer,
    pub stage: Stage,
}

/// What its client knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    NotAsked,
    Open,
    Done(Seen),
    /// It was told that nothing was changed.
    Refused,
    /// The process died meanwhile.
    Unknown,
    /// All that is before the last start.
    Gone,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Not begun, or ended.
    Rest,
    /// A single write waits for a lock; or has waited, and holds it.
    Waiting,
    /// A single write is on its way to the disk.
    Staged,
    Batch(Batch),
    Look(Look),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    pub retry: bool,
    pub verdict: Verdict,
    pub phase: Phase,
    pub shares: [Share; SHARDS_MAX],
    pub seen: Seen,
    /// The epoch that the coordinator has loaded, to put it into the verdict.
    pub loaded: Option<Epoch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Pending,
    Committing,
    Committed(Epoch),
    Aborted,
}

/// What the coordinator waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Votes. Locks are tried, and taken if they are free.
    Trying,
    /// The locks of so many shards are held.
    Locking(usize),
    /// Votes, with all locks held.
    Preparing,
    /// Word from all shards that they have finished.
    Finishing { again: bool },
}

/// How far a batch is on a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// It has nothing to do there.
    Absent,
    /// A letter is on its way, or will be.
    Asked,
    Waiting,
    Held,
    Prepared,
    /// A lock was in the way; nothing is held.
    Busy,
    Refused,
    Finished,
}

/// A get or a scan under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    /// The epoch of the snapshot, once it is taken.
    pub snapshot: Option<Epoch>,
    pub seen: Seen,
    /// It met a verdict half-way, on this shard and of this batch, and may have loaded an epoch for it.
    pub help: Option<(usize, usize, Option<Epoch>)>,
}

impl State {
    pub fn start(world: &World) -> Self {
        let shard = Shard { versions: vec![(0, NOTHING)], ..Shard::default() };
        let course = Course { after: 0, answer: Answer::NotAsked, stage: Stage::Rest };
        Self {
            life: Life::Serving,
            shards: vec![shard; world.shards],
            courses: vec![course; world.operations.len()],
            epoch: 1,
            oldest: NONE,
            left: Left {
                kills: world.kills,
                cuts: world.cuts,
                freezes: world.freezes,
                refusals: world.refusals,
            },
            base: [NOTHING; SHARDS_MAX],
            was_cut: false,
        }
    }

    /// Whether the process may die in what is still to come.
    pub fn may_crash(&self) -> bool {
        self.left.kills + self.left.cuts > 0
    }

    pub fn append(&mut self, world: &World, shard: usize, record: Record) {
        let may_crash = self.may_crash();
        let log = &mut self.shards[shard].log;
        log.append(record);
        // Where no disk is ever asked, what is on it makes no difference.
        if world.mode == Mode::Interval && !may_crash {
            log.sync();
        }
    }

    pub fn batch(&self, operation: usize) -> Option<&Batch> {
        match &self.courses[operation].stage {
            Stage::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    /// To be called where it is known to be under way.
    pub fn batch_mut(&mut self, operation: usize) -> &mut Batch {
        match &mut self.courses[operation].stage {
            Stage::Batch(batch) => batch,
            stage => panic!("no batch under way, but {stage:?}"),
        }
    }

    /// Batches under way.
    pub fn batches(&self) -> impl Iterator<Item = (usize, &Batch)> {
        (0..self.courses.len()).filter_map(|operation| Some((operation, self.batch(operation)?)))
    }

    pub fn look(&self, operation: usize) -> Option<&Look> {
        match &self.courses[operation].stage {
            Stage::Look(look) => Some(look),
            _ => None,
        }
    }

    pub fn look_mut(&mut self, operation: usize) -> &mut Look {
        match &mut self.courses[operation].stage {
            Stage::Look(look) => look,
            stage => panic!("no look under way, but {stage:?}"),
        }
    }

    /// The batch whose part lies on a shard, waiting for its end.
    pub fn part_at(&self, world: &World, shard: usize) -> Option<(usize, &Batch)> {
        self.batches().find(|(operation, batch)| {
            batch.shares[shard] == Share::Prepared && world.writes(*operation, shard)
        })
    }

    /// Whether a reactor is in the middle of a step.
    pub fn is_busy(&self, shard: usize) -> bool {
        let helps = |course: &Course| match &course.stage {
            Stage::Look(look) => look.help.is_some_and(|(at, ..)| at == shard),
            _ => false,
        };
        self.shards[shard].showing.is_some() || self.courses.iter().any(helps)
    }

    /// A client asks.
    pub fn ask(&mut self, operation: usize, stage: Stage) {
        let answered = |(number, course): (usize, &Course)| {
            u16::from(matches!(course.answer, Answer::Done(_))) << number
        };
        let after = self.courses.iter().enumerate().map(answered).sum();
        self.courses[operation] = Course { after, answer: Answer::Open, stage };
    }

    /// And is answered.
    pub fn answer(&mut self, operation: usize, seen: Seen) {
        self.courses[operation].answer = Answer::Done(seen);
    }

    /// Makes a value visible on a shard.
    pub fn show(&mut self, shard: usize, value: Value, epoch: Epoch) {
        let oldest = self.oldest;
        let shard = &mut self.shards[shard];
        if oldest >= epoch {
            shard.versions.clear();
        }
        shard.versions.push((epoch, value));
        shard.active.value = Some(value);
    }

    /// What a reader would find now, who looks at all shards in one instant.
    pub fn visible(&self, world: &World) -> Seen {
        let mut seen = [UNSEEN; SHARDS_MAX];
        for (number, shard) in self.shards.iter().enumerate() {
            let part = self.part_at(world, number).filter(|(_, batch)| {
                matches!(batch.verdict, Verdict::Committing | Verdict::Committed(_))
            });
            seen[number] = match part {
                Some((operation, _)) => value_of(operation),
                None => shard.newest(),
            };
        }
        seen
    }
}

impl Shard {
    pub fn newest(&self) -> Value {
        self.versions.last().expect("there is always one").1
    }
}

impl Batch {
    /// A new try of one.
    pub fn new(world: &World, operation: usize, retry: bool, phase: Phase) -> Self {
        let mut shares = [Share::Absent; SHARDS_MAX];
        world.shares(operation).for_each(|shard| shares[shard] = Share::Asked);
        Self {
            retry,
            verdict: Verdict::Pending,
            phase,
            shares,
            seen: [UNSEEN; SHARDS_MAX],
            loaded: None,
        }
    }

    pub fn id(&self, operation: usize) -> Id {
        Id { operation: operation as u8, retry: self.retry }
    }

    pub fn has_finished(&self) -> bool {
        self.shares.iter().all(|share| matches!(share, Share::Absent | Share::Finished))
    }
}

/// What an operation writes.
pub fn value_of(operation: usize) -> Value {
    operation as Value + 1
}

/// The operation that wrote a value.
pub fn writer_of(value: Value) -> Option<usize> {
    (value != NOTHING && value != UNSEEN).then(|| value as usize - 1)
}

/// A value, or what was read of all shards.
pub fn told(seen: &[Value]) -> String {
    let one = |value: &Value| writer_of(*value).map_or('-', name);
    seen.iter().filter(|value| **value != UNSEEN).map(one).collect()
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shard in &self.shards {
            let table = told(&[shard.table]);
            write!(f, "[{table} ‖ {}] ", shard.log)?;
        }
        Ok(())
    }
}

impl World {
    /// How the operations are called in what is printed.
    pub fn legend(&self) -> String {
        let one =
            |(number, operation): (usize, &Operation)| format!("{}: {operation:?}", name(number));
        self.operations.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
    }
}
