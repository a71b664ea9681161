//! The merge against a sorted list, over sources in memory, tables and runs.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Row, Shelf, finish, inline, rows, sorted, table_key};
use crate::storage::{
    StorageError,
    cache::Cache,
    entry::{Change, ChangeRef, Sequence},
    merge::{Direction, Merge, Source, Step, Target},
    table::{Cursor, Run},
};

/// Rows in memory. Every other step waits for nothing in particular, as a table's would for the disk.
struct Listed {
    rows: Vec<Row>,
    /// 0 is before the first, row `i` is `i + 1`.
    index: usize,
    steps: usize,
    waits: Option<Direction>,
}

impl Listed {
    fn new(rows: Vec<Row>) -> Self {
        Self { rows, index: 0, steps: 0, waits: None }
    }

    fn row(&self) -> Option<&Row> {
        self.index.checked_sub(1).and_then(|index| self.rows.get(index))
    }

    fn go(&mut self, direction: Direction) {
        self.index = match direction {
            Direction::Forward => (self.index + 1).min(self.rows.len() + 1),
            Direction::Backward => self.index.saturating_sub(1),
        };
    }
}

impl Source for Listed {
    fn place(&self) -> Option<(&[u8], Sequence)> {
        self.row().map(|row| (&row.0[..], row.1))
    }

    fn change(&self) -> Result<ChangeRef<'_>, StorageError> {
        Ok(self.row().unwrap().2.borrowed())
    }

    fn shared(&self) -> Result<Change, StorageError> {
        Ok(self.row().unwrap().2.clone())
    }

    fn step(&mut self, direction: Direction) -> Result<Step, StorageError> {
        assert_eq!(self.waits, None);
        self.steps += 1;
        if self.steps.is_multiple_of(2) {
            self.waits = Some(direction);
            return Ok(Step::Waits);
        }
        self.go(direction);
        Ok(Step::Done)
    }

    fn load(&mut self) -> LocalBoxFuture<'_, Result<(), StorageError>> {
        let direction = self.waits.take().unwrap();
        self.go(direction);
        Box::pin(std::future::ready(Ok(())))
    }

    fn seek(&mut self, target: Target<'_>) -> Result<Step, StorageError> {
        self.index = match target {
            Target::First => 1,
            Target::Last => self.rows.len(),
            Target::From(key) => self.rows.partition_point(|row| &row.0[..] < key) + 1,
            Target::Before(key) => self.rows.partition_point(|row| &row.0[..] < key),
        };
        Ok(Step::Done)
    }
}

/// The rows of each source, and what they are together.
fn sources() -> impl Strategy<Value = (Vec<Vec<Row>>, Vec<Row>)> {
    vec(rows(40), 1..8).prop_map(|sources| {
        let all = sorted(sources.concat());
        // Sequences name one change: what a source has in common with others is the same.
        let sources = sources.into_iter().map(|rows| {
            let same = |row: Row| {
                let at = all.partition_point(|other| {
                    (&other.0, std::cmp::Reverse(other.1)) < (&row.0, std::cmp::Reverse(row.1))
                });
                all[at].clone()
            };
            rows.into_iter().map(same).collect()
        });
        (sources.collect(), all)
    })
}

/// All that a merge gives from a place on; what several sources have comes several times.
fn all(merge: &mut Merge, target: Target<'_>) -> Vec<Row> {
    finish(async {
        merge.seek(target).await.unwrap();
        let mut rows = Vec::new();
        while let Some((table_key, sequence)) = merge.place() {
            let change = merge.shared().unwrap();
            assert_eq!(merge.change().unwrap(), change.borrowed());
            rows.push((table_key.to_vec(), sequence, change));
            merge.advance().await.unwrap();
        }
        rows
    })
}

fn newest(merge: &mut Merge, target: Target<'_>) -> Vec<Row> {
    finish(async {
        merge.seek(target).await.unwrap();
        let mut rows = Vec::new();
        while let Some(newest) = merge.next_newest().await.unwrap() {
            let entry = newest.entry;
            rows.push((newest.table_key.to_vec(), entry.sequence, entry.change));
        }
        assert_eq!(merge.next_newest().await.unwrap(), None);
        rows
    })
}

fn assert_merges(merge: &mut Merge, expected: &[Row], key: &[u8]) {
    let mut newest_expected = expected.to_vec();
    newest_expected.dedup_by(|a, b| a.0 == b.0);
    let below = |rows: &[Row]| rows.partition_point(|row| &row.0[..] < key);
    for (target, from, to) in [
        (Target::First, 0, usize::MAX),
        (Target::Last, 0, usize::MAX),
        (Target::From(key), 1, usize::MAX),
        (Target::Before(key), 0, 1),
    ] {
        let part = |rows: &[Row]| {
            let at = |bound| if bound == 1 { below(rows) } else { rows.len().min(bound) };
            let mut part = rows[at(from)..at(to)].to_vec();
            if target.direction() == Direction::Backward {
                part.reverse();
            }
            part
        };
        let mut merged = all(merge, target);
        merged.dedup();
        assert_eq!(merged, part(expected), "{target:?}");
        assert_eq!(newest(merge, target), part(&newest_expected), "{target:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_merge_is_one_sorted_list((sources, expected) in sources(), row in any::<Index>()) {
        let listed = sources.into_iter().map(|rows| Box::new(Listed::new(rows)) as Box<dyn Source>);
        let mut merge = Merge::new(listed.collect());
        assert_merges(&mut merge, &expected, &expected[row.index(expected.len())].0);
        assert_merges(&mut merge, &expected, b"");
    }

    #[test]
    fn a_merge_of_memory_tables_and_runs_is_one_sorted_list(
        (sources, expected) in sources(),
        row in any::<Index>(),
        block_bytes in prop_oneof![Just(1), 100usize..1000],
    ) {
        let shelf = Shelf::plain(block_bytes);
        let cache = Rc::new(Cache::new(20_000));
        let mut mixed: Vec<Box<dyn Source>> = Vec::new();
        for (index, rows) in sources.into_iter().enumerate() {
            if index % 3 == 0 {
                mixed.push(Box::new(Listed::new(rows)));
                continue;
            }
            let table = shelf.table(index as u64, &rows);
            let cache = (index % 2 == 0).then(|| Rc::clone(&cache));
            mixed.push(match index % 3 {
                1 => Box::new(Cursor::new(table, cache).unwrap()),
                _ => Box::new(Run::new(vec![table], cache)),
            });
        }
        let mut merge = Merge::new(mixed);
        assert_merges(&mut merge, &expected, &expected[row.index(expected.len())].0);
    }
}

#[test]
fn of_the_same_entry_the_newest_source_comes_first() {
    let row = |data: &str| vec![(table_key(1, b"k"), 5, inline(data))];
    let mut merge = Merge::new(vec![
        Box::new(Listed::new(row("newest"))),
        Box::new(Listed::new(row("older"))),
        Box::new(Listed::new(row("oldest"))),
    ]);
    let order: Vec<_> = all(&mut merge, Target::First).into_iter().map(|row| row.2).collect();
    assert_eq!(order, [inline("newest"), inline("older"), inline("oldest")]);
    for target in [Target::First, Target::Last] {
        assert_eq!(newest(&mut merge, target), row("newest"));
    }
}

#[test]
fn a_merge_of_nothing_is_at_its_end() {
    let mut merge = Merge::new(vec![Box::new(Listed::new(Vec::new()))]);
    assert_eq!(all(&mut merge, Target::First), []);
    assert_eq!(newest(&mut merge, Target::Last), []);
    assert_eq!(all(&mut Merge::new(Vec::new()), Target::First), []);
}
