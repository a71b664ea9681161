//! Who sees what, and when: readers, deciders, and those who wait.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use bytes::Bytes;

use super::machine::{ALL, Machine, finish, value};
use crate::{
    settings::SyncMode,
    storage::{
        EngineOptions, LockSet, Options, PageLimit, Shard, StorageError, Workshop,
        clock::sim::SimClock, disk::sim::SimDisk,
    },
};

fn machine() -> Machine {
    let mut machine = Machine::new(1, SyncMode::Always, 1 << 20);
    machine.start().unwrap();
    machine
}

#[test]
fn readers_see_a_write_when_its_ticket_resolves_and_not_before() {
    let mut machine = machine();
    let shard = machine.shard();
    let ticket = shard.set("c", b"k", value("v")).unwrap();
    while !ticket.is_done() {
        assert_eq!(finish(shard.get("c", b"k")).unwrap(), None);
        assert!(finish(shard.scan("c", b"", None, ALL)).unwrap().rows.is_empty());
        machine.step();
    }
    assert_eq!(finish(shard.get("c", b"k")).unwrap(), Some(value("v")));
    assert_eq!(finish(shard.get("d", b"k")).unwrap(), None, "collections are apart");
}

#[test]
fn deciders_see_what_is_staged_and_wait_for_it() {
    let mut machine = machine();
    let shard = machine.shard();
    let set = shard.set("c", b"k", value("v")).unwrap();
    let (found, _) = finish(shard.delete("c", b"k")).unwrap();
    assert!(found);
    let (found_again, resting) = finish(shard.delete("c", b"k")).unwrap();
    assert!(!found_again && !resting.is_done(), "that it is gone is not durable yet");
    let (nothing, unrelated) = finish(shard.delete("c", b"other")).unwrap();
    assert!(!nothing && unrelated.is_done());
    let (seen, reading) =
        finish(shard.transact(LockSet::default, |transaction| transaction.get("c", b"k"))).unwrap();
    assert!(seen.is_none() && !reading.is_done());
    machine.settle();
    for ticket in [set, resting, reading] {
        finish(ticket).unwrap();
    }
    let (_, idle) =
        finish(shard.transact(LockSet::default, |_| Ok::<_, StorageError>(()))).unwrap();
    assert!(idle.is_done());
}

#[test]
fn a_transaction_that_fails_or_panics_leaves_no_trace() {
    let mut machine = machine();
    let shard = machine.shard();
    let failed: Result<((), _), _> = finish(shard.transact(LockSet::default, |transaction| {
        transaction.set("new", b"k", value("v"))?;
        Err(StorageError::Closed { shard: 9 })
    }));
    assert!(failed.is_err());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = finish(shard.transact::<(), StorageError>(LockSet::default, |transaction| {
            transaction.set("new", b"k", value("v"))?;
            panic!("on purpose");
        }));
    }));
    assert!(panicked.is_err());
    machine.settle();
    let stats = shard.stats();
    assert_eq!((stats.entries, stats.groups, stats.memtable_bytes), (0, 0, 0));
    shard.set("c", b"k", value("v")).unwrap();
    machine.settle();
    assert_eq!(shard.stats().entries, 1);
}

#[test]
fn writes_gather_while_a_group_is_in_flight() {
    let mut machine = machine();
    let shard = machine.shard();
    shard.set("c", b"first", value("v")).unwrap();
    machine.step();
    for key in 0..1000u32 {
        shard.set("c", &key.to_be_bytes(), value("v")).unwrap();
    }
    machine.settle();
    let stats = shard.stats();
    assert_eq!((stats.entries, stats.groups, stats.syncs), (1001, 2, 2));
}

#[test]
fn a_group_is_bounded_and_the_rest_spills_behind() {
    let mut machine = machine();
    let shard = machine.shard();
    let large = value(vec![1; 3 << 20]);
    let tickets: Vec<_> =
        (0..7u8).map(|key| shard.set("c", &[key], large.clone()).unwrap()).collect();
    machine.settle();
    tickets.into_iter().for_each(|ticket| finish(ticket).unwrap());
    assert_eq!(shard.stats().groups, 3);
}

#[test]
fn pages_of_a_transaction_merge_visible_staged_and_own() {
    let mut machine = machine();
    let shard = machine.shard();
    for key in ["a", "b", "c", "d"] {
        shard.set("c", key.as_bytes(), value("visible")).unwrap();
    }
    machine.settle();
    shard.set("c", b"b", value("staged")).unwrap();
    finish(shard.delete("c", b"c")).unwrap();
    let (page, _) = finish(shard.transact(LockSet::default, |transaction| {
        transaction.set("c", b"aa", value("own"))?;
        transaction.delete("c", b"d")?;
        let two = PageLimit { rows: 2, bytes: 1000 };
        let first = transaction.scan("c", b"a", Some(b"z"), two)?;
        assert_eq!(first.next.as_deref(), Some(&b"b"[..]));
        transaction.scan("c", b"aa", None, ALL)
    }))
    .unwrap();
    let expected = [(Bytes::from("aa"), value("own")), (Bytes::from("b"), value("staged"))];
    assert_eq!(page.rows, expected);
    assert_eq!(page.next, None);
}

#[test]
fn closing_waits_for_the_staged_and_refuses_the_rest() {
    let mut machine = Machine::new(1, SyncMode::None, 1 << 20);
    machine.start().unwrap();
    let shard = machine.shard();
    let ticket = shard.set("c", b"k", value("v")).unwrap();
    machine.close();
    finish(ticket).unwrap();
    assert!(matches!(shard.set("c", b"l", value("v")), Err(StorageError::Closed { .. })));
    assert_eq!(finish(shard.get("c", b"k")).unwrap(), Some(value("v")));
    machine.disk.reboot(crate::storage::disk::sim::Crash::Power);
    machine.start().unwrap();
    assert_eq!(machine.shard().stats().entries, 1, "closing syncs in every mode");
}

#[test]
fn closing_works_where_nobody_runs_the_commit_loop() {
    let machine = machine();
    let shard = machine.shard();
    let ticket = shard.set("c", b"k", value("v")).unwrap();
    drop(machine);
    finish(shard.close());
    finish(ticket).unwrap();
    let memory = memory();
    finish(memory.close());
    finish(memory.run());
}

#[test]
fn a_commit_loop_that_is_dropped_leaves_nobody_waiting() {
    let mut machine = machine();
    let shard = machine.shard();
    let in_flight = shard.set("c", b"k", value("v")).unwrap();
    machine.step();
    let queued = shard.set("c", b"l", value("v")).unwrap();
    drop(machine);
    assert!(finish(in_flight).is_err() && finish(queued).is_err());
    assert!(shard.set("c", b"m", value("v")).is_err());
    finish(shard.close());
}

fn memory() -> Shard {
    let options = Options {
        shard: 0,
        directory_id: 1,
        memtable_bytes_max: 10_000,
        engine: EngineOptions::Memory,
    };
    let disk = Rc::new(SimDisk::new(1));
    let workshop = Workshop::inline(disk.clone());
    let opened = Shard::open(disk, Rc::new(SimClock::default()), workshop, options);
    finish(opened).unwrap().0
}

#[test]
fn the_memory_engine_answers_at_once() {
    let shard = memory();
    assert!(shard.set("c", b"k", value("v")).unwrap().is_done());
    assert_eq!(finish(shard.get("c", b"k")).unwrap(), Some(value("v")));
    let (found, ticket) = finish(shard.delete("c", b"k")).unwrap();
    assert!(found && ticket.is_done());
    let write =
        shard.transact(LockSet::default, |transaction| transaction.set("c", b"l", value("w")));
    let (_, ticket) = finish(write).unwrap();
    assert!(ticket.is_done());
    assert_eq!(shard.stats().entries, 1);
    assert!(matches!(shard.set("c", b"m", value(vec![0; 20_000])), Err(StorageError::Full { .. })));
}
