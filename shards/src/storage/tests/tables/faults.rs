//! A disk that fails while a table is written or read.

use std::rc::Rc;

use super::{Shelf, finish, look_up, newest, numbered, path, walk};
use crate::storage::{
    StorageError,
    cache::Cache,
    disk::sim::{Crash, Fault},
    merge::Target,
    table::Cursor,
};

#[test]
fn a_table_that_cannot_be_written_leaves_nothing_behind() {
    let rows = numbered(30_000, 100);
    let calls = {
        let shelf = Shelf::plain(8192);
        shelf.build(1, &rows).unwrap();
        shelf.disk.calls()
    };
    assert!(calls > 5, "several writes");
    for fault in [Fault::Io, Fault::NoSpace] {
        // The last call closes the file, which is durable by then.
        for call in 0..calls - 1 {
            let shelf = Shelf::plain(8192);
            shelf.disk.fail_after(call, fault);
            let error = shelf.build(1, &rows).unwrap_err();
            assert_eq!(matches!(error, StorageError::NoSpace { .. }), fault == Fault::NoSpace);
            assert_eq!(shelf.disk.files(), [], "call {call}");
        }
    }
}

#[test]
fn a_disk_that_fills_up_is_told_and_room_is_given_back() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(30_000, 100);
    shelf.disk.limit(2 << 20);
    let error = shelf.build(1, &rows).unwrap_err();
    assert!(matches!(error, StorageError::NoSpace { path: named } if named == path(1)));
    shelf.build(2, &numbered(10_000, 100)).unwrap();
}

#[test]
fn a_machine_that_stops_leaves_no_table_that_opens_and_is_not_whole() {
    let rows = numbered(15_000, 100);
    for call in 0..10 {
        for seed in 0..5 {
            let mut shelf = Shelf::plain(8192);
            shelf.disk = crate::storage::disk::sim::SimDisk::new(seed);
            shelf.disk.crash_after(call);
            let _ = shelf.build(1, &rows);
            let _ = finish(crate::storage::disk::Disk::sync_dir(
                &shelf.disk,
                path(1).parent().unwrap(),
            ));
            shelf.disk.reboot(if seed % 2 == 0 { Crash::Power } else { Crash::Process });
            let Ok(table) = shelf.open(1) else { continue };
            // Index, filter and footer are there: blocks may be missing, and say so.
            let mut cursor = Cursor::new(table, None).unwrap();
            match walk(&mut cursor, Target::First) {
                Ok(walked) => assert_eq!(walked, rows),
                Err(error) => assert!(matches!(error, StorageError::Corrupt { .. })),
            }
        }
    }
}

#[test]
fn a_read_that_fails_is_told_and_the_next_one_works() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(5000, 100);
    let table = shelf.table(1, &rows);
    let cache = Rc::new(Cache::new(1 << 20));
    shelf.disk.fail_after(0, Fault::Io);
    let error = look_up(&table, &cache, &rows[7].0).unwrap_err();
    assert!(matches!(error, StorageError::Io { what: "cannot read", .. }), "{error}");
    assert_eq!(look_up(&table, &cache, &rows[7].0).unwrap(), newest(&rows, &rows[7].0));

    let mut cursor = Cursor::new(Rc::clone(&table), Some(cache)).unwrap();
    shelf.disk.fail_after(2, Fault::Io);
    assert!(walk(&mut cursor, Target::First).is_err());
    assert_eq!(walk(&mut cursor, Target::First).unwrap(), rows);
    for call in 0..5 {
        shelf.disk.fail_after(call, Fault::Io);
        assert!(matches!(shelf.open(1), Err(StorageError::Io { .. })));
    }
}
