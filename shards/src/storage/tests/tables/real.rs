//! The same tables over the disk of this machine, inside a glommio executor.

use std::rc::Rc;

use super::{Row, binding, build, inline, numbered, probe, table_key};
use crate::storage::{
    StorageError,
    cache::Cache,
    disk::{Disk, glommio::GlommioDisk},
    entry::Entry,
    merge::{Merge, Target},
    table::{self, BuilderOptions, Cursor, Lookup, Table},
    tests::real::on_a_reactor,
};

#[test]
fn tables_come_back_from_the_disk_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_a_reactor(move || async move {
        let disk: Rc<dyn Disk> = Rc::new(GlommioDisk);
        let mut rows = numbered(30_000, 100);
        rows.push((table_key(2, &[7; 60_000]), 1, inline(vec![3; 3_000_000])));
        let options = BuilderOptions::default();
        let (even, odd): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|row| row.1 % 2 == 0);
        let mut tables = Vec::new();
        for (number, rows) in [(1, even), (2, odd)] {
            let meta = build(Rc::clone(&disk), &path, number, &rows, options).await.unwrap();
            disk.sync_dir(&path).await.unwrap();
            let file = table::path(&path, number);
            let opened = Table::open(&*disk, file, binding(number), Some(&meta)).await;
            tables.push(Rc::new(opened.unwrap()));
        }

        let cache = Rc::new(Cache::new(1 << 20));
        for row in rows.iter().step_by(997).chain(rows.last()) {
            let table = &tables[(row.1 % 2) as usize];
            assert_eq!(get(table, &cache, row).await.unwrap().unwrap().change, row.2);
            assert!(
                matches!(table.get(&cache, &probe(&row.0)), Ok(Lookup::Found(_))) || row.1 == 1
            );
        }
        for cache in [None, Some(Rc::clone(&cache))] {
            for target in [Target::First, Target::Last] {
                let cursor = |table| Box::new(Cursor::new(table, cache.clone()).unwrap());
                let mut merge =
                    Merge::new(vec![cursor(Rc::clone(&tables[0])), cursor(Rc::clone(&tables[1]))]);
                merge.seek(target).await.unwrap();
                let mut count = 0;
                while let Some(newest) = merge.next_newest().await.unwrap() {
                    let index =
                        if target == Target::First { count } else { rows.len() - 1 - count };
                    assert_eq!(newest.table_key, rows[index].0);
                    assert_eq!(newest.entry.change, rows[index].2);
                    count += 1;
                }
                assert_eq!(count, rows.len());
            }
        }
        for table in tables {
            let mut findings = Vec::new();
            table.check(|error| findings.push(error)).await;
            assert!(findings.is_empty());
            table.close().await;
        }
    });
}

async fn get(table: &Table, cache: &Cache, row: &Row) -> Result<Option<Entry>, StorageError> {
    let probe = probe(&row.0);
    match table.get(cache, &probe)? {
        Lookup::Absent => Ok(None),
        Lookup::Found(entry) => Ok(Some(entry)),
        Lookup::NeedsBlock(span) => table.get_slow(cache, &probe, span).await,
    }
}
