//! Mistakes that are made on purpose: the search finds each, and nothing where it is not made.

use super::{
    bugs::Bug,
    search::search,
    world::{Mode, Operation, World},
};

const BOTH: Operation = Operation::Batch { writes: &[0, 1], reads: &[] };
const UNEXPLAINED: &str = "no order explains";
const STANDS: &str = "nothing goes on";

/// Searches a world with a mistake and without it, and prints what comes of it.
fn found(bug: Bug, world: World, wrong: &str) {
    if let Err(found) = search(&world) {
        panic!("without any mistake: {}\n{found}", world.legend());
    }
    let world = World { bug: Some(bug), ..world };
    let found = search(&world).expect_err("the mistake is not found");
    println!("{bug:?}: {}\n{found}", world.legend());
    assert!(found.wrong.starts_with(wrong), "{}", found.wrong);
}

/// A batch on two shards, a flush, and a power cut.
fn flush(mode: Mode) -> World {
    World { cuts: 1, freezes: 1, ..World::calm(2, mode, vec![BOTH]) }
}

#[test]
fn commit_records_before_all_parts_are_durable() {
    let all = Operation::Batch { writes: &[0, 1, 2], reads: &[] };
    let world = World { cuts: 1, freezes: 1, ..World::calm(3, Mode::Interval, vec![all]) };
    found(Bug::CommitRecordEarly, world, UNEXPLAINED);
}

#[test]
fn a_layer_flushed_without_commit_records() {
    found(Bug::NoCommitRecord, flush(Mode::Always), UNEXPLAINED);
    found(Bug::NoCommitRecord, flush(Mode::Interval), UNEXPLAINED);
}

/// Each waits for the flush of the other.
#[test]
fn commit_records_that_wait_for_a_flush() {
    let world = World { freezes: 2, ..flush(Mode::Always) };
    found(Bug::CommitRecordWaits, world, STANDS);
}

#[test]
fn parts_not_written_again() {
    found(Bug::NotRestated, flush(Mode::Always), UNEXPLAINED);
    let killed = World { kills: 1, cuts: 0, ..flush(Mode::Interval) };
    found(Bug::NotRestated, killed, UNEXPLAINED);
}

#[test]
fn parts_written_again_and_not_synced() {
    found(Bug::RestatedNotSynced, flush(Mode::Always), UNEXPLAINED);
}

#[test]
fn parts_written_again_behind_their_commit_records() {
    let twice = |mode| World { freezes: 2, ..flush(mode) };
    found(Bug::CommittedRestated, twice(Mode::Always), UNEXPLAINED);
    found(Bug::CommittedRestated, twice(Mode::Interval), UNEXPLAINED);
}

#[test]
fn a_memtable_frozen_before_its_log_is_durable() {
    found(Bug::FrozenNotSynced, flush(Mode::Interval), UNEXPLAINED);
}

#[test]
fn a_batch_undone_without_abort_records() {
    let world = World { deadlines: true, kills: 1, cuts: 0, ..flush(Mode::Interval) };
    found(Bug::NoAbortRecord, world, UNEXPLAINED);
}

/// No mistake but a choice: where an undone batch is answered before any abort record is durable.
#[test]
fn a_batch_undone_comes_back_after_a_power_cut() {
    let world = World { deadlines: true, freezes: 0, ..flush(Mode::Interval) };
    assert!(search(&world).is_ok());
    let world = World { undone_for_good: false, ..world };
    let found = search(&world).expect_err("what was undone does not come back");
    println!("{}\n{found}", world.legend());
    assert!(found.wrong.starts_with(UNEXPLAINED));
}

#[test]
fn a_batch_prepared_after_its_end() {
    let world = World { deadlines: true, kills: 1, cuts: 0, ..flush(Mode::Interval) };
    found(Bug::PreparedLate, world, UNEXPLAINED);
}

#[test]
fn the_epoch_of_a_verdict_read_before_committing_is_stored() {
    let world = World::calm(2, Mode::Interval, vec![BOTH, Operation::Scan]);
    found(Bug::EpochReadEarly, world, UNEXPLAINED);
}

#[test]
fn a_reader_that_does_not_help_a_commit() {
    let world = World::calm(2, Mode::Interval, vec![BOTH, Operation::Scan]);
    found(Bug::CommittingNotHelped, world, UNEXPLAINED);
}

#[test]
fn a_snapshot_taken_before_it_is_published() {
    let world = World::calm(2, Mode::Interval, vec![BOTH, Operation::Scan]);
    found(Bug::SnapshotPublishedLate, world, UNEXPLAINED);
}

#[test]
fn a_read_that_is_not_durable() {
    let reader = Operation::Batch { writes: &[1, 2], reads: &[0] };
    let operations = vec![Operation::Write { shard: 0 }, reader];
    let world = World { cuts: 1, ..World::calm(3, Mode::Always, operations) };
    found(Bug::ReadNotDurable, world, UNEXPLAINED);
}

#[test]
fn locks_in_the_order_of_the_batch() {
    let backwards = Operation::Batch { writes: &[1, 0], reads: &[] };
    let world = World::calm(2, Mode::Interval, vec![BOTH, backwards]);
    found(Bug::LocksInOrderOfBatch, world, STANDS);
}

#[test]
fn locks_kept_that_were_tried_in_vain() {
    let world = World::calm(2, Mode::Interval, vec![BOTH, BOTH]);
    found(Bug::TriedLocksKept, world, STANDS);
}

#[test]
fn a_start_that_decides_before_it_syncs() {
    let world = World { kills: 1, freezes: 0, ..flush(Mode::Always) };
    found(Bug::DecidedBeforeSync, world, UNEXPLAINED);
}
