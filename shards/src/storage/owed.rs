//! Marks that this shard may still have to log: one for each part that is in its log, and neither ended nor in a table. The log
//! keeps room for all of them, so that a full disk does not keep a flush from its commit records, here or on another shard.
//!
//! ```text
//! part logged ─► owed ─┬─ a commit record is asked for ─► written ─┐
//!                      ├─ an abort record is asked for ────────────┼─► forgotten
//!                      └─ the layer of the part is in a table ─────┘
//! ```
//!
//! Always true: of one part no second commit record is made, and once its layer is in a table none at all; nobody needs it.

use std::collections::HashMap;

use super::{log::record_bytes, part::BatchId, wal::Mark};

/// A record of one commit or abort record and nothing else. Several in one record take less.
const MARK_BYTES: u64 = record_bytes(1 + Mark::END_BYTES) as u64;

/// Which marks may come.
#[derive(Debug, Default)]
pub(super) struct Owed {
    parts: HashMap<BatchId, State>,
    /// Those that are owed.
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Owed,
    /// The commit record is in the log, or on its way there.
    Written,
}

impl Owed {
    /// A part is in the log.
    pub(super) fn add(&mut self, id: BatchId) {
        if self.parts.insert(id, State::Owed).is_none() {
            self.count += 1;
        }
    }

    /// Whether a commit record has to be written; from now on it counts as written.
    pub(super) fn take(&mut self, id: BatchId) -> bool {
        let state = self.parts.get_mut(&id).filter(|state| **state == State::Owed);
        let is_owed = state.is_some();
        if let Some(state) = state {
            *state = State::Written;
            self.count -= 1;
        }
        is_owed
    }

    /// A commit record has not been written.
    pub(super) fn give_back(&mut self, id: BatchId) {
        if let Some(state) = self.parts.get_mut(&id).filter(|state| **state == State::Written) {
            *state = State::Owed;
            self.count += 1;
        }
    }

    /// The part has been undone, or is in a table.
    pub(super) fn forget(&mut self, id: BatchId) {
        if self.parts.remove(&id) == Some(State::Owed) {
            self.count -= 1;
        }
    }

    /// Bytes that all of them take in the log, at most.
    pub(super) fn bytes(&self) -> u64 {
        self.count * MARK_BYTES
    }

    /// Bytes that the marks of so many more parts take.
    pub(super) fn bytes_of(parts: usize) -> u64 {
        parts as u64 * MARK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_owes_one_mark_until_it_ends() {
        let id = |number| BatchId { process: 1, number };
        let mut owed = Owed::default();
        for number in 0..3 {
            owed.add(id(number));
        }
        // It is logged again when a memtable is frozen.
        owed.add(id(0));
        assert_eq!(owed.bytes(), 3 * MARK_BYTES);
        assert!(owed.take(id(0)) && !owed.take(id(0)), "one commit record is enough");
        assert_eq!(owed.bytes(), 2 * MARK_BYTES);
        owed.give_back(id(0));
        owed.give_back(id(1));
        assert_eq!(owed.bytes(), 3 * MARK_BYTES);
        assert!(owed.take(id(0)));
        for number in 0..3 {
            owed.forget(id(number));
            owed.give_back(id(number));
            assert!(!owed.take(id(number)), "nobody needs it");
        }
        assert_eq!((owed.bytes(), owed.parts.len()), (0, 0));
    }

    #[test]
    fn marks_together_take_no_more_than_one_by_one() {
        for count in [1usize, 2, 100, 5000] {
            let payload = super::super::wal::count_length(count as u64) + count * Mark::END_BYTES;
            assert!(record_bytes(payload) as u64 <= Owed::bytes_of(count));
        }
    }
}
