//! Gathers entries until they are a block.

use super::{HEAD_BYTES, RESTART_BYTES, common_prefix};
use crate::storage::varint;

/// Gathers the entries of one block after the other.
pub(in crate::storage::table) struct BlockBuilder {
    restarts: Vec<u8>,
    keys: Vec<u8>,
    payloads: Vec<u8>,
    finished: Vec<u8>,
    restart_interval: usize,
    /// Entries since the last restart, that one included.
    run: usize,
    /// Of the entry added last, also if that was in the block before.
    last_key: Vec<u8>,
}

/// An entry, measured for its place behind the last one.
#[derive(Clone, Copy)]
pub(in crate::storage::table) struct Draft {
    /// What its key has in common with the last one.
    pub(in crate::storage::table) common: usize,
    /// What of that is left out.
    shared: usize,
    payload_bytes: usize,
    /// Of the whole block if this entry is added.
    pub(in crate::storage::table) block_bytes: usize,
}

impl BlockBuilder {
    pub(in crate::storage::table) fn new(restart_interval: usize) -> Self {
        Self {
            restarts: Vec::new(),
            keys: Vec::new(),
            payloads: Vec::new(),
            finished: Vec::new(),
            restart_interval,
            run: 0,
            last_key: Vec::new(),
        }
    }

    pub(in crate::storage::table) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(in crate::storage::table) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Of the block as it is.
    #[inline]
    pub(in crate::storage::table) fn block_bytes(&self) -> usize {
        HEAD_BYTES + self.restarts.len() + self.keys.len() + self.payloads.len()
    }

    #[inline]
    pub(in crate::storage::table) fn draft(&self, key: &[u8], payload_bytes: usize) -> Draft {
        let common = common_prefix(&self.last_key, key);
        let is_restart = self.is_at_restart();
        let shared = if is_restart { 0 } else { common };
        let rest = key.len() - shared;
        let lengths = varint::length(shared as u64)
            + varint::length(rest as u64)
            + varint::length(payload_bytes as u64);
        let restart = if is_restart { RESTART_BYTES } else { 0 };
        let block_bytes = self.block_bytes() + restart + lengths + rest + payload_bytes;
        Draft { common, shared, payload_bytes, block_bytes }
    }

    /// Adds an entry as drafted since the last one; `fill` writes the payload.
    #[inline]
    pub(in crate::storage::table) fn add(
        &mut self,
        draft: Draft,
        key: &[u8],
        fill: impl FnOnce(&mut [u8]),
    ) {
        if self.is_at_restart() {
            for place in [self.keys.len(), self.payloads.len()] {
                self.restarts.extend_from_slice(&(place as u32).to_le_bytes());
            }
            self.run = 0;
        }
        self.run += 1;
        let rest = &key[draft.shared..];
        let lengths = [draft.shared, rest.len(), draft.payload_bytes];
        if lengths.iter().all(|length| *length < 0x80) {
            self.keys.extend_from_slice(&lengths.map(|length| length as u8));
        } else {
            for length in lengths {
                varint::push(length as u64, &mut self.keys);
            }
        }
        self.keys.extend_from_slice(rest);
        let payload_at = self.payloads.len();
        self.payloads.resize(payload_at + draft.payload_bytes, 0);
        fill(&mut self.payloads[payload_at..]);
        self.last_key.truncate(draft.common);
        self.last_key.extend_from_slice(&key[draft.common..]);
    }

    /// The finished block; the builder is ready for the next one. What the block is turned into does not matter.
    pub(in crate::storage::table) fn finish(&mut self) -> &mut Vec<u8> {
        let block = &mut self.finished;
        block.clear();
        let restart_count = self.restarts.len() / RESTART_BYTES;
        for number in [restart_count, self.keys.len()] {
            block.extend_from_slice(&(number as u32).to_le_bytes());
        }
        for part in [&mut self.restarts, &mut self.keys, &mut self.payloads] {
            block.extend_from_slice(part);
            part.clear();
        }
        self.run = 0;
        block
    }

    #[inline]
    fn is_at_restart(&self) -> bool {
        self.run == 0 || self.run == self.restart_interval
    }
}
