//! Sorted entries in little room, to be searched where they lie: data blocks and the index.
//!
//! ```text
//!  n u32 ┼ bytes of keys u32 ┼ n × restart ┼ key ─ key ─ … ┼ payload ─ payload ─ …
//!
//!  restart:  where the key lies u32 ‖ where its payload lies u32        each from the start of its part
//!  key:      varint shared ‖ varint rest ‖ varint bytes of the payload ‖ rest of the key
//! ```
//!
//! Keys lie apart from payloads: a search touches few cache lines, however large the payloads are.
//!
//! Always true of what is written: keys do not fall; `shared` is all that a key has in common with the one before, but at
//! a restart it is 0; the first key is a restart. A reader believes the lengths only as far as there are bytes, so the
//! worst that a forged block can do is to be [`Broken`] or to answer wrongly.

mod builder;
mod cursor;

pub(super) use builder::BlockBuilder;
pub(super) use cursor::BlockCursor;

use std::{cmp::Ordering, ops::Range};

use crate::storage::{
    header::{number_u32, number_u64},
    varint,
};

/// The block has a sound checksum and makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

const HEAD_BYTES: usize = 8;
const RESTART_BYTES: usize = 8;

/// A block to search in.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    restarts: &'a [u8],
    keys: &'a [u8],
    payloads: &'a [u8],
}

/// One key as it lies there.
#[derive(Clone, Copy)]
struct Raw<'a> {
    shared: usize,
    rest: &'a [u8],
    payload_bytes: usize,
    end: usize,
}

/// The first entry that is not before what was looked for.
pub(super) struct Found {
    /// Whether its key is what was looked for.
    pub(super) is_equal: bool,
    /// Where its payload lies in the block.
    pub(super) payload: Range<usize>,
    /// Where its key lies in the keys.
    key: Range<usize>,
    /// Its key is so much of what was looked for, and then so many bytes up to the end of `key`.
    shared: usize,
    rest_bytes: usize,
}

impl<'a> Block<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (head, body) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Broken)?;
        let (restart_count, keys_bytes) =
            (number_u32(head, 0) as usize, number_u32(head, 4) as usize);
        let (restarts, body) =
            body.split_at_checked(restart_count * RESTART_BYTES).ok_or(Broken)?;
        let (keys, payloads) = body.split_at_checked(keys_bytes).ok_or(Broken)?;
        if restarts.is_empty() || keys.is_empty() {
            return Err(Broken);
        }
        Ok(Self { restarts, keys, payloads })
    }

    /// The first entry whose key is at least `target`.
    #[inline]
    pub(super) fn search(&self, target: &[u8]) -> Result<Option<Found>, Broken> {
        self.search_among(target, 0..self.restart_count())
    }

    /// The same, where it is known that restarts before `among` have keys before `target`, and restarts behind it have not.
    pub(super) fn search_among(
        &self,
        target: &[u8],
        among: Range<usize>,
    ) -> Result<Option<Found>, Broken> {
        let after = self.restarts_before(target, among)?;
        let Some(before) = after.checked_sub(1) else {
            return self.found_at_restart(0, target).map(Some);
        };
        let has_next = after < self.restart_count();
        let run_end = if has_next { self.restart(after).0 } else { self.keys.len() };
        let (mut at, mut payload_at) = self.restart(before);
        let mut raw = self.raw(at)?;
        // What the entry at `at`, which is before the target, has in common with it.
        let mut matched = common_prefix(raw.rest, target);
        loop {
            payload_at += raw.payload_bytes;
            at = raw.end;
            if at >= run_end {
                break;
            }
            raw = self.raw(at)?;
            match raw.shared.cmp(&matched) {
                // It differs from the target where the one before did.
                Ordering::Greater => continue,
                // It is above the one before where that was still like the target.
                Ordering::Less => return self.found(at, payload_at, raw, false).map(Some),
                Ordering::Equal => {
                    let wanted = &target[matched..];
                    let common = common_prefix(raw.rest, wanted);
                    match raw.rest[common..].first().cmp(&wanted[common..].first()) {
                        Ordering::Less => matched += common,
                        order => {
                            return self.found(at, payload_at, raw, order.is_eq()).map(Some);
                        }
                    }
                }
            }
        }
        if has_next { self.found_at_restart(after, target).map(Some) } else { Ok(None) }
    }

    pub(super) fn restart_count(&self) -> usize {
        self.restarts.len() / RESTART_BYTES
    }

    /// The key at a restart.
    pub(super) fn restart_key(&self, index: usize) -> Result<&'a [u8], Broken> {
        Ok(self.raw_at_restart(index)?.rest)
    }

    /// How many restarts have a key before `target`, if it is known to be one of `among`.
    #[inline]
    fn restarts_before(&self, target: &[u8], among: Range<usize>) -> Result<usize, Broken> {
        let Range { start: mut low, end: mut high } = among;
        while low < high {
            let middle = (low + high) / 2;
            if self.raw_at_restart(middle)?.rest < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn found_at_restart(&self, index: usize, target: &[u8]) -> Result<Found, Broken> {
        let raw = self.raw_at_restart(index)?;
        let (at, payload_at) = self.restart(index);
        self.found(at, payload_at, raw, raw.rest == target)
    }

    #[inline]
    fn found(
        &self,
        at: usize,
        payload_at: usize,
        raw: Raw<'_>,
        is_equal: bool,
    ) -> Result<Found, Broken> {
        let payload_end = payload_at + raw.payload_bytes;
        if payload_end > self.payloads.len() {
            return Err(Broken);
        }
        let payloads_at = HEAD_BYTES + self.restarts.len() + self.keys.len();
        Ok(Found {
            is_equal,
            payload: payloads_at + payload_at..payloads_at + payload_end,
            key: at..raw.end,
            shared: raw.shared,
            rest_bytes: raw.rest.len(),
        })
    }

    #[inline]
    fn raw_at_restart(&self, index: usize) -> Result<Raw<'a>, Broken> {
        let raw = self.raw(self.restart(index).0)?;
        if raw.shared == 0 { Ok(raw) } else { Err(Broken) }
    }

    /// Where a key is that shares nothing, if the block is sound, and where its payload is.
    #[inline]
    fn restart(&self, index: usize) -> (usize, usize) {
        let at = index * RESTART_BYTES;
        (number_u32(self.restarts, at) as usize, number_u32(self.restarts, at + 4) as usize)
    }

    #[inline]
    fn raw(&self, at: usize) -> Result<Raw<'a>, Broken> {
        raw(self.keys, at).ok_or(Broken)
    }
}

#[inline(always)]
fn raw(keys: &[u8], at: usize) -> Option<Raw<'_>> {
    let bytes = keys.get(at..)?;
    // Nearly always.
    if let [shared @ 0..0x80, rest @ 0..0x80, payload @ 0..0x80, body @ ..] = bytes {
        let rest = body.get(..usize::from(*rest))?;
        return Some(Raw {
            shared: usize::from(*shared),
            rest,
            payload_bytes: usize::from(*payload),
            end: at + 3 + rest.len(),
        });
    }
    raw_longer(keys, bytes)
}

#[inline(never)]
fn raw_longer<'a>(keys: &'a [u8], bytes: &'a [u8]) -> Option<Raw<'a>> {
    let (shared, bytes) = varint::read(bytes)?;
    let (rest, bytes) = varint::read(bytes)?;
    let (payload, bytes) = varint::read(bytes)?;
    // No block is so long that these do not fit.
    let length = |number: u64| u32::try_from(number).ok().map(|number| number as usize);
    let (rest, behind) = bytes.split_at_checked(length(rest)?)?;
    Some(Raw {
        shared: length(shared)?,
        rest,
        payload_bytes: length(payload)?,
        end: keys.len() - behind.len(),
    })
}

/// How many bytes two keys have in common at their start.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = 8;
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut common = 0;
    for (a, b) in a.chunks_exact(WORD).zip(b.chunks_exact(WORD)) {
        let difference = number_u64(a, 0) ^ number_u64(b, 0);
        if difference != 0 {
            return common + difference.trailing_zeros() as usize / 8;
        }
        common += WORD;
    }
    let rest = a[common..].iter().zip(&b[common..]);
    common + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;
    use bytes::Bytes;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Keys that share a lot, with the same key several times.
    fn entries() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
        let key = vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], 0..6);
        let long = (0usize..200, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]);
        let payload = vec(any::<u8>(), 0..200);
        vec((prop_oneof![key, long], payload), 1..80).prop_map(|mut entries| {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries
        })
    }

    fn build(entries: &[(Vec<u8>, Vec<u8>)], restart_interval: usize) -> Bytes {
        let mut builder = BlockBuilder::new(restart_interval);
        for (key, payload) in entries {
            let draft = builder.draft(key, payload.len());
            builder.add(draft, key, |out| out.copy_from_slice(payload));
            assert_eq!(builder.block_bytes(), draft.block_bytes, "drafts are exact");
        }
        let bytes = builder.block_bytes();
        let block = Bytes::copy_from_slice(builder.finish());
        assert_eq!(block.len(), bytes);
        assert!(builder.is_empty());
        block
    }

    fn at(cursor: &BlockCursor) -> Option<(Vec<u8>, Vec<u8>)> {
        cursor.is_at_entry().then(|| (cursor.key().to_vec(), cursor.payload().to_vec()))
    }

    /// Accepted is what can be walked from end to end, both ways. What cannot must end too.
    #[test]
    fn fuzz_blocks() {
        let entry = |number: usize| {
            let key = format!("user:{:05}", number / 2).into_bytes();
            (key, vec![number as u8; number % 40])
        };
        let few: Vec<_> = (0..40).map(entry).collect();
        let long = [(vec![7; 300], vec![1; 200]), (vec![8; 300], vec![]), (vec![9], vec![5])];
        let seeds = [build(&few, 16), build(&few, 1), build(&long, 4)];
        let targets = [&b""[..], b"user:00007", b"user:1", &[7; 301], &[0xff; 9]];
        let campaign = Campaign::new("blocks", seeds.iter().map(|seed| seed.to_vec()).collect());
        campaign.run(|bytes| {
            let bytes = Bytes::copy_from_slice(bytes);
            let block = Block::new(&bytes).map_err(|Broken| "no block")?;
            let mut cursor = BlockCursor::new(bytes.clone()).map_err(|Broken| "no cursor")?;
            for target in targets {
                if let Ok(Some(found)) = block.search(target) {
                    assert!(found.payload.end <= bytes.len());
                }
                // Whatever is found there, steps from it end at the end of the block.
                if cursor.seek(target) == Ok(true) {
                    assert!(cursor.payload().len() <= bytes.len());
                    let _ = (cursor.prev(), cursor.next());
                }
            }
            cursor.rewind();
            let mut forward = 0;
            while cursor.next().map_err(|Broken| "broken on the way")? {
                forward += 1;
            }
            let mut backward = 0;
            while cursor.prev().map_err(|Broken| "broken on the way back")? {
                backward += 1;
            }
            assert!(backward <= forward, "{backward} back of {forward}");
            Ok(forward)
        });
    }

    proptest! {
        #[test]
        fn entries_come_back_both_ways(entries in entries(), interval in 1usize..20) {
            let mut cursor = BlockCursor::new(build(&entries, interval)).unwrap();
            for entry in &entries {
                prop_assert!(cursor.next().unwrap());
                assert_eq!(at(&cursor).as_ref(), Some(entry));
            }
            prop_assert!(!cursor.next().unwrap() && !cursor.next().unwrap());
            assert_eq!(at(&cursor), None);
            for entry in entries.iter().rev() {
                prop_assert!(cursor.prev().unwrap());
                assert_eq!(at(&cursor).as_ref(), Some(entry));
            }
            prop_assert!(!cursor.prev().unwrap() && !cursor.prev().unwrap());
            prop_assert!(cursor.next().unwrap());
            assert_eq!(at(&cursor).as_ref(), entries.first());
            prop_assert!(cursor.last().unwrap());
            assert_eq!(at(&cursor).as_ref(), entries.last());
        }

        #[test]
        fn searches_find_the_first_of_a_key_or_what_comes_behind(
            entries in entries(),
            interval in 1usize..20,
            targets in vec(vec(prop_oneof![Just(0u8), Just(1), Just(2), Just(0xff)], 0..7), 1..20),
        ) {
            let bytes = build(&entries, interval);
            let mut cursor = BlockCursor::new(bytes.clone()).unwrap();
            let keys = entries.iter().map(|(key, _)| key.clone());
            for target in targets.into_iter().chain(keys) {
                let index = entries.partition_point(|(key, _)| *key < target);
                let found = Block::new(&bytes).unwrap().search(&target).unwrap();
                let equal = entries.get(index).is_some_and(|(key, _)| *key == target);
                prop_assert_eq!(found.as_ref().map(|found| found.is_equal).unwrap_or(false), equal);
                let payload = found.map(|found| bytes.slice(found.payload).to_vec());
                prop_assert_eq!(payload.as_ref(), entries.get(index).map(|(_, payload)| payload));
                cursor.seek(&target).unwrap();
                assert_eq!(at(&cursor).as_ref(), entries.get(index));
                cursor.seek_before(&target).unwrap();
                let before = index.checked_sub(1).and_then(|index| entries.get(index));
                assert_eq!(at(&cursor).as_ref(), before);
                cursor.next().unwrap();
                assert_eq!(at(&cursor).as_ref(), entries.get(index));
            }
        }

        #[test]
        fn a_forged_block_is_walked_without_a_panic(
            entries in entries(),
            flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            target in vec(any::<u8>(), 0..6),
        ) {
            let mut bytes = build(&entries, 4).to_vec();
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            walk(bytes.into(), &target);
        }

        #[test]
        fn any_bytes_are_walked_without_a_panic(
            bytes in vec(any::<u8>(), 0..100),
            (restarts, keys) in (0u8..4, 0u8..70),
            offsets in vec(0u8..40, 0..8),
            target in vec(any::<u8>(), 0..6),
        ) {
            let mut block = vec![restarts, 0, 0, 0, keys, 0, 0, 0];
            block.extend(offsets.into_iter().flat_map(|offset| [offset, 0, 0, 0]));
            block.extend(bytes);
            walk(block.into(), &target);
        }
    }

    fn walk(bytes: Bytes, target: &[u8]) {
        let Ok(mut cursor) = BlockCursor::new(bytes.clone()) else { return };
        let mut steps = 0;
        while cursor.next() == Ok(true) {
            steps += 1;
        }
        assert!(steps <= bytes.len());
        let _ = cursor.last();
        while cursor.prev() == Ok(true) && steps < 1000 {
            steps += 1;
        }
        let _ = cursor.seek(target);
        let _ = cursor.prev();
        let _ = cursor.seek_before(target);
        let _ = Block::new(&bytes).map(|block| block.search(target).is_ok());
    }

    #[test]
    fn long_keys_and_payloads_fit() {
        let entries: Vec<_> = (0..3u8)
            .map(|last| ([vec![7; 65_539], vec![last]].concat(), vec![1; 70_000]))
            .collect();
        let bytes = build(&entries, 16);
        assert!(bytes.len() < 65_540 + 3 * 70_100, "what is shared is there once");
        let mut cursor = BlockCursor::new(bytes).unwrap();
        cursor.seek(&entries[2].0).unwrap();
        assert_eq!(at(&cursor).as_ref(), Some(&entries[2]));
    }

    #[test]
    fn common_prefixes_end_anywhere() {
        for length in 0..40 {
            let a = vec![5; length];
            let mut b = vec![5; 33];
            assert_eq!(common_prefix(&a, &b), length.min(33));
            if let Some(byte) = b.get_mut(length) {
                *byte = 6;
                assert_eq!(common_prefix(&[5; 40], &b), length);
            }
        }
    }
}
