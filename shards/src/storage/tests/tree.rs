//! Memtables that are flushed, tables that are read, blob files that come and go.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;

use super::machine::{ALL, Machine, finish, value, with_seeds};
use crate::{
    settings::{CompactionSettings, CompactionStrategy, SyncMode},
    storage::{
        LockSet, PageLimit, Value,
        disk::sim::{Crash, Dice, Fault},
    },
};

/// A machine that flushes after a few entries.
fn machine(seed: u64) -> Machine {
    let mut machine = Machine::new(seed, SyncMode::Always, 16_384);
    machine.options.memtable_bytes_max = 6000;
    machine.start().unwrap();
    machine
}

/// All ways of merging, with so few levels and runs that all of it happens.
const WAYS: [CompactionSettings; 3] = [
    CompactionSettings { strategy: CompactionStrategy::Leveled, levels: 4, multiplier: 3 },
    CompactionSettings { strategy: CompactionStrategy::Tiered, levels: 4, multiplier: 3 },
    CompactionSettings { strategy: CompactionStrategy::Universal, levels: 4, multiplier: 3 },
];

fn files(machine: &Machine, ending: &str) -> usize {
    let ends = |path: &Path| path.extension().is_some_and(|extension| extension == ending);
    machine.disk.files().iter().filter(|(path, _)| ends(path)).count()
}

fn assert_same(machine: &Machine, model: &BTreeMap<Vec<u8>, Value>, dice: &mut Dice) {
    let shard = machine.shard();
    for number in 0..40u8 {
        let key = [b'k', number];
        assert_eq!(finish(shard.get("c", &key)).unwrap().as_ref(), model.get(&key[..]), "{key:?}");
    }
    let mut from = Vec::new();
    let mut rows = Vec::new();
    let limit = PageLimit { rows: 1 + dice.below(9) as usize, bytes: 20_000 };
    loop {
        let page = finish(shard.scan("c", &from, None, limit)).unwrap();
        assert!(!page.rows.is_empty() || page.next.is_none());
        rows.extend(page.rows);
        let Some(next) = page.next else { break };
        from = next.to_vec();
    }
    let expected = model.iter().map(|(key, value)| (Bytes::from(key.clone()), value.clone()));
    assert!(rows.into_iter().eq(expected));
}

#[test]
fn what_is_flushed_and_merged_is_read_overwritten_deleted_and_comes_back() {
    with_seeds(30, |seed| {
        let (mut machine, mut dice) = (machine(seed), Dice::new(seed));
        let mut model = BTreeMap::new();
        for life in 0..3u8 {
            for round in 0..150u8 {
                if round % 40 == 0 {
                    machine.shard().set_compaction(&WAYS[dice.below(3) as usize]);
                }
                let key = vec![b'k', dice.below(40) as u8];
                let shard = machine.shard();
                if dice.one_in(3) {
                    let (found, _) = finish(shard.delete("c", &key)).unwrap();
                    assert_eq!(found, model.remove(&key).is_some());
                } else {
                    let length = if dice.one_in(4) { 5000 } else { dice.below(200) as usize };
                    let new = value(vec![life ^ round; length]);
                    shard.set("c", &key, new.clone()).unwrap();
                    model.insert(key, new);
                }
                for _ in 0..dice.below(60) {
                    machine.step();
                }
            }
            machine.settle();
            assert_same(&machine, &model, &mut dice);
            if dice.one_in(2) {
                machine.close();
            }
            machine.crash(Crash::Power);
            machine.start().unwrap();
            assert_same(&machine, &model, &mut dice);
        }
        assert!(files(&machine, "sst") > 0);
    });
}

/// The rows of one were taken for those of the other where both begin with the same key.
#[test]
fn ranges_of_one_transaction_that_begin_alike_end_where_each_was_asked_to() {
    let mut machine = machine(1);
    for key in 0..60u8 {
        machine.shard().set("c", &[key], value(vec![key; 200])).unwrap();
    }
    machine.settle();
    assert!(machine.shard().stats().flushes > 0);
    // What has been written over or deleted since hides what is in tables.
    machine.shard().set("c", &[5], value("new")).unwrap();
    finish(machine.shard().delete("c", &[40])).unwrap();
    machine.settle();
    for ends in [[10, 50], [50, 10]] {
        let scans = machine.shard().transact(LockSet::default, move |transaction| {
            let all = PageLimit { rows: 1000, bytes: 1 << 20 };
            let scans = ends.map(|end| transaction.scan("c", &[0], Some(&[end]), all));
            scans.into_iter().collect::<Result<Vec<_>, _>>()
        });
        let (pages, _) = finish(scans).unwrap();
        for (page, end) in pages.into_iter().zip(ends) {
            let keys: Vec<u8> = page.rows.iter().map(|(key, _)| key[0]).collect();
            let expected: Vec<u8> = (0..end).filter(|key| *key != 40).collect();
            assert_eq!(keys, expected, "up to {end}");
            assert_eq!(page.rows[5].1, value("new"));
        }
    }
}

#[test]
fn tables_are_merged_and_what_is_deleted_goes_in_every_way() {
    for way in WAYS {
        let mut machine = machine(1);
        machine.shard().set_compaction(&way);
        for round in 0..20u8 {
            for key in 0..60u8 {
                machine.shard().set("c", &[key], value(vec![round; 100])).unwrap();
            }
            machine.settle();
        }
        let stats = machine.shard().stats();
        assert!(stats.merges > 0 && stats.flushes > 10, "{stats:?}");
        assert!(stats.tables < 20, "{way:?}: {stats:?}");
        for key in 0..60u8 {
            finish(machine.shard().delete("c", &[key])).unwrap();
        }
        for other in 0..2000u32 {
            machine.shard().set("d", &other.to_be_bytes(), value("x")).unwrap();
            if other % 20 == 0 {
                machine.settle();
            }
        }
        machine.settle();
        let rows = finish(machine.shard().scan("c", b"", None, ALL)).unwrap().rows;
        assert_eq!(rows.len(), 0, "{way:?}");
        assert_eq!(finish(machine.shard().scan("d", b"", None, ALL)).unwrap().rows.len(), 2000);
        let trash = files(&machine, "sst") as u64 - machine.shard().stats().tables;
        assert_eq!(trash, 0, "what was merged is removed");
    }
}

#[test]
fn the_log_is_cut_when_what_it_holds_is_in_tables() {
    let mut machine = machine(1);
    for key in 0..2000u32 {
        machine.shard().set("c", &key.to_be_bytes(), value("something of some length")).unwrap();
        if key % 50 == 0 {
            machine.settle();
        }
    }
    machine.settle();
    let stats = machine.shard().stats();
    assert!(stats.log_bytes < 60_000, "{stats:?}");
    assert!(stats.memtable_bytes < 20_000, "{stats:?}");
    machine.crash(Crash::Power);
    let recovery = machine.start().unwrap();
    assert!(recovery.records < 500, "{recovery:?}");
    assert_eq!(finish(machine.shard().scan("c", b"", None, ALL)).unwrap().rows.len(), 2000);
}

#[test]
fn transactions_see_what_lies_on_the_disk() {
    let mut machine = machine(1);
    for key in 0..100u8 {
        let length = if key % 10 == 0 { 5000 } else { 90 };
        machine.shard().set("c", &[key], value(vec![key; length])).unwrap();
        machine.settle();
    }
    let shard = machine.shard();
    let ((found, page, gone), _) = finish(shard.transact(LockSet::default, |transaction| {
        let found = transaction.get("c", &[10])?;
        assert!(transaction.delete("c", &[11])?);
        assert!(!transaction.delete("c", &[200])?);
        transaction.set("c", &[12], value("new"))?;
        let page = transaction.scan("c", &[9], Some(&[14]), ALL)?;
        Ok::<_, crate::storage::StorageError>((found, page, transaction.has("c", &[11])?))
    }))
    .unwrap();
    assert_eq!(found, Some(value(vec![10; 5000])));
    assert!(!gone);
    let keys: Vec<_> = page.rows.iter().map(|(key, _)| key[0]).collect();
    assert_eq!(keys, [9, 10, 12, 13]);
    assert_eq!(page.rows[1].1, value(vec![10; 5000]));
    assert_eq!(page.rows[2].1, value("new"));
    machine.settle();
    assert_eq!(finish(shard.get("c", &[11])).unwrap(), None);
}

#[test]
fn blob_files_that_are_mostly_garbage_go_and_what_is_alive_in_them_stays() {
    let mut machine = machine(1);
    let mut model = BTreeMap::new();
    for life in 0..6u8 {
        for key in 0..20u8 {
            // The first keys are written once, and lie among garbage from then on.
            if life > 0 && key < 3 {
                continue;
            }
            let new = value(vec![life + key; 6000]);
            machine.shard().set("c", &[b'k', key], new.clone()).unwrap();
            model.insert(vec![b'k', key], new);
            machine.settle();
        }
        machine.close();
        machine.start().unwrap();
    }
    for round in 0..200u8 {
        let new = value(vec![round; 90]);
        machine.shard().set("c", &[b'k', 30], new.clone()).unwrap();
        model.insert(vec![b'k', 30], new);
        machine.settle();
    }
    assert!(files(&machine, "blob") <= 4, "{:?}", machine.disk.files());
    let mut dice = Dice::new(1);
    assert_same(&machine, &model, &mut dice);
    machine.crash(Crash::Power);
    machine.start().unwrap();
    assert_same(&machine, &model, &mut dice);
}

#[test]
fn bytes_of_blob_files_are_told_with_those_that_are_garbage() {
    const VALUES: u8 = 4;
    const BYTES: u64 = 6000;

    let mut machine = machine(1);
    let set_all = |machine: &mut Machine, byte| {
        for key in 0..VALUES {
            machine.shard().set("c", &[key], value(vec![byte; BYTES as usize])).unwrap();
        }
        machine.settle();
    };
    set_all(&mut machine, 1);
    let all = u64::from(VALUES) * BYTES;
    let stats = machine.shard().stats();
    assert_eq!((stats.blob_bytes, stats.blob_garbage_bytes), (all, 0));
    for life in 0..2 {
        machine.close();
        machine.start().unwrap();
        machine.settle();
        let stats = machine.shard().stats();
        let (bytes, garbage) = (stats.blob_bytes, stats.blob_garbage_bytes);
        assert!((all..2 * all).contains(&(bytes - garbage)), "life {life}: {bytes}, {garbage}");
        // Heads of values, and the rest of a block.
        assert!((1..all / 2).contains(&garbage), "life {life}: {garbage}");
    }
    // What is all garbage goes.
    set_all(&mut machine, 2);
    machine.close();
    machine.start().unwrap();
    machine.settle();
    let stats = machine.shard().stats();
    assert_eq!(stats.blob_bytes - stats.blob_garbage_bytes, all);
    assert!(stats.blob_garbage_bytes < all / 2, "{}", stats.blob_garbage_bytes);
}

#[test]
fn a_flush_without_room_refuses_writes_in_the_end_and_heals() {
    let mut machine = machine(1);
    let mut written = 0u32;
    let refused = loop {
        if written == 100 {
            machine.disk.limit(0);
        }
        let ticket = machine.shard().set("c", &written.to_be_bytes(), value(vec![1; 50])).unwrap();
        for _ in 0..300 {
            machine.step();
        }
        match finish(ticket) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, crate::storage::StorageError::NoSpace { .. }), "{refused}");
    assert_eq!(machine.shard().stats().poisoned, None);
    assert_eq!(
        finish(machine.shard().get("c", &7u32.to_be_bytes())).unwrap(),
        Some(value(vec![1; 50]))
    );
    machine.disk.limit(u64::MAX);
    machine.clock.advance(std::time::Duration::from_secs(2));
    machine.settle();
    let ticket = machine.shard().set("c", b"after", value("1")).unwrap();
    machine.settle();
    finish(ticket).unwrap();
    let rows = finish(machine.shard().scan("c", b"", None, ALL)).unwrap().rows;
    assert_eq!(rows.len(), written as usize + 1);
}

#[test]
fn a_table_that_cannot_be_built_is_built_again() {
    for call in 0..30 {
        let mut machine = machine(call);
        let shard = machine.shard();
        for key in 0..8u8 {
            shard.set("c", &[key], value(vec![1; 100])).unwrap();
        }
        for _ in 0..1000 {
            if files(&machine, "sst") > 0 {
                break;
            }
            machine.step();
        }
        assert_eq!(files(&machine, "sst"), 1, "it is being built");
        machine.disk.fail_after(call, Fault::Io);
        machine.settle();
        machine.clock.advance(std::time::Duration::from_secs(2));
        machine.settle();
        for key in 0..8u8 {
            if let Ok(found) = finish(shard.get("c", &[key])) {
                assert_eq!(found, Some(value(vec![1; 100])));
            }
        }
        machine.crash(Crash::Power);
        machine.start().unwrap();
        assert_eq!(finish(machine.shard().scan("c", b"", None, ALL)).unwrap().rows.len(), 8);
        assert!(files(&machine, "sst") <= 1);
    }
}
