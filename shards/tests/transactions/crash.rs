//! The end of a process, and the start of the next one.

use super::{
    bugs::Bug,
    flush,
    log::{Id, Log, Record},
    model::Next,
    state::{Answer, Course, Life, NONE, Seen, Shard, Stage, State, UNSEEN, value_of},
    step::Step,
    world::{Mode, SHARDS_MAX, World},
};

/// It may end at any moment, also while it starts.
pub fn steps(next: &mut Next<'_>) {
    let (world, state) = (next.world, next.state);
    if state.left.kills > 0 {
        next.add(Step::Kill, |state| {
            state.left.kills -= 1;
            die(state);
        });
    }
    if state.left.cuts > 0 {
        for left in survivors(state) {
            next.add(Step::CutPower { left }, |state| {
                state.left.cuts -= 1;
                state.was_cut |= world.mode == Mode::Interval;
                for (shard, left) in state.shards.iter_mut().zip(left) {
                    shard.log.cut(left);
                }
                die(state);
            });
        }
    }
}

/// All ways in which the power can go: of each log, any part that is not durable may be lost from its end.
fn survivors(state: &State) -> Vec<[usize; SHARDS_MAX]> {
    let mut all = vec![[0; SHARDS_MAX]];
    for (number, Shard { log, .. }) in state.shards.iter().enumerate() {
        let more = |left: [usize; SHARDS_MAX]| {
            (log.durable..=log.records.len()).map(move |count| {
                let mut left = left;
                left[number] = count;
                left
            })
        };
        all = all.into_iter().flat_map(more).collect();
    }
    all
}

/// All that was only in memory is gone.
fn die(state: &mut State) {
    state.life = Life::Starting;
    state.epoch = 1;
    state.oldest = NONE;
    for shard in &mut state.shards {
        let Shard { log, table, .. } = std::mem::take(shard);
        *shard = Shard { log, table, ..Shard::default() };
    }
    for course in &mut state.courses {
        course.stage = Stage::Rest;
        if course.answer == Answer::Open {
            course.answer = Answer::Unknown;
        }
    }
}

/// The start: read and sync all logs, decide, write the decisions down, sync, serve.
pub fn start_steps(next: &mut Next<'_>) {
    let (world, state) = (next.world, next.state);
    match &state.life {
        Life::Serving => {}
        Life::Starting => next.add(Step::Decide, |state| {
            if !world.has(Bug::DecidedBeforeSync) {
                state.shards.iter_mut().for_each(|shard| shard.log.sync());
            }
            state.life = Life::Settling { counts: counts(world, state) };
        }),
        Life::Settling { .. } if is_settled(state) => {
            next.add(Step::Serve, serve);
        }
        Life::Settling { counts } => {
            for shard in 0..world.shards {
                if state.shards[shard].log.undecided().next().is_some() {
                    next.add(Step::Settle { shard }, |state| {
                        settle(&mut state.shards[shard].log, counts);
                    });
                }
                flush::sync(next, shard);
            }
        }
    }
}

/// The batches that count, of all that have a part somewhere.
fn counts(world: &World, state: &State) -> Vec<Id> {
    let mut ids: Vec<Id> = state.shards.iter().flat_map(|shard| shard.log.parts()).collect();
    ids.sort_unstable_by_key(|id| (id.operation, id.retry));
    ids.dedup();
    ids.retain(|id| {
        let somewhere = |record| state.shards.iter().any(|shard| shard.log.has(record));
        let mut writers = world.writers(id.operation as usize).iter();
        let everywhere = writers.all(|shard| state.shards[*shard].log.has(Record::Part(*id)));
        !somewhere(Record::Abort(*id)) && (somewhere(Record::Commit(*id)) || everywhere)
    });
    ids
}

fn settle(log: &mut Log, counts: &[Id]) {
    loop {
        let Some(id) = log.undecided().next() else { break };
        let counts = counts.contains(&id);
        log.append(if counts { Record::Commit(id) } else { Record::Abort(id) });
    }
}

/// Whether the start has done all but serve.
pub fn is_settled(state: &State) -> bool {
    let is_settled =
        |shard: &Shard| shard.log.is_durable() && shard.log.undecided().next().is_none();
    matches!(state.life, Life::Settling { .. }) && state.shards.iter().all(is_settled)
}

/// What the keys hold once the start is over.
pub fn recovered(state: &State) -> Seen {
    let mut seen = [UNSEEN; SHARDS_MAX];
    for (value, shard) in seen.iter_mut().zip(&state.shards) {
        let newest = shard.log.records.iter().rev().find_map(|record| match record {
            Record::Write(write) => Some(value_of(*write as usize)),
            Record::Part(id) if shard.log.has(Record::Commit(*id)) => {
                Some(value_of(id.operation as usize))
            }
            _ => None,
        });
        *value = newest.unwrap_or(shard.table);
    }
    seen
}

/// A new history begins with what was recovered.
fn serve(state: &mut State) {
    state.base = recovered(state);
    state.life = Life::Serving;
    state.was_cut = false;
    let may_crash = state.may_crash();
    for (shard, value) in state.shards.iter_mut().zip(state.base) {
        shard.versions = vec![(0, value)];
        shard.active.value = (!shard.log.records.is_empty()).then_some(value);
        if !may_crash {
            // Nobody will ever read it.
            *shard = Shard { versions: vec![(0, value)], ..Shard::default() };
        }
    }
    for course in state.courses.iter_mut().filter(|course| course.answer != Answer::NotAsked) {
        *course = Course { after: 0, answer: Answer::Gone, stage: Stage::Rest };
    }
}
