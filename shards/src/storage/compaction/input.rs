//! The tables of one run, opened one after the other as a merge comes to them: however many there are, one is open.

use std::{collections::VecDeque, path::PathBuf, rc::Rc};

use futures_util::future::LocalBoxFuture;

use crate::storage::{
    StorageError,
    disk::Disk,
    entry::{Change, ChangeRef, Sequence},
    header::Binding,
    merge::{Direction, Source, Step, Target},
    table::{self, Cursor, Table, TableMeta},
};

/// Always true: where there is no open table, the walk has not begun or is at its end.
pub(in crate::storage) struct Inputs {
    disk: Rc<dyn Disk>,
    dir: PathBuf,
    /// Of all but the number.
    binding: Binding,
    /// Those that come next.
    metas: VecDeque<TableMeta>,
    open: Option<(Rc<Table>, Cursor)>,
    /// A step waits for the next table, not for a block of this one.
    waits_for_table: bool,
    /// Where the walk begins; empty: at the first entry.
    from: Vec<u8>,
}

impl Inputs {
    pub(in crate::storage) fn new(
        disk: Rc<dyn Disk>,
        dir: PathBuf,
        binding: Binding,
        metas: &[TableMeta],
    ) -> Self {
        let metas = metas.iter().cloned().collect();
        Self { disk, dir, binding, metas, open: None, waits_for_table: false, from: Vec::new() }
    }

    /// To the first entry of the next table, or to the end.
    async fn open_next(&mut self) -> Result<(), StorageError> {
        self.waits_for_table = false;
        if let Some((table, _)) = self.open.take() {
            table.close().await;
        }
        let Some(meta) = self.metas.pop_front() else { return Ok(()) };
        let path = table::path(&self.dir, meta.number);
        let binding = Binding { number: meta.number, ..self.binding };
        let table = Rc::new(Table::open(&*self.disk, path, binding, Some(&meta)).await?);
        let mut cursor = Cursor::new(Rc::clone(&table), None)?;
        let from = std::mem::take(&mut self.from);
        let target = if from.is_empty() { Target::First } else { Target::From(&from) };
        let sought = cursor.seek(target);
        let cursor = &mut self.open.insert((table, cursor)).1;
        if sought? == Step::Waits { cursor.load().await } else { Ok(()) }
    }

    fn cursor(&self) -> Option<&Cursor> {
        self.open.as_ref().map(|(_, cursor)| cursor)
    }
}

impl Source for Inputs {
    fn place(&self) -> Option<(&[u8], Sequence)> {
        self.cursor().and_then(Cursor::place)
    }

    fn change(&self) -> Result<ChangeRef<'_>, StorageError> {
        self.cursor().map_or(Ok(ChangeRef::Tombstone), Cursor::change)
    }

    fn shared(&self) -> Result<Change, StorageError> {
        self.cursor().map_or(Ok(Change::Tombstone), Cursor::shared)
    }

    /// Forward only: a merge goes no other way.
    fn step(&mut self, direction: Direction) -> Result<Step, StorageError> {
        debug_assert_eq!(direction, Direction::Forward);
        let Some((_, cursor)) = &mut self.open else { return Ok(Step::Done) };
        let step = cursor.step(direction)?;
        if step == Step::Waits || cursor.place().is_some() {
            return Ok(step);
        }
        self.waits_for_table = true;
        Ok(Step::Waits)
    }

    fn load(&mut self) -> LocalBoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            match &mut self.open {
                Some((_, cursor)) if !self.waits_for_table => cursor.load().await,
                _ => self.open_next().await,
            }
        })
    }

    /// Forward and once: where a merge begins. A key to begin from lies before the end of the first table.
    fn seek(&mut self, target: Target<'_>) -> Result<Step, StorageError> {
        debug_assert!(target.direction() == Direction::Forward && self.open.is_none());
        if let Target::From(key) = target {
            self.from = key.to_vec();
        }
        self.waits_for_table = true;
        Ok(Step::Waits)
    }
}
