//! Tombstones have to go some time, and what they hide with them: a table that has many, or has had them for long, is merged
//! into the run below; at the end of that way they are left out.

use super::{
    plan::{Place, Plan, Reason, Taken},
    policy::Policy,
    shape::{Placed, Shape, TableShape},
};

/// A table with one tombstone among so many entries is in the way of everybody who scans it.
const HEAVY_DIVISOR: u64 = 4;

/// The table that is most in need of it. Those above `level_min` are left to other rules, but for stale ones and those of the
/// oldest run.
pub(super) fn pick(shape: &Shape, policy: &Policy, level_min: usize) -> Option<Plan> {
    let entries: u64 = shape.runs().map(|placed| placed.run.entries()).sum();
    let runs: Vec<Placed<'_>> = shape.runs().collect();
    let is_due = |index: usize, table: &TableShape| {
        let counts = runs[index].level >= level_min || index + 1 == runs.len();
        let heavy = counts && table.tombstones.saturating_mul(HEAVY_DIVISOR) >= table.entries;
        // Since its newest record there have been as many as there are entries.
        let stale = shape.sequence.saturating_sub(table.sequence_max) >= entries;
        table.tombstones > 0 && (heavy || stale)
    };
    let mut due: Vec<(usize, &TableShape)> = Vec::new();
    for (index, placed) in runs.iter().enumerate() {
        let tables = placed.run.tables.iter().filter(|table| is_due(index, table));
        due.extend(tables.map(|table| (index, table)));
    }
    due.sort_by_key(|(_, table)| std::cmp::Reverse(table.tombstones));
    due.into_iter().find_map(|(index, table)| push(shape, policy, &runs[index..], table))
}

/// Merges a table of the first of `runs` into the second, or writes it again where nothing older shares its keys.
fn push(shape: &Shape, policy: &Policy, runs: &[Placed<'_>], table: &TableShape) -> Option<Plan> {
    let (from, older) = runs.split_first()?;
    let tables = std::slice::from_ref(table);
    let taken = Taken { level: from.level, run: from.run, tables };
    let hides = |below: &Placed<'_>| !below.run.overlapping(&table.keys).is_empty();
    match older.first().filter(|_| older.iter().any(hides)) {
        Some(below) => {
            let tables = below.run.overlapping(&table.keys);
            let below = Taken { level: below.level, run: below.run, tables };
            let to = (below.level, Place::Run(below.run.number));
            Plan::new(shape, policy, Reason::Tombstones, &[taken, below], to)
        }
        None => {
            let to = (from.level, Place::Run(from.run.number));
            Plan::new(shape, policy, Reason::Tombstones, &[taken], to)
        }
    }
}
