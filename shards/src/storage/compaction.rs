//! Which tables are merged next, and into what: decided purely, from a picture of a version.
//!
//! ```text
//!  version ─► shape ─┐
//!                    ├─► pick ─► leveled │ tiered │ universal ─► plan ─► job ─► edit
//!           policy ──┘                                            (a move needs no job)
//! ```
//!
//! A job ([`Job`]) carries the plan out on a background thread. A picker makes sense of any shape, also of one that another strategy has left, and comes to an end: without writes
//! there is some time nothing more to do. Always true of a plan: of one key, what is newer stays above what is older.

mod input;
mod job;
mod leveled;
mod plan;
mod policy;
mod pressure;
mod shape;
mod slots;
#[cfg(test)]
mod tests;
mod tiered;
mod tombstones;
mod universal;

#[cfg(test)]
use {
    job::Done,
    plan::{Claim, Reason},
};

pub(super) use input::Inputs;
pub(super) use job::{Job, JobError};
pub(super) use plan::Plan;
pub(super) use policy::{Policy, Strategy};
pub(super) use pressure::{Grade, Pressure};
pub(super) use shape::{KeyRange, Shape};
pub use slots::MergeSlots;

/// The next thing to do; `None` if all is well, or if what is to be done waits for plans that are being carried out.
pub(super) fn pick(shape: &Shape, policy: &Policy) -> Option<Plan> {
    match policy.strategy {
        Strategy::Leveled => leveled::pick(shape, policy),
        Strategy::Tiered => tiered::pick(shape, policy),
        Strategy::Universal => universal::pick(shape, policy),
    }
}

/// How much each level is in need of it: from 1 on something is to be done.
pub(super) fn scores(shape: &Shape, policy: &Policy) -> Vec<f64> {
    match policy.strategy {
        Strategy::Leveled => leveled::scores(shape, policy),
        Strategy::Tiered => tiered::scores(shape, policy),
        Strategy::Universal => universal::scores(shape, policy),
    }
}
