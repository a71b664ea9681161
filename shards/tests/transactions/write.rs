//! Single writes: one step of one shard, unless a lock is in the way.

use super::{
    batch,
    log::Record,
    model::Next,
    state::{Answer, Stage, State, UNSEEN, value_of},
    step::Step,
    world::{Mode, Operation, SHARDS_MAX, World},
};

pub fn steps(next: &mut Next<'_>) {
    let (world, state) = (next.world, next.state);
    for (write, operation) in world.operations.iter().enumerate() {
        let &Operation::Write { shard } = operation else { continue };
        let course = &state.courses[write];
        if state.shards[shard].showing.is_some_and(|(showing, _)| showing as usize == write) {
            next.add(Step::Show { write }, |state| show(state, write, shard));
        }
        if state.is_busy(shard) {
            continue;
        }
        if course.answer == Answer::NotAsked {
            next.add(Step::Write { write }, |state| ask(world, state, write, shard));
        } else if course.stage == Stage::Waiting && state.shards[shard].lock.is_held_by(write) {
            next.add(Step::WriteAtLast { write }, |state| {
                append(world, state, write, shard);
                batch::let_go(world, state, write, shard);
            });
        }
    }
}

fn ask(world: &World, state: &mut State, write: usize, shard: usize) {
    state.ask(write, Stage::Waiting);
    let lock = &mut state.shards[shard].lock;
    if lock.allows(true) {
        append(world, state, write, shard);
    } else {
        lock.wait((write as u8, true));
    }
}

fn append(world: &World, state: &mut State, write: usize, shard: usize) {
    state.append(world, shard, Record::Write(write as u8));
    state.courses[write].stage = Stage::Staged;
    if world.mode == Mode::Interval {
        state.shards[shard].showing = Some((write as u8, state.epoch));
        if !world.has_snapshots() {
            show(state, write, shard);
        }
    }
}

/// Makes it visible, and answers.
fn show(state: &mut State, write: usize, shard: usize) {
    let showing = state.shards[shard].showing.take();
    let epoch = showing.map_or(state.epoch, |(_, epoch)| epoch);
    state.show(shard, value_of(write), epoch);
    state.courses[write].stage = Stage::Rest;
    state.answer(write, [UNSEEN; SHARDS_MAX]);
}

/// Makes all visible that wait for the disk of a shard, now that it is durable.
pub fn show_staged(state: &mut State, shard: usize) {
    for record in state.shards[shard].log.records.clone() {
        if let Record::Write(write) = record
            && state.courses[write as usize].stage == Stage::Staged
        {
            show(state, write as usize, shard);
        }
    }
}
