//! Cursors and runs go where a sorted list goes, whichever way and wherever they begin.

use std::rc::Rc;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Row, Shelf, at, findings, numbered, options, rows, step, table_key, walk};
use crate::storage::{
    cache::Cache,
    merge::{Direction, Source, Target},
    table::{Cursor, Run},
};

/// What a walk is told to do.
#[derive(Clone, Debug)]
enum Move {
    First,
    Last,
    From(Vec<u8>),
    Before(Vec<u8>),
    /// To the key of a row, or just behind it.
    FromRow(Index, bool),
    BeforeRow(Index, bool),
    Next(usize),
    Prev(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let key = || {
        let letters = prop_oneof![Just(0u8), Just(1), Just(2), Just(0xff)];
        (0u32..5, vec(letters, 0..7)).prop_map(|(collection, key)| match collection {
            0 => key,
            collection => table_key(collection, &key),
        })
    };
    vec(
        prop_oneof![
            1 => Just(Move::First),
            1 => Just(Move::Last),
            2 => key().prop_map(Move::From),
            2 => key().prop_map(Move::Before),
            2 => any::<(Index, bool)>().prop_map(|(row, behind)| Move::FromRow(row, behind)),
            2 => any::<(Index, bool)>().prop_map(|(row, behind)| Move::BeforeRow(row, behind)),
            4 => (1usize..30).prop_map(Move::Next),
            4 => (1usize..30).prop_map(Move::Prev),
        ],
        1..30,
    )
}

/// Moves a source, and an index into `rows` beside it: 0 is before the first, row `i` is `i + 1`.
fn follow(source: &mut dyn Source, rows: &[Row], moves: &[Move]) {
    let mut index = 0;
    let key_of = |row: &Index, behind: bool| {
        let mut key = rows[row.index(rows.len())].0.clone();
        if behind {
            key.push(0);
        }
        key
    };
    for one in moves {
        let target = match one {
            Move::Next(count) => {
                for _ in 0..*count {
                    step(source, Direction::Forward).unwrap();
                    index = (index + 1).min(rows.len() + 1);
                }
                None
            }
            Move::Prev(count) => {
                for _ in 0..*count {
                    step(source, Direction::Backward).unwrap();
                    index = index.saturating_sub(1);
                }
                None
            }
            Move::First => Some((Target::First, Vec::new())),
            Move::Last => Some((Target::Last, Vec::new())),
            Move::From(key) => Some((Target::From(b""), key.clone())),
            Move::FromRow(row, behind) => Some((Target::From(b""), key_of(row, *behind))),
            Move::Before(key) => Some((Target::Before(b""), key.clone())),
            Move::BeforeRow(row, behind) => Some((Target::Before(b""), key_of(row, *behind))),
        };
        if let Some((kind, key)) = target {
            let below = rows.partition_point(|row| row.0 < key);
            let (target, goal) = match kind {
                Target::First => (kind, 1),
                Target::Last => (kind, rows.len()),
                Target::From(_) => (Target::From(&key), below + 1),
                Target::Before(_) => (Target::Before(&key), below),
            };
            super::seek(source, target).unwrap();
            index = goal;
        }
        let expected = index.checked_sub(1).and_then(|index| rows.get(index));
        assert_eq!(at(source).as_ref(), expected, "after {one:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_cursor_goes_where_a_sorted_list_goes(
        rows in rows(200),
        options in options(),
        moves in moves(),
        capacity in prop_oneof![Just(0), Just(5000), Just(1 << 20)],
    ) {
        let shelf = Shelf::new(options);
        let table = shelf.table(3, &rows);
        let cache = Rc::new(Cache::new(capacity));
        follow(&mut Cursor::new(Rc::clone(&table), None).unwrap(), &rows, &moves);
        let mut cursor = Cursor::new(Rc::clone(&table), Some(cache)).unwrap();
        follow(&mut cursor, &rows, &moves);
        prop_assert_eq!(walk(&mut cursor, Target::First).unwrap(), &rows[..]);
        let mut backwards = walk(&mut cursor, Target::Last).unwrap();
        backwards.reverse();
        prop_assert_eq!(backwards, rows);
        prop_assert_eq!(findings(&table), Vec::<String>::new());
    }

    #[test]
    fn a_run_of_tables_is_walked_as_one(
        rows in rows(200),
        options in options(),
        moves in moves(),
        cuts in vec(any::<Index>(), 0..5),
    ) {
        let shelf = Shelf::new(options);
        let mut tables = Vec::new();
        let mut rest = &rows[..];
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len())).collect();
        cuts.sort_unstable();
        for cut in cuts.into_iter().chain([rows.len()]) {
            // All versions of a key go to one table.
            let behind = cut.saturating_sub(rows.len() - rest.len());
            let end = rest[behind..].iter().position(|row| behind == 0 || row.0 != rest[behind - 1].0);
            let (now, later) = rest.split_at(end.map_or(rest.len(), |more| behind + more));
            if !now.is_empty() {
                tables.push(shelf.table(tables.len() as u64 + 1, now));
            }
            rest = later;
        }
        follow(&mut Run::new(tables.clone(), None), &rows, &moves);
        let mut run = Run::new(tables, Some(Rc::new(Cache::new(10_000))));
        follow(&mut run, &rows, &moves);
        prop_assert_eq!(walk(&mut run, Target::First).unwrap(), rows);
    }
}

#[test]
fn a_run_of_no_tables_is_at_its_end() {
    let mut run = Run::new(Vec::new(), None);
    for target in [Target::First, Target::Last, Target::From(b"k"), Target::Before(b"k")] {
        assert_eq!(walk(&mut run, target).unwrap(), []);
    }
    step(&mut run, Direction::Forward).unwrap();
    step(&mut run, Direction::Backward).unwrap();
    assert_eq!(at(&run), None);
}

#[test]
fn a_long_walk_reads_more_and_more_at_once() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(20_000, 100);
    let table = shelf.table(1, &rows);
    let (blocks, bytes) = (table.meta().blocks, table.meta().bytes);
    assert!(blocks > 250);
    let reads = |cache: Option<Rc<Cache>>, target| {
        let before = shelf.disk.calls();
        let mut cursor = Cursor::new(Rc::clone(&table), cache).unwrap();
        assert_eq!(walk(&mut cursor, target).unwrap().len(), rows.len());
        shelf.disk.calls() - before
    };
    let large_reads = bytes.div_ceil(256 * 1024 - 8300);
    for target in [Target::First, Target::Last] {
        assert!(reads(None, target) <= large_reads);
        let cache = Rc::new(Cache::new(16 << 20));
        let cold = reads(Some(Rc::clone(&cache)), target);
        assert!((large_reads..large_reads + 6).contains(&cold), "{cold} for {large_reads}");
        assert_eq!(reads(Some(cache), target), 0, "everything is cached");
    }
}

#[test]
fn a_short_walk_reads_one_block_at_a_time() {
    let shelf = Shelf::plain(8192);
    let rows = numbered(20_000, 100);
    let table = shelf.table(1, &rows);
    let cache = Rc::new(Cache::new(16 << 20));
    let mut cursor = Cursor::new(Rc::clone(&table), Some(Rc::clone(&cache))).unwrap();
    super::seek(&mut cursor, Target::From(&rows[5000].0)).unwrap();
    for row in &rows[5000..5020] {
        assert_eq!(at(&cursor).as_ref(), Some(row));
        step(&mut cursor, Direction::Forward).unwrap();
    }
    let stats = cache.stats();
    assert!(stats.entries <= 2 && stats.bytes < 17_000, "{stats:?}");
}
