//! For tests: tables that nobody wrote, under checksums that are sound.

use bytes::Bytes;

use super::{
    footer::{FOOTER_BYTES, Footer, Span},
    index::Index,
    properties::TableMeta,
    sealed,
};
use crate::storage::{
    disk::BLOCK_BYTES,
    header::{self, Binding, HEADER_BYTES},
};

/// Where the sealed parts of a sound table lie.
pub(in crate::storage) fn spans(table: &[u8], binding: Binding) -> Vec<Span> {
    let footer_at = table.len() - FOOTER_BYTES as usize;
    let footer = Footer::read(&table[footer_at..], binding, table.len() as u64).unwrap();
    let part = |span: Span| {
        let bytes = &table[span.offset as usize..][..span.bytes as usize];
        sealed::open(Bytes::copy_from_slice(bytes), binding, span.offset).unwrap()
    };
    let properties = part(footer.properties);
    let (meta, _) = TableMeta::read(&properties).unwrap();
    let data = Span { offset: HEADER_BYTES, bytes: footer.filter.offset - HEADER_BYTES };
    let index = Index::new(part(footer.index), meta.blocks, data, &meta.largest);
    let mut cursor = index.and_then(|index| index.cursor()).unwrap();
    let blocks = std::iter::from_fn(|| cursor.next().unwrap());
    blocks.chain([footer.filter, footer.index, footer.properties]).collect()
}

/// Makes checksums right again: of header, footer, and of what lies at `spans`.
pub(in crate::storage) fn repair(table: &mut [u8], binding: Binding, spans: &[Span]) {
    if let Some(block) = table.first_chunk_mut::<BLOCK_BYTES>() {
        header::repair(block);
    }
    if let Some(block) = table.last_chunk_mut::<BLOCK_BYTES>() {
        header::repair(block);
    }
    for span in spans {
        let start = span.offset as usize;
        if let Some(part) = table.get_mut(start..start + span.bytes as usize) {
            sealed::repair(part, binding, span.offset);
        }
    }
}
