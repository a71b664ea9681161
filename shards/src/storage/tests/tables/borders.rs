//! Entries as small and as large as they come.

use super::{Shelf, blob, findings, inline, look_up, numbered, table_key, walk};
use crate::{
    limits::KEY_BYTES_MAX,
    storage::{
        cache::Cache,
        entry::Change,
        merge::Target,
        table::{BlobUse, BuilderOptions, Cursor},
    },
};

fn assert_comes_back(shelf: &Shelf, rows: &[super::Row]) -> super::TableMeta {
    let table = shelf.table(1, rows);
    let cache = Cache::new(1 << 20);
    let mut cursor = Cursor::new(std::rc::Rc::clone(&table), None).unwrap();
    assert_eq!(walk(&mut cursor, Target::First).unwrap(), rows);
    for row in rows {
        assert_eq!(look_up(&table, &cache, &row.0).unwrap(), super::newest(rows, &row.0));
    }
    assert_eq!(findings(&table), Vec::<String>::new());
    table.meta().clone()
}

#[test]
fn one_entry_makes_a_table() {
    for change in [inline(""), inline("x"), Change::Tombstone, blob(4)] {
        let meta = assert_comes_back(&Shelf::plain(8192), &[(table_key(1, b""), 1, change)]);
        assert_eq!((meta.entries, meta.blocks, meta.bytes), (1, 1, 3 * 4096));
        assert_eq!(meta.smallest, meta.largest);
    }
}

#[test]
fn the_longest_keys_fit_and_are_told_apart_at_their_end() {
    let long = |last: u8| {
        let mut key = vec![7; KEY_BYTES_MAX];
        key[KEY_BYTES_MAX - 1] = last;
        table_key(1, &key)
    };
    let mut rows: Vec<_> = (0..10).map(|last| (long(last), 1, inline([last]))).collect();
    rows.push((table_key(2, b"short"), 1, inline("x")));
    for block_bytes in [1, 8192, 100_000] {
        assert_comes_back(&Shelf::plain(block_bytes), &rows);
    }
}

#[test]
fn an_entry_longer_than_a_block_has_one_of_its_own() {
    let rows: Vec<_> = [10, 9000, 20_000, 1_000_000, 3_000_000, 10]
        .into_iter()
        .enumerate()
        .map(|(index, length)| (table_key(1, &[index as u8]), 1, inline(vec![9; length])))
        .collect();
    assert_eq!(assert_comes_back(&Shelf::plain(8192), &rows).blocks, 6);
    assert_comes_back(&Shelf::new(BuilderOptions::default()), &rows);
}

#[test]
fn versions_of_one_key_fill_blocks_and_the_newest_is_found() {
    let mut rows = vec![(table_key(1, b"j"), 700, inline("before"))];
    rows.extend((0..500).rev().map(|sequence| (table_key(1, b"k"), sequence, inline([3; 100]))));
    rows.push((table_key(1, b"l"), 3, inline("behind")));
    let meta = assert_comes_back(&Shelf::plain(512), &rows);
    assert!(meta.blocks > 50);
    assert_eq!((meta.sequence_min, meta.sequence_max), (0, 700));
}

#[test]
fn sequences_are_as_large_as_they_come() {
    let rows = [
        (table_key(1, b"k"), u64::MAX, Change::Tombstone),
        (table_key(1, b"k"), 0, inline("old")),
        (table_key(u32::MAX - 1, b"k"), 1 << 40, inline("last collection")),
    ];
    assert_comes_back(&Shelf::plain(8192), &rows);
}

#[test]
fn properties_count_what_is_there() {
    let mut rows = numbered(5000, 100);
    rows.push((table_key(2, b"a"), 3, Change::Tombstone));
    rows.push((table_key(2, b"b"), 9000, blob(12)));
    rows.push((table_key(2, b"c"), 3, blob(11)));
    rows.push((table_key(2, b"d"), 4, blob(12)));
    let meta = assert_comes_back(&Shelf::plain(8192), &rows);
    assert_eq!((meta.entries, meta.tombstones, meta.data_bytes), (5004, 1, 500_000));
    assert_eq!(meta.key_bytes, 5000 * 20 + 4 * 5);
    assert_eq!((&meta.smallest[..], &meta.largest[..]), (&rows[0].0[..], &rows[5003].0[..]));
    assert_eq!((meta.sequence_min, meta.sequence_max), (1, 9000));
    let uses = [BlobUse { file: 11, bytes: 65_536 }, BlobUse { file: 12, bytes: 131_072 }];
    assert_eq!(meta.blobs, uses);
}

#[test]
fn what_compresses_takes_less_room_and_reads_the_same() {
    let rows = numbered(5000, 100);
    let plain = assert_comes_back(&Shelf::plain(8192), &rows);
    let packed = assert_comes_back(&Shelf::new(BuilderOptions::default()), &rows);
    assert!(packed.bytes < plain.bytes / 4, "{} of {}", packed.bytes, plain.bytes);
}

#[test]
fn the_estimate_is_near_the_length_of_the_file() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(20_000, 100);
    let estimated = super::finish(async {
        let options = shelf.options;
        let path = super::path(1);
        let mut builder =
            super::Builder::begin(shelf.disk(), path, super::binding(1), options).await.unwrap();
        for (table_key, sequence, change) in &rows {
            builder.add(table_key, *sequence, change.borrowed()).await.unwrap();
        }
        let estimated = builder.estimated_bytes();
        assert_eq!(builder.entries(), 20_000);
        (estimated, builder.finish().await.unwrap().bytes)
    });
    assert!(estimated.0.abs_diff(estimated.1) < 8192, "{estimated:?}");
}

#[test]
#[should_panic(expected = "keys ascend")]
fn keys_that_fall_are_a_bug() {
    let row = |key: &[u8]| (table_key(1, key), 1, inline("x"));
    let _ = Shelf::plain(8192).build(1, &[row(b"b"), row(b"a")]);
}

#[test]
#[should_panic(expected = "the newest comes first")]
fn versions_that_rise_are_a_bug() {
    let row = |sequence| (table_key(1, b"a"), sequence, inline("x"));
    let _ = Shelf::plain(8192).build(1, &[row(1), row(1)]);
}
