//! Bytes that rot, files that go missing or get mixed up: found and named, or without effect; never a wrong value.

use std::path::{Path, PathBuf};

use super::machine::{ALL, DATA, DIR, Machine, finish, first_segment, value, with_seeds};
use crate::{
    settings::SyncMode,
    storage::{
        Page, StorageError,
        disk::{
            Disk,
            sim::{Crash, Dice},
        },
    },
};

/// A log of several segments, each group with one record, and blob files.
fn written(seed: u64) -> (Machine, Page) {
    filled(Machine::new(seed, SyncMode::Always, 20 * 1024))
}

fn filled(mut machine: Machine) -> (Machine, Page) {
    for life in 0..3u8 {
        machine.start().unwrap();
        for key in 0..11u8 {
            let length = if key % 4 == 0 { 6000 } else { 50 };
            machine.shard().set("c", &[life, key], value(vec![key + 1; length])).unwrap();
            machine.settle();
        }
        machine.close();
    }
    machine.start().unwrap();
    let page = rows(&machine);
    machine.close();
    (machine, page)
}

fn rows(machine: &Machine) -> Page {
    read(machine).unwrap()
}

fn read(machine: &Machine) -> Result<Page, StorageError> {
    finish(machine.shard().scan("c", b"", None, ALL))
}

#[test]
fn a_flipped_bit_anywhere_is_found_or_without_effect() {
    with_seeds(6, |seed| {
        let (mut machine, expected) = written(seed);
        let mut dice = Dice::new(seed);
        let mut found = 0;
        for _ in 0..25 {
            let files = machine.disk.files();
            let (path, length) = &files[dice.below(files.len() as u64) as usize];
            let (offset, mask) = (dice.below(*length), 1 << dice.below(8));
            machine.disk.rot(path, offset, mask);
            match machine.start().and_then(|_| read(&machine)) {
                Ok(rows) => assert_eq!(rows, expected, "{path:?} byte {offset} ^ {mask}"),
                Err(StorageError::Corrupt { file, .. }) => {
                    assert_eq!(&file, path);
                    found += 1;
                }
                Err(error) => panic!("{error}"),
            }
            machine.crash(Crash::Process);
            // One that held nothing is removed when its header block is damaged.
            if machine.disk.files().iter().any(|(there, _)| there == path) {
                machine.disk.rot(path, offset, mask);
            }
        }
        assert!(found > 0);
    });
}

#[test]
fn every_byte_of_a_record_in_a_sealed_segment_counts() {
    let mut machine = Machine::new(1, SyncMode::Always, 20 * 1024);
    machine.put_into_blobs(usize::MAX);
    let (mut machine, _) = filled(machine);
    // The first record: header, table, payload with a key of 2 and data of 6000 bytes.
    for offset in
        (4096..4096 + 36).chain((4096 + 36..10_000).step_by(397)).chain([0, 8, 12, 40, 2000, 4095])
    {
        machine.disk.rot(&first_segment(), offset, 0x80);
        let error = machine.start().unwrap_err();
        let StorageError::Corrupt { file, offset: named, .. } = &error else { panic!("{error}") };
        assert_eq!((file, *named), (&first_segment(), if offset < 4096 { 0 } else { 4096 }));
        machine.disk.rot(&first_segment(), offset, 0x80);
    }
    machine.start().unwrap();
}

#[test]
fn a_hole_in_durable_bytes_stops_the_start_and_a_torn_tail_does_not() {
    let mut machine = Machine::new(1, SyncMode::Always, 1 << 20);
    machine.start().unwrap();
    let mut ends = Vec::new();
    for key in 0..3u8 {
        machine.shard().set("c", &[key], value("something")).unwrap();
        machine.settle();
        ends.push(machine.shard().stats().log_bytes);
    }
    machine.crash(Crash::Power);

    machine.disk.rot(&first_segment(), ends[0] + 50, 1);
    let error = machine.start().unwrap_err();
    let StorageError::Corrupt { file, offset, what, advice } = &error else { panic!("{error}") };
    assert_eq!((file, *offset), (&first_segment(), ends[0]));
    assert!(what.contains(&ends[1].to_string()), "{what}");
    assert!(advice.contains("backup"));
    machine.disk.rot(&first_segment(), ends[0] + 50, 1);

    machine.disk.rot(&first_segment(), ends[1] + 50, 1);
    let recovery = machine.start().unwrap();
    assert_eq!(recovery.records, 2);
    assert!(recovery.truncated_bytes > 0 && recovery.truncated_bytes <= ends[2] - ends[1]);
    assert_eq!(rows(&machine).rows.len(), 2);
    machine.crash(Crash::Power);
    assert_eq!(machine.start().unwrap().records, 2, "what was dropped stays dropped");
}

#[test]
fn a_stop_in_good_order_vouches_for_the_last_group_too() {
    let mut machine = Machine::new(1, SyncMode::None, 1 << 20);
    machine.start().unwrap();
    machine.shard().set("c", b"k", value("something")).unwrap();
    machine.settle();
    machine.close();
    machine.disk.rot(&first_segment(), 4096 + 50, 1);
    assert!(matches!(machine.start(), Err(StorageError::Corrupt { offset: 4096, .. })));
}

#[test]
fn a_missing_segment_stops_the_start() {
    let mut machine = Machine::new(1, SyncMode::Always, 20 * 1024);
    machine.put_into_blobs(usize::MAX);
    let (mut machine, _) = filled(machine);
    let mut files = machine.disk.files();
    files.retain(|(path, _)| path.starts_with(DIR));
    assert!(files.len() >= 3);
    for (missing, _) in &files[..files.len() - 2] {
        let away = PathBuf::from("/elsewhere.log");
        finish(machine.disk.rename(missing, &away)).unwrap();
        assert!(matches!(machine.start(), Err(StorageError::Corrupt { .. })), "{missing:?}");
        finish(machine.disk.rename(&away, missing)).unwrap();
    }
    machine.start().unwrap();
}

#[test]
fn logs_of_others_are_refused_and_left_alone() {
    let (mut machine, expected) = written(1);
    let before = machine.disk.files();
    machine.options.directory_id = 8;
    assert!(matches!(machine.start(), Err(StorageError::Foreign { .. })));
    machine.options.directory_id = 7;
    machine.options.shard = 1;
    assert!(matches!(machine.start(), Err(StorageError::Foreign { .. })));
    assert_eq!(machine.disk.files(), before);
    machine.options.shard = 0;
    machine.start().unwrap();
    assert_eq!(rows(&machine), expected);
}

#[test]
fn starts_without_writes_do_not_pile_up_segments() {
    let (mut machine, _) = written(1);
    let count = machine.disk.files().len();
    for _ in 0..5 {
        machine.start().unwrap();
        machine.close();
        machine.start().unwrap();
        machine.crash(Crash::Power);
    }
    assert!(machine.disk.files().len() <= count + 1);
    let ours = |path: &Path| path.starts_with(DIR) || path.starts_with(DATA);
    assert!(machine.disk.files().iter().all(|(path, _)| ours(path)));
}
