//! What the logs of all shards say of batches across shards after a stop, and what follows from it.
//! `docs/explanation/transactions.md`, "After a crash", has the rules and why they are right.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    part::{BatchId, Writers},
    wal::Mark,
};

/// What one shard's log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Parts, and the shards that their batches write to.
    parts: BTreeMap<BatchId, Writers>,
    committed: BTreeSet<BatchId>,
    aborted: BTreeSet<BatchId>,
}

/// Whether batches count. Those that are not named need no decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions(BTreeMap<BatchId, bool>);

impl Traces {
    /// Takes note of a record's mark.
    pub(super) fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Part(id, writers) => {
                self.parts.insert(id, writers);
            }
            Mark::Commit(id) => {
                self.committed.insert(id);
            }
            Mark::Abort(id) => {
                self.aborted.insert(id);
            }
        }
    }

    /// What this log says by itself.
    pub(super) fn verdict(&self, id: BatchId) -> Option<bool> {
        if self.aborted.contains(&id) {
            Some(false)
        } else {
            self.committed.contains(&id).then_some(true)
        }
    }

    /// Parts that this log says no more of.
    fn undecided(&self) -> impl Iterator<Item = (BatchId, &Writers)> {
        let undecided = |(id, _): &(&BatchId, &Writers)| self.verdict(**id).is_none();
        self.parts.iter().filter(undecided).map(|(id, writers)| (*id, writers))
    }
}

impl Decisions {
    /// Decides every batch of which some shard has a part and cannot say what became of it. Each shard with its traces.
    #[must_use]
    pub fn of(traces: &BTreeMap<u32, Traces>) -> Self {
        let mut decisions = BTreeMap::new();
        for (id, writers) in traces.values().flat_map(Traces::undecided) {
            decisions.entry(id).or_insert_with(|| {
                let said = || traces.values().map(|traces| traces.verdict(id));
                let is_whole = || {
                    let has_part =
                        |shard| traces.get(shard).is_some_and(|t| t.parts.contains_key(&id));
                    writers.iter().all(has_part)
                };
                !said().any(|said| said == Some(false))
                    && (said().any(|said| said == Some(true)) || is_whole())
            });
        }
        Self(decisions)
    }

    /// Whether this batch counts, if that had to be decided.
    pub(super) fn get(&self, id: BatchId) -> Option<bool> {
        self.0.get(&id).copied()
    }

    /// How many count, and how many do not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let committed = self.0.values().filter(|counts| **counts).count();
        (committed, self.0.len() - committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BatchId = BatchId { process: 1, number: 2 };

    fn decided(shards: &[&[Mark]]) -> Option<bool> {
        let traces = (0..).zip(shards).map(|(shard, marks)| {
            let mut traces = Traces::default();
            marks.iter().cloned().for_each(|mark| traces.add(mark));
            (shard, traces)
        });
        Decisions::of(&traces.collect()).get(ID)
    }

    #[test]
    fn a_batch_counts_if_all_parts_are_there_or_some_shard_says_so_and_none_says_no() {
        let part = || Mark::Part(ID, Writers::from([0, 1]));
        let (commit, abort) = (|| Mark::Commit(ID), || Mark::Abort(ID));
        assert_eq!(decided(&[&[part()], &[part()], &[]]), Some(true));
        assert_eq!(decided(&[&[part()], &[], &[]]), Some(false));
        assert_eq!(decided(&[&[part()], &[commit()], &[]]), Some(true), "its part was flushed");
        assert_eq!(decided(&[&[part()], &[part(), commit()], &[]]), Some(true));
        assert_eq!(decided(&[&[part()], &[part(), abort()], &[]]), Some(false));
        assert_eq!(decided(&[&[part()], &[abort()], &[]]), Some(false));
        assert_eq!(decided(&[&[part(), commit()], &[part(), commit()], &[]]), None);
        assert_eq!(decided(&[&[commit()], &[], &[]]), None, "nobody has a part of it");
    }
}
