//! Batches across shards: the coordinator, and what it has the shards do.
//!
//! A letter on its way is not kept: what the coordinator has sent follows from its phase, and that it has not arrived from the
//! stage of the share. So letters arrive late and in any order.

use super::{
    bugs::Bug,
    log::Record,
    model::Next,
    state::{Answer, Batch, Phase, Share, Stage, State, Verdict, value_of, writer_of},
    step::{Step, Why},
    world::{Mode, Operation, World},
};

pub fn steps(next: &mut Next<'_>) {
    let (world, state) = (next.world, next.state);
    for (operation, asked) in world.operations.iter().enumerate() {
        if !matches!(asked, Operation::Batch { .. }) {
            continue;
        }
        match &state.courses[operation] {
            course if course.answer == Answer::NotAsked => begin(next, operation),
            course => {
                if let Stage::Batch(batch) = &course.stage {
                    coordinator(next, operation, batch);
                    world.shares(operation).for_each(|shard| share(next, operation, batch, shard));
                }
            }
        }
    }
}

fn begin(next: &mut Next<'_>, operation: usize) {
    let world = next.world;
    let mut begin = |in_order, phase| {
        next.add(Step::Begin { batch: operation, in_order }, |state| {
            let batch = Batch::new(world, operation, false, phase);
            state.ask(operation, Stage::Batch(batch));
        });
    };
    begin(false, Phase::Trying);
    if world.contended {
        begin(true, Phase::Locking(0));
    }
}

fn coordinator(next: &mut Next<'_>, operation: usize, batch: &Batch) {
    match (batch.phase, batch.verdict) {
        (Phase::Finishing { again }, Verdict::Aborted) => undone(next, operation, batch, again),
        (Phase::Finishing { .. }, _) => {}
        (_, Verdict::Pending) => {
            commit(next, operation, batch);
            abort(next, operation, batch);
        }
        (_, _) => committing(next, operation, batch),
    }
}

/// All votes are there, and all are yes.
fn commit(next: &mut Next<'_>, operation: usize, batch: &Batch) {
    let (world, state) = (next.world, next.state);
    if !world.shares(operation).all(|shard| votes_yes(world, state, operation, batch, shard)) {
        return;
    }
    if !world.has_snapshots() {
        next.add(Step::Commit { batch: operation }, |state| {
            let epoch = state.epoch;
            let batch = state.batch_mut(operation);
            batch.verdict = Verdict::Committed(epoch);
            answer_committed(state, operation);
        });
    } else if world.has(Bug::EpochReadEarly) && batch.loaded.is_none() {
        load_epoch(next, operation);
    } else {
        next.add(Step::StoreCommitting { batch: operation }, |state| {
            state.batch_mut(operation).verdict = Verdict::Committing;
        });
    }
}

/// The second half of a commit, which a reader may have done already.
fn committing(next: &mut Next<'_>, operation: usize, batch: &Batch) {
    if batch.verdict == Verdict::Committing && batch.loaded.is_none() {
        load_epoch(next, operation);
    } else {
        next.add(Step::StoreCommitted { batch: operation }, |state| {
            let batch = state.batch_mut(operation);
            if batch.verdict == Verdict::Committing {
                batch.verdict = Verdict::Committed(batch.loaded.expect("it was loaded before"));
            }
            answer_committed(state, operation);
        });
    }
}

fn load_epoch(next: &mut Next<'_>, operation: usize) {
    next.add(Step::LoadEpoch { batch: operation }, |state| {
        let epoch = state.epoch;
        state.batch_mut(operation).loaded = Some(epoch);
    });
}

fn answer_committed(state: &mut State, operation: usize) {
    let batch = state.batch_mut(operation);
    batch.phase = Phase::Finishing { again: false };
    batch.loaded = None;
    let seen = batch.seen;
    state.answer(operation, seen);
}

fn abort(next: &mut Next<'_>, operation: usize, batch: &Batch) {
    let (world, state) = (next.world, next.state);
    let mut abort = |why| {
        next.add(Step::Abort { batch: operation, why }, |state| {
            let batch = state.batch_mut(operation);
            batch.verdict = Verdict::Aborted;
            batch.phase = Phase::Finishing { again: why == Why::Busy };
        });
    };
    if batch.shares.contains(&Share::Refused) {
        abort(Why::Refused);
    }
    let has_voted = |shard: usize| {
        let is_no = matches!(batch.shares[shard], Share::Busy | Share::Refused);
        is_no || votes_yes(world, state, operation, batch, shard)
    };
    if batch.shares.contains(&Share::Busy) && world.shares(operation).all(has_voted) {
        abort(Why::Busy);
    }
    if world.deadlines {
        abort(Why::TimeIsUp);
    }
}

/// All shards have undone it, or never did it.
fn undone(next: &mut Next<'_>, operation: usize, batch: &Batch, again: bool) {
    let id = batch.id(operation);
    let may_be_lost = |shard: &usize| {
        let log = &next.state.shards[*shard].log;
        log.has(Record::Part(id)) && !log.has_durable(Record::Abort(id))
    };
    let mut writers = next.world.writers(operation).iter();
    // One writer is enough to undo it all: by its abort record, or by a part that it will never have.
    let is_durable = match (next.world.mode, next.world.undone_for_good, next.world.bug) {
        (Mode::Interval, false, _) => true,
        // None is written, or none is thought to be needed.
        (_, _, Some(Bug::NoAbortRecord | Bug::PreparedLate)) => true,
        _ => !writers.all(may_be_lost),
    };
    if !batch.has_finished() || !is_durable {
        return;
    }
    if again {
        let batch = Batch::new(next.world, operation, true, Phase::Locking(0));
        next.add(Step::Retry { batch: operation }, |state| {
            state.courses[operation].stage = Stage::Batch(batch);
        });
    } else {
        next.add(Step::AnswerAborted { batch: operation }, |state| {
            state.courses[operation].answer = Answer::Refused;
            state.courses[operation].stage = Stage::Rest;
        });
    }
}

fn votes_yes(world: &World, state: &State, operation: usize, batch: &Batch, shard: usize) -> bool {
    let log = &state.shards[shard].log;
    if batch.shares[shard] != Share::Prepared {
        return false;
    }
    if world.mode == Mode::Interval {
        return true;
    }
    if world.writes(operation, shard) {
        // A part that is written again was durable before.
        let part = Record::Part(batch.id(operation));
        return log.has_durable(part) || !log.may_lose(part);
    }
    let read = writer_of(batch.seen[shard]);
    let may_be_lost = read.is_some_and(|writer| log.may_lose(Record::Write(writer as u8)));
    !may_be_lost || world.has(Bug::ReadNotDurable)
}

fn share(next: &mut Next<'_>, operation: usize, batch: &Batch, shard: usize) {
    let (world, state) = (next.world, next.state);
    if state.is_busy(shard) {
        return;
    }
    let write = world.writes(operation, shard);
    let can_prepare = |next: &mut Next<'_>| {
        next.add(Step::Prepare { batch: operation, shard }, |state| {
            state.shards[shard].lock.hold_once((operation as u8, write));
            prepare(world, state, operation, shard);
        });
        if state.left.refusals > 0 {
            next.add(Step::Refuse { batch: operation, shard }, |state| {
                state.left.refusals -= 1;
                state.shards[shard].lock.hold_once((operation as u8, write));
                state.batch_mut(operation).shares[shard] = Share::Refused;
            });
        }
    };
    match (batch.phase, batch.shares[shard]) {
        (Phase::Trying, Share::Asked) if batch.verdict == Verdict::Pending => {
            if state.shards[shard].lock.allows(write) {
                can_prepare(next);
            } else {
                next.add(Step::Prepare { batch: operation, shard }, |state| {
                    state.batch_mut(operation).shares[shard] = Share::Busy;
                });
            }
        }
        (Phase::Locking(count), Share::Asked) if lock_order(world, operation)[count] == shard => {
            next.add(Step::Lock { batch: operation, shard }, |state| {
                lock(world, state, operation, shard);
            });
        }
        (Phase::Preparing, Share::Held) => can_prepare(next),
        (Phase::Finishing { .. }, Share::Absent | Share::Finished) => {}
        (Phase::Finishing { .. }, _) => {
            next.add(Step::Finish { batch: operation, shard }, |state| {
                finish(world, state, operation, shard);
            });
        }
        _ => {}
    }
}

fn lock_order(world: &World, operation: usize) -> Vec<usize> {
    let mut order = world.writers(operation).to_vec();
    order.extend(world.shares(operation).filter(|shard| !world.writes(operation, *shard)));
    if !world.has(Bug::LocksInOrderOfBatch) {
        order.sort_unstable();
    }
    order
}

fn lock(world: &World, state: &mut State, operation: usize, shard: usize) {
    let claim = (operation as u8, world.writes(operation, shard));
    let lock = &mut state.shards[shard].lock;
    if lock.is_held_by(operation) || lock.allows(claim.1) {
        lock.hold_once(claim);
        held(world, state, operation, shard);
    } else {
        lock.wait(claim);
        state.batch_mut(operation).shares[shard] = Share::Waiting;
    }
}

fn held(world: &World, state: &mut State, operation: usize, shard: usize) {
    let batch = state.batch_mut(operation);
    batch.shares[shard] = Share::Held;
    if let Phase::Locking(count) = batch.phase {
        let all = count + 1 == world.shares(operation).count();
        batch.phase = if all { Phase::Preparing } else { Phase::Locking(count + 1) };
    }
}

/// Runs the queries, and writes the part.
fn prepare(world: &World, state: &mut State, operation: usize, shard: usize) {
    if world.reads(operation, shard) {
        let read = staged(state, shard);
        state.batch_mut(operation).seen[shard] = read;
    }
    let batch = state.batch_mut(operation);
    batch.shares[shard] = Share::Prepared;
    let part = Record::Part(batch.id(operation));
    if world.writes(operation, shard) {
        state.append(world, shard, part);
    }
}

/// What a step of this shard finds: also what is still on its way to the disk.
fn staged(state: &State, shard: usize) -> u8 {
    let log = &state.shards[shard].log;
    let newest = log.records[log.durable..].iter().rev().find_map(|record| match record {
        Record::Write(operation) if state.courses[*operation as usize].stage == Stage::Staged => {
            Some(value_of(*operation as usize))
        }
        _ => None,
    });
    newest.unwrap_or_else(|| state.shards[shard].newest())
}

/// Does what the verdict says, and frees the lock.
pub fn finish(world: &World, state: &mut State, operation: usize, shard: usize) {
    let batch = state.batch_mut(operation);
    let (id, verdict, share) = (batch.id(operation), batch.verdict, batch.shares[shard]);
    let keeps_lock = batch.phase == (Phase::Finishing { again: true });
    batch.shares[shard] = Share::Finished;
    let has_ended = batch.has_finished() && verdict != Verdict::Aborted;
    match verdict {
        Verdict::Committed(epoch) if world.writes(operation, shard) => {
            state.show(shard, value_of(operation), epoch);
            state.shards[shard].active.batches.push(id);
        }
        Verdict::Aborted if world.writes(operation, shard) => {
            let has_part = share == Share::Prepared;
            if has_part && !world.has(Bug::NoAbortRecord) {
                state.append(world, shard, Record::Abort(id));
            }
            if share == Share::Asked && world.has(Bug::PreparedLate) {
                state.append(world, shard, Record::Part(id));
            }
        }
        _ => {}
    }
    if !(keeps_lock && world.has(Bug::TriedLocksKept)) {
        let_go(world, state, operation, shard);
    }
    if has_ended {
        state.courses[operation].stage = Stage::Rest;
    }
}

/// Frees a lock, or leaves its queue; those behind go on.
pub fn let_go(world: &World, state: &mut State, operation: usize, shard: usize) {
    state.shards[shard].lock.leave(operation as u8);
    while let Some(granted) = state.shards[shard].lock.grant() {
        if matches!(world.operations[granted as usize], Operation::Batch { .. }) {
            held(world, state, granted as usize, shard);
        }
    }
}
