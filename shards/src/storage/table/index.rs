//! Which block a key can be in: for each data block a separator, and where the block lies.

use std::{cmp::Ordering, ops::Range};

use bytes::Bytes;

use super::{
    block::{Block, BlockBuilder, BlockCursor, Broken, common_prefix},
    footer::Span,
};
use crate::storage::varint;

/// Fewer entries to a run than in data blocks: it is searched at every get, and small beside the data.
const RESTART_INTERVAL: usize = 4;

/// Gathers the index while the data blocks are written.
pub(super) struct IndexBuilder {
    block: BlockBuilder,
    separator: Vec<u8>,
}

impl IndexBuilder {
    pub(super) fn new() -> Self {
        Self { block: BlockBuilder::new(RESTART_INTERVAL), separator: Vec::new() }
    }

    /// Adds the block at `span`, which ends with the key `last`; `next` is the key that comes behind it, if one does.
    pub(super) fn add(&mut self, last: &[u8], next: Option<&[u8]>, span: Span) {
        self.separator.clear();
        match next {
            Some(next) => push_separator(last, next, &mut self.separator),
            None => self.separator.extend_from_slice(last),
        }
        let payload_bytes = varint::length(span.offset) + varint::length(span.bytes);
        let draft = self.block.draft(&self.separator, payload_bytes);
        self.block.add(draft, &self.separator, |out| {
            varint::write(span.bytes, varint::write(span.offset, out));
        });
    }

    pub(super) fn bytes(&self) -> usize {
        self.block.block_bytes()
    }

    pub(super) fn finish(&mut self) -> &mut Vec<u8> {
        self.block.finish()
    }
}

/// The index of an open table.
///
/// Always true: `heads[i]` is the head of the key at restart `i`, and the heads do not fall.
pub(super) struct Index {
    bytes: Bytes,
    /// Bytes that all keys of the index begin with; a head is the 8 bytes behind them.
    common_bytes: usize,
    /// Side by side, so that most of a search stays within few cache lines.
    heads: Box<[u64]>,
}

impl Index {
    /// An index of `blocks` blocks that fill `data` without a gap, the last of which ends with the key `largest`.
    pub(super) fn new(
        bytes: Bytes,
        blocks: u64,
        data: Span,
        largest: &[u8],
    ) -> Result<Self, Broken> {
        let mut cursor = BlockCursor::new(bytes.clone())?;
        let (mut count, mut position) = (0, Some(data.offset));
        let (mut before, mut restarts): (Option<Vec<u8>>, _) = (None, 0);
        while cursor.next()? {
            let span = read_span(cursor.payload())?;
            let ascends = before.as_ref().is_none_or(|before| before[..] <= *cursor.key());
            // A search comes by restarts: what it finds must be what this walk has seen.
            restarts += usize::from(cursor.is_at_restart(restarts));
            if Some(span.offset) != position || !ascends || restarts == 0 {
                return Err(Broken);
            }
            (count, position) = (count + 1, span.end());
            let before = before.get_or_insert_default();
            before.clear();
            before.extend_from_slice(cursor.key());
        }
        let block = Block::new(&bytes)?;
        let whole = count == blocks && position == data.end() && before.as_deref() == Some(largest);
        if !whole || restarts != block.restart_count() {
            return Err(Broken);
        }
        let common_bytes = common_prefix(block.restart_key(0)?, largest);
        let restarts = 0..block.restart_count();
        let heads = restarts.map(|index| Ok(head(block.restart_key(index)?, common_bytes)));
        let heads = heads.collect::<Result<Box<[u64]>, Broken>>()?;
        if !heads.is_sorted() {
            return Err(Broken);
        }
        Ok(Self { bytes, common_bytes, heads })
    }

    /// The only block in which the newest version of `key` can be.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Span>, Broken> {
        let block = Block::new(&self.bytes)?;
        let found = block.search_among(key, self.restarts_like(&block, key)?)?;
        found.map(|found| read_span(&self.bytes[found.payload])).transpose()
    }

    /// The restarts whose keys have to be looked at to place `key` among them.
    fn restarts_like(&self, block: &Block<'_>, key: &[u8]) -> Result<Range<usize>, Broken> {
        let common = block.restart_key(0)?.get(..self.common_bytes).ok_or(Broken)?;
        let own = &key[..key.len().min(self.common_bytes)];
        Ok(match own.cmp(common) {
            Ordering::Less => 0..0,
            Ordering::Greater => self.heads.len()..self.heads.len(),
            Ordering::Equal => {
                let head = head(key, self.common_bytes);
                let start = self.heads.partition_point(|other| *other < head);
                let like = self.heads[start..].iter().take_while(|other| **other == head);
                start..start + like.count()
            }
        })
    }

    pub(super) fn cursor(&self) -> Result<IndexCursor, Broken> {
        BlockCursor::new(self.bytes.clone()).map(IndexCursor)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.heads)
    }
}

/// The 8 bytes of a key from `at` on, as a number that orders like them; bytes that are not there count as 0.
fn head(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..).unwrap_or_default();
    match bytes.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut place = [0; 8];
            place[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(place)
        }
    }
}

/// Walks over the blocks of a table.
pub(super) struct IndexCursor(BlockCursor);

impl IndexCursor {
    /// To the first block that can hold a key of at least `key`; `index` is what this came from.
    pub(super) fn seek(&mut self, index: &Index, key: &[u8]) -> Result<Option<Span>, Broken> {
        let among = index.restarts_like(&Block::new(&index.bytes)?, key)?;
        self.0.seek_among(key, among)?;
        self.span()
    }

    pub(super) fn first(&mut self) -> Result<Option<Span>, Broken> {
        self.0.rewind();
        self.next()
    }

    pub(super) fn last(&mut self) -> Result<Option<Span>, Broken> {
        self.0.last()?;
        self.span()
    }

    pub(super) fn next(&mut self) -> Result<Option<Span>, Broken> {
        self.0.next()?;
        self.span()
    }

    pub(super) fn prev(&mut self) -> Result<Option<Span>, Broken> {
        self.0.prev()?;
        self.span()
    }

    /// The separator of the block that it is at.
    pub(super) fn key(&self) -> &[u8] {
        self.0.key()
    }

    fn span(&self) -> Result<Option<Span>, Broken> {
        self.0.is_at_entry().then(|| read_span(self.0.payload())).transpose()
    }
}

fn read_span(payload: &[u8]) -> Result<Span, Broken> {
    let (offset, rest) = varint::read(payload).ok_or(Broken)?;
    match varint::read(rest) {
        Some((bytes, [])) if bytes > 0 => Ok(Span { offset, bytes }),
        _ => Err(Broken),
    }
}

/// Puts the shortest key that is at least `last` and less than `next` behind what `out` holds; `last` itself if the two are
/// the same.
fn push_separator(last: &[u8], next: &[u8], out: &mut Vec<u8>) {
    let common = common_prefix(last, next);
    let (Some(&low), Some(&high)) = (last.get(common), next.get(common)) else {
        return out.extend_from_slice(last);
    };
    if last.len() == common + 1 {
        return out.extend_from_slice(last);
    }
    out.extend_from_slice(&last[..common]);
    if next.len() > common + 1 {
        out.push(high);
    } else if low + 1 < high {
        out.push(low + 1);
    } else {
        // Nothing fits where they differ: further back, the first byte that can be raised.
        let tail = &last[common + 1..];
        let raised = tail.iter().position(|byte| *byte < u8::MAX).unwrap_or(tail.len());
        out.push(low);
        out.extend_from_slice(&tail[..raised]);
        if let Some(byte) = tail.get(raised) {
            out.push(byte + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    const DATA: Span = Span { offset: 4096, bytes: 9 * 100 };

    fn key(number: usize) -> Vec<u8> {
        format!("user:{number:05}").into_bytes()
    }

    /// Of nine blocks of [`DATA`], whose last keys are `step` apart; the largest is 77.
    fn index_bytes(step: usize) -> Vec<u8> {
        let mut builder = IndexBuilder::new();
        for block in 0..9 {
            let span = Span { offset: DATA.offset + block as u64 * 100, bytes: 100 };
            match block {
                8 => builder.add(&key(77), None, span),
                _ => builder.add(&key(block * step), Some(&key(block * step + 1)), span),
            }
        }
        builder.finish().clone()
    }

    fn read(bytes: &[u8]) -> Result<Index, Broken> {
        Index::new(Bytes::copy_from_slice(bytes), 9, DATA, &key(77))
    }

    /// A search begins at a restart. One that pointed into the middle of a block's place gave a place outside of the table.
    #[test]
    fn restarts_that_point_elsewhere_are_refused() {
        let sound = index_bytes(9);
        assert!(read(&sound).is_ok());
        // n, bytes of keys, and then for each restart where its key and where its payload lies.
        for at in [8, 12, 16, 20, 24, 28] {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            assert!(read(&bytes).is_err(), "{at}");
        }
    }

    /// An index that is taken names blocks of the data part, whatever key is looked for.
    #[test]
    fn fuzz_indexes() {
        let seeds = [0, 1, 9].map(index_bytes);
        Campaign::new("indexes", seeds.to_vec()).run(|bytes| {
            let index = read(bytes).map_err(|Broken| "broken")?;
            let is_within = |span: Span| {
                span.offset >= DATA.offset && span.end().unwrap() <= DATA.end().unwrap()
            };
            for target in [key(0), key(40), key(77), key(78), vec![], vec![0xff; 30]] {
                if let Ok(Some(span)) = index.find(&target) {
                    assert!(is_within(span), "{span:?}");
                }
                let mut cursor = index.cursor().map_err(|Broken| "no cursor")?;
                if let Ok(Some(span)) = cursor.seek(&index, &target) {
                    assert!(is_within(span), "{span:?}");
                }
                for span in [cursor.next(), cursor.prev(), cursor.prev()].into_iter().flatten() {
                    assert!(span.is_none_or(is_within), "{span:?}");
                }
            }
            Ok(index.heads.len() as u64)
        });
    }

    fn separator(last: &[u8], next: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_separator(last, next, &mut out);
        out
    }

    /// All keys of up to three letters out of four.
    fn keys() -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        for index in 0..=4 + 16 {
            for letter in [0, 1, 254, 255] {
                keys.push([&keys[index][..], &[letter]].concat());
            }
        }
        keys.sort_unstable();
        keys
    }

    #[test]
    fn separators_are_the_shortest_there_are() {
        // Between neighbours of this alphabet other letters can lie; they are part of the search.
        let mut candidates = keys();
        for key in keys() {
            for letter in [2, 253] {
                candidates.push([&key[..], &[letter]].concat());
            }
        }
        let keys = keys();
        for (index, last) in keys.iter().enumerate() {
            for next in &keys[index + 1..] {
                let separator = separator(last, next);
                assert!(*last <= separator && separator < *next, "{last:?} {next:?} {separator:?}");
                let shortest = candidates.iter().filter(|key| *last <= **key && **key < *next);
                let shortest = shortest.map(Vec::len).min().unwrap();
                assert!(separator.len() <= shortest, "{last:?} {next:?} {separator:?}");
            }
            assert_eq!(separator(last, last), *last);
        }
    }

    fn index() -> (Bytes, Span) {
        let mut builder = IndexBuilder::new();
        for block in 0..50u8 {
            let span = Span { offset: 4096 + u64::from(block) * 100, bytes: 100 };
            let next = [block + 1, 0, 0];
            let next = (block < 49).then_some(&next[..]);
            builder.add(&[block, 9, 9], next, span);
        }
        (Bytes::copy_from_slice(builder.finish()), Span { offset: 4096, bytes: 5000 })
    }

    #[test]
    fn an_index_names_the_block_of_every_key() {
        let (bytes, data) = index();
        let index = Index::new(bytes, 50, data, &[49, 9, 9]).unwrap();
        for block in 0..50u8 {
            for key in [[block, 0, 0], [block, 9, 9]] {
                let span = index.find(&key).unwrap().unwrap();
                assert_eq!(span.offset, 4096 + u64::from(block) * 100);
            }
        }
        assert_eq!(index.find(&[49, 9, 10]), Ok(None));
        assert_eq!(index.find(&[]).unwrap().unwrap().offset, 4096);
    }

    #[test]
    fn keys_are_found_whatever_they_have_in_common() {
        for common in [0, 3, 100] {
            for tail in [1, 7, 8, 9, 20] {
                let key = |number: u8, last: u8| {
                    [&vec![5; common][..], &vec![number / 16; tail][..], &[number, last]].concat()
                };
                let mut builder = IndexBuilder::new();
                let blocks = 100;
                for block in 0..blocks {
                    let span = Span { offset: 4096 + u64::from(block) * 10, bytes: 10 };
                    let next = key(block + 1, 0);
                    builder.add(&key(block, 9), (block < blocks - 1).then_some(&next), span);
                }
                let bytes = Bytes::copy_from_slice(builder.finish());
                let data = Span { offset: 4096, bytes: 1000 };
                let index = Index::new(bytes, 100, data, &key(99, 9)).unwrap();
                for block in 0..blocks {
                    for key in [key(block, 0), key(block, 9)] {
                        let span = index.find(&key).unwrap().unwrap();
                        assert_eq!(span.offset, 4096 + u64::from(block) * 10, "{key:?}");
                    }
                }
                for length in 0..=common {
                    assert_eq!(index.find(&vec![4; length]).unwrap().unwrap().offset, 4096);
                    let behind = index.find(&[&vec![5; length][..], &[200]].concat());
                    assert_eq!(behind, Ok(None));
                }
            }
        }
    }

    #[test]
    fn an_index_that_does_not_fit_the_table_is_refused() {
        let (bytes, data) = index();
        let refused = |blocks, offset, length, largest: &[u8]| {
            Index::new(bytes.clone(), blocks, Span { offset, bytes: length }, largest).is_err()
        };
        assert!(!refused(50, data.offset, data.bytes, &[49, 9, 9]));
        assert!(refused(49, data.offset, data.bytes, &[49, 9, 9]));
        assert!(refused(50, data.offset + 1, data.bytes - 1, &[49, 9, 9]));
        assert!(refused(50, data.offset, data.bytes + 1, &[49, 9, 9]));
        assert!(refused(50, data.offset, data.bytes, &[49, 9]));
    }
}
