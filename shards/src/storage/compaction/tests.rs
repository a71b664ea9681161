//! Pickers against a tree of entries that is really merged, in memory: whatever the strategy, whatever it finds.

mod convergence;
mod cost;
mod job;
mod tree;
mod whole;
