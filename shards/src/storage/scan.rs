//! A page of a scan that needs the disk.
//!
//! ```text
//! tables of one version ─► rows, up to some key ─┐ one step, if no flush came between
//! memtables of this moment ──────────────────────┴─► page ─► data of large values
//! ```

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::{
    StorageError,
    cache::Cache,
    fetch,
    layers::Layers,
    memtable::{TableId, bounds},
    page::{Draft, Page, PageLimit, gather},
    shard::Inner,
    view::View,
};

/// Reads a page of a collection that may have rows in tables.
pub(super) async fn page(
    inner: Rc<Inner>,
    id: TableId,
    mut from: Vec<u8>,
    to: Option<Vec<u8>>,
    limit: PageLimit,
) -> Result<Page, StorageError> {
    loop {
        let (view, flushes) = inner.view();
        let number = inner.state.borrow().memtable.number(id);
        let Some(number) = number else { return Ok(Page::default()) };
        let range = (&from[..], to.as_deref());
        let rows = fetch::rows(&view, &inner.cache, number, range, limit).await?;
        let (draft, view) = {
            let state = inner.state.borrow();
            if state.flushes != flushes {
                continue;
            }
            let end = rows.end.as_deref().or(to.as_deref());
            let Some(range) = bounds(&from, end) else { return Ok(Page::default()) };
            let mut layers = Layers::default();
            state.memtable.push_visible(id, range, &mut layers);
            layers.push(rows.rows.iter().map(|(key, change)| (key, change)));
            (gather(layers, limit), Rc::clone(&state.view))
        };
        let mut page = complete(draft, &view, &inner.cache).await?;
        if page.next.is_none() {
            page.next = rows.end.as_deref().map(Bytes::copy_from_slice);
        }
        match &page.next {
            // All that was seen was hidden.
            Some(next) if page.rows.is_empty() => from = next.to_vec(),
            _ => return Ok(page),
        }
    }
}

/// Gives the rows their data, as far as it is cached.
pub(super) fn complete_at_once(draft: &mut Draft, cache: &Cache) {
    let Draft { page, blobs } = draft;
    blobs.retain(|(row, blob)| match cache.get(blob.file, blob.offset) {
        Some(data) => {
            page.rows[*row].1.data = data;
            false
        }
        None => true,
    });
}

/// Gives the rows their data, whose files are in `view`.
pub(super) async fn complete(
    mut draft: Draft,
    view: &View,
    cache: &Cache,
) -> Result<Page, StorageError> {
    complete_at_once(&mut draft, cache);
    let Draft { mut page, blobs } = draft;
    let data = try_join_all(blobs.iter().map(|(_, blob)| view.read(cache, *blob))).await?;
    for ((row, _), data) in blobs.into_iter().zip(data) {
        page.rows[row].1.data = data;
    }
    Ok(page)
}
