//! A page of a scan that needs the disk.
//!
//! ```text
//! tables of one version ─► rows, up to some key ─┐ one step, if no flush came between
//! memtables of this moment ──────────────────────┴─► page ─► data of large values
//! ```
//!
//! A page of a snapshot need not care for flushes: what one takes out of memory meanwhile is among the layers that are kept
//! for the snapshot, and what it puts into tables the snapshot does not read.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::{
    StorageError,
    cache::Cache,
    epoch::Epoch,
    fetch,
    layers::Layers,
    memtable::{TableId, bounds},
    page::{Draft, Page, PageLimit, gather_to},
    shard::Inner,
    view::View,
};

/// Reads a page of a collection that may have rows in tables.
pub(super) async fn page(
    inner: Rc<Inner>,
    id: TableId,
    (mut from, to): (Vec<u8>, Option<Vec<u8>>),
    limit: PageLimit,
    epoch: Option<Epoch>,
) -> Result<Page, StorageError> {
    loop {
        let (view, flushes, number) = {
            let state = inner.state.borrow();
            state.check_kept(epoch)?;
            (Rc::clone(state.view_at(epoch)), state.flushes, state.memtable.number(id))
        };
        let Some(number) = number else { return Ok(Page::default()) };
        let range = (&from[..], to.as_deref());
        let rows = fetch::rows(&view, &inner.cache, number, range, limit).await?;
        let (draft, view) = {
            let state = inner.state.borrow();
            if epoch.is_none() && state.flushes != flushes {
                continue;
            }
            state.check_kept(epoch)?;
            let end = rows.end.as_deref().or(to.as_deref());
            let Some(range) = bounds(&from, end) else { return Ok(Page::default()) };
            let mut layers = Layers::default();
            let hidden = state.push(id, range, epoch, &mut layers);
            layers.push(rows.rows.iter().map(|(key, change)| (key, change)));
            // Memory may refer to blob files that were begun meanwhile, but not where a snapshot looks.
            let view = if epoch.is_none() { Rc::clone(&state.view) } else { view };
            (gather_to(layers, &hidden, limit), view)
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
