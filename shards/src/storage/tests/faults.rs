//! What the engine does when the disk or the memory refuses.

use super::machine::{ALL, INTERVAL, Machine, finish, value};
use crate::{
    settings::SyncMode,
    storage::{
        EngineOptions, LockSet, StorageError,
        disk::sim::{Crash, Fault},
    },
};

#[test]
fn a_failed_call_poisons_and_acknowledges_nothing() {
    let mut failures = 0;
    for call in 0..8 {
        let mut machine = Machine::new(call, SyncMode::Always, 1 << 20);
        machine.start().unwrap();
        let shard = machine.shard();
        shard.set("c", b"old", value("old")).unwrap();
        machine.settle();
        machine.disk.fail_after(call, Fault::Io);
        let mut tickets = vec![shard.set("c", b"new", value(vec![1; 6000])).unwrap()];
        machine.step();
        tickets.push(shard.set("c", b"behind", value("2")).unwrap());
        machine.settle();
        let results: Vec<_> = tickets.into_iter().map(finish).collect();
        let visible = |key: &[u8]| finish(shard.get("c", key)).unwrap().is_some();
        assert!(visible(b"old"), "reads go on");
        assert_eq!(visible(b"new"), results[0].is_ok());
        assert_eq!(visible(b"behind"), results[1].is_ok());
        if results.iter().all(Result::is_ok) {
            continue;
        }
        failures += 1;
        let calls = machine.disk.calls();
        assert!(matches!(shard.set("c", b"k", value("3")), Err(StorageError::Poisoned { .. })));
        assert!(matches!(finish(shard.delete("c", b"old")), Err(StorageError::Poisoned { .. })));
        assert!(shard.stats().poisoned.is_some());
        machine.settle();
        assert_eq!(machine.disk.calls(), calls, "nothing is tried again");
        machine.close();
        machine.crash(Crash::Power);
        machine.start().unwrap();
        assert!(finish(machine.shard().get("c", b"old")).unwrap().is_some());
    }
    assert!(failures >= 3, "write and sync of both groups were hit");
}

#[test]
fn a_failed_sync_of_the_interval_poisons() {
    let mut machine = Machine::new(1, SyncMode::Interval(INTERVAL), 1 << 20);
    machine.start().unwrap();
    let shard = machine.shard();
    let ticket = shard.set("c", b"k", value("v")).unwrap();
    machine.settle();
    finish(ticket).unwrap();
    machine.disk.fail_after(0, Fault::Io);
    machine.clock.advance(INTERVAL);
    machine.settle();
    assert!(matches!(shard.set("c", b"k", value("w")), Err(StorageError::Poisoned { .. })));
    assert_eq!(finish(shard.get("c", b"k")).unwrap(), Some(value("v")));
}

#[test]
fn the_interval_bounds_how_long_a_write_waits_for_its_sync() {
    let mut machine = Machine::new(1, SyncMode::Interval(INTERVAL), 1 << 20);
    machine.start().unwrap();
    machine.shard().set("c", b"k", value("v")).unwrap();
    machine.settle();
    machine.clock.advance(INTERVAL / 4);
    machine.shard().set("c", b"l", value("v")).unwrap();
    machine.settle();
    assert_eq!(machine.shard().stats().syncs, 0);
    // Half an interval is left for the sync itself.
    machine.clock.advance(INTERVAL / 4);
    machine.settle();
    assert_eq!(machine.shard().stats().syncs, 1);
    machine.clock.advance(INTERVAL * 3);
    machine.settle();
    assert_eq!(machine.shard().stats().syncs, 1, "nothing new, nothing to sync");
}

#[test]
fn a_full_disk_changes_nothing_and_heals_when_there_is_room() {
    for length in [100, 100_000, 400_000] {
        let mut machine = Machine::new(1, SyncMode::Always, 2 << 20);
        machine.disk.limit(5 << 20);
        machine.start().unwrap();
        let shard = machine.shard();
        let mut written = 0u32;
        let error = loop {
            let ticket = shard.set("c", &written.to_be_bytes(), value(vec![1; length])).unwrap();
            for _ in 0..200 {
                machine.step();
            }
            match finish(ticket) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            if length == 100 && written == 3 {
                // Small writes fill a disk slowly: take the rest away.
                machine.disk.limit(0);
            }
            if length == 100 && written > 30_000 {
                panic!("the disk never gets full");
            }
        };
        assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
        assert_eq!(shard.stats().poisoned, None);
        assert_eq!(shard.stats().entries, u64::from(written));
        machine.disk.limit(u64::MAX);
        let ticket = shard.set("c", b"after", value("1")).unwrap();
        machine.settle();
        finish(ticket).unwrap();
        machine.crash(Crash::Power);
        machine.start().unwrap();
        let page = finish(machine.shard().scan("c", b"", None, ALL)).unwrap();
        assert_eq!(page.rows.len(), written as usize + 1);
    }
}

#[test]
fn full_memory_refuses_growth_only() {
    let mut machine = Machine::new(1, SyncMode::Always, 1 << 20);
    machine.options.memtable_bytes_max = 4000;
    machine.options.engine = EngineOptions::Memory;
    machine.start().unwrap();
    let shard = machine.shard();
    let mut key = 0u8;
    let error = loop {
        match shard.set("c", &[key], value(vec![1; 100])) {
            Ok(_) => key += 1,
            Err(error) => break error,
        }
    };
    let StorageError::Full { used, max } = error else { panic!("{error}") };
    assert!(used <= max && max == 4000, "{used}");
    assert!(key > 5);
    shard.set("c", &[0], value(vec![2; 100])).unwrap();
    shard.set("c", &[1], value(vec![2; 10])).unwrap();
    let grown = shard
        .transact(LockSet::default, |transaction| transaction.set("c", &[2], value(vec![2; 1000])));
    assert!(matches!(finish(grown), Err(StorageError::Full { .. })));
    let swapped = shard.transact(LockSet::default, |transaction| {
        transaction.delete("c", &[3])?;
        transaction.set("c", b"x", value(vec![2; 100]))
    });
    finish(swapped).expect("a delete makes room in the same transaction");
    assert!(shard.stats().memtable_bytes <= 4000);
    assert!(finish(shard.delete("c", &[4])).unwrap().0);
    shard.set("c", b"y", value(vec![2; 100])).unwrap();
}

#[test]
fn names_that_the_log_cannot_hold_are_refused() {
    let mut machine = Machine::new(1, SyncMode::Always, 1 << 20);
    machine.start().unwrap();
    let shard = machine.shard();
    let (name, key) = ("n".repeat(256), vec![0; 65_537]);
    assert!(matches!(shard.set(&name, b"k", value("v")), Err(StorageError::TooLarge { .. })));
    assert!(matches!(shard.set("c", &key, value("v")), Err(StorageError::TooLarge { .. })));
    let longest = shard.set(&name[1..], &key[1..], value("v")).unwrap();
    machine.settle();
    finish(longest).unwrap();
    machine.close();
    machine.start().unwrap();
    assert_eq!(finish(machine.shard().get(&name[1..], &key[1..])).unwrap(), Some(value("v")));
}
