//! Tables, the cache and the merge, over the simulated disk and the real one, against a sorted list of entries.

mod borders;
mod cost;
mod damage;
mod faults;
mod fuzz;
mod lookups;
mod merges;
mod real;
mod walks;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::machine::{finish, put_file};
use crate::storage::{
    Meta, StorageError, Value,
    cache::Cache,
    disk::{Disk, Opening, sim::SimDisk},
    entry::{BlobRef, Change, CollectionId, Entry, Probe, push_table_key, split_table_key},
    header::Binding,
    merge::{Direction, Source, Step, Target},
    table::{self, Builder, BuilderOptions, Lookup, Table, TableMeta},
};

const DIR: &str = "/data/shard-0000";

/// One entry: table key, sequence, change.
type Row = (Vec<u8>, u64, Change);

/// A disk with tables on it.
struct Shelf {
    disk: SimDisk,
    options: BuilderOptions,
}

impl Shelf {
    fn new(options: BuilderOptions) -> Self {
        Self { disk: SimDisk::new(1), options }
    }

    /// Blocks of so many bytes, without compression.
    fn plain(block_bytes: usize) -> Self {
        Self::new(BuilderOptions { block_bytes, compress: false, ..BuilderOptions::default() })
    }

    fn disk(&self) -> Rc<dyn Disk> {
        Rc::new(self.disk.clone())
    }

    fn build(&self, number: u64, rows: &[Row]) -> Result<TableMeta, StorageError> {
        finish(build(self.disk(), Path::new(DIR), number, rows, self.options))
    }

    fn open(&self, number: u64) -> Result<Rc<Table>, StorageError> {
        let opened = Table::open(&self.disk, path(number), binding(number), None);
        finish(opened).map(Rc::new)
    }

    fn table(&self, number: u64, rows: &[Row]) -> Rc<Table> {
        let meta = self.build(number, rows).unwrap();
        let table = self.open(number).unwrap();
        assert_eq!(*table.meta(), meta);
        table
    }

    fn read(&self, number: u64) -> Vec<u8> {
        let file = finish(self.disk.open(&path(number), Opening::Existing)).unwrap();
        finish(file.read_at(0, usize::MAX / 2)).unwrap()
    }

    /// Puts other bytes in the place of a table's file.
    fn replace(&self, number: u64, bytes: &[u8]) {
        put_file(&self.disk, &path(number), bytes);
    }
}

async fn build(
    disk: Rc<dyn Disk>,
    dir: &Path,
    number: u64,
    rows: &[Row],
    options: BuilderOptions,
) -> Result<TableMeta, StorageError> {
    let path = table::path(dir, number);
    let mut builder = Builder::begin(disk, path, binding(number), options).await?;
    for (table_key, sequence, change) in rows {
        if let Err(error) = builder.add(table_key, *sequence, change.borrowed()).await {
            builder.abandon().await;
            return Err(error);
        }
    }
    builder.finish().await
}

fn path(number: u64) -> PathBuf {
    table::path(Path::new(DIR), number)
}

fn binding(number: u64) -> Binding {
    Binding { directory_id: 7, shard: 0, number }
}

fn collection(number: u32) -> CollectionId {
    CollectionId::new(number).unwrap()
}

fn table_key(number: u32, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_table_key(collection(number), key, &mut out);
    out
}

fn probe(table_key: &[u8]) -> Probe {
    let (collection, key) = split_table_key(table_key).unwrap();
    Probe::new(collection, key)
}

fn inline(data: impl Into<Vec<u8>>) -> Change {
    let data: Bytes = data.into().into();
    Change::Inline(Value { meta: Meta { size: data.len() as u64, ..Meta::default() }, data })
}

fn blob(file: u64) -> Change {
    let meta = Meta { size: 70_000, created_at: -5, version: Some(2), ..Meta::default() };
    Change::Blob(meta, BlobRef { file, offset: 4096, bytes: 65_536, hash: 9 })
}

/// As many rows as that, one version each, in one collection.
fn numbered(count: u64, data_bytes: usize) -> Vec<Row> {
    let row = |number: u64| {
        let key = format!("user:{number:011}");
        (table_key(1, key.as_bytes()), number + 1, inline(vec![number as u8; data_bytes]))
    };
    (0..count).map(row).collect()
}

/// Rows of several collections and versions, whose keys share a lot.
fn rows(count: usize) -> impl Strategy<Value = Vec<Row>> {
    let key = vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], 0..6);
    let long = (0usize..300, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]);
    let change = prop_oneof![
        1 => Just(Change::Tombstone),
        4 => vec(any::<u8>(), 0..120).prop_map(inline),
        1 => (0usize..9000).prop_map(|length| inline(vec![7; length])),
        1 => (1u64..4).prop_map(blob),
    ];
    let row = (1u32..4, prop_oneof![5 => key, 1 => long], 0u64..20, change);
    vec(row, 1..count).prop_map(|rows| {
        let keyed = rows.into_iter().map(|(collection, key, sequence, change)| {
            (table_key(collection, &key), sequence, change)
        });
        sorted(keyed.collect())
    })
}

/// In the order of a table, each (table key, sequence) once.
fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    rows.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
    rows
}

fn options() -> impl Strategy<Value = BuilderOptions> {
    let block_bytes = prop_oneof![Just(1), 100usize..1000, Just(8192)];
    (block_bytes, prop_oneof![Just(0), Just(10)], any::<bool>()).prop_map(
        |(block_bytes, filter_bits_per_key, compress)| BuilderOptions {
            block_bytes,
            filter_bits_per_key,
            compress,
        },
    )
}

/// The row that a source is at.
fn at(source: &dyn Source) -> Option<Row> {
    let (table_key, sequence) = source.place()?;
    let change = source.shared().unwrap();
    assert_eq!(source.change().unwrap(), change.borrowed());
    Some((table_key.to_vec(), sequence, change))
}

fn step(source: &mut dyn Source, direction: Direction) -> Result<(), StorageError> {
    match source.step(direction)? {
        Step::Done => Ok(()),
        Step::Waits => finish(source.load()),
    }
}

fn seek(source: &mut dyn Source, target: Target<'_>) -> Result<(), StorageError> {
    match source.seek(target)? {
        Step::Done => Ok(()),
        Step::Waits => finish(source.load()),
    }
}

/// All rows from a place on, that way.
fn walk(source: &mut dyn Source, target: Target<'_>) -> Result<Vec<Row>, StorageError> {
    seek(source, target)?;
    let mut rows = Vec::new();
    while let Some(row) = at(source) {
        rows.push(row);
        step(source, target.direction())?;
    }
    Ok(rows)
}

/// What a table says of a key, whatever it has to read for it.
fn look_up(table: &Table, cache: &Cache, table_key: &[u8]) -> Result<Option<Entry>, StorageError> {
    let probe = probe(table_key);
    match table.get(cache, &probe)? {
        Lookup::Absent => Ok(None),
        Lookup::Found(entry) => Ok(Some(entry)),
        Lookup::NeedsBlock(span) => finish(table.get_slow(cache, &probe, span)),
    }
}

/// What `rows` say of a key.
fn newest(rows: &[Row], table_key: &[u8]) -> Option<Entry> {
    let (_, sequence, change) = rows.iter().find(|row| row.0 == table_key)?;
    Some(Entry { sequence: *sequence, change: change.clone() })
}

/// What checking a table finds.
fn findings(table: &Table) -> Vec<String> {
    let mut findings = Vec::new();
    finish(table.check(|error| findings.push(error.to_string())));
    findings
}
