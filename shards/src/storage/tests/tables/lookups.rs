//! Point lookups: what they find, and what they cost in reads and memory.

use amaters_fuzz::memory::allocations;
use proptest::{collection::vec, prelude::*};

use super::{Shelf, look_up, newest, numbered, options, probe, rows, table_key};
use crate::storage::{
    cache::Cache,
    table::{BuilderOptions, Lookup, Span},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_newest_of_every_key_is_found_and_no_other(
        rows in rows(200),
        options in options(),
        others in vec((1u32..5, vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], 0..7)), 1..30),
        capacity in prop_oneof![Just(0), Just(5000), Just(1 << 20)],
    ) {
        let table = Shelf::new(options).table(1, &rows);
        let cache = Cache::new(capacity);
        let others = others.iter().map(|(collection, key)| table_key(*collection, key));
        for table_key in others.chain(rows.iter().map(|row| row.0.clone())) {
            let expected = newest(&rows, &table_key);
            prop_assert_eq!(look_up(&table, &cache, &table_key).unwrap(), expected);
        }
    }
}

#[test]
fn a_cold_get_reads_once_and_a_hot_one_not_at_all() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(5000, 100);
    let table = shelf.table(1, &rows);
    let cache = Cache::new(1 << 20);
    let row = &rows[4321];
    let data = Span { offset: 4096, bytes: table.meta().bytes };
    let needed = table.get(&Cache::new(0), &probe(&row.0)).unwrap();
    assert!(
        matches!(needed, Lookup::NeedsBlock(span) if span.offset > data.offset && span.bytes < 8300)
    );
    for reads in [1, 0, 0] {
        let before = shelf.disk.calls();
        assert_eq!(look_up(&table, &cache, &row.0).unwrap(), newest(&rows, &row.0));
        assert_eq!(shelf.disk.calls() - before, reads);
    }
    assert_eq!((cache.stats().hits, cache.stats().misses), (2, 1));
}

#[test]
fn an_absent_key_is_told_without_a_look_at_blocks() {
    let shelf = Shelf::plain(8192);
    let table = shelf.table(1, &numbered(20_000, 20));
    let cache = Cache::new(0);
    let absent = (0..10_000).filter(|number| {
        let probe = probe(&table_key(1, format!("user:{number:011}x").as_bytes()));
        table.get(&cache, &probe).unwrap() == Lookup::Absent
    });
    assert!(absent.count() > 9_850);
    let memory = table.memory_bytes();
    assert!((25_000..40_000).contains(&memory), "ten bits a key, and the index: {memory}");
}

#[test]
fn without_a_filter_the_index_still_tells() {
    let options = BuilderOptions { filter_bits_per_key: 0, ..BuilderOptions::default() };
    let rows = numbered(5000, 20);
    let table = Shelf::new(options).table(1, &rows);
    let cache = Cache::new(1 << 20);
    assert_eq!(look_up(&table, &cache, &table_key(1, b"user:")).unwrap(), None);
    assert_eq!(look_up(&table, &cache, &table_key(2, b"")).unwrap(), None, "behind the last");
    assert_eq!(look_up(&table, &cache, &rows[17].0).unwrap(), newest(&rows, &rows[17].0));
}

#[test]
fn a_hot_get_takes_no_memory() {
    for compress in [false, true] {
        let options = BuilderOptions { compress, ..BuilderOptions::default() };
        let rows = numbered(5000, 100);
        let table = Shelf::new(options).table(1, &rows);
        let cache = Cache::new(4 << 20);
        for row in &rows {
            look_up(&table, &cache, &row.0).unwrap();
        }
        let keys: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        let taken = allocations(|| {
            for key in &keys {
                let lookup = table.get(&cache, &probe(key)).unwrap();
                assert!(matches!(lookup, Lookup::Found(_)));
            }
        });
        assert_eq!(taken, 0);
    }
}
