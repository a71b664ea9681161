//! Walks over the entries of a table, either way.
//!
//! ```text
//!  index ── names the block ──► cache, or the window that was read last ──► block ──► entry
//!                                    │ neither
//!                                    └─► step or seek waits; load reads the window and completes it
//! ```
//!
//! Always true: where it is at an entry, the index is at that entry's block; where it is not, no block is entered.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use super::{
    block::{BlockCursor, Broken},
    footer::Span,
    index::IndexCursor,
    payload,
    reader::Table,
    window::{Direction, Window},
};
use crate::storage::{
    StorageError,
    cache::Cache,
    entry::{Change, ChangeRef, Sequence},
    merge::{Source, Step, Target},
};

pub(in crate::storage) struct Cursor {
    table: Rc<Table>,
    cache: Option<Rc<Cache>>,
    index: IndexCursor,
    window: Window,
    /// The block that is entered, and where it lies.
    block: BlockCursor,
    span: Span,
    /// Of the entry.
    sequence: Sequence,
    /// The block that a step or a seek waits for.
    waits_for: Option<(Span, Direction)>,
    /// The table key of the seek that waits.
    sought: Option<Vec<u8>>,
}

impl Cursor {
    /// Before the first entry. With a cache it takes blocks from there, and puts there what it reads; without it is for one
    /// who reads everything, once.
    pub(in crate::storage) fn new(
        table: Rc<Table>,
        cache: Option<Rc<Cache>>,
    ) -> Result<Self, StorageError> {
        let window = if cache.is_some() { Window::growing() } else { Window::large() };
        Ok(Self {
            index: table.index_cursor()?,
            table,
            cache,
            window,
            block: BlockCursor::nowhere(),
            span: Span { offset: 0, bytes: 0 },
            sequence: 0,
            waits_for: None,
            sought: None,
        })
    }

    /// To the first entry, or to the last: where a walk that way begins.
    pub(super) fn start(&mut self, direction: Direction) -> Result<Step, StorageError> {
        self.leave();
        let span = match direction {
            Direction::Forward => self.index.first(),
            Direction::Backward => self.index.last(),
        };
        self.enter(span, direction)
    }

    /// Enters the block at the end that a walk comes from, if the index named one and it is at hand.
    fn enter(
        &mut self,
        span: Result<Option<Span>, Broken>,
        direction: Direction,
    ) -> Result<Step, StorageError> {
        self.block.leave();
        let Some(span) = span.map_err(|Broken| self.table.broken_index())? else {
            return Ok(Step::Done);
        };
        let Some(block) = self.at_hand(span)? else {
            self.waits_for = Some((span, direction));
            return Ok(Step::Waits);
        };
        self.span = span;
        self.enter_block(block, direction)?;
        Ok(Step::Done)
    }

    fn enter_block(&mut self, block: Bytes, direction: Direction) -> Result<(), StorageError> {
        let entered = self.block.enter(block).and_then(|()| match direction {
            Direction::Forward => self.block.next(),
            Direction::Backward => self.block.last(),
        });
        match entered {
            Ok(true) => self.settle(),
            _ => Err(self.broken()),
        }
    }

    /// A block that was read lately, by anyone or by this one.
    fn at_hand(&self, span: Span) -> Result<Option<Bytes>, StorageError> {
        let number = self.table.number();
        if let Some(block) = self.cache.as_ref().and_then(|cache| cache.get(number, span.offset)) {
            return Ok(Some(block));
        }
        let Some(mut sealed) = self.window.at_hand(span) else { return Ok(None) };
        if self.cache.is_some() && !self.window.is_just(span) {
            // What goes to the cache is not to keep the window alive.
            sealed = Bytes::copy_from_slice(&sealed);
        }
        let block = self.table.unseal(span, sealed)?;
        if let Some(cache) = &self.cache {
            cache.insert(number, span.offset, block.clone());
        }
        Ok(Some(block))
    }

    /// The block is at a new entry.
    #[inline]
    fn settle(&mut self) -> Result<(), StorageError> {
        match payload::split(self.block.payload()) {
            Ok((sequence, _)) => {
                self.sequence = sequence;
                Ok(())
            }
            Err(Broken) => Err(self.broken()),
        }
    }

    fn leave(&mut self) {
        self.block.leave();
        self.window.restart();
        (self.waits_for, self.sought) = (None, None);
    }

    fn broken(&mut self) -> StorageError {
        self.block.leave();
        self.table.broken(self.span)
    }

    async fn load_block(&mut self) -> Result<(), StorageError> {
        while let Some((span, direction)) = self.waits_for.take() {
            self.window.read(&self.table, span, direction).await?;
            // It is in the window now.
            let _ = self.enter(Ok(Some(span)), direction)?;
            if let Some(key) = self.sought.take() {
                // That may wait for one more.
                let _ = self.find(&key, direction)?;
            }
        }
        Ok(())
    }

    /// From the block that the index named to the entry, which is there or next to it.
    fn find(&mut self, key: &[u8], direction: Direction) -> Result<Step, StorageError> {
        if self.place().is_none() {
            return Ok(Step::Done);
        }
        let found = match direction {
            Direction::Forward => self.block.seek(key),
            Direction::Backward => self.block.seek_before(key),
        };
        match found {
            Ok(true) => self.settle().map(|()| Step::Done),
            Ok(false) => self.step(direction),
            Err(Broken) => Err(self.broken()),
        }
    }
}

impl Source for Cursor {
    #[inline]
    fn place(&self) -> Option<(&[u8], Sequence)> {
        self.block.is_at_entry().then(|| (self.block.key(), self.sequence))
    }

    fn change(&self) -> Result<ChangeRef<'_>, StorageError> {
        let read = payload::read(self.block.payload());
        read.map(|(_, change)| change).map_err(|Broken| self.table.broken(self.span))
    }

    fn shared(&self) -> Result<Change, StorageError> {
        let change = self.change()?;
        Ok(change.to_owned_with(|data| self.block.share(data)))
    }

    fn step(&mut self, direction: Direction) -> Result<Step, StorageError> {
        let moved = match direction {
            Direction::Forward => self.block.next(),
            Direction::Backward => self.block.prev(),
        };
        match moved {
            Ok(true) => self.settle().map(|()| Step::Done),
            Ok(false) => {
                let span = match direction {
                    Direction::Forward => self.index.next(),
                    Direction::Backward => self.index.prev(),
                };
                self.enter(span, direction)
            }
            Err(Broken) => Err(self.broken()),
        }
    }

    fn seek(&mut self, target: Target<'_>) -> Result<Step, StorageError> {
        let direction = target.direction();
        let (Target::From(key) | Target::Before(key)) = target else {
            return self.start(direction);
        };
        self.leave();
        // The first block that holds a key of at least this; the key before is there or in the block before.
        let span = match self.index.seek(self.table.index(), key) {
            Ok(None) if direction == Direction::Backward => self.index.last(),
            span => span,
        };
        if self.enter(span, direction)? == Step::Waits {
            self.sought = Some(key.to_vec());
            return Ok(Step::Waits);
        }
        self.find(key, direction)
    }

    fn load(&mut self) -> LocalBoxFuture<'_, Result<(), StorageError>> {
        Box::pin(self.load_block())
    }
}
