//! One run a level, each level `multiplier` times the one above.
//!
//! ```text
//!  level 0   ▪ ▪ ▪          merged into the base level when there are four, the oldest first
//!  base      ▪▪▪▪           target = bytes of the bottom / multiplier / multiplier, at least what level 0 may hold
//!  …         ▪▪▪▪▪▪▪▪▪▪     target = bytes of the bottom / multiplier
//!  bottom    ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪
//! ```
//!
//! Targets come from the bottom up: however much there is, old versions take about a `multiplier`-th of the room. Levels
//! between level 0 and the base level stay empty. Data moves down only: every step ends nearer to the bottom.

use super::{
    plan::{Place, Plan, Reason, Taken},
    policy::{LEVEL_0_RUNS, Policy},
    shape::{KeyRange, Placed, RunShape, Shape, TableShape},
    tombstones,
};

/// Merges of whole runs take no more than so many times what level 0 may hold; more goes table by table.
const WHOLE_BASES_MAX: u64 = 8;

pub(super) fn pick(shape: &Shape, policy: &Policy) -> Option<Plan> {
    let layout = Layout::of(shape, policy);
    let mut works: Vec<_> = layout.works(shape, policy).collect();
    works.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let plans = works.into_iter().filter(|(score, _)| *score >= 1.0);
    let mut plans = plans.map(|(_, work)| layout.plan(shape, policy, work));
    plans.find_map(|plan| plan).or_else(|| tombstones::pick(shape, policy, 1))
}

pub(super) fn scores(shape: &Shape, policy: &Policy) -> Vec<f64> {
    let mut scores = vec![0.0; shape.levels.len()];
    for (score, work) in Layout::of(shape, policy).works(shape, policy) {
        let (Work::Empty(level) | Work::Unite(level) | Work::Sink(level)) = work;
        // An empty shape has no levels, but a level 0 that is to be looked at.
        if let Some(place) = scores.get_mut(level) {
            *place = score.max(*place);
        }
    }
    scores
}

/// What a level may need.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// To give data to the level below.
    Empty(usize),
    /// To become one run.
    Unite(usize),
    /// To lie at the bottom.
    Sink(usize),
}

/// How levels are to be used.
#[derive(Debug)]
struct Layout {
    base: usize,
    bottom: usize,
    /// Bytes that a level may hold; those above the base level none, the bottom any.
    targets: Vec<u64>,
}

impl Layout {
    fn of(shape: &Shape, policy: &Policy) -> Self {
        let bottom = policy.bottom().max(shape.deepest());
        let mut targets = vec![0; bottom + 1];
        targets[bottom] = u64::MAX;
        let mut base = bottom;
        let base_min = bottom + 1 - policy.bottom();
        let mut target = shape.level_bytes(bottom) / policy.multiplier() as u64;
        while base > base_min && target >= policy.base_bytes() {
            base -= 1;
            targets[base] = target;
            target /= policy.multiplier() as u64;
        }
        Self { base, bottom, targets }
    }

    /// All that might be done, with how much it is needed.
    fn works<'a>(
        &'a self,
        shape: &'a Shape,
        policy: &'a Policy,
    ) -> impl Iterator<Item = (f64, Work)> + 'a {
        let level_0 = shape.level(0).len() as f64 / LEVEL_0_RUNS as f64;
        let bytes_0 = shape.level_bytes(0) as f64 / policy.base_bytes() as f64;
        let levels = (1..shape.levels.len()).filter(|level| !shape.level(*level).is_empty());
        let levels = levels.flat_map(move |level| {
            let bytes = shape.level_bytes(level) as f64;
            // Where nothing should be, anything is far too much.
            let size = (bytes / self.targets[level].max(1) as f64).min(1000.0);
            let runs = shape.level(level).len();
            let sinks = level == shape.deepest() && level < self.bottom && runs == 1;
            [
                (size, Work::Empty(level)),
                (runs as f64 / 2.0, Work::Unite(level)),
                (if sinks { f64::INFINITY } else { 0.0 }, Work::Sink(level)),
            ]
        });
        std::iter::once((level_0.max(bytes_0), Work::Empty(0))).chain(levels)
    }

    fn plan(&self, shape: &Shape, policy: &Policy, work: Work) -> Option<Plan> {
        match work {
            Work::Empty(0) => self.empty_level_0(shape, policy),
            Work::Empty(level) => {
                let reason = if level < self.base { Reason::Shape } else { Reason::Size };
                let run = shape.level(level).last()?;
                let excess = shape.level_bytes(level).saturating_sub(self.targets[level]);
                self.push(shape, policy, reason, Placed { level, run }, excess)
            }
            Work::Unite(level) => unite(shape, policy, level),
            Work::Sink(level) => {
                let taken = Taken::all(Placed { level, run: shape.level(level).first()? });
                let to = (self.bottom, Place::New);
                let plan = Plan::new(shape, policy, Reason::Shape, &[taken], to)?;
                // What tombstones it has can go later.
                Some(Plan { is_move: true, ..plan })
            }
        }
    }

    /// Merges the oldest runs of level 0, as many as are worth one merge, into the level below.
    fn empty_level_0(&self, shape: &Shape, policy: &Policy) -> Option<Plan> {
        let runs = shape.level(0);
        let oldest = runs.last()?;
        let bytes_max = whole_bytes_max(policy);
        if oldest.bytes() > bytes_max && oldest.tables.len() > 1 {
            let from = Placed { level: 0, run: oldest };
            return self.push(shape, policy, Reason::Level0, from, oldest.bytes());
        }
        let mut bytes = 0;
        let fits = |run: &&RunShape| {
            bytes += run.bytes();
            bytes <= bytes_max
        };
        let count = runs.iter().rev().take_while(fits).count().max(1);
        let runs = runs[runs.len() - count..].iter();
        let mut taken: Vec<_> = runs.map(|run| Taken::all(Placed { level: 0, run })).collect();
        let keys = taken.iter().flat_map(|taken| taken.tables).map(|table| &table.keys);
        let keys = KeyRange::hull_of(keys)?;
        let (to, below) = self.landing(shape, 0);
        taken.extend(below.map(|below| overlapped(below, &keys)));
        Plan::new(shape, policy, Reason::Level0, &taken, to)
    }

    /// Merges one table of a run, which is the oldest of its level, into the level below: the one that costs least. Of those
    /// that cost nothing it takes `excess` bytes.
    fn push(
        &self,
        shape: &Shape,
        policy: &Policy,
        reason: Reason,
        from: Placed<'_>,
        excess: u64,
    ) -> Option<Plan> {
        let (to, below) = self.landing(shape, from.level);
        push_cheapest(shape, policy, reason, from, below, to, excess)
    }

    /// Where data of `level` goes next, and the run that it is merged with, if there is one.
    fn landing<'a>(&self, shape: &'a Shape, level: usize) -> ((usize, Place), Option<Placed<'a>>) {
        let last = self.base.max(level + 1);
        let first = (level + 1..last).find(|level| !shape.level(*level).is_empty());
        let level = first.unwrap_or(last);
        match shape.level(level).first() {
            Some(run) => ((level, Place::Run(run.number)), Some(Placed { level, run })),
            None => ((level, Place::New), None),
        }
    }
}

/// Makes one run of those of a level: at once if they are small, otherwise the second oldest goes into the oldest.
fn unite(shape: &Shape, policy: &Policy, level: usize) -> Option<Plan> {
    let [newer @ .., oldest] = shape.level(level) else { return None };
    let to = (level, Place::Run(oldest.number));
    if shape.level_bytes(level) <= whole_bytes_max(policy) {
        let runs = shape.level(level).iter();
        let taken: Vec<_> = runs.map(|run| Taken::all(Placed { level, run })).collect();
        return Plan::new(shape, policy, Reason::Shape, &taken, to);
    }
    let from = Placed { level, run: newer.last()? };
    let below = Some(Placed { level, run: oldest });
    push_cheapest(shape, policy, Reason::Shape, from, below, to, from.run.bytes())
}

/// Merges one table with those that it overlaps in the run below: the table for which that is least, for its size. Where
/// there are none, neighbours that fit into the same gap go with it, up to `excess` bytes.
fn push_cheapest(
    shape: &Shape,
    policy: &Policy,
    reason: Reason,
    from: Placed<'_>,
    below: Option<Placed<'_>>,
    to: (usize, Place),
    excess: u64,
) -> Option<Plan> {
    let below_of = |table: &TableShape| below.map(|below| overlapped(below, &table.keys));
    let cost = |table: &TableShape| {
        let bytes: u64 = below_of(table).map_or(0, |taken| taken.bytes());
        bytes as f64 / table.bytes.max(1) as f64
    };
    let tables = &from.run.tables;
    let costs: Vec<f64> = tables.iter().map(cost).collect();
    let gap = |table: &TableShape| below.map(|below| below.run.before(&table.keys));
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by(|a, b| costs[*a].total_cmp(&costs[*b]));
    order.into_iter().find_map(|first| {
        let mut bytes = 0;
        let free = (first..tables.len()).take_while(|index| {
            let is_due = bytes < excess;
            bytes += tables[*index].bytes;
            costs[*index] == 0.0 && is_due && gap(&tables[*index]) == gap(&tables[first])
        });
        let tables = &tables[first..first + free.count().max(1)];
        let mut taken = vec![Taken { level: from.level, run: from.run, tables }];
        taken.extend(below_of(&tables[0]));
        Plan::new(shape, policy, reason, &taken, to)
    })
}

fn overlapped<'a>(below: Placed<'a>, keys: &KeyRange) -> Taken<'a> {
    Taken { level: below.level, run: below.run, tables: below.run.overlapping(keys) }
}

fn whole_bytes_max(policy: &Policy) -> u64 {
    policy.base_bytes().saturating_mul(WHOLE_BASES_MAX)
}
