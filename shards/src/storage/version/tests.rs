//! Versions step by step: what fits, what does not, and who keeps files alive.

use std::rc::Rc;

use bytes::Bytes;

use super::{BlobState, DataFile, History, Version};
use crate::storage::{
    entry::CollectionId,
    log::Coverage,
    manifest::{Addition, BlobBytes, Edit},
    table::{BlobUse, TableMeta},
};

pub(in crate::storage) fn meta(number: u64, smallest: &str, largest: &str) -> TableMeta {
    TableMeta {
        number,
        bytes: 8192,
        entries: 10,
        tombstones: 0,
        blocks: 1,
        sequence_min: 1,
        sequence_max: 5,
        key_bytes: 100,
        data_bytes: 1000,
        smallest: Bytes::copy_from_slice(smallest.as_bytes()),
        largest: Bytes::copy_from_slice(largest.as_bytes()),
        blobs: Vec::new(),
    }
}

fn add(level: u8, run: u64, meta: TableMeta) -> Edit {
    Edit { tables_added: vec![Addition { level, run, meta }], ..Edit::default() }
}

/// Numbers up to 99 are used, records up to 10 are flushed; a few tables.
fn version() -> Version {
    let edit = Edit {
        tables_added: vec![
            Addition { level: 0, run: 10, meta: meta(10, "a", "z") },
            Addition { level: 0, run: 11, meta: meta(11, "c", "d") },
            Addition { level: 2, run: 1, meta: meta(2, "h", "k") },
            Addition { level: 2, run: 1, meta: meta(1, "a", "g") },
            Addition { level: 2, run: 5, meta: meta(5, "b", "c") },
        ],
        blobs: vec![BlobBytes { file: 3, bytes: 1000 }],
        flushed_sequence: Some(10),
        file_number: Some(100),
        ..Edit::default()
    };
    Version::default().apply(&edit).unwrap()
}

fn numbers(version: &Version) -> Vec<(usize, u64, Vec<u64>)> {
    let runs = version.levels().iter().enumerate();
    let runs = runs.flat_map(|(level, runs)| runs.iter().map(move |run| (level, run)));
    let tables =
        |run: &super::SortedRun| run.tables.iter().map(|table| table.meta.number).collect();
    runs.map(|(level, run)| (level, run.number, tables(run))).collect()
}

#[test]
fn runs_are_newest_first_and_their_tables_in_order() {
    let version = version();
    let expected = [(0, 11, vec![11]), (0, 10, vec![10]), (2, 5, vec![5]), (2, 1, vec![1, 2])];
    assert_eq!(numbers(&version), expected);
    let found = |key: &str| -> Vec<u64> {
        version.candidates(key.as_bytes()).map(|table| table.meta.number).collect()
    };
    assert_eq!(found("c"), [11, 10, 5, 1]);
    assert_eq!(found("g"), [10, 1]);
    assert_eq!(found("gg"), [10]);
    assert_eq!(found("zz"), [0; 0]);
    let runs: Vec<_> = version.runs().cloned().collect();
    let range = |from: &str, to: Option<&str>| {
        let tables = runs[3].range(from.as_bytes(), to.map(str::as_bytes));
        tables.iter().map(|table| table.meta.number).collect::<Vec<_>>()
    };
    assert_eq!((range("g", None), range("ga", None)), (vec![1, 2], vec![2]));
    assert_eq!((range("", Some("h")), range("", Some("ha"))), (vec![1], vec![1, 2]));
    assert_eq!((range("kk", None), range("", Some("a"))), (vec![], vec![]));
}

#[test]
fn a_snapshot_makes_the_same_version() {
    let mut version = version();
    let name = (CollectionId::new(7).unwrap(), Rc::from("tokens"));
    let garbage = BlobBytes { file: 3, bytes: 400 };
    let edit = Edit {
        collections: vec![name],
        garbage: vec![garbage],
        coverage: Some(Coverage::Before(12)),
        ..Edit::default()
    };
    version = version.apply(&edit).unwrap();
    let again = Version::default().apply(&version.snapshot()).unwrap();
    assert_eq!(again.snapshot(), version.snapshot());
    assert_eq!(again.blobs()[&3], BlobState { bytes: 1000, garbage: 400 });
    assert_eq!(again.collections().id("tokens"), CollectionId::new(7));
    assert_eq!(again.collections().next_id(), CollectionId::new(8));
    assert_eq!(again.coverage(), Coverage::Before(12));
    let whole = Edit { coverage: Some(Coverage::Whole), ..Edit::default() };
    let snapshot = again.apply(&whole).unwrap().snapshot();
    assert_eq!(Version::default().apply(&snapshot).unwrap().coverage(), Coverage::Whole);
    assert_eq!(Version::default().collections().next_id(), CollectionId::new(1));
}

#[test]
fn a_table_that_moves_stays_open_and_the_rest_is_shared() {
    let version = version();
    let moved = add(1, 99, meta(5, "b", "c"));
    let next = version.apply(&Edit { tables_removed: vec![5], ..moved }).unwrap();
    assert_eq!(numbers(&next)[2], (1, 99, vec![5]));
    let find = |version: &Version, number| {
        Rc::clone(version.tables().find(|table| table.meta.number == number).unwrap())
    };
    assert!(Rc::ptr_eq(&find(&version, 5), &find(&next, 5)));
    assert!(Rc::ptr_eq(version.runs().next().unwrap(), next.runs().next().unwrap()));
}

#[test]
fn edits_that_do_not_fit_are_refused_and_say_why() {
    let version = version();
    let refused = |edit: Edit| version.apply(&edit).unwrap_err();
    let blob = |file, bytes| vec![BlobBytes { file, bytes }];
    let refers = |number, file| TableMeta {
        blobs: vec![BlobUse { file, bytes: 1 }],
        ..meta(number, "x", "y")
    };
    let name = |id, name: &str| (CollectionId::new(id).unwrap(), Rc::from(name));
    let cases = [
        (add(2, 1, meta(50, "k", "m")), "overlap in run 1 of level 2"),
        (add(2, 1, meta(50, "A", "z")), "overlap"),
        (add(1, 50, meta(10, "a", "b")), "table 10 is there twice"),
        (add(1, 50, meta(100, "a", "b")), "100 is not below the next file number"),
        (add(1, 100, meta(50, "a", "b")), "100 is not below the next file number"),
        (add(1, 50, TableMeta { sequence_max: 11, ..meta(50, "a", "b") }), "not flushed"),
        (Edit { tables_removed: vec![3], ..Edit::default() }, "table 3 is removed, but"),
        (Edit { tables_removed: vec![1, 1], ..Edit::default() }, "removed twice"),
        (Edit { blobs: blob(3, 999), ..Edit::default() }, "becomes shorter"),
        (Edit { blobs: blob(100, 9), ..Edit::default() }, "100 is not below"),
        (Edit { blobs_removed: vec![4], ..Edit::default() }, "blob file 4"),
        (Edit { garbage: blob(3, 1001), ..Edit::default() }, "more garbage in blob file 3"),
        (Edit { garbage: blob(3, u64::MAX), ..Edit::default() }, "more garbage"),
        (Edit { garbage: blob(4, 1), ..Edit::default() }, "blob file 4, which is gone"),
        (Edit { flushed_sequence: Some(9), ..Edit::default() }, "falls from 10 to 9"),
        (Edit { file_number: Some(99), ..Edit::default() }, "falls from 100 to 99"),
    ];
    for (edit, why) in cases {
        let said = refused(edit);
        assert!(said.contains(why), "{said} / {why}");
    }
    let names = Edit { collections: vec![name(1, "a")], ..Edit::default() };
    let named = version.apply(&names).unwrap();
    for twice in [name(1, "b"), name(2, "a")] {
        let edit = Edit { collections: vec![twice], ..Edit::default() };
        assert!(named.apply(&edit).unwrap_err().contains("named twice"));
    }
    let referred = version.apply(&add(1, 50, refers(50, 3))).unwrap();
    let gone = Edit { blobs_removed: vec![3], ..Edit::default() };
    let collected = referred.apply(&gone).unwrap();
    assert!(collected.blobs().is_empty(), "what still refers to it lies beneath something newer");
}

#[test]
fn a_file_is_trash_when_its_last_reader_has_gone() {
    let mut history = History::new(version());
    let early = Rc::clone(history.current());
    let remove = |tables: Vec<u64>| Edit { tables_removed: tables, ..Edit::default() };
    history.install(history.current().apply(&remove(vec![10])).unwrap());
    assert!(history.trash().is_empty());
    history.install(history.current().apply(&add(0, 60, meta(60, "a", "b"))).unwrap());
    let late = Rc::clone(history.current());
    let edit = Edit { blobs_removed: vec![3], ..remove(vec![11, 60]) };
    history.install(history.current().apply(&edit).unwrap());
    assert!(history.trash().is_empty());
    assert_eq!(history.doomed().len(), 4);

    drop(late);
    assert_eq!(history.trash(), [DataFile::Table(60)], "the early reader never saw it");
    drop(early);
    let mut trash = history.trash();
    trash.sort();
    assert_eq!(trash, [DataFile::Table(10), DataFile::Table(11), DataFile::Blob(3)]);
    assert!(history.trash().is_empty(), "each is given once");
}

#[test]
fn a_table_that_moves_is_never_trash() {
    let mut history = History::new(version());
    let moved = Edit { tables_removed: vec![5], ..add(1, 99, meta(5, "b", "c")) };
    history.install(history.current().apply(&moved).unwrap());
    assert!(history.trash().is_empty() && history.doomed().is_empty());
}
