//! Writes a table: entries in order, one block after the other, at last what tells where they are.
//!
//! ```text
//! add ─► block ─(full)─► sealed ─► output ─► file
//!   │       └─ last key, place ─► index     ┐
//!   └─ hash of each key ─► filter           ├ behind the blocks, when it is finished
//!   └─ counts ─► properties                 ┘
//! ```
//!
//! It keeps in memory: a block, 1 MiB of output, 8 bytes for each key, and the index.

use std::{path::PathBuf, rc::Rc};

use bytes::Bytes;

use super::{
    block::BlockBuilder,
    filter::Filter,
    footer::{self, FOOTER_BYTES, Footer, Span},
    index::IndexBuilder,
    output::Output,
    payload,
    properties::{TableMeta, Tally},
    sealed::{self, Sealer},
};
use crate::storage::{
    StorageError,
    disk::{BLOCK_BYTES, Disk},
    entry::{
        COLLECTION_ID_BYTES, ChangeRef, EntryRef, Sequence, TABLE_KEY_BYTES_MAX, table_key_hash,
    },
    header::Binding,
};

const RESTART_INTERVAL: usize = 16;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct BuilderOptions {
    /// Bytes of a data block before compression, if no entry is longer.
    pub(in crate::storage) block_bytes: usize,
    /// 0: no filter.
    pub(in crate::storage) filter_bits_per_key: u32,
    /// Whether blocks are compressed where that pays.
    pub(in crate::storage) compress: bool,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self { block_bytes: 8 * 1024, filter_bits_per_key: 10, compress: true }
    }
}

/// A table that is being written. It ends with [`Builder::finish`] or [`Builder::abandon`]; one that is dropped leaves a
/// file that nobody names.
pub(in crate::storage) struct Builder {
    disk: Rc<dyn Disk>,
    binding: Binding,
    options: BuilderOptions,
    output: Output,
    block: BlockBuilder,
    sealer: Sealer,
    index: IndexBuilder,
    blocks: u64,
    /// Of all distinct keys.
    hashes: Vec<u64>,
    tally: Tally,
    sequence_last: Sequence,
}

impl Builder {
    /// Begins the table `binding.number` in the file `path`.
    pub(in crate::storage) async fn begin(
        disk: Rc<dyn Disk>,
        path: PathBuf,
        binding: Binding,
        options: BuilderOptions,
    ) -> Result<Self, StorageError> {
        let mut output = Output::create(&*disk, path).await?;
        let mut header = [0; BLOCK_BYTES];
        footer::write_header(&mut header, binding);
        output.write(&header).await?;
        Ok(Self {
            disk,
            binding,
            options,
            output,
            block: BlockBuilder::new(RESTART_INTERVAL),
            sealer: Sealer::new(options.compress),
            index: IndexBuilder::new(),
            blocks: 0,
            hashes: Vec::new(),
            tally: Tally::default(),
            sequence_last: 0,
        })
    }

    /// Adds an entry, which must come behind the last one: by table key, and within one by falling sequence. After an
    /// error the builder is good for [`Builder::abandon`] only.
    pub(in crate::storage) async fn add(
        &mut self,
        table_key: &[u8],
        sequence: Sequence,
        change: ChangeRef<'_>,
    ) -> Result<(), StorageError> {
        let payload_bytes = payload::length(sequence, &change);
        let mut draft = self.block.draft(table_key, payload_bytes);
        let is_new_key = self.check_order(table_key, sequence, draft.common);
        if draft.block_bytes > self.options.block_bytes && !self.block.is_empty() {
            self.cut(Some(table_key)).await?;
            draft = self.block.draft(table_key, payload_bytes);
        }
        if is_new_key && self.options.filter_bits_per_key > 0 {
            self.hashes.push(table_key_hash(table_key));
        }
        self.block.add(draft, table_key, |out| payload::write(sequence, &change, out));
        self.tally.add(&EntryRef { table_key, sequence, change });
        self.sequence_last = sequence;
        Ok(())
    }

    /// Bytes that the file would have if it were finished now, about.
    pub(in crate::storage) fn estimated_bytes(&self) -> u64 {
        let filter = self.hashes.len() as u64 * u64::from(self.options.filter_bits_per_key) / 8;
        let blocks = self.output.position() + self.block.block_bytes() as u64;
        blocks + filter + self.index.bytes() as u64 + 2 * FOOTER_BYTES
    }

    /// Entries added.
    pub(in crate::storage) fn entries(&self) -> u64 {
        self.tally.entries
    }

    /// Completes the file and makes it durable; its name is, once the folder is synced. There must be at least one entry. If
    /// it fails the file is removed.
    pub(in crate::storage) async fn finish(mut self) -> Result<TableMeta, StorageError> {
        assert!(self.entries() > 0, "a table holds at least one entry");
        match self.complete().await {
            Ok(meta) => {
                self.output.close().await;
                Ok(meta)
            }
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Removes the file.
    pub(in crate::storage) async fn abandon(self) {
        let path = self.output.path().to_owned();
        self.output.close().await;
        // If it stays, it is a file that nobody names: the next start removes it.
        let _ = self.disk.remove(&path).await;
    }

    /// Whether the entry has another key than the last one. One that does not belong behind it is a bug that would make
    /// wrong answers later.
    fn check_order(&self, table_key: &[u8], sequence: Sequence, common: usize) -> bool {
        assert!((COLLECTION_ID_BYTES..=TABLE_KEY_BYTES_MAX).contains(&table_key.len()));
        match (table_key.get(common), self.block.last_key().get(common)) {
            (Some(new), last) => {
                assert!(last.is_none_or(|last| new > last), "keys ascend");
                true
            }
            (None, last) => {
                assert!(last.is_none(), "keys ascend");
                assert!(sequence < self.sequence_last, "of one key the newest comes first");
                false
            }
        }
    }

    /// Ends the block; `next` is the key that comes behind it, if one does.
    async fn cut(&mut self, next: Option<&[u8]>) -> Result<(), StorageError> {
        let offset = self.output.position();
        let sealed = self.sealer.seal(self.block.finish(), self.binding, offset);
        let span = Span { offset, bytes: sealed.len() as u64 };
        self.output.write(sealed).await?;
        self.index.add(self.block.last_key(), next, span);
        self.blocks += 1;
        Ok(())
    }

    /// Writes what is behind the data blocks.
    async fn complete(&mut self) -> Result<TableMeta, StorageError> {
        self.cut(None).await?;
        let mut filter = Vec::new();
        let hashes = std::mem::take(&mut self.hashes);
        Filter::build(&hashes, self.options.filter_bits_per_key).write(&mut filter);
        let filter = self.write_sealed(&mut filter).await?;
        let mut index = std::mem::take(self.index.finish());
        let index = self.write_sealed(&mut index).await?;

        let largest = Bytes::copy_from_slice(self.block.last_key());
        let tally = std::mem::take(&mut self.tally);
        let mut meta = tally.finish(self.binding.number, self.blocks, largest);
        let end = self.output.position() + sealed::sealed_bytes(meta.length()) as u64;
        meta.bytes = end.next_multiple_of(BLOCK_BYTES as u64) + FOOTER_BYTES;
        let mut properties = Vec::new();
        meta.write(&mut properties);
        let properties = self.write_sealed(&mut properties).await?;

        self.output.pad().await?;
        let mut footer = [0; BLOCK_BYTES];
        Footer { filter, index, properties }.write(&mut footer, self.binding);
        self.output.write(&footer).await?;
        assert_eq!(self.output.position(), meta.bytes);
        self.output.sync().await?;
        Ok(meta)
    }

    async fn write_sealed(&mut self, raw: &mut Vec<u8>) -> Result<Span, StorageError> {
        let offset = self.output.position();
        sealed::seal(raw, self.binding, offset);
        self.output.write(raw).await?;
        Ok(Span { offset, bytes: raw.len() as u64 })
    }
}
