//! What is to be done, in full: inputs, where the outputs go, and what may be left out on the way.

use std::cmp::Reverse;

use super::{
    policy::Policy,
    shape::{KeyRange, Placed, RunShape, Shape, TableShape},
};
use crate::storage::{
    manifest::{Addition, Edit},
    table::TableMeta,
};

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Reason {
    /// Level 0 has too many runs.
    Level0,
    /// A level is larger than it should be, or has too many runs.
    Size,
    /// Tables lie where this policy would not put them.
    Shape,
    /// Tombstones take room, and hide what does.
    Tombstones,
    /// Old versions take too much room.
    Space,
}

/// A step of compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Plan {
    pub(in crate::storage) reason: Reason,
    /// The newest data first.
    pub(in crate::storage) inputs: Vec<Input>,
    /// Where the outputs go.
    pub(in crate::storage) level: usize,
    pub(in crate::storage) place: Place,
    /// The tables only change their place: nothing is read or written.
    pub(in crate::storage) is_move: bool,
    /// Key ranges in which older data lies, in order, not overlapping: elsewhere tombstones have nothing left to hide.
    pub(in crate::storage) older: Vec<KeyRange>,
    /// Bytes after which the next output is begun.
    pub(in crate::storage) table_bytes: u64,
    /// Of all inputs.
    pub(in crate::storage) bytes: u64,
    /// Of all inputs together.
    pub(in crate::storage) keys: KeyRange,
}

/// Tables of one run, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Input {
    pub(in crate::storage) level: usize,
    pub(in crate::storage) run: u64,
    /// File numbers.
    pub(in crate::storage) tables: Vec<u64>,
}

/// Which run of the level the outputs belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Place {
    /// The run with this number.
    Run(u64),
    /// A new one, newer than all that are there.
    New,
}

/// What a plan that is being carried out keeps others away from: a range of keys, between two places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Claim {
    keys: KeyRange,
    top: Position,
    bottom: Position,
}

/// Level, and run: ascending from newer to older data.
type Position = (usize, Reverse<u64>);

/// Tables that a plan takes from a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    pub(super) level: usize,
    pub(super) run: &'a RunShape,
    pub(super) tables: &'a [TableShape],
}

impl<'a> Taken<'a> {
    pub(super) fn all(Placed { level, run }: Placed<'a>) -> Self {
        Self { level, run, tables: &run.tables }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }
}

impl Plan {
    /// A plan that puts `taken`, the newest data first, together into one run; `None` if nothing is taken, or if another
    /// plan is in the way.
    pub(super) fn new(
        shape: &Shape,
        policy: &Policy,
        reason: Reason,
        taken: &[Taken<'_>],
        (level, place): (usize, Place),
    ) -> Option<Self> {
        let tables = || taken.iter().flat_map(|taken| taken.tables);
        let keys = KeyRange::hull_of(tables().map(|table| &table.keys))?;
        let inputs = taken.iter().filter(|taken| !taken.tables.is_empty());
        let inputs = inputs.map(|taken| Input {
            level: taken.level,
            run: taken.run.number,
            tables: taken.tables.iter().map(|table| table.number).collect(),
        });
        let mut plan = Self {
            reason,
            inputs: inputs.collect(),
            level,
            place,
            is_move: false,
            older: Vec::new(),
            table_bytes: policy.table_bytes,
            bytes: tables().map(|table| table.bytes).sum(),
            keys,
        };
        if shape.claims.iter().any(|claim| claim.is_in_the_way_of(&plan.claim())) {
            return None;
        }
        plan.older = plan.older_in(shape);
        plan.is_move = plan.can_move(taken);
        Some(plan)
    }

    /// A plan that merges everything in a range of keys to the bottom, with all that shares keys with it; `None` if nothing
    /// would be gained.
    pub(in crate::storage) fn whole(
        shape: &Shape,
        policy: &Policy,
        range: Option<KeyRange>,
    ) -> Option<Self> {
        let all = || shape.runs().flat_map(|placed| &placed.run.tables);
        let mut range = match range {
            Some(range) => range,
            None => KeyRange::hull_of(all().map(|table| &table.keys))?,
        };
        // What overlaps may reach further, and then more overlaps.
        loop {
            let overlapping = all().filter(|table| table.keys.overlaps(&range));
            let wider = KeyRange::hull_of(overlapping.map(|table| &table.keys))?.hull(&range);
            if wider == range {
                break;
            }
            range = wider;
        }
        let taken = shape.runs().map(|Placed { level, run }| {
            let tables = run.overlapping(&range);
            Taken { level, run, tables }
        });
        let taken: Vec<Taken<'_>> = taken.filter(|taken| !taken.tables.is_empty()).collect();
        let tombstones =
            taken.iter().flat_map(|taken| taken.tables).any(|table| table.tombstones > 0);
        if taken.len() < 2 && !tombstones {
            return None;
        }
        let bottom = policy.bottom().max(shape.deepest());
        let place = match shape.level(bottom) {
            [run] => Place::Run(run.number),
            _ => Place::New,
        };
        Self::new(shape, policy, Reason::Space, &taken, (bottom, place))
    }

    /// What others must leave alone while it is carried out.
    pub(in crate::storage) fn claim(&self) -> Claim {
        let top = self.inputs.iter().map(|input| (input.level, Reverse(input.run))).min();
        let bottom = self.output();
        Claim { keys: self.keys.clone(), top: top.unwrap_or(bottom), bottom }
    }

    /// The step of the version once it has been carried out. `run` is the number for a run that is made anew: from the
    /// counter of file numbers. For a move, `outputs` are the inputs.
    pub(in crate::storage) fn edit(&self, run: u64, outputs: Vec<TableMeta>) -> Edit {
        let run = match self.place {
            Place::Run(number) => number,
            Place::New => run,
        };
        let level = self.level as u8;
        let removed = self.inputs.iter().flat_map(|input| &input.tables);
        Edit {
            tables_added: outputs.into_iter().map(|meta| Addition { level, run, meta }).collect(),
            tables_removed: removed.copied().collect(),
            ..Edit::default()
        }
    }

    /// Whether it is about this table.
    pub(super) fn takes(&self, level: usize, run: &RunShape, table: &TableShape) -> bool {
        let of_run = |input: &&Input| input.level == level && input.run == run.number;
        self.inputs.iter().find(of_run).is_some_and(|input| input.tables.contains(&table.number))
    }

    /// Behind this place data is older.
    pub(super) fn output(&self) -> Position {
        match self.place {
            Place::Run(number) => (self.level, Reverse(number)),
            Place::New => (self.level, Reverse(u64::MAX)),
        }
    }

    /// Where older data lies within the keys of the inputs.
    fn older_in(&self, shape: &Shape) -> Vec<KeyRange> {
        let mut older: Vec<KeyRange> = Vec::new();
        let behind = |placed: &Placed<'_>| position(placed.level, placed.run) > self.output();
        for Placed { level, run } in shape.runs().filter(behind) {
            let others = run.overlapping(&self.keys).iter();
            let others = others.filter(|table| !self.takes(level, run, table));
            older.extend(others.map(|table| table.keys.clone()));
        }
        older.sort_by(|a, b| a.smallest.cmp(&b.smallest));
        let mut joined: Vec<KeyRange> = Vec::new();
        for range in older {
            match joined.last_mut() {
                Some(last) if range.smallest <= last.largest => *last = last.hull(&range),
                _ => joined.push(range),
            }
        }
        joined
    }

    /// Whether the tables can just be put there: nothing to merge, no tombstones to get rid of, and no heap of small
    /// tables that would better be one.
    fn can_move(&self, taken: &[Taken<'_>]) -> bool {
        let mut tables: Vec<_> = taken.iter().flat_map(|taken| taken.tables).collect();
        tables.sort_by(|a, b| a.keys.smallest.cmp(&b.keys.smallest));
        let disjoint = tables.windows(2).all(|pair| pair[0].keys.largest < pair[1].keys.smallest);
        let stays = self
            .inputs
            .iter()
            .all(|input| input.level == self.level && self.place == Place::Run(input.run));
        let may_shed = |table: &TableShape| {
            table.tombstones > 0 && !self.older.iter().any(|older| older.overlaps(&table.keys))
        };
        let large = tables.len() as u64 * (self.table_bytes / 4);
        disjoint
            && !stays
            && !tables.iter().any(|table| may_shed(table))
            && (tables.len() == 1 || self.bytes >= large)
    }
}

pub(super) fn position(level: usize, run: &RunShape) -> Position {
    (level, Reverse(run.number))
}

impl Claim {
    fn is_in_the_way_of(&self, other: &Self) -> bool {
        self.top <= other.bottom && other.top <= self.bottom && self.keys.overlaps(&other.keys)
    }
}
