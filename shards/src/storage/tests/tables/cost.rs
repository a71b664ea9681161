//! What tables cost: times are printed (`--ignored --nocapture`, optimised).

use std::{hint::black_box, rc::Rc, time::Instant};

use super::{Row, Shelf, binding, finish, numbered, path, probe, table_key};
use crate::storage::{
    Meta,
    cache::Cache,
    disk::{
        Disk,
        glommio::GlommioDisk,
        sim::{Dice, SimDisk},
    },
    entry::ChangeRef,
    merge::{Merge, Source, Target},
    table::{Builder, BuilderOptions, Cursor, Lookup, Run, Table},
    tests::real::on_a_reactor,
};

const COUNT: u64 = 1_000_000;

fn keys() -> Vec<Vec<u8>> {
    numbered(COUNT, 0).into_iter().map(|row| row.0).collect()
}

/// Data that does not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(1);
    (0..bytes).map(|_| dice.throw() as u8).collect()
}

async fn write(
    disk: Rc<dyn Disk>,
    file: &std::path::Path,
    keys: &[Vec<u8>],
    options: BuilderOptions,
) {
    let (data, meta) = (noise(1 << 20), Meta { size: 100, ..Meta::default() });
    let start = Instant::now();
    let mut builder = Builder::begin(disk, file.to_owned(), binding(1), options).await.unwrap();
    for (index, key) in keys.iter().enumerate() {
        let at = index * 100 % (data.len() - 100);
        let change = ChangeRef::Inline(meta, &data[at..at + 100]);
        builder.add(key, index as u64, change).await.unwrap();
    }
    let added = start.elapsed();
    let meta = builder.finish().await.unwrap();
    let took = start.elapsed();
    println!(
        "{options:?}: {:.2} M entries/s, {:.0} MB/s of file; adding alone {:.2} M/s",
        COUNT as f64 / took.as_secs_f64() / 1e6,
        meta.bytes as f64 / took.as_secs_f64() / 1e6,
        COUNT as f64 / added.as_secs_f64() / 1e6,
    );
}

#[test]
#[ignore = "prints times"]
fn times_of_writing() {
    let keys = keys();
    for compress in [false, true] {
        let options = BuilderOptions { compress, ..BuilderOptions::default() };
        print!("in memory, ");
        finish(write(Rc::new(SimDisk::new(1)), &path(1), &keys, options));
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (file, keys) = (dir.path().join("1.sst"), keys.clone());
        print!("on the disk, ");
        on_a_reactor(move || async move {
            write(Rc::new(GlommioDisk), &file, &keys, options).await;
        });
    }
}

fn filled(shelf: &Shelf, rows: &[Row]) -> (Rc<Table>, Rc<Cache>) {
    (shelf.table(1, rows), Rc::new(Cache::new(1 << 30)))
}

#[test]
#[ignore = "prints times"]
fn times_of_lookups() {
    let rows = numbered(COUNT, 100);
    let (table, cache) = filled(&Shelf::plain(8192), &rows);
    for row in &rows {
        let probe = probe(&row.0);
        if let Lookup::NeedsBlock(span) = table.get(&cache, &probe).unwrap() {
            finish(table.get_slow(&cache, &probe, span)).unwrap();
        }
    }
    let mut dice = Dice::new(1);
    let of = |number: u64| table_key(1, format!("user:{number:011}").as_bytes());
    for (name, from, spread) in [
        ("one of 1,000 keys", 0, 1000),
        ("one of 100,000 keys", 0, 100_000),
        ("one of 1,000,000 keys", 0, COUNT),
        ("absent keys", COUNT, COUNT),
    ] {
        // Side by side: their own misses are not the table's.
        let keys = (0..COUNT).map(|_| of(from + dice.below(spread)).try_into().unwrap());
        let keys: Vec<[u8; 20]> = keys.collect();
        let start = Instant::now();
        for key in &keys {
            black_box(table.get(&cache, &probe(key)).unwrap());
        }
        let took = start.elapsed().as_nanos() / u128::from(COUNT);
        println!("get of {name}, cached: {took} ns");
    }
    println!(
        "memory of the open table: {} bytes a key",
        table.memory_bytes() as f64 / COUNT as f64
    );
}

#[test]
#[ignore = "prints times"]
fn times_of_walks_and_merges() {
    let rows = numbered(COUNT, 100);
    let shelf = Shelf::plain(8192);
    for count in [1, 2, 4, 8] {
        let mut tables = Vec::new();
        for index in 0..count {
            let part = |row: &&Row| row.1.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 & 0xff;
            let part: Vec<_> =
                rows.iter().filter(|row| part(row) % count == index).cloned().collect();
            tables.push(shelf.table(index + 1, &part));
        }
        let cache = Rc::new(Cache::new(1 << 30));
        for (name, cache) in
            [("no cache", None), ("cold cache", Some(&cache)), ("hot cache", Some(&cache))]
        {
            let sources = tables.iter().map(|table| {
                let cursor = Cursor::new(Rc::clone(table), cache.cloned()).unwrap();
                Box::new(cursor) as Box<dyn Source>
            });
            let mut merge = Merge::new(sources.collect());
            let start = Instant::now();
            let mut bytes = 0;
            finish(async {
                merge.seek(Target::First).await.unwrap();
                while let Some((key, _)) = merge.place() {
                    bytes += key.len();
                    if let ChangeRef::Inline(_, data) = merge.change().unwrap() {
                        bytes += data.len();
                    }
                    merge.advance().await.unwrap();
                }
            });
            black_box(bytes);
            println!(
                "merge of {count} tables, {name}: {:.2} M entries/s",
                COUNT as f64 / start.elapsed().as_secs_f64() / 1e6
            );
        }
    }
    let table = shelf.table(1, &rows);
    let cache = Rc::new(Cache::new(1 << 30));
    for target in [Target::First, Target::Last, Target::First, Target::Last] {
        let run = Run::new(vec![Rc::clone(&table)], Some(Rc::clone(&cache)));
        let mut merge = Merge::new(vec![Box::new(run)]);
        let start = Instant::now();
        finish(async {
            merge.seek(target).await.unwrap();
            while let Some(newest) = merge.next_newest().await.unwrap() {
                black_box(newest);
            }
        });
        println!(
            "rows from {target:?}: {:.2} M/s",
            COUNT as f64 / start.elapsed().as_secs_f64() / 1e6
        );
    }
}

#[test]
#[ignore = "prints times"]
fn times_of_short_scans() {
    let rows = numbered(COUNT, 100);
    let (table, cache) = filled(&Shelf::plain(8192), &rows);
    let mut warm = Cursor::new(Rc::clone(&table), Some(Rc::clone(&cache))).unwrap();
    assert_eq!(super::walk(&mut warm, Target::First).unwrap().len() as u64, COUNT);
    let mut dice = Dice::new(1);
    let starts: Vec<_> = (0..COUNT).map(|_| &rows[dice.below(COUNT - 100) as usize].0).collect();
    let start = Instant::now();
    for key in &starts {
        let cursor = Cursor::new(Rc::clone(&table), Some(Rc::clone(&cache))).unwrap();
        let mut merge = Merge::new(vec![Box::new(cursor)]);
        finish(async {
            merge.seek(Target::From(key)).await.unwrap();
            for _ in 0..10 {
                black_box(merge.next_newest().await.unwrap());
            }
        });
    }
    println!("scan of 10 rows, cached: {} ns", start.elapsed().as_nanos() / u128::from(COUNT));
}

/// The smallest work that a compaction does: merged and written again.
#[test]
#[ignore = "prints times"]
fn times_of_a_compaction() {
    let rows = numbered(COUNT, 100);
    let shelf = Shelf::plain(8192);
    let tables: Vec<_> = (0..4)
        .map(|index| {
            let part: Vec<_> = rows.iter().filter(|row| row.1 % 4 == index).cloned().collect();
            shelf.table(index + 1, &part)
        })
        .collect();
    let sources = tables
        .iter()
        .map(|table| Box::new(Cursor::new(Rc::clone(table), None).unwrap()) as Box<dyn Source>);
    let mut merge = Merge::new(sources.collect());
    let start = Instant::now();
    let meta = finish(async {
        let begun = Builder::begin(shelf.disk(), path(9), binding(9), shelf.options).await;
        let mut builder = begun.unwrap();
        merge.seek(Target::First).await.unwrap();
        while let Some((key, sequence)) = merge.place() {
            builder.add(key, sequence, merge.change().unwrap()).await.unwrap();
            merge.advance().await.unwrap();
        }
        builder.finish().await.unwrap()
    });
    assert_eq!(meta.entries, COUNT);
    let took = start.elapsed().as_secs_f64();
    println!(
        "compaction of 4 tables: {:.2} M entries/s, {:.0} MB/s read and as much written",
        COUNT as f64 / took / 1e6,
        meta.bytes as f64 / took / 1e6
    );
}
