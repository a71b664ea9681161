//! Walks over a block, key by key; only here keys are put together.

use std::ops::Range;

use bytes::Bytes;

use super::{Block, Broken, HEAD_BYTES, RESTART_BYTES, raw};
use crate::storage::header::number_u32;

/// A place in a block, to walk from either way. It is at an entry, before the first or behind the last.
pub(in crate::storage::table) struct BlockCursor {
    bytes: Bytes,
    restart_count: usize,
    keys_at: usize,
    payloads_at: usize,
    /// The entry's key in the keys, `at..end`; where these are the same, there is none.
    at: usize,
    end: usize,
    /// The entry's payload in the payloads.
    payload: Range<usize>,
    key: Vec<u8>,
}

impl BlockCursor {
    /// Before the first entry.
    pub(in crate::storage::table) fn new(bytes: Bytes) -> Result<Self, Broken> {
        let mut cursor = Self::nowhere();
        cursor.enter(bytes)?;
        Ok(cursor)
    }

    /// In no block, where it finds no entries.
    pub(in crate::storage::table) fn nowhere() -> Self {
        Self {
            bytes: Bytes::new(),
            restart_count: 0,
            keys_at: 0,
            payloads_at: 0,
            at: 0,
            end: 0,
            payload: 0..0,
            key: Vec::new(),
        }
    }

    /// Out of the block.
    pub(in crate::storage::table) fn leave(&mut self) {
        self.bytes = Bytes::new();
        (self.restart_count, self.keys_at, self.payloads_at) = (0, 0, 0);
        self.rewind();
    }

    /// Goes on in another block, before its first entry.
    pub(in crate::storage::table) fn enter(&mut self, bytes: Bytes) -> Result<(), Broken> {
        let block = Block::new(&bytes)?;
        self.restart_count = block.restart_count();
        self.keys_at = HEAD_BYTES + block.restarts.len();
        self.payloads_at = self.keys_at + block.keys.len();
        self.bytes = bytes;
        self.rewind();
        Ok(())
    }

    /// Before the first entry.
    pub(in crate::storage::table) fn rewind(&mut self) {
        (self.at, self.end, self.payload) = (0, 0, 0..0);
        self.key.clear();
    }

    /// Whether it is at an entry.
    #[inline]
    pub(in crate::storage::table) fn is_at_entry(&self) -> bool {
        self.at < self.end
    }

    #[inline]
    pub(in crate::storage::table) fn key(&self) -> &[u8] {
        &self.key
    }

    #[inline]
    pub(in crate::storage::table) fn payload(&self) -> &[u8] {
        &self.bytes[self.payloads_at..][self.payload.clone()]
    }

    /// A part of the block without a copy.
    pub(in crate::storage::table) fn share(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }

    /// To the next entry, or behind the last; says whether there was one.
    #[inline]
    pub(in crate::storage::table) fn next(&mut self) -> Result<bool, Broken> {
        let keys = &self.bytes[self.keys_at..self.payloads_at];
        if self.end == keys.len() {
            self.at = self.end;
            return Ok(false);
        }
        let raw = raw(keys, self.end).ok_or(Broken)?;
        let payload = self.payload.end..self.payload.end + raw.payload_bytes;
        if raw.shared > self.key.len() || payload.end > self.bytes.len() - self.payloads_at {
            return Err(Broken);
        }
        self.key.truncate(raw.shared);
        self.key.extend_from_slice(raw.rest);
        (self.at, self.end, self.payload) = (self.end, raw.end, payload);
        Ok(true)
    }

    /// To the entry before, or before the first; says whether there was one.
    pub(in crate::storage::table) fn prev(&mut self) -> Result<bool, Broken> {
        let goal = self.at;
        if goal == 0 {
            self.rewind();
            return Ok(false);
        }
        // The last restart before it.
        let (mut low, mut high) = (0, self.restart_count);
        while low < high {
            let middle = (low + high) / 2;
            if self.restart(middle).0 < goal {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (end, payload_end) = self.restart(low.checked_sub(1).ok_or(Broken)?);
        self.rewind();
        (self.end, self.payload) = (end, payload_end..payload_end);
        while self.next()? && self.end < goal {}
        if self.end == goal && self.at < goal { Ok(true) } else { Err(Broken) }
    }

    /// To the last entry.
    pub(in crate::storage::table) fn last(&mut self) -> Result<bool, Broken> {
        self.go_behind();
        self.prev()
    }

    /// To the first entry whose key is at least `target`, or behind the last.
    pub(in crate::storage::table) fn seek(&mut self, target: &[u8]) -> Result<bool, Broken> {
        self.seek_among(target, 0..self.restart_count)
    }

    /// The same, with what is known as in [`Block::search_among`].
    pub(in crate::storage::table) fn seek_among(
        &mut self,
        target: &[u8],
        among: Range<usize>,
    ) -> Result<bool, Broken> {
        let Some(found) = Block::new(&self.bytes)?.search_among(target, among)? else {
            self.go_behind();
            return Ok(false);
        };
        let rest_at = self.keys_at + found.key.end - found.rest_bytes;
        self.key.clear();
        self.key.extend_from_slice(target.get(..found.shared).ok_or(Broken)?);
        self.key.extend_from_slice(&self.bytes[rest_at..rest_at + found.rest_bytes]);
        (self.at, self.end) = (found.key.start, found.key.end);
        self.payload = found.payload.start - self.payloads_at..found.payload.end - self.payloads_at;
        Ok(true)
    }

    /// To the last entry whose key is before `target`, or before the first.
    pub(in crate::storage::table) fn seek_before(&mut self, target: &[u8]) -> Result<bool, Broken> {
        self.seek(target)?;
        self.prev()
    }

    /// Whether the entry that it is at is where the restart with this index points to.
    pub(in crate::storage::table) fn is_at_restart(&self, index: usize) -> bool {
        index < self.restart_count && self.restart(index) == (self.at, self.payload.start)
    }

    fn go_behind(&mut self) {
        let end = self.payloads_at - self.keys_at;
        (self.at, self.end) = (end, end);
    }

    fn restart(&self, index: usize) -> (usize, usize) {
        let at = HEAD_BYTES + index * RESTART_BYTES;
        (number_u32(&self.bytes, at) as usize, number_u32(&self.bytes, at + 4) as usize)
    }
}
