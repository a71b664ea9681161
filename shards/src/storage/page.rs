//! One step of a scan: rows in key order, bounded in number and bytes, and where to go on.

use bytes::Bytes;

use super::{
    entry::{BlobRef, Change},
    key::Key,
    layer::Hidden,
    layers::Layers,
    value::Value,
};

/// How much one page may hold. A page holds at least one row if there is one; only a page of a snapshot may hold none and
/// yet name a key to go on from.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Rows at most.
    pub rows: usize,
    /// Bytes of keys and data at most.
    pub bytes: usize,
}

/// Rows in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Key and value.
    pub rows: Vec<(Bytes, Value)>,
    /// The key to go on from, inclusive; `None` once there is nothing more.
    pub next: Option<Bytes>,
}

/// A page, some of whose rows may still lack their data.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) page: Page,
    /// The rows without data, and where it lies.
    pub(super) blobs: Vec<(usize, BlobRef)>,
}

/// Takes rows from an ordered source up to the limit; tombstones are no rows. All keys of a page share one allocation.
pub(super) fn gather<'a>(
    changes: impl Iterator<Item = (&'a Key, &'a Change)>,
    limit: PageLimit,
) -> Draft {
    let Draft { mut page, mut blobs } = Draft::default();
    let mut keys = Vec::new();
    let mut ends = Vec::new();
    let mut bytes = 0usize;
    for (key, change) in changes {
        let (value, blob) = match change {
            Change::Tombstone => continue,
            Change::Inline(value) => (value.clone(), None),
            Change::Blob(meta, blob) => (Value { data: Bytes::new(), meta: *meta }, Some(*blob)),
        };
        let data_bytes = blob.map_or(value.data.len(), |blob| blob.bytes as usize);
        bytes = bytes.saturating_add(key.len() + data_bytes);
        if !page.rows.is_empty() && (page.rows.len() >= limit.rows || bytes > limit.bytes) {
            page.next = Some(Bytes::copy_from_slice(key));
            break;
        }
        keys.extend_from_slice(key);
        ends.push(keys.len());
        blobs.extend(blob.map(|blob| (page.rows.len(), blob)));
        page.rows.push((Bytes::new(), value));
    }
    let keys = Bytes::from(keys);
    let mut start = 0;
    for ((key, _), end) in page.rows.iter_mut().zip(ends) {
        *key = keys.slice(start..end);
        start = end;
    }
    Draft { page, blobs }
}

/// The same of layers that may have stopped where too much was hidden.
pub(super) fn gather_to<'a>(layers: Layers<'a>, hidden: &Hidden<'a>, limit: PageLimit) -> Draft {
    let is_known = |(key, _): &(&Key, &Change)| hidden.end().is_none_or(|end| *key < end);
    let mut draft = gather(layers.take_while(is_known), limit);
    if draft.page.next.is_none() {
        draft.page.next = hidden.end().map(|end| Bytes::copy_from_slice(end));
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Meta;

    fn value(byte: u8) -> Value {
        Value { data: Bytes::copy_from_slice(&[byte; 10]), meta: Meta::default() }
    }

    #[test]
    fn a_page_stops_at_rows_and_at_bytes_and_names_the_next_key() {
        let keys: Vec<Key> = (0..5u8).map(|key| Key::new(&[key])).collect();
        let changes: Vec<Change> = (0..5).map(|byte| Change::Inline(value(byte))).collect();
        let source = || keys.iter().zip(&changes);
        let page = gather(source(), PageLimit { rows: 2, bytes: 1000 }).page;
        assert_eq!((page.rows.len(), page.next.as_deref()), (2, Some(&[2u8][..])));
        let page = gather(source(), PageLimit { rows: 10, bytes: 33 }).page;
        assert_eq!((page.rows.len(), page.next.as_deref()), (3, Some(&[3u8][..])));
        let page = gather(source(), PageLimit { rows: 5, bytes: 55 }).page;
        assert_eq!((page.rows.len(), page.next), (5, None));
        assert_eq!(page.rows[4], (Bytes::from_static(&[4]), value(4)));
    }

    #[test]
    fn a_page_makes_progress_whatever_the_limit() {
        let (key, row) = (Key::new(b"k"), Change::Inline(value(1)));
        let page = gather([(&key, &row)].into_iter(), PageLimit { rows: 0, bytes: 0 }).page;
        assert_eq!(page.rows.len(), 1);
    }

    #[test]
    fn tombstones_are_no_rows_and_large_values_count_by_their_length() {
        let keys: Vec<Key> = (0..3u8).map(|key| Key::new(&[key])).collect();
        let blob = BlobRef { file: 1, offset: 4160, bytes: 5000, hash: 9 };
        let large = Change::Blob(Meta::default(), blob);
        let changes = [Change::Tombstone, large, Change::Inline(value(1))];
        let draft = gather(keys.iter().zip(&changes), PageLimit { rows: 10, bytes: 5001 });
        assert_eq!(draft.blobs, [(0, blob)]);
        assert_eq!(draft.page.rows[0].0, keys[1][..]);
        assert_eq!(draft.page.next.as_deref(), Some(&keys[2][..]));
    }
}
