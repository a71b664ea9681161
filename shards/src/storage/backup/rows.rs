//! The rows of a cut, in order: of each key the change that is its newest.
//!
//! ```text
//! batches that had just ended ─┐
//! layers, the newest first     ├─► one collection after the other, by name ─► rows
//! runs of tables               ┘
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, btree_set},
    iter::Peekable,
    rc::Rc,
    sync::Arc,
};

use super::cut::Sources;
use crate::storage::{
    StorageError,
    compaction::Inputs,
    disk::Disk,
    entry::{COLLECTION_ID_BYTES, Change, Sequence},
    header::Binding,
    key::Key,
    layer::Visible,
    memtable::Frozen,
    merge::{Merge, Source, Target},
};

/// Walks over a cut.
pub(super) struct CutRows<'a> {
    disk: Rc<dyn Disk>,
    sources: &'a Sources,
    names: btree_set::IntoIter<&'a Arc<str>>,
    current: Option<OfCollection<'a>>,
}

/// A key, and the change that is its newest.
pub(super) struct CutRow<'a> {
    pub(super) collection: &'a Arc<str>,
    pub(super) key: Vec<u8>,
    pub(super) sequence: Sequence,
    pub(super) change: Change,
}

struct OfCollection<'a> {
    name: &'a Arc<str>,
    memory: Memory<'a>,
    tables: Tables,
}

impl<'a> CutRows<'a> {
    /// Before the first row.
    pub(super) fn new(disk: Rc<dyn Disk>, sources: &'a Sources) -> Self {
        let in_layers =
            sources.layers.iter().flat_map(|layer| layer.collections().map(|(name, _)| name));
        let names: BTreeSet<&Arc<str>> =
            in_layers.chain(sources.rows.keys()).chain(sources.collections.keys()).collect();
        Self { disk, sources, names: names.into_iter(), current: None }
    }

    /// The next row; none at the end, however often one asks.
    pub(super) async fn next(&mut self) -> Result<Option<CutRow<'a>>, StorageError> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(row) = current.next().await? {
                    return Ok(Some(row));
                }
                self.current = None;
            }
            let Some(name) = self.names.next() else { return Ok(None) };
            let memory = Memory::new(self.sources, name);
            let tables = Tables::new(Rc::clone(&self.disk), self.sources, name).await?;
            self.current = Some(OfCollection { name, memory, tables });
        }
    }
}

impl<'a> OfCollection<'a> {
    async fn next(&mut self) -> Result<Option<CutRow<'a>>, StorageError> {
        let Self { name, memory, tables } = self;
        let in_tables = tables.key();
        let from_memory = match (memory.key(), in_tables) {
            (None, None) => return Ok(None),
            (Some(key), Some(other)) => **key <= *other,
            (key, _) => key.is_some(),
        };
        let newest = if from_memory {
            let Some((key, sequence, change)) = memory.next() else { return Ok(None) };
            if in_tables.is_some_and(|other| *other == **key) {
                tables.advance().await?;
            }
            Some((key.to_vec(), sequence, change.clone()))
        } else {
            let current = tables.current()?;
            tables.advance().await?;
            current
        };
        let collection = *name;
        Ok(newest.map(|(key, sequence, change)| CutRow { collection, key, sequence, change }))
    }
}

/// What memory had of one collection: of each key the newest change that the snapshot sees.
struct Memory<'a> {
    /// The newest first.
    layers: Vec<Peekable<Box<dyn Iterator<Item = Row<'a>> + 'a>>>,
}

type Row<'a> = (&'a Key, Sequence, &'a Change);

impl<'a> Memory<'a> {
    fn new(sources: &'a Sources, name: &'a Arc<str>) -> Self {
        let unordered = |(key, change): (&'a Key, &'a Change)| (key, 0u64, change);
        let rows = sources.rows.get(name).map(BTreeMap::iter);
        let rows =
            rows.map(|rows| Box::new(rows.map(unordered)) as Box<dyn Iterator<Item = Row<'a>>>);
        let layers = sources.layers.iter().filter_map(|layer| of_layer(layer, name, sources.epoch));
        Self { layers: rows.into_iter().chain(layers).map(Iterator::peekable).collect() }
    }

    fn key(&mut self) -> Option<&'a Key> {
        self.layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, ..)| *key)).min()
    }

    fn next(&mut self) -> Option<Row<'a>> {
        let key = self.key()?;
        let mut newest = None;
        for layer in &mut self.layers {
            if let Some(row) = layer.next_if(|(other, ..)| *other == key) {
                newest.get_or_insert(row);
            }
        }
        newest
    }
}

fn of_layer<'a>(
    layer: &'a Frozen,
    name: &'a str,
    epoch: u64,
) -> Option<Box<dyn Iterator<Item = Row<'a>> + 'a>> {
    let rows = layer.at(name, epoch)?;
    let row = |(key, visible): (&'a Key, &'a Visible)| (key, visible.sequence, &visible.change);
    Some(Box::new(rows.map(row)))
}

/// What tables had of one collection: of each key the newest change.
struct Tables {
    merge: Option<Merge>,
    end: [u8; COLLECTION_ID_BYTES],
    /// The table key that is current.
    table_key: Vec<u8>,
}

impl Tables {
    async fn new(
        disk: Rc<dyn Disk>,
        sources: &Sources,
        name: &Arc<str>,
    ) -> Result<Self, StorageError> {
        let Some(id) = sources.collections.get(name) else {
            return Ok(Self { merge: None, end: [0; COLLECTION_ID_BYTES], table_key: Vec::new() });
        };
        let (start, end) = (id.start(), id.end());
        let binding =
            Binding { directory_id: sources.directory_id, shard: sources.shard, number: 0 };
        let mut runs: Vec<Box<dyn Source>> = Vec::new();
        for run in &sources.runs {
            let first = run.partition_point(|meta| meta.largest[..] < start[..]);
            let rest = &run[first..];
            let metas = &rest[..rest.partition_point(|meta| meta.smallest[..] < end[..])];
            if !metas.is_empty() {
                runs.push(Box::new(Inputs::new(
                    Rc::clone(&disk),
                    sources.dir.clone(),
                    binding,
                    metas,
                )));
            }
        }
        let mut merge = Merge::new(runs);
        merge.seek(Target::From(&start)).await?;
        let mut this = Self { merge: Some(merge), end, table_key: Vec::new() };
        this.settle();
        Ok(this)
    }

    /// Notes where it is.
    fn settle(&mut self) {
        self.table_key.clear();
        if let Some((table_key, _)) = self.merge.as_ref().and_then(Merge::place)
            && *table_key < self.end[..]
        {
            self.table_key.extend_from_slice(table_key);
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.table_key.get(COLLECTION_ID_BYTES..)
    }

    fn current(&self) -> Result<Option<(Vec<u8>, Sequence, Change)>, StorageError> {
        let (Some(key), Some(merge)) = (self.key(), &self.merge) else { return Ok(None) };
        let sequence = merge.place().map_or(0, |(_, sequence)| sequence);
        Ok(Some((key.to_vec(), sequence, merge.shared()?)))
    }

    /// To the next key.
    async fn advance(&mut self) -> Result<(), StorageError> {
        let Some(merge) = &mut self.merge else { return Ok(()) };
        merge.advance().await?;
        while merge.place().is_some_and(|(table_key, _)| *table_key == *self.table_key) {
            merge.advance().await?;
        }
        self.settle();
        Ok(())
    }
}
