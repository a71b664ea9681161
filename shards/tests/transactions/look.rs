//! Gets, which read what is visible on one shard, and scans, which read all shards as of one snapshot.

use super::{
    bugs::Bug,
    model::Next,
    state::{Answer, Epoch, Look, NONE, Stage, State, UNSEEN, Value, Verdict, value_of},
    step::Step,
    world::{Operation, SHARDS_MAX, World},
};

pub fn steps(next: &mut Next<'_>) {
    let (world, state) = (next.world, next.state);
    for (reader, operation) in world.operations.iter().enumerate() {
        let begins = state.courses[reader].answer == Answer::NotAsked;
        match (operation, state.look(reader)) {
            (_, Some(look)) if look.help.is_some() => help(next, reader, look),
            (Operation::Get { shard }, None) if begins && !state.is_busy(*shard) => {
                next.add(Step::Get { get: reader }, |state| {
                    state.ask(reader, Stage::Look(Look::new()));
                    look(world, state, reader, *shard);
                });
            }
            (Operation::Scan, None) if begins => begin_scan(next, reader),
            (Operation::Scan, Some(look)) => scan(next, reader, look),
            _ => {}
        }
    }
}

fn begin_scan(next: &mut Next<'_>, scan: usize) {
    if next.world.has(Bug::SnapshotPublishedLate) {
        next.add(Step::TakeSnapshot { scan }, |state| {
            state.ask(scan, Stage::Look(Look::new()));
            take_snapshot(state, scan);
        });
    } else {
        next.add(Step::PublishOldest { scan }, |state| {
            state.ask(scan, Stage::Look(Look::new()));
            state.oldest = state.epoch;
        });
    }
}

fn scan(next: &mut Next<'_>, scan: usize, begun: &Look) {
    let (world, state) = (next.world, next.state);
    let Some(snapshot) = begun.snapshot else {
        next.add(Step::TakeSnapshot { scan }, |state| take_snapshot(state, scan));
        return;
    };
    if state.oldest == NONE {
        next.add(Step::PublishOldest { scan }, |state| state.oldest = snapshot);
        return;
    }
    for shard in 0..world.shards {
        if begun.seen[shard] == UNSEEN && !state.is_busy(shard) {
            next.add(Step::Look { scan, shard }, |state| look(world, state, scan, shard));
        }
    }
}

fn take_snapshot(state: &mut State, scan: usize) {
    let epoch = state.epoch;
    state.epoch += 1;
    state.look_mut(scan).snapshot = Some(epoch);
}

/// Looks at a shard. A verdict half-way is helped on first.
fn look(world: &World, state: &mut State, reader: usize, shard: usize) {
    let half_way =
        state.part_at(world, shard).filter(|(_, batch)| batch.verdict == Verdict::Committing);
    if let Some((batch, _)) = half_way
        && !world.has(Bug::CommittingNotHelped)
    {
        state.look_mut(reader).help = Some((shard, batch, None));
    } else {
        see(world, state, reader, shard);
    }
}

fn help(next: &mut Next<'_>, reader: usize, begun: &Look) {
    let world = next.world;
    let Some((shard, batch, loaded)) = begun.help else { return };
    let Some(loaded) = loaded else {
        next.add(Step::HelpLoadEpoch { reader }, |state| {
            state.look_mut(reader).help = Some((shard, batch, Some(state.epoch)));
        });
        return;
    };
    next.add(Step::HelpCommit { reader }, |state| {
        let verdict = &mut state.batch_mut(batch).verdict;
        if *verdict == Verdict::Committing {
            *verdict = Verdict::Committed(loaded);
        }
        state.look_mut(reader).help = None;
        see(world, state, reader, shard);
    });
}

fn see(world: &World, state: &mut State, reader: usize, shard: usize) {
    let value = value_at(world, state, shard, state.look(reader).and_then(|look| look.snapshot));
    let look = state.look_mut(reader);
    look.seen[shard] = value;
    let seen = look.seen;
    let is_scan = world.operations[reader] == Operation::Scan;
    if is_scan && seen[..world.shards].contains(&UNSEEN) {
        return;
    }
    state.courses[reader].stage = Stage::Rest;
    state.answer(reader, seen);
    if is_scan {
        end_scan(state);
    }
}

/// What a reader finds there; without a snapshot, the newest.
fn value_at(world: &World, state: &State, shard: usize, snapshot: Option<Epoch>) -> Value {
    let sees = |epoch: Epoch| snapshot.is_none_or(|snapshot| epoch <= snapshot);
    if let Some((operation, batch)) = state.part_at(world, shard)
        && let Verdict::Committed(epoch) = batch.verdict
        && sees(epoch)
    {
        return value_of(operation);
    }
    let versions = &state.shards[shard].versions;
    let seen = versions.iter().rev().find(|(epoch, _)| sees(*epoch));
    // Where the version that it wants is gone, it finds something else; the history will tell.
    seen.unwrap_or(&versions[0]).1
}

/// What only the snapshot wanted goes.
fn end_scan(state: &mut State) {
    state.oldest = NONE;
    for shard in &mut state.shards {
        let older = shard.versions.len() - 1;
        shard.versions.drain(..older);
    }
}

impl Look {
    fn new() -> Self {
        Self { snapshot: None, seen: [UNSEEN; SHARDS_MAX], help: None }
    }
}
