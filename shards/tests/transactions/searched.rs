//! Worlds that are searched to the end, and in which nothing is wrong.

use std::{env, time::Instant};

use super::{
    search::search,
    world::{Mode, Operation, World},
};

const BOTH: Operation = Operation::Batch { writes: &[0, 1], reads: &[] };
const ALL: Operation = Operation::Batch { writes: &[0, 1, 2], reads: &[] };
const MODES: [Mode; 2] = [Mode::Always, Mode::Interval];

/// Searches a world, and prints how large it is.
fn search_to_the_end(what: &str, world: &World) {
    let begun = Instant::now();
    match search(world) {
        Ok(census) => {
            println!("{what}, {:?}: {census:?}, {:.1?}", world.mode, begun.elapsed());
        }
        Err(found) => panic!("{what}, {:?}: {}\n{found}", world.mode, world.legend()),
    }
}

/// A small bound for every day, and a larger one for `AMATERS_MODEL=full`.
fn bound(usual: u8, full: u8) -> u8 {
    if is_full() { full } else { usual }
}

fn is_full() -> bool {
    env::var("AMATERS_MODEL").is_ok_and(|value| value == "full")
}

/// One batch on two shards, undone or not: its records through flushes, crashes, and crashes of the start.
#[test]
fn a_batch_through_flushes_and_crashes() {
    for mode in MODES {
        let world = World {
            deadlines: true,
            kills: 1,
            cuts: bound(1, 2),
            freezes: bound(2, 4),
            ..World::calm(2, mode, vec![BOTH])
        };
        search_to_the_end("a batch, flushes, crashes", &world);
    }
}

/// Beside single writes, which wait for it, and go on after a crash.
#[test]
fn a_batch_beside_writes_through_flushes_and_crashes() {
    let mut operations = vec![BOTH, Operation::Write { shard: 0 }];
    if is_full() {
        operations.push(Operation::Write { shard: 1 });
    }
    for mode in MODES {
        let world = World {
            deadlines: true,
            refusals: 1,
            kills: bound(0, 1),
            cuts: 1,
            freezes: bound(1, 2),
            ..World::calm(2, mode, operations.clone())
        };
        search_to_the_end("a batch, writes, flushes, crashes", &world);
    }
}

/// Three shards, of which two can know what the third does not.
#[test]
fn a_batch_on_three_shards_through_flushes_and_crashes() {
    for mode in MODES {
        let world = World {
            deadlines: true,
            kills: bound(0, 1),
            cuts: 1,
            freezes: bound(1, 2),
            ..World::calm(3, mode, vec![ALL])
        };
        search_to_the_end("three shards, flushes, crashes", &world);
    }
}

/// Two batches that want the same keys, tried and then in order, and a crash.
#[test]
fn two_batches_through_a_crash() {
    for mode in MODES {
        let world = World {
            kills: bound(0, 1),
            cuts: 1,
            freezes: bound(0, 1),
            ..World::calm(2, mode, vec![BOTH, BOTH])
        };
        search_to_the_end("two batches, a crash", &world);
    }
}

/// What a batch reads where it writes nothing, beside batches and writes there.
#[test]
fn a_batch_that_reads_elsewhere_through_a_crash() {
    let reader = Operation::Batch { writes: &[1], reads: &[0] };
    let other = Operation::Batch { writes: &[1, 2], reads: &[] };
    for mode in MODES {
        let world = World {
            cuts: 1,
            freezes: bound(0, 1),
            ..World::calm(
                3,
                mode,
                vec![other.clone(), reader.clone(), Operation::Write { shard: 0 }],
            )
        };
        search_to_the_end("a batch that reads, a crash", &world);
    }
}

/// Locks on three shards, tried and in order, and no time for them.
#[test]
fn locks_of_two_batches_and_a_write() {
    let reader = Operation::Batch { writes: &[1, 2], reads: &[0] };
    let mut operations = vec![ALL, reader];
    let calm = |operations| World { contended: true, ..World::calm(3, Mode::Interval, operations) };
    let world = World { deadlines: true, ..calm(operations.clone()) };
    search_to_the_end("locks, deadlines", &world);
    operations.push(Operation::Write { shard: 1 });
    let world = World { deadlines: is_full(), ..calm(operations) };
    search_to_the_end("locks, a write", &world);
}

/// A scan and gets that meet a verdict in all its states, and old values that a scan still wants.
#[test]
fn snapshots_beside_a_batch_and_a_write() {
    let mut operations =
        vec![BOTH, Operation::Scan, Operation::Get { shard: 0 }, Operation::Write { shard: 1 }];
    search_to_the_end("snapshots", &World::calm(2, Mode::Interval, operations.clone()));
    if is_full() {
        operations.push(Operation::Get { shard: 1 });
        search_to_the_end("snapshots, gets", &World::calm(2, Mode::Interval, operations.clone()));
        operations[4] = Operation::Batch { writes: &[1], reads: &[0] };
        search_to_the_end("snapshots, batches", &World::calm(2, Mode::Interval, operations));
    }
}
