//! The engine as a whole: over the simulated disk, where everything may fail, and over the real one.

mod batches;
mod check;
mod cost;
mod crash;
mod damage;
mod faults;
pub(super) mod machine;
mod planted;
mod progress;
pub(super) mod real;
mod restore;
mod sharing;
mod snapshots;
mod tables;
mod tree;
mod unlogged;
