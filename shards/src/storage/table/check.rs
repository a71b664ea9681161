//! Looks at every byte of a table that matters, and names all that is wrong: for whoever doubts a disk.

use super::{
    block::{BlockCursor, Broken},
    footer::Span,
    payload,
    properties::Tally,
    reader::Table,
    window::{Direction, Window},
};
use crate::storage::{
    StorageError,
    entry::{EntryRef, Sequence, split_table_key, table_key_hash},
};

/// What has been seen of a table so far.
#[derive(Default)]
struct Seen {
    tally: Tally,
    /// Table key and sequence of the last entry.
    last: Option<(Vec<u8>, Sequence)>,
    /// The last separator.
    separator: Vec<u8>,
    is_damaged: bool,
}

impl Table {
    /// Calls `report` with each block that is damaged or does not fit the rest. An open table has sound properties, index
    /// and filter; this reads the data blocks.
    pub(in crate::storage) async fn check(&self, mut report: impl FnMut(StorageError)) {
        let mut index = match self.index_cursor() {
            Ok(index) => index,
            Err(error) => return report(error),
        };
        let (mut window, mut seen) = (Window::large(), Seen::default());
        while let Ok(Some(span)) = index.next() {
            let checked = match self.block(&mut window, span).await {
                Ok(block) => seen.block(self, block, index.key()),
                Err(error) => {
                    seen.is_damaged = true;
                    report(error);
                    continue;
                }
            };
            if let Err(what) = checked {
                seen.is_damaged = true;
                report(self.corrupt(span.offset, what));
            }
        }
        let meta = self.meta();
        let largest = seen.last.unwrap_or_default().0.into();
        let mut counted = seen.tally.finish(meta.number, meta.blocks, largest);
        counted.bytes = meta.bytes;
        if !seen.is_damaged && counted != *meta {
            report(self.corrupt(self.data().offset, "its entries are not what its properties say"));
        }
    }

    async fn block(&self, window: &mut Window, span: Span) -> Result<BlockCursor, StorageError> {
        if window.at_hand(span).is_none() {
            window.read(self, span, Direction::Forward).await?;
        }
        let sealed = window.at_hand(span).unwrap_or_default();
        let block = BlockCursor::new(self.unseal(span, sealed)?);
        block.map_err(|Broken| self.broken(span))
    }
}

impl Seen {
    /// Walks over a block that the index knows by `separator`.
    fn block(
        &mut self,
        table: &Table,
        mut block: BlockCursor,
        separator: &[u8],
    ) -> Result<(), &'static str> {
        while block.next().map_err(|Broken| "an entry cannot be decoded")? {
            let (table_key, payload) = (block.key(), block.payload());
            let (sequence, change) =
                payload::read(payload).map_err(|Broken| "a change cannot be decoded")?;
            if split_table_key(table_key).is_none() {
                return Err("a key without a collection");
            }
            if !self.follows(table_key, sequence) {
                return Err("an entry out of order");
            }
            let is_first = self.tally.entries == 0;
            if table_key > separator || (!is_first && table_key < &self.separator[..]) {
                return Err("a key in a block where the index does not look for it");
            }
            if !table.may_hold(table_key_hash(table_key)) {
                return Err("a key that the filter denies");
            }
            self.tally.add(&EntryRef { table_key, sequence, change });
            self.last = Some((table_key.to_vec(), sequence));
        }
        self.separator = separator.to_vec();
        Ok(())
    }

    fn follows(&self, table_key: &[u8], sequence: Sequence) -> bool {
        self.last.as_ref().is_none_or(|(last, last_sequence)| {
            table_key > &last[..] || (table_key == last && sequence < *last_sequence)
        })
    }
}
