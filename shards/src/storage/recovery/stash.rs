//! Parts of batches across shards, read from a log, until it is known of each whether it counts.
//!
//! Always true: of a key that the log writes again behind a part, the part's change is not here any more. Nobody writes a
//! key between a part and its end, so what comes later hides it, whether it counts or not.

use std::collections::{BTreeMap, HashMap};

use crate::storage::{
    entry::{Change, Entry, Sequence},
    key::Key,
    memtable::{Memtable, TableId},
    part::BatchId,
    traces::Traces,
    wal::Mark,
};

/// Parts, and what the log says of them.
#[derive(Default)]
pub(in crate::storage) struct Stash {
    parts: BTreeMap<Sequence, (BatchId, HashMap<Place, Change>)>,
    /// The parts that write a key.
    writers: HashMap<Place, Vec<Sequence>>,
    traces: Traces,
}

type Place = (TableId, Key);

impl Stash {
    /// Whether no part is here.
    pub(in crate::storage) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What the log says of batches.
    pub(in crate::storage) fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Takes note of a mark; one of a part says to which batch the changes behind it belong.
    pub(super) fn mark(&mut self, sequence: Sequence, mark: Mark) -> Option<BatchId> {
        let id = match &mark {
            Mark::Part(id, _) => Some(*id),
            Mark::Commit(_) | Mark::Abort(_) => None,
        };
        if let Some(id) = id {
            self.parts.insert(sequence, (id, HashMap::new()));
        }
        self.traces.add(mark);
        id
    }

    /// A change of the part in that record.
    pub(super) fn add(&mut self, sequence: Sequence, place: Place, change: Change) {
        if let Some((_, changes)) = self.parts.get_mut(&sequence) {
            self.writers.entry(place.clone()).or_default().push(sequence);
            changes.insert(place, change);
        }
    }

    /// A key is written behind all parts that are here.
    pub(super) fn hide(&mut self, memtable: &mut Memtable, place: &Place) {
        if self.writers.is_empty() {
            return;
        }
        for sequence in self.writers.remove(place).into_iter().flatten() {
            let part = self.parts.get_mut(&sequence);
            if let Some(change) = part.and_then(|(_, changes)| changes.remove(place)) {
                memtable.note_hidden(&change);
            }
        }
    }

    /// Puts the changes of all batches that count into the memtable, in order; `decide` is asked where the log does not say.
    /// Returns what the log is to be told.
    pub(in crate::storage) fn resolve(
        self,
        memtable: &mut Memtable,
        decide: impl Fn(BatchId) -> bool,
    ) -> Vec<Mark> {
        let mut marks = Vec::new();
        for (sequence, (id, changes)) in self.parts {
            let said = self.traces.verdict(id);
            let counts = said.unwrap_or_else(|| decide(id));
            if said.is_none() {
                marks.push(if counts { Mark::Commit(id) } else { Mark::Abort(id) });
            }
            for ((table, key), change) in changes {
                if counts {
                    memtable.apply(table, key, Entry { sequence, change });
                }
            }
        }
        marks
    }
}
