//! Bytes that rot, blocks in the wrong place, files cut short: found and named, or without effect.

use std::{path::Path, rc::Rc};

use super::{
    Row, Shelf, binding, blob, findings, finish, inline, look_up, newest, numbered, path,
    table_key, walk,
};
use crate::storage::{
    StorageError,
    cache::Cache,
    disk::{BLOCK_BYTES, Disk, sim::Crash},
    entry::Change,
    header::Binding,
    merge::Target,
    table::{BuilderOptions, Cursor, Table},
};

/// Few rows, but of every kind and in several blocks.
fn few() -> Vec<Row> {
    let mut rows = numbered(40, 10);
    rows.push((table_key(2, b"a"), 9, inline("newer")));
    rows.push((table_key(2, b"a"), 5, inline([1; 300])));
    rows.push((table_key(2, b"b"), 9, Change::Tombstone));
    rows.push((table_key(2, b"c"), 9, blob(4)));
    rows.push((table_key(3, b""), 9, inline([0; 2000])));
    rows
}

fn assert_named(error: &StorageError, file: &Path) {
    match error {
        StorageError::Corrupt { file: named, .. } => assert_eq!(named, file),
        error => panic!("{error}"),
    }
}

/// Every way to read the table gives what was written, or says which file is damaged. Whether it was.
fn is_found(shelf: &Shelf, rows: &[Row]) -> bool {
    let file = path(1);
    let table = match shelf.open(1) {
        Ok(table) => table,
        Err(error) => {
            assert_named(&error, &file);
            return true;
        }
    };
    let cache = Rc::new(Cache::new(1 << 20));
    let mut found = false;
    let mut judge = |is_right: Result<bool, StorageError>| match is_right {
        Ok(is_right) => assert!(is_right, "a wrong answer"),
        Err(error) => {
            assert_named(&error, &file);
            found = true;
        }
    };
    for row in rows {
        let looked_up = look_up(&table, &cache, &row.0);
        judge(looked_up.map(|entry| entry == newest(rows, &row.0)));
    }
    for cache in [None, Some(cache)] {
        let mut cursor = Cursor::new(Rc::clone(&table), cache).unwrap();
        judge(walk(&mut cursor, Target::First).map(|walked| walked == rows));
    }
    assert_eq!(found, !findings(&table).is_empty(), "a check finds what reads find");
    found
}

#[test]
fn every_flipped_byte_is_found_or_without_effect() {
    for compress in [false, true] {
        let shelf = Shelf::new(BuilderOptions { block_bytes: 250, compress, ..Default::default() });
        let rows = few();
        let meta = shelf.table(1, &rows).meta().clone();
        assert!(meta.blocks > 4);
        let end = meta.bytes - BLOCK_BYTES as u64;
        let last_written = shelf.read(1)[..end as usize].iter().rposition(|byte| *byte != 0);
        for offset in 0..meta.bytes {
            shelf.disk.rot(&path(1), offset, 1 << (offset % 8));
            let is_padding = (last_written.unwrap() as u64 + 1..end).contains(&offset);
            assert_eq!(is_found(&shelf, &rows), !is_padding, "byte {offset} of {}", meta.bytes);
            shelf.disk.rot(&path(1), offset, 1 << (offset % 8));
        }
        assert!(!is_found(&shelf, &rows));
    }
}

/// Four blocks of the same length, and then some.
fn even(shelf: &Shelf, number: u64, fill: u8) -> Vec<Row> {
    let rows: Vec<Row> =
        (0..5u8).map(|key| (table_key(1, &[key]), 1, inline([fill; 3000]))).collect();
    assert_eq!(shelf.build(number, &rows).unwrap().blocks, 5);
    rows
}

/// Head, restart, lengths, key, sequence, flags, data, trailer.
const EVEN_BYTES: usize = 8 + 8 + (1 + 1 + 2) + 5 + 1 + 1 + 3000 + 16;

#[test]
fn blocks_that_changed_places_are_found() {
    let shelf = Shelf::plain(3200);
    let rows = even(&shelf, 1, 7);
    let whole = shelf.read(1);
    let block = |index: usize| 4096 + index * EVEN_BYTES..4096 + (index + 1) * EVEN_BYTES;
    assert_ne!(whole[block(0)], whole[block(1)]);
    let mut swapped = whole.clone();
    swapped[block(0)].copy_from_slice(&whole[block(1)]);
    swapped[block(1)].copy_from_slice(&whole[block(0)]);
    shelf.replace(1, &swapped);
    assert!(is_found(&shelf, &rows));

    let table = shelf.open(1).unwrap();
    let cache = Cache::new(0);
    for (index, row) in rows.iter().enumerate() {
        let read = look_up(&table, &cache, &row.0);
        assert_eq!(read.is_err(), index < 2, "the other blocks go on working");
    }
    let error = look_up(&table, &cache, &rows[1].0).unwrap_err();
    let StorageError::Corrupt { offset, .. } = error else { panic!("{error}") };
    assert_eq!(offset, 4096 + EVEN_BYTES as u64);
    assert_eq!(findings(&table).len(), 2);
}

#[test]
fn a_block_of_another_table_is_found() {
    let shelf = Shelf::plain(3200);
    let rows = even(&shelf, 1, 7);
    even(&shelf, 2, 8);
    let mut mixed = shelf.read(1);
    let other = shelf.read(2);
    mixed[4096..4096 + EVEN_BYTES].copy_from_slice(&other[4096..4096 + EVEN_BYTES]);
    shelf.replace(1, &mixed);
    assert!(is_found(&shelf, &rows));
}

#[test]
fn tables_of_others_are_refused() {
    let shelf = Shelf::plain(8192);
    shelf.build(1, &few()).unwrap();
    for binding in [
        Binding { directory_id: 8, ..binding(1) },
        Binding { shard: 1, ..binding(1) },
        Binding { number: 2, ..binding(1) },
    ] {
        let opened = finish(Table::open(&shelf.disk, path(1), binding, None));
        assert!(matches!(opened, Err(StorageError::Foreign { .. })));
    }
}

#[test]
fn a_table_that_is_not_the_one_of_the_manifest_is_refused() {
    let shelf = Shelf::plain(8192);
    let meta = shelf.build(1, &few()).unwrap();
    let open = |expected| finish(Table::open(&shelf.disk, path(1), binding(1), Some(expected)));
    assert!(open(&meta).is_ok());
    let mut other = meta.clone();
    other.sequence_max += 1;
    assert_named(&open(&other).err().unwrap(), &path(1));
}

#[test]
fn a_file_cut_anywhere_is_found() {
    let shelf = Shelf::plain(400);
    shelf.build(1, &few()).unwrap();
    let whole = shelf.read(1);
    for length in (0..whole.len()).rev().step_by(61).chain([0, 4096, 8192]) {
        shelf.replace(1, &whole[..length]);
        let error = shelf.open(1).err().unwrap();
        assert_named(&error, &path(1));
    }
    let longer = [&whole[..], &[0; BLOCK_BYTES]].concat();
    shelf.replace(1, &longer);
    assert!(shelf.open(1).is_err());
    // A whole footer at the end of a file that lost its middle.
    let shorter = [&whole[..4096], &whole[8192..]].concat();
    shelf.replace(1, &shorter);
    assert!(shelf.open(1).is_err());
}

#[test]
fn what_a_power_cut_left_of_a_finished_table_is_all_of_it() {
    for seed in 0..20 {
        let mut shelf = Shelf::plain(400);
        shelf.disk = crate::storage::disk::sim::SimDisk::new(seed);
        shelf.build(1, &few()).unwrap();
        finish(shelf.disk.sync_dir(Path::new(super::DIR))).unwrap();
        shelf.disk.reboot(Crash::Power);
        assert!(!is_found(&shelf, &few()));
    }
}
