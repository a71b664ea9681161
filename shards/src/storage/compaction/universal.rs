//! Up to `multiplier` runs in all. When there are more, the newest that are of like size become one; when what is new has
//! outgrown what is old, everything does.
//!
//! ```text
//!  newest ▪ ▪ ▪▪ ▪▪▪▪▪▪ ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪ oldest
//!         └──┬──┘
//!            ▪▪▪▪ takes the place of the oldest of them
//! ```

use super::{
    plan::{Place, Plan, Reason, Taken},
    policy::Policy,
    shape::{Placed, Shape},
    tombstones,
};

/// What is new may take this many times the room of the oldest run.
const NEW_PER_OLD: u64 = 2;

pub(super) fn pick(shape: &Shape, policy: &Policy) -> Option<Plan> {
    let runs: Vec<_> = shape.runs().collect();
    let plan = if runs.len() > policy.multiplier() {
        merge_all(shape, policy, NEW_PER_OLD).or_else(|| merge_alike(shape, policy, &runs))
    } else {
        merge_all(shape, policy, u64::MAX)
    };
    plan.or_else(|| tombstones::pick(shape, policy, usize::MAX))
}

pub(super) fn scores(shape: &Shape, policy: &Policy) -> Vec<f64> {
    let most = (policy.multiplier() + 1) as f64;
    shape.levels.iter().map(|runs| runs.len() as f64 / most).collect()
}

/// Makes one run of all, at the bottom, if the newer ones take more than `limit` times the room of the oldest, or hide
/// half of it with tombstones.
pub(super) fn merge_all(shape: &Shape, policy: &Policy, limit: u64) -> Option<Plan> {
    let runs: Vec<_> = shape.runs().collect();
    let (Placed { level, run: oldest }, newer) = runs.split_last()?;
    let bytes: u64 = newer.iter().map(|newer| newer.run.bytes()).sum();
    let tombstones: u64 = newer.iter().map(|newer| newer.run.tombstones()).sum();
    let reason = if bytes > oldest.bytes().saturating_mul(limit) {
        Reason::Space
    } else if tombstones > 0 && tombstones >= oldest.entries() / 2 {
        Reason::Tombstones
    } else {
        return None;
    };
    let to = if *level < policy.bottom() {
        (policy.bottom(), Place::New)
    } else {
        (*level, Place::Run(oldest.number))
    };
    let taken: Vec<_> = runs.iter().copied().map(Taken::all).collect();
    Plan::new(shape, policy, reason, &taken, to)
}

/// Merges the newest runs of which none is larger than all newer ones together; if there are none, as many of the newest as
/// are too many.
fn merge_alike(shape: &Shape, policy: &Policy, runs: &[Placed<'_>]) -> Option<Plan> {
    let alike = (0..runs.len()).find_map(|start| {
        let mut bytes = runs[start].run.bytes();
        let rest = runs[start + 1..].iter().take_while(|next| {
            let is_alike = next.run.bytes() <= bytes + bytes / 100;
            bytes += next.run.bytes();
            is_alike
        });
        let count = rest.count();
        (count > 0).then_some(&runs[start..=start + count])
    });
    let least = runs.len() - policy.multiplier() + 1;
    let merged = alike.unwrap_or(&runs[..least]);
    let oldest = merged.last()?;
    let to = (oldest.level, Place::Run(oldest.run.number));
    let taken: Vec<_> = merged.iter().copied().map(Taken::all).collect();
    Plan::new(shape, policy, Reason::Size, &taken, to)
}
