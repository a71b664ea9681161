//! Many sorted streams of entries as one: what scans read and compaction writes.
//!
//! ```text
//!  source 0, newest ─┐
//!  source 1          ├─► merge ─► entries by table key, of one key by falling sequence
//!  …                 │            (or all of it backwards)
//!  source n, oldest ─┘
//! ```
//!
//! Always true while a walk goes on: `order` names the sources that are at an entry, the one that is next first.

use futures_util::future::{LocalBoxFuture, try_join_all};

pub(super) use super::table::Direction;
use super::{
    StorageError,
    entry::{Change, ChangeRef, Entry, Sequence},
};

/// A sorted stream: table keys ascend, and of one key sequences fall. It can be walked either way. After an error it is
/// good for [`Source::seek`] only.
pub(super) trait Source {
    /// Table key and sequence of the entry that it is at; `None` before the first and behind the last.
    fn place(&self) -> Option<(&[u8], Sequence)>;
    /// The change of the entry that it is at; it must be at one.
    fn change(&self) -> Result<ChangeRef<'_>, StorageError>;
    /// The same, to keep; inline data is shared where it is large or cached.
    fn shared(&self) -> Result<Change, StorageError>;
    /// To the next entry that way, or to the end. Where that waits for the disk, [`Source::load`] must come next.
    fn step(&mut self, direction: Direction) -> Result<Step, StorageError>;
    /// To a place. Where that waits for the disk, [`Source::load`] must come next.
    fn seek(&mut self, target: Target<'_>) -> Result<Step, StorageError>;
    /// Completes what waits.
    fn load(&mut self) -> LocalBoxFuture<'_, Result<(), StorageError>>;
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Step {
    Done,
    /// It waits for the disk.
    Waits,
}

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// At the first entry.
    First,
    /// At the first entry whose table key is at least this.
    From(&'a [u8]),
    /// At the last entry.
    Last,
    /// At the last entry whose table key is before this.
    Before(&'a [u8]),
}

impl Target<'_> {
    /// Which way one goes on from it.
    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::First | Self::From(_) => Direction::Forward,
            Self::Last | Self::Before(_) => Direction::Backward,
        }
    }
}

/// The sources as one. Entries that are the same in several come from the newest source first.
pub(super) struct Merge {
    sources: Vec<Box<dyn Source>>,
    order: Vec<usize>,
    direction: Direction,
    /// The table key that [`Merge::next_newest`] gave last.
    table_key: Vec<u8>,
}

/// The newest entry of a key, which may be a tombstone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Newest<'a> {
    pub(super) table_key: &'a [u8],
    pub(super) entry: Entry,
}

impl Merge {
    /// Over `sources`, the newest first. The walk begins with [`Merge::seek`].
    pub(super) fn new(sources: Vec<Box<dyn Source>>) -> Self {
        let order = Vec::with_capacity(sources.len());
        Self { sources, order, direction: Direction::Forward, table_key: Vec::new() }
    }

    /// To a place; from there the walk goes forward, or backward from [`Target::Last`] and [`Target::Before`]. Sources that
    /// wait for the disk wait side by side.
    pub(super) async fn seek(&mut self, target: Target<'_>) -> Result<(), StorageError> {
        self.direction = target.direction();
        self.table_key.clear();
        self.order.clear();
        let mut loads = Vec::new();
        for source in &mut self.sources {
            if source.seek(target)? == Step::Waits {
                loads.push(source.load());
            }
        }
        try_join_all(loads).await?;
        for index in 0..self.sources.len() {
            if self.sources[index].place().is_some() {
                let at = self.order.partition_point(|other| self.is_before(*other, index));
                self.order.insert(at, index);
            }
        }
        Ok(())
    }

    /// Table key and sequence of the entry that it is at; `None` at the end.
    #[inline]
    pub(super) fn place(&self) -> Option<(&[u8], Sequence)> {
        self.first().and_then(Source::place)
    }

    /// The change of the entry that it is at; a tombstone at the end.
    #[inline]
    pub(super) fn change(&self) -> Result<ChangeRef<'_>, StorageError> {
        self.first().map_or(Ok(ChangeRef::Tombstone), Source::change)
    }

    /// The same, to keep.
    pub(super) fn shared(&self) -> Result<Change, StorageError> {
        self.first().map_or(Ok(Change::Tombstone), Source::shared)
    }

    /// To the next entry. After an error the walk is over.
    #[inline]
    pub(super) async fn advance(&mut self) -> Result<(), StorageError> {
        let Some(&first) = self.order.first() else { return Ok(()) };
        let source = &mut self.sources[first];
        if source.step(self.direction)? == Step::Waits {
            source.load().await?;
        }
        self.settle(first);
        Ok(())
    }

    /// The newest entry of the next key that way; `None` at the end. Not to be mixed with [`Merge::advance`] in one walk.
    pub(super) async fn next_newest(&mut self) -> Result<Option<Newest<'_>>, StorageError> {
        if self.direction == Direction::Forward {
            // What is left of the key before; not earlier, so that a last row waits for nothing behind it.
            while self.is_at_key() {
                self.advance().await?;
            }
        }
        let Some((table_key, _)) =
            self.order.first().and_then(|first| self.sources[*first].place())
        else {
            return Ok(None);
        };
        self.table_key.clear();
        self.table_key.extend_from_slice(table_key);
        let mut entry = self.entry()?;
        if self.direction == Direction::Backward {
            self.advance().await?;
            while self.is_at_key() {
                entry = self.entry()?;
                self.advance().await?;
            }
        }
        Ok(Some(Newest { table_key: &self.table_key, entry }))
    }

    /// Whether the entry is one more of the key given last. Table keys are never empty.
    fn is_at_key(&self) -> bool {
        self.place().is_some_and(|(table_key, _)| table_key == self.table_key)
    }

    fn entry(&self) -> Result<Entry, StorageError> {
        let sequence = self.place().map_or(0, |(_, sequence)| sequence);
        Ok(Entry { sequence, change: self.shared()? })
    }

    fn first(&self) -> Option<&dyn Source> {
        self.order.first().map(|first| &*self.sources[*first])
    }

    /// The first of `order` has moved: gives it its new place.
    #[inline]
    fn settle(&mut self, first: usize) {
        if self.sources[first].place().is_none() {
            self.order.remove(0);
            return;
        }
        let rest = &self.order[1..];
        // Entries of one source often come in runs.
        if rest.first().is_some_and(|second| self.is_before(*second, first)) {
            let passed = 1 + rest[1..].partition_point(|other| self.is_before(*other, first));
            self.order[..=passed].rotate_left(1);
        }
    }

    /// Whether the entry of source `a` comes before that of source `b`. Both are at one.
    #[inline]
    fn is_before(&self, a: usize, b: usize) -> bool {
        let (one, other) = (self.sources[a].place(), self.sources[b].place());
        let (Some((a_key, a_sequence)), Some((b_key, b_sequence))) = (one, other) else {
            return false;
        };
        let forward = a_key.cmp(b_key).then(b_sequence.cmp(&a_sequence)).then(a.cmp(&b));
        match self.direction {
            Direction::Forward => forward.is_lt(),
            Direction::Backward => forward.is_gt(),
        }
    }
}
