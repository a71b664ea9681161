//! An open table: filter and index in memory, data blocks from the cache or from the disk.
//!
//! Always true: the index names blocks that fill the data part without a gap, so that every read lies within the file;
//! what comes from the disk is checked before it is used or cached.

use std::{path::PathBuf, rc::Rc};

use bytes::{Buf, Bytes};

use super::{
    block::{Block, Broken},
    filter::Filter,
    footer::{self, FOOTER_BYTES, Footer, Span},
    index::{Index, IndexCursor},
    payload,
    properties::TableMeta,
    sealed,
};
use crate::storage::{
    StorageError,
    cache::Cache,
    disk::{Disk, DiskFile, Opening},
    entry::{Change, ChangeRef, Entry, Probe},
    header::{Binding, HEADER_BYTES, HeaderFault},
    value::Value,
};

const ADVICE: &str =
    "What lies elsewhere can still be read. Restore the data directory from a backup";
const NO_SENSE: &str = "a block with a sound checksum makes no sense";

/// A table, open for reading.
pub(in crate::storage) struct Table {
    file: TableFile,
    meta: TableMeta,
    filter: Filter,
    index: Index,
    data: Span,
}

/// What a table tells at once about a key.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::storage) enum Lookup {
    /// It has no entry of the key.
    Absent,
    /// The newest entry of the key.
    Found(Entry),
    /// It depends on this block, which is not cached.
    NeedsBlock(Span),
}

impl Table {
    /// Opens the table `binding.number` in the file `path`, and reads filter and index. What the manifest says of it must
    /// be so, if that is given.
    pub(in crate::storage) async fn open(
        disk: &dyn Disk,
        path: PathBuf,
        binding: Binding,
        expected: Option<&TableMeta>,
    ) -> Result<Self, StorageError> {
        let opened = disk.open(&path, Opening::Existing).await;
        let file = opened.map_err(|error| StorageError::io("cannot open", &path, error))?;
        let file = TableFile { path, file, binding };
        match file.parts(expected).await {
            Ok((meta, filter, index, data)) => Ok(Self { file, meta, filter, index, data }),
            Err(error) => {
                file.close().await;
                Err(error)
            }
        }
    }

    /// What is known of it.
    pub(in crate::storage) fn meta(&self) -> &TableMeta {
        &self.meta
    }

    /// Memory that it takes while it is open.
    pub(in crate::storage) fn memory_bytes(&self) -> u64 {
        (size_of::<Self>() + self.filter.memory_bytes() + self.index.memory_bytes()) as u64
    }

    /// The newest entry of a key, as far as that can be told at once. Takes no memory.
    pub(in crate::storage) fn get(
        &self,
        cache: &Cache,
        probe: &Probe,
    ) -> Result<Lookup, StorageError> {
        if !self.filter.may_hold(probe.hash()) {
            return Ok(Lookup::Absent);
        }
        let found = self.index.find(probe.table_key());
        let Some(span) = found.map_err(|Broken| self.broken_index())? else {
            return Ok(Lookup::Absent);
        };
        let Some(block) = cache.get(self.file.binding.number, span.offset) else {
            return Ok(Lookup::NeedsBlock(span));
        };
        Ok(self.look_in(block, span, probe)?.map_or(Lookup::Absent, Lookup::Found))
    }

    /// The newest entry of a key, from the block that [`Table::get`] named. The block goes to the cache.
    pub(in crate::storage) async fn get_slow(
        &self,
        cache: &Cache,
        probe: &Probe,
        span: Span,
    ) -> Result<Option<Entry>, StorageError> {
        let block = self.unseal(span, self.read(span).await?)?;
        cache.insert(self.file.binding.number, span.offset, block.clone());
        self.look_in(block, span, probe)
    }

    /// Lets go of the file. Nobody may use the table afterwards.
    pub(in crate::storage) async fn close(&self) {
        self.file.close().await;
    }

    pub(super) fn number(&self) -> u64 {
        self.file.binding.number
    }

    /// Where the data blocks lie.
    pub(super) fn data(&self) -> Span {
        self.data
    }

    pub(super) fn may_hold(&self, hash: u64) -> bool {
        self.filter.may_hold(hash)
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn index_cursor(&self) -> Result<IndexCursor, StorageError> {
        self.index.cursor().map_err(|Broken| self.broken_index())
    }

    pub(super) async fn read(&self, span: Span) -> Result<Bytes, StorageError> {
        self.file.read(span).await
    }

    /// The block at `span`, whose bytes as read are `sealed`.
    pub(super) fn unseal(&self, span: Span, sealed: Bytes) -> Result<Bytes, StorageError> {
        self.file.unseal(span, sealed)
    }

    pub(super) fn corrupt(&self, offset: u64, what: &str) -> StorageError {
        self.file.corrupt(offset, what)
    }

    pub(super) fn broken(&self, span: Span) -> StorageError {
        self.file.corrupt(span.offset, NO_SENSE)
    }

    pub(super) fn broken_index(&self) -> StorageError {
        self.file.corrupt(self.data.offset + self.data.bytes, NO_SENSE)
    }

    fn look_in(
        &self,
        block: Bytes,
        span: Span,
        probe: &Probe,
    ) -> Result<Option<Entry>, StorageError> {
        find_newest(block, probe.table_key()).map_err(|Broken| self.broken(span))
    }
}

/// The newest entry of a key in a block. The data keeps the block alive.
fn find_newest(mut block: Bytes, table_key: &[u8]) -> Result<Option<Entry>, Broken> {
    let found = Block::new(&block)?.search(table_key)?;
    let Some(found) = found.filter(|found| found.is_equal) else { return Ok(None) };
    let end = found.payload.end;
    let (sequence, change) = payload::read(&block[found.payload])?;
    let change = match change {
        ChangeRef::Tombstone => Change::Tombstone,
        ChangeRef::Blob(meta, blob) => Change::Blob(meta, blob),
        ChangeRef::Inline(meta, data) => {
            let length = data.len();
            // The handle that was for searching becomes the value's.
            block.advance(end - length);
            block.truncate(length);
            Change::Inline(Value { data: block, meta })
        }
    };
    Ok(Some(Entry { sequence, change }))
}

/// The file behind a table.
struct TableFile {
    path: PathBuf,
    file: Rc<dyn DiskFile>,
    binding: Binding,
}

impl TableFile {
    /// Everything but the data blocks.
    async fn parts(
        &self,
        expected: Option<&TableMeta>,
    ) -> Result<(TableMeta, Filter, Index, Span), StorageError> {
        let size = self.file.size().await;
        let size = size.map_err(|error| StorageError::io("cannot measure", &self.path, error))?;
        if size < HEADER_BYTES + FOOTER_BYTES {
            return Err(self.corrupt(size, "it ends too early"));
        }
        let header = self.read(Span { offset: 0, bytes: HEADER_BYTES }).await?;
        let fault = |offset| move |fault| self.fault(offset, fault);
        footer::check_header(&header, self.binding).map_err(fault(0))?;
        let offset = size - FOOTER_BYTES;
        let footer = self.read(Span { offset, bytes: FOOTER_BYTES }).await?;
        let footer = Footer::read(&footer, self.binding, size).map_err(fault(offset))?;

        let data =
            Span { offset: HEADER_BYTES, bytes: footer.filter.offset.saturating_sub(HEADER_BYTES) };
        let first = footer.filter.offset;
        let bytes = footer.properties.offset + footer.properties.bytes - first;
        let tail = self.read(Span { offset: first, bytes }).await?;
        let part = |span: Span| {
            let at = (span.offset - first) as usize;
            self.unseal(span, tail.slice(at..at + span.bytes as usize))
        };
        let senseless = |span: Span| move || self.corrupt(span.offset, NO_SENSE);
        let properties = part(footer.properties)?;
        let read = TableMeta::read(&properties).filter(|(_, rest)| rest.is_empty());
        let (meta, _) = read.ok_or_else(senseless(footer.properties))?;
        let is_expected = expected.is_none_or(|expected| *expected == meta);
        if meta.number != self.binding.number || meta.bytes != size || !is_expected {
            let what = "its properties are not those of this table";
            return Err(self.corrupt(footer.properties.offset, what));
        }
        let filter = Filter::read(&part(footer.filter)?).ok_or_else(senseless(footer.filter))?;
        // In memory of its own: the filter's bytes are not to stay behind it.
        let index = Bytes::copy_from_slice(&part(footer.index)?);
        let index = Index::new(index, meta.blocks, data, &meta.largest)
            .map_err(|Broken| senseless(footer.index)())?;
        Ok((meta, filter, index, data))
    }

    /// Exactly these bytes, which the file should have.
    async fn read(&self, span: Span) -> Result<Bytes, StorageError> {
        let read = self.file.read_at(span.offset, span.bytes as usize).await;
        let bytes = read.map_err(|error| StorageError::io("cannot read", &self.path, error))?;
        if (bytes.len() as u64) < span.bytes {
            return Err(self.corrupt(span.offset, "the file ends in it"));
        }
        Ok(bytes.into())
    }

    fn unseal(&self, span: Span, sealed: Bytes) -> Result<Bytes, StorageError> {
        let opened = sealed::open(sealed, self.binding, span.offset);
        opened.map_err(|what| self.corrupt(span.offset, what))
    }

    fn fault(&self, offset: u64, fault: HeaderFault) -> StorageError {
        match fault {
            HeaderFault::Damaged => {
                self.corrupt(offset, "a block that begins or ends every table is not there")
            }
            HeaderFault::Foreign(what) => StorageError::Foreign { file: self.path.clone(), what },
        }
    }

    fn corrupt(&self, offset: u64, what: &str) -> StorageError {
        let what = what.to_owned();
        StorageError::Corrupt { file: self.path.clone(), offset, what, advice: ADVICE }
    }

    async fn close(&self) {
        // It was only read; the result says nothing that matters.
        let _ = self.file.close().await;
    }
}
