//! What must be true in every state.

use super::{
    crash, history,
    log::{Id, Record, name},
    state::{Answer, Life, Seen, Stage, State, Verdict, told},
    world::World,
};

/// What is not as it must be.
pub fn wrong(world: &World, state: &State) -> Option<String> {
    two_decisions(state)
        .or_else(|| against_verdict(state))
        .or_else(|| clash(state))
        .or_else(|| epochs_go_back(state))
        .or_else(|| unexplained(world, state))
}

/// No batch has both a commit and an abort record.
fn two_decisions(state: &State) -> Option<String> {
    let records = || state.shards.iter().flat_map(|shard| &shard.log.records);
    let both = |id: &Id| records().any(|record| *record == Record::Abort(*id));
    let mut commits = records().filter_map(|record| match record {
        Record::Commit(id) => Some(*id),
        _ => None,
    });
    commits.find(both).map(|id| format!("{id} has commit and abort records"))
}

/// No record says something else than the verdict.
fn against_verdict(state: &State) -> Option<String> {
    state.batches().find_map(|(operation, batch)| {
        let id = batch.id(operation);
        let wrong = match batch.verdict {
            Verdict::Aborted => Record::Commit(id),
            _ => Record::Abort(id),
        };
        let is_there = state.shards.iter().any(|shard| shard.log.has(wrong));
        is_there.then(|| format!("{:?}, but there is a record: {wrong}", batch.verdict))
    })
}

fn clash(state: &State) -> Option<String> {
    let shard = state.shards.iter().position(|shard| shard.lock.clashes())?;
    Some(format!("two hold the lock of {shard}"))
}

fn epochs_go_back(state: &State) -> Option<String> {
    let shard = state
        .shards
        .iter()
        .position(|shard| !shard.versions.is_sorted_by_key(|version| version.0))?;
    Some(format!("a newer change of {shard} has an older epoch"))
}

/// All answers, and what is visible or recovered now, are as if one operation had come after the other.
fn unexplained(world: &World, state: &State) -> Option<String> {
    let now = match state.life {
        Life::Serving => state.visible(world),
        _ if crash::is_settled(state) => crash::recovered(state),
        _ => return None,
    };
    (!history::is_explained(world, state, &now)).then(|| unexplained_text(world, state, &now))
}

fn unexplained_text(world: &World, state: &State, now: &Seen) -> String {
    let operations = state.courses.iter().enumerate().map(|(number, course)| {
        let after = (0..world.operations.len()).filter(|other| course.after >> other & 1 == 1);
        let after: String = after.map(name).collect();
        let answer = match &course.answer {
            Answer::Done(seen) => format!("done, saw {:?}", told(seen)),
            answer => format!("{answer:?}"),
        };
        format!("{} {answer} (after {after:?})", name(number))
    });
    let operations: Vec<_> = operations.collect();
    format!("no order explains that there is {:?} now: {}", told(now), operations.join("; "))
}

/// Who still waits for something.
pub fn waits(state: &State) -> Option<String> {
    if state.life != Life::Serving {
        return Some("the start is not over".into());
    }
    let courses = state.courses.iter();
    if let Some(operation) = courses.clone().position(|course| course.stage != Stage::Rest) {
        return Some(format!("{} has not ended", name(operation)));
    }
    let mut shards = state.shards.iter();
    let flushes = shards.clone().position(|shard| shard.frozen.is_some());
    let held = shards.position(|shard| !shard.lock.is_free());
    flushes
        .map(|shard| format!("{shard} has not flushed its frozen layer"))
        .or_else(|| held.map(|shard| format!("the lock of {shard} is not free")))
}
