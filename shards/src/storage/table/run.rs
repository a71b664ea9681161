//! Tables that follow each other without overlap, such as a level, walked as one.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::{cursor::Cursor, reader::Table, window::Direction};
use crate::storage::{
    StorageError,
    cache::Cache,
    entry::{Change, ChangeRef, Sequence},
    merge::{Source, Step, Target},
};

/// Always true: where there is a cursor it belongs to the table at `index`; where there is none, the walk is before the
/// table at `index`, which may be one behind the last.
pub(in crate::storage) struct Run {
    tables: Vec<Rc<Table>>,
    cache: Option<Rc<Cache>>,
    index: usize,
    cursor: Option<Cursor>,
}

impl Run {
    /// Before the first entry of `tables`, which are in the order of their keys and share none.
    pub(in crate::storage) fn new(tables: Vec<Rc<Table>>, cache: Option<Rc<Cache>>) -> Self {
        let sorted = tables.is_sorted_by(|a, b| a.meta().largest < b.meta().smallest);
        debug_assert!(sorted, "tables of a run do not overlap");
        Self { tables, cache, index: 0, cursor: None }
    }

    /// Goes on in the next table that way, if there is one.
    fn start_next(&mut self, direction: Direction) -> Result<Step, StorageError> {
        let had_cursor = self.cursor.take().is_some();
        match direction {
            Direction::Forward if had_cursor => self.index += 1,
            Direction::Forward => (),
            Direction::Backward => match self.index.checked_sub(1) {
                Some(index) => self.index = index,
                None => return Ok(Step::Done),
            },
        }
        let Some(table) = self.tables.get(self.index) else { return Ok(Step::Done) };
        let cursor = Cursor::new(Rc::clone(table), self.cache.clone())?;
        self.cursor.insert(cursor).start(direction)
    }
}

impl Source for Run {
    fn place(&self) -> Option<(&[u8], Sequence)> {
        self.cursor.as_ref().and_then(Cursor::place)
    }

    fn change(&self) -> Result<ChangeRef<'_>, StorageError> {
        self.cursor.as_ref().map_or(Ok(ChangeRef::Tombstone), Cursor::change)
    }

    fn shared(&self) -> Result<Change, StorageError> {
        self.cursor.as_ref().map_or(Ok(Change::Tombstone), Cursor::shared)
    }

    fn step(&mut self, direction: Direction) -> Result<Step, StorageError> {
        if let Some(cursor) = &mut self.cursor {
            let step = cursor.step(direction)?;
            if step == Step::Waits || cursor.place().is_some() {
                return Ok(step);
            }
        }
        self.start_next(direction)
    }

    fn load(&mut self) -> LocalBoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            match &mut self.cursor {
                Some(cursor) => cursor.load().await,
                None => Ok(()),
            }
        })
    }

    fn seek(&mut self, target: Target<'_>) -> Result<Step, StorageError> {
        self.cursor = None;
        self.index = match target {
            Target::First => 0,
            Target::Last => self.tables.len(),
            Target::From(key) => self.tables.partition_point(|table| table.meta().largest < key),
            Target::Before(key) => self.tables.partition_point(|table| table.meta().smallest < key),
        };
        if target.direction() == Direction::Backward {
            // The last table that begins before the key holds the last entry before it.
            let Some(index) = self.index.checked_sub(1) else { return Ok(Step::Done) };
            self.index = index;
        }
        let Some(table) = self.tables.get(self.index) else { return Ok(Step::Done) };
        let cursor = Cursor::new(Rc::clone(table), self.cache.clone())?;
        self.cursor.insert(cursor).seek(target)
    }
}
