//! Bugs that are planted on purpose: the stories of `crash.rs` must find each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::crash::Story;
use crate::{
    settings::SyncMode,
    storage::{
        bugs::{Bug, plant},
        tests::machine::INTERVAL,
    },
};

/// Seeds in which a bug is found, of so many.
fn found(bug: Bug, seeds: u64) -> u64 {
    plant(Some(bug));
    let fails = |seed: &u64| {
        let sync =
            if seed.is_multiple_of(2) { SyncMode::Always } else { SyncMode::Interval(INTERVAL) };
        catch_unwind(AssertUnwindSafe(|| Story::new(*seed, sync).tell())).is_err()
    };
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
    let bugs = [
        Bug::FolderNotSynced,
        Bug::ValuesNotSynced,
        Bug::ValuesNotLookedAt,
        Bug::NoTombstone,
        Bug::LogCutEarly,
        Bug::BlobGoneEarly,
    ];
    let counts: Vec<_> = bugs.into_iter().map(|bug| (bug, found(bug, seeds))).collect();
    println!("found in so many of {seeds} seeds: {counts:?}");
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}
