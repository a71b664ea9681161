//! One step of a scan: rows in key order, bounded in number and bytes, and where to go on.

use std::iter::Peekable;

use bytes::Bytes;

use super::{key::Key, value::Value};

/// How much one page may hold. A page always holds at least one row if there is one.
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

/// Takes rows from an ordered source up to the limit. All keys of a page share one allocation.
pub(super) fn gather<'a>(
    rows: impl Iterator<Item = (&'a Key, &'a Value)>,
    limit: PageLimit,
) -> Page {
    let mut page = Page::default();
    let mut keys = Vec::new();
    let mut ends = Vec::new();
    let mut bytes = 0usize;
    for (key, value) in rows {
        bytes = bytes.saturating_add(key.len() + value.data.len());
        if !page.rows.is_empty() && (page.rows.len() >= limit.rows || bytes > limit.bytes) {
            page.next = Some(Bytes::copy_from_slice(key));
            break;
        }
        keys.extend_from_slice(key);
        ends.push(keys.len());
        page.rows.push((Bytes::new(), value.clone()));
    }
    let keys = Bytes::from(keys);
    let mut start = 0;
    for ((key, _), end) in page.rows.iter_mut().zip(ends) {
        *key = keys.slice(start..end);
        start = end;
    }
    page
}

/// Two ordered sources as one; where both have a key, the upper one counts, and `None` there hides the key.
pub(super) struct Shadowed<L: Iterator, U: Iterator> {
    lower: Peekable<L>,
    upper: Peekable<U>,
}

impl<L: Iterator, U: Iterator> Shadowed<L, U> {
    pub(super) fn new(lower: L, upper: U) -> Self {
        Self { lower: lower.peekable(), upper: upper.peekable() }
    }
}

impl<'a, L, U> Iterator for Shadowed<L, U>
where
    L: Iterator<Item = (&'a Key, Option<&'a Value>)>,
    U: Iterator<Item = (&'a Key, Option<&'a Value>)>,
{
    type Item = (&'a Key, Option<&'a Value>);

    fn next(&mut self) -> Option<Self::Item> {
        let (Some((lower, _)), Some((upper, _))) = (self.lower.peek(), self.upper.peek()) else {
            return self.upper.next().or_else(|| self.lower.next());
        };
        if lower < upper {
            return self.lower.next();
        }
        if lower == upper {
            self.lower.next();
        }
        self.upper.next()
    }
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
        let values: Vec<Value> = (0..5).map(value).collect();
        let source = || keys.iter().zip(&values);
        let page = gather(source(), PageLimit { rows: 2, bytes: 1000 });
        assert_eq!((page.rows.len(), page.next.as_deref()), (2, Some(&[2u8][..])));
        let page = gather(source(), PageLimit { rows: 10, bytes: 33 });
        assert_eq!((page.rows.len(), page.next.as_deref()), (3, Some(&[3u8][..])));
        let page = gather(source(), PageLimit { rows: 5, bytes: 55 });
        assert_eq!((page.rows.len(), page.next), (5, None));
        assert_eq!(page.rows[4], (Bytes::from_static(&[4]), value(4)));
    }

    #[test]
    fn a_page_makes_progress_whatever_the_limit() {
        let (key, row) = (Key::new(b"k"), value(1));
        let page = gather([(&key, &row)].into_iter(), PageLimit { rows: 0, bytes: 0 });
        assert_eq!(page.rows.len(), 1);
    }

    #[test]
    fn the_upper_source_shadows_and_hides() {
        let keys: Vec<Key> = (0..4u8).map(|key| Key::new(&[key])).collect();
        let (old, new) = (value(1), value(2));
        let lower = [(&keys[0], Some(&old)), (&keys[1], Some(&old)), (&keys[3], Some(&old))];
        let upper = [(&keys[1], None), (&keys[2], Some(&new)), (&keys[3], Some(&new))];
        let merged: Vec<_> = Shadowed::new(lower.into_iter(), upper.into_iter()).collect();
        let expected = [
            (&keys[0], Some(&old)),
            (&keys[1], None),
            (&keys[2], Some(&new)),
            (&keys[3], Some(&new)),
        ];
        assert_eq!(merged, expected);
    }
}
