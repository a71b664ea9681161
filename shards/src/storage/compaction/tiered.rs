//! Up to `multiplier` runs a level, merged together into a new run of the next.
//!
//! ```text
//!  level 0   ▪ ▪ ▪              four make one of level 1
//!  level 1   ▪▪▪▪ ▪▪▪▪ ▪▪▪▪     `multiplier` make one of level 2
//!  …
//!  bottom    ▪▪▪▪▪▪▪▪▪▪ ▪▪▪▪▪▪▪▪▪▪     `multiplier` make one
//! ```
//!
//! Each entry is written once a level. Levels below the bottom, left by a policy that had more, count with it.

use super::{
    plan::{Place, Plan, Reason, Taken},
    policy::{LEVEL_0_RUNS, Policy},
    shape::{Placed, Shape},
    tombstones, universal,
};

pub(super) fn pick(shape: &Shape, policy: &Policy) -> Option<Plan> {
    let mut levels: Vec<_> = scores(shape, policy).into_iter().enumerate().collect();
    levels.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let full = levels.into_iter().filter(|(_, score)| *score >= 1.0);
    let mut plans = full.map(|(level, _)| merge(shape, policy, level));
    // While runs of one size are gathered, old versions may take as much room as there are runs.
    let limit = policy.multiplier() as u64;
    let plan = plans.find_map(|plan| plan).or_else(|| universal::merge_all(shape, policy, limit));
    plan.or_else(|| tombstones::pick(shape, policy, usize::MAX))
}

pub(super) fn scores(shape: &Shape, policy: &Policy) -> Vec<f64> {
    let runs_max = |level: usize| if level == 0 { LEVEL_0_RUNS } else { policy.multiplier() };
    let bottom = policy.bottom();
    let count = |level: usize| match level.cmp(&bottom) {
        std::cmp::Ordering::Equal => shape.runs().filter(|run| run.level >= bottom).count(),
        _ => shape.level(level).len(),
    };
    let levels = 0..shape.levels.len().min(bottom + 1);
    let mut scores: Vec<_> =
        levels.map(|level| count(level) as f64 / runs_max(level) as f64).collect();
    scores.resize(shape.levels.len(), 0.0);
    scores
}

/// Makes one run of all runs of a level.
fn merge(shape: &Shape, policy: &Policy, level: usize) -> Option<Plan> {
    let is_bottom = level == policy.bottom();
    let is_meant = |placed: &Placed<'_>| placed.level == level || is_bottom && placed.level > level;
    let runs: Vec<_> = shape.runs().filter(is_meant).collect();
    let oldest = runs.last()?;
    let to = if is_bottom {
        (oldest.level, Place::Run(oldest.run.number))
    } else {
        (level + 1, Place::New)
    };
    let reason = if level == 0 { Reason::Level0 } else { Reason::Size };
    let taken: Vec<_> = runs.into_iter().map(Taken::all).collect();
    Plan::new(shape, policy, reason, &taken, to)
}
