//! Without a log: what a crash takes, what a stop in good order keeps, and a log that comes and goes.

use std::{pin::pin, time::Duration};

use super::machine::{ALL, DIR, Machine, finish, first_segment, poll, value};
use crate::{
    settings::{Durability, SyncMode},
    storage::{
        StorageError,
        disk::{
            Disk,
            sim::{Crash, Fault},
        },
    },
};

const LOGGED: Durability = Durability::Logged(SyncMode::Always);

fn machine(durability: Durability) -> Machine {
    let mut machine = Machine::new(1, SyncMode::Always, 16_384);
    machine.set_durability(durability);
    machine.start().unwrap();
    machine
}

/// Starts it again, with a log or without.
fn restart(machine: &mut Machine, durability: Durability) -> Result<u64, StorageError> {
    machine.set_durability(durability);
    Ok(machine.start()?.records)
}

/// Sets these keys, every sixteenth to a large value.
fn write(machine: &mut Machine, keys: std::ops::Range<u32>) {
    for key in keys {
        let length = if key % 16 == 0 { 5000 } else { 40 };
        let ticket = machine.shard().set("c", &key.to_be_bytes(), value(vec![key as u8; length]));
        machine.settle();
        finish(ticket.unwrap()).unwrap();
    }
}

/// The keys that are there, with their own values.
fn keys(machine: &Machine) -> Vec<u32> {
    let rows = finish(machine.shard().scan("c", b"", None, ALL)).unwrap().rows;
    let keys = rows.into_iter().map(|(key, value)| {
        let key = u32::from_be_bytes(key[..].try_into().unwrap());
        assert!(value.data.iter().all(|byte| *byte == key as u8), "{key}");
        key
    });
    keys.collect()
}

fn segments(machine: &Machine) -> usize {
    machine.disk.files().iter().filter(|(path, _)| path.starts_with(DIR)).count()
}

#[test]
fn a_crash_takes_what_is_not_flushed_and_a_stop_takes_nothing() {
    let mut machine = machine(Durability::Flushed);
    write(&mut machine, 0..20);
    assert_eq!(machine.shard().stats().flushed_sequence, 0);
    machine.crash(Crash::Process);
    assert_eq!(restart(&mut machine, Durability::Flushed).unwrap(), 0);
    assert!(keys(&machine).is_empty());

    write(&mut machine, 0..20);
    let deleted = finish(machine.shard().delete("c", &3u32.to_be_bytes())).unwrap();
    assert!(deleted.0);
    let stats = machine.close();
    assert_eq!((stats.sequence, stats.flushed_sequence, stats.poisoned), (21, 21, None));
    machine.crash(Crash::Power);
    restart(&mut machine, Durability::Flushed).unwrap();
    let expected: Vec<u32> = (0..20).filter(|key| *key != 3).collect();
    assert_eq!(keys(&machine), expected);
    assert_eq!(segments(&machine), 0, "there never was a log");
}

#[test]
fn a_memtable_that_is_full_is_flushed_and_then_lasts() {
    let mut machine = Machine::new(1, SyncMode::Always, 16_384);
    machine.options.memtable_bytes_max = 6000;
    machine.set_durability(Durability::Flushed);
    machine.start().unwrap();
    write(&mut machine, 0..200);
    let flushed = machine.shard().stats().flushed_sequence;
    assert!(flushed > 150, "{flushed}");
    machine.crash(Crash::Power);
    restart(&mut machine, Durability::Flushed).unwrap();
    assert_eq!(keys(&machine), (0..flushed as u32).collect::<Vec<_>>());
}

#[test]
fn what_is_written_over_again_and_again_is_flushed_too() {
    let mut machine = machine(Durability::Flushed);
    for round in 0..800u32 {
        machine.shard().set("c", b"k", value(round.to_le_bytes().repeat(25))).unwrap();
        machine.settle();
    }
    let stats = machine.shard().stats();
    assert!(stats.flushes >= 1 && stats.flushed_sequence > 300, "{stats:?}");
}

#[test]
fn a_log_that_is_there_is_read_and_goes_when_it_is_flushed() {
    let mut machine = machine(LOGGED);
    write(&mut machine, 1..11);
    for _ in 0..2 {
        machine.crash(Crash::Power);
        assert_eq!(restart(&mut machine, Durability::Flushed).unwrap(), 10, "it is still needed");
        assert_eq!(keys(&machine), (1..11).collect::<Vec<_>>());
        write(&mut machine, 11..16);
    }
    assert!(segments(&machine) > 0);
    machine.close();
    assert_eq!(segments(&machine), 0);

    assert_eq!(restart(&mut machine, LOGGED).unwrap(), 0);
    assert_eq!(segments(&machine), 1);
    write(&mut machine, 17..27);
    machine.crash(Crash::Power);
    assert_eq!(restart(&mut machine, LOGGED).unwrap(), 10);
    assert_eq!(keys(&machine), (1..16).chain(17..27).collect::<Vec<_>>());
}

#[test]
fn the_log_goes_on_behind_what_a_crash_took() {
    let mut machine = machine(LOGGED);
    write(&mut machine, 0..5);
    machine.close();
    restart(&mut machine, Durability::Flushed).unwrap();
    write(&mut machine, 5..9);
    machine.crash(Crash::Power);
    assert_eq!(restart(&mut machine, LOGGED).unwrap(), 5);
    write(&mut machine, 20..25);
    machine.crash(Crash::Power);
    assert_eq!(restart(&mut machine, LOGGED).unwrap(), 10);
    assert_eq!(keys(&machine), (0..5).chain(20..25).collect::<Vec<_>>());
}

#[test]
fn a_lost_log_is_told_from_one_that_is_not_needed() {
    for durability in [LOGGED, Durability::Flushed] {
        let lose = |machine: &mut Machine| {
            for (path, _) in machine.disk.files() {
                if path.starts_with(DIR) {
                    finish(machine.disk.remove(&path)).unwrap();
                }
            }
            restart(machine, durability)
        };
        // All is in tables, and the run was without a log.
        let mut unlogged = machine(Durability::Flushed);
        write(&mut unlogged, 0..5);
        unlogged.close();
        lose(&mut unlogged).unwrap();
        assert_eq!(keys(&unlogged), (0..5).collect::<Vec<_>>());

        // The last run was without a log, but has not flushed what the one before had logged.
        let mut needed = machine(LOGGED);
        write(&mut needed, 0..5);
        needed.close();
        restart(&mut needed, Durability::Flushed).unwrap();
        needed.crash(Crash::Process);
        let error = lose(&mut needed).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");

        // The last run was with a log.
        let mut logged = machine(Durability::Flushed);
        write(&mut logged, 0..5);
        logged.close();
        restart(&mut logged, LOGGED).unwrap();
        logged.crash(Crash::Process);
        let error = lose(&mut logged).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn the_end_of_a_retired_log_is_no_torn_tail() {
    let mut machine = machine(LOGGED);
    write(&mut machine, 1..4);
    let end = machine.shard().stats().log_bytes;
    machine.crash(Crash::Process);
    machine.disk.rot(&first_segment(), end - 20, 1);
    assert_eq!(restart(&mut machine, LOGGED).unwrap(), 2, "it cannot be told from a torn tail");
    machine.crash(Crash::Process);

    let mut machine = self::machine(LOGGED);
    write(&mut machine, 1..4);
    machine.crash(Crash::Process);
    restart(&mut machine, Durability::Flushed).unwrap();
    machine.crash(Crash::Process);
    machine.disk.rot(&first_segment(), end - 20, 1);
    let error = restart(&mut machine, Durability::Flushed).unwrap_err();
    let StorageError::Corrupt { file, what, .. } = &error else { panic!("{error}") };
    assert_eq!(*file, first_segment());
    assert!(what.contains("records from 3 to 3 are missing"), "{what}");
}

/// Where nobody runs the shard, closing it does all the work.
#[test]
fn a_stop_waits_for_room_on_a_full_disk_and_loses_nothing() {
    let mut machine = machine(Durability::Flushed);
    let shard = machine.shard();
    let ticket = shard.set("c", &7u32.to_be_bytes(), value([7; 40])).unwrap();
    machine.disk.limit(0);
    let mut closing = pin!(shard.close());
    for round in 0..6000 {
        assert!(poll(closing.as_mut()).is_pending());
        if round % 200 == 0 {
            machine.clock.advance(Duration::from_secs(1));
        }
    }
    finish(ticket).unwrap();
    machine.disk.limit(u64::MAX);
    machine.clock.advance(Duration::from_secs(1));
    finish(closing);
    assert_eq!(shard.stats().poisoned, None);
    machine.crash(Crash::Power);
    restart(&mut machine, Durability::Flushed).unwrap();
    assert_eq!(keys(&machine), [7]);
}

#[test]
fn a_stop_tries_again_what_may_pass_and_tells_what_does_not() {
    for call in 0..12 {
        let mut machine = machine(Durability::Flushed);
        write(&mut machine, 1..5);
        machine.disk.fail_after(call, Fault::Io);
        let stats = machine.close();
        machine.crash(Crash::Power);
        restart(&mut machine, Durability::Flushed).unwrap();
        // A manifest whose write failed is not written to again.
        let all: Vec<u32> = (1..5).collect();
        assert!(keys(&machine) == all || stats.poisoned.is_some(), "call {call}: {stats:?}");
    }
    let mut machine = machine(Durability::Flushed);
    write(&mut machine, 1..5);
    machine.disk.crash_after(0);
    let cause = machine.close().poisoned.expect("it is told");
    assert!(cause.contains("the machine has stopped"), "{cause}");
}
