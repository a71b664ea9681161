//! The check of a directory that is not in use, and every byte of one that rots.

use std::{path::Path, rc::Rc};

use super::machine::{ALL, DATA, DIR, Machine, finish, value};
use crate::{
    settings::{Durability, SyncMode},
    storage::{
        Page, StorageError,
        check::{CheckOptions, Checked, Finding, check_on},
        disk::{
            Disk,
            sim::{Crash, Dice, SimDisk},
        },
    },
};

/// A table, blob files, and a log with entries of its own; nothing was closed in good order.
fn complete() -> (Machine, Page) {
    let mut machine = Machine::new(1, SyncMode::Always, 8192);
    machine.options.memtable_bytes_max = 6000;
    machine.start().unwrap();
    for round in 0..3u8 {
        for key in 0..30u8 {
            let length = if key % 10 == round { 5000 } else { 60 };
            let shard = machine.shard();
            if key % 7 == round {
                finish(shard.delete("c", &[key])).unwrap();
            } else {
                shard.set("c", &[key], value(vec![key ^ round; length])).unwrap();
            }
            machine.settle();
        }
    }
    for (key, length) in [(b"1", 4500), (b"2", 50), (b"3", 50)] {
        machine.shard().set("in the log", key, value(vec![1; length])).unwrap();
        machine.settle();
    }
    let page = finish(machine.shard().scan("c", b"", None, ALL)).unwrap();
    machine.crash(Crash::Power);
    (machine, page)
}

fn check(disk: &SimDisk) -> (Checked, Vec<Finding>) {
    let (log_dir, data_dir) = (DIR.into(), DATA.into());
    let options = CheckOptions { log_dir, data_dir, directory_id: 7, shard: 0 };
    let mut findings = Vec::new();
    let disk = Rc::new(disk.clone());
    let checked = finish(check_on(disk, options, &mut |finding| findings.push(finding)));
    (checked, findings)
}

#[test]
fn a_sound_directory_is_found_to_be_so_and_is_left_alone() {
    let (machine, _) = complete();
    let before = machine.disk.files();
    let (checked, findings) = check(&machine.disk);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(checked.tables > 0 && checked.entries > 20 && checked.records > 0, "{checked:?}");
    assert!(checked.blob_files > 0 && checked.values > 2, "{checked:?}");
    assert_eq!(machine.disk.files(), before);
}

#[test]
fn a_directory_whose_last_run_had_no_log_is_sound_without_one() {
    let (mut machine, _) = complete();
    machine.set_durability(Durability::Flushed);
    machine.start().unwrap();
    machine.crash(Crash::Process);
    let (checked, findings) = check(&machine.disk);
    assert!(findings.is_empty() && checked.records > 0, "what was logged is needed: {checked:?}");

    machine.start().unwrap();
    machine.close();
    let no_log =
        |machine: &Machine| machine.disk.files().iter().all(|(path, _)| !path.starts_with(DIR));
    assert!(no_log(&machine));
    machine.start().unwrap();
    machine.shard().set("c", b"lost", value("1")).unwrap();
    machine.settle();
    machine.crash(Crash::Power);
    let (checked, findings) = check(&machine.disk);
    // That a table was removed after a merge may be forgotten.
    let is_left_over = |finding: &Finding| matches!(finding, Finding::LeftOver(_));
    assert!(findings.iter().all(is_left_over) && no_log(&machine), "{findings:?}");
    assert!(checked.values > 2 && checked.records == 0, "{checked:?}");
}

#[test]
fn what_is_missing_and_what_nobody_names_is_told() {
    let (machine, _) = complete();
    let files = machine.disk.files();
    for (path, _) in &files {
        let disk = machine.disk.copy();
        finish(disk.remove(path)).unwrap();
        let (_, findings) = check(&disk);
        let damaged = findings.iter().any(|finding| matches!(finding, Finding::Damaged(_)));
        // The only segment may be one that holds nothing.
        assert!(damaged || path.starts_with(DIR), "{path:?}");
    }
    let stray = Path::new(DATA).join("00000000000000000999.blob");
    let disk = machine.disk.copy();
    finish(disk.rename(&files[files.len() - 1].0, &stray)).unwrap();
    let (_, findings) = check(&disk);
    let told = |finding: &Finding| matches!(finding, Finding::LeftOver(path) if *path == stray);
    assert!(findings.iter().any(told), "{findings:?}");
}

/// One flipped bit in a byte of every so many, or in every byte (`AMATERS_FLIPS=all`).
#[test]
fn a_flipped_bit_is_found_by_the_check_or_is_without_effect() {
    let (mut machine, expected) = complete();
    let sound = machine.disk.clone();
    let step =
        if std::env::var("AMATERS_FLIPS").is_ok_and(|flips| flips == "all") { 1 } else { 149 };
    let mut dice = Dice::new(1);
    let (mut flips, mut found, mut refused) = (0u64, 0u64, 0u64);
    for (path, length) in sound.files() {
        for offset in (0..length).step_by(step) {
            let mask = 1 << dice.below(8);
            machine.disk = sound.copy();
            machine.disk.rot(&path, offset, mask);
            let name = || format!("{} byte {offset} ^ {mask:#04x}", path.display());
            let (_, findings) = check(&machine.disk);
            let damage = findings.iter().find_map(|finding| match finding {
                Finding::Damaged(error) => Some(error),
                Finding::LeftOver(_) => None,
            });
            if let Some(StorageError::Corrupt { file, .. } | StorageError::Foreign { file, .. }) =
                damage
            {
                assert_eq!(file, &path, "{}", name());
            }
            let started = machine.start();
            let rows = match started {
                Ok(_) => finish(machine.shard().scan("c", b"", None, ALL)),
                Err(error) => Err(error),
            };
            match rows {
                Ok(rows) => assert_eq!(rows, expected, "{}: a wrong value", name()),
                Err(error) => {
                    assert!(damage.is_some(), "{}: the check has not found {error}", name());
                    refused += 1;
                }
            }
            machine.crash(Crash::Process);
            flips += 1;
            found += u64::from(damage.is_some());
        }
    }
    println!(
        "{flips} flips: {found} found by the check, {refused} in the way of a start or a scan"
    );
    assert!(found > flips / 20 && refused > 0);
}
