//! Bugs that are planted on purpose: the stories of the other tests must find each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    batches,
    crash::{ALWAYS, AT_INTERVALS, CHANGING, Story, UNLOGGED},
    machine::INTERVAL,
    snapshots,
};
use crate::{
    settings::SyncMode,
    storage::bugs::{Bug, plant},
};

/// A story that looks for bugs, told with one seed.
type Tell = fn(u64);

const LOGGED: Tell = |seed| Story::new(seed, [&ALWAYS, &AT_INTERVALS][seed as usize % 2]).tell();
const UNLOGGED_TOO: Tell = |seed| {
    let ways: [&[_]; 2] = [&UNLOGGED, &CHANGING];
    Story::new(seed, ways[seed as usize % 2]).tell();
};
const SNAPSHOTS: Tell = |seed| snapshots::Story::new(seed).tell();

const BATCHES: Tell = |seed| {
    let sync = [SyncMode::Always, SyncMode::Interval(INTERVAL)][seed as usize % 2];
    batches::tell(seed, sync);
};

const FULL_LOGS: Tell = |seed| {
    batches::fill_logs(seed);
};

/// The bugs, with what is to find them, and a part of the seeds that it is given.
const BUGS: [(Bug, Tell, u64); 22] = [
    (Bug::FolderNotSynced, LOGGED, 1),
    (Bug::ValuesNotSynced, LOGGED, 1),
    (Bug::ValuesNotLookedAt, LOGGED, 1),
    (Bug::NoTombstone, LOGGED, 1),
    (Bug::LogCutEarly, LOGGED, 1),
    (Bug::BlobGoneEarly, LOGGED, 1),
    (Bug::FolderNotSynced, UNLOGGED_TOO, 1),
    (Bug::ValuesNotSynced, UNLOGGED_TOO, 1),
    (Bug::LogCutEarly, UNLOGGED_TOO, 1),
    (Bug::BlobGoneEarly, UNLOGGED_TOO, 1),
    (Bug::CoverageNotNoted, UNLOGGED_TOO, 1),
    (Bug::LeftInMemory, UNLOGGED_TOO, 1),
    (Bug::OverwrittenNotFrozen, SNAPSHOTS, 3),
    (Bug::PastNotKept, SNAPSHOTS, 3),
    (Bug::PartsNotRestated, BATCHES, 1),
    (Bug::PartnersNotTold, BATCHES, 1),
    (Bug::AbortNotLogged, BATCHES, 1),
    (Bug::AnsweredEarly, LOGGED, 1),
    (Bug::SeenUndecided, BATCHES, 1),
    (Bug::HalfVisible, BATCHES, 1),
    (Bug::NoBeforeDurable, BATCHES, 1),
    (Bug::NoRoomForMarks, FULL_LOGS, 3),
];

/// Seeds in which a bug is found, of so many.
fn found(bug: Bug, tell: Tell, seeds: u64) -> u64 {
    plant(Some(bug));
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| tell(*seed))).is_err();
    let found = (0..seeds).filter(fails).count() as u64;
    plant(None);
    found
}

#[test]
fn planted_bugs_are_found() {
    // What a story says when it fails would drown the output of the others.
    let hook = std::panic::take_hook();
    let here = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() != here {
            hook(panic);
        }
    }));
    let seeds = std::env::var("AMATERS_SEEDS").ok().map_or(60, |text| text.parse().unwrap());
    let count =
        |(bug, tell, part): (Bug, Tell, u64)| (bug, found(bug, tell, (seeds / part).max(1)));
    let counts: Vec<_> = BUGS.into_iter().map(count).collect();
    println!("found in so many of {seeds} seeds: {counts:?}");
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}
