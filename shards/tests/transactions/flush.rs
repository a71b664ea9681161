//! What a shard does with its log and its memtables while it serves: sync, freeze, flush.

use super::{
    batch,
    bugs::Bug,
    log::{Id, Record},
    model::Next,
    state::{Frozen, State, Verdict},
    step::Step,
    world::{Mode, World},
    write,
};

pub fn steps(next: &mut Next<'_>) {
    for shard in 0..next.world.shards {
        sync(next, shard);
        match &next.state.shards[shard].frozen {
            None => freeze(next, shard),
            Some(frozen) => {
                commit_records(next, shard, frozen);
                name_table(next, shard, frozen);
            }
        }
    }
}

pub fn sync(next: &mut Next<'_>, shard: usize) {
    if !next.state.shards[shard].log.is_durable() {
        next.add(Step::Sync { shard }, |state| synced(state, shard));
    }
}

fn synced(state: &mut State, shard: usize) {
    state.shards[shard].log.sync();
    write::show_staged(state, shard);
}

fn freeze(next: &mut Next<'_>, shard: usize) {
    let (world, state) = (next.world, next.state);
    // What a freeze does is seen after a crash, or never.
    if state.left.freezes == 0 || !state.may_crash() {
        return;
    }
    next.add(Step::Freeze { shard }, |state| {
        state.left.freezes -= 1;
        if !world.has(Bug::FrozenNotSynced) {
            synced(state, shard);
        }
        finish_committed(world, state, shard);
        let place = state.shards[shard].log.records.len();
        restate(world, state, shard);
        let shard = &mut state.shards[shard];
        let layer = std::mem::take(&mut shard.active);
        shard.frozen = Some(Frozen { layer, place, restated: shard.log.records.len() });
    });
}

/// A part that is decided belongs to the layer that is frozen, also where the letter that ends it is still on its way.
fn finish_committed(world: &World, state: &mut State, shard: usize) {
    let part = state.part_at(world, shard);
    let committed = part.filter(|(_, batch)| matches!(batch.verdict, Verdict::Committed(_)));
    if let Some((operation, _)) = committed
        && !world.has(Bug::CommittedRestated)
    {
        batch::finish(world, state, operation, shard);
    }
}

/// Rule 1.
fn restate(world: &World, state: &mut State, shard: usize) {
    if world.has(Bug::NotRestated) {
        return;
    }
    let part = state.part_at(world, shard);
    let open = part.filter(|(_, batch)| batch.verdict != Verdict::Aborted);
    if let Some(id) = open.map(|(operation, batch)| batch.id(operation)) {
        state.append(world, shard, Record::Part(id));
    }
}

/// Rules 2 and 3.
fn commit_records(next: &mut Next<'_>, shard: usize, frozen: &Frozen) {
    let (world, state) = (next.world, next.state);
    for id in &frozen.layer.batches {
        let part = Record::Part(*id);
        let is_durable = others(world, *id, shard).all(|at| !state.shards[at].log.may_lose(part));
        if !is_durable && !world.has(Bug::CommitRecordEarly) {
            continue;
        }
        let record = Record::Commit(*id);
        // One is enough; and who has flushed its part needs none.
        let owes = |at: &usize| {
            let log = &state.shards[*at].log;
            log.has(part) && !log.has(record)
        };
        for at in others(world, *id, shard).filter(owes) {
            if world.has(Bug::CommitRecordWaits) && state.shards[at].frozen.is_some() {
                continue;
            }
            let step = Step::WriteCommitRecord { shard: at, of: *id, for_flush_of: shard };
            next.add(step, |state| state.append(world, at, record));
        }
    }
}

/// Rule 4. The log before the layer is not read any more from then on.
fn name_table(next: &mut Next<'_>, shard: usize, frozen: &Frozen) {
    let (world, state) = (next.world, next.state);
    let is_known = |id: &Id| {
        others(world, *id, shard).all(|at| {
            let log = &state.shards[at].log;
            let known = log.has_durable(Record::Commit(*id))
                || !log.has(Record::Part(*id))
                || world.has(Bug::NoCommitRecord);
            known && !log.may_lose(Record::Part(*id))
        })
    };
    let is_restated = world.mode == Mode::Interval
        || state.shards[shard].log.durable >= frozen.restated
        || world.has(Bug::RestatedNotSynced);
    if is_restated && frozen.layer.batches.iter().all(is_known) {
        next.add(Step::NameTable { shard }, |state| {
            let shard = &mut state.shards[shard];
            let Some(frozen) = shard.frozen.take() else { return };
            shard.table = frozen.layer.value.unwrap_or(shard.table);
            shard.log.drop_before(frozen.place);
        });
    }
}

fn others(world: &World, id: Id, shard: usize) -> impl Iterator<Item = usize> {
    world.writers(id.operation as usize).iter().copied().filter(move |at| *at != shard)
}
