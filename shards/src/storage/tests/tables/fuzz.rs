//! Tables that say what nobody wrote, under sound checksums: no key, no walk and no check makes them panic.

use std::rc::Rc;

use amaters_fuzz::Campaign;

use super::{Row, Shelf, binding, blob, finish, inline, look_up, numbered, path, table_key};
use crate::storage::{
    StorageError,
    cache::Cache,
    entry::Change,
    merge::{Source, Target},
    table::{BuilderOptions, Cursor, forge},
};

fn rows() -> Vec<Row> {
    let mut rows = numbered(30, 20);
    rows.push((table_key(2, b"a"), 9, inline("newer")));
    rows.push((table_key(2, b"a"), 5, inline([1; 300])));
    rows.push((table_key(2, b"b"), 9, Change::Tombstone));
    rows.push((table_key(2, b"c"), 9, blob(4)));
    rows
}

/// Rows from a place on, that way.
fn walk(source: &mut dyn Source, target: Target<'_>) -> Result<u64, StorageError> {
    super::seek(source, target)?;
    let mut rows = 0;
    while source.place().is_some() {
        source.change()?;
        source.shared()?;
        rows += 1;
        super::step(source, target.direction())?;
    }
    Ok(rows)
}

/// Everything that can be read of a table; says how many rows a walk found.
fn read_all(shelf: &Shelf, targets: &[Vec<u8>]) -> Result<u64, String> {
    let table = shelf.open(1).map_err(|error| error.to_string())?;
    let cache = Rc::new(Cache::new(1 << 20));
    for target in targets {
        // Wrong answers are possible where checksums are forged; the file is named where it is found out.
        if let Err(error) = look_up(&table, &cache, target) {
            assert!(error.to_string().contains(&*path(1).to_string_lossy()), "{error}");
        }
    }
    finish(table.check(|error| assert!(!error.to_string().is_empty())));
    let mut rows = 0;
    for (cache, target) in [(None, Target::First), (Some(cache), Target::Last)] {
        let walked =
            Cursor::new(Rc::clone(&table), cache).and_then(|mut cursor| walk(&mut cursor, target));
        rows = walked.map_err(|error| error.to_string())?;
    }
    Ok(rows)
}

#[test]
fn fuzz_tables() {
    let options =
        |compress| BuilderOptions { block_bytes: 400, compress, ..BuilderOptions::default() };
    let shelves = [false, true].map(|compress| Shelf::new(options(compress)));
    let seeds = shelves.iter().map(|shelf| {
        shelf.table(1, &rows());
        shelf.read(1)
    });
    let seeds: Vec<_> = seeds.collect();
    // Parts keep their places in most inputs: what lies at the place of one is sealed again.
    let spans: Vec<_> = seeds.iter().map(|seed| forge::spans(seed, binding(1))).collect();
    let repair = |bytes: &mut Vec<u8>| {
        let changed = |seed: &Vec<u8>| seed.iter().zip(&*bytes).filter(|(a, b)| a != b).count();
        let alike = (0..seeds.len()).min_by_key(|index| changed(&seeds[*index])).unwrap();
        forge::repair(bytes, binding(1), &spans[alike]);
    };
    let targets: Vec<_> = rows()
        .into_iter()
        .map(|row| row.0)
        .chain([table_key(1, b""), table_key(9, b"none")])
        .collect();
    Campaign::new("tables", seeds.clone())
        .repair(repair)
        .memory_max(|bytes| (4 << 20) + 600 * bytes)
        .rounds(1500)
        .run(|bytes| {
            let shelf = Shelf::plain(400);
            shelf.replace(1, bytes);
            read_all(&shelf, &targets)
        });
}
