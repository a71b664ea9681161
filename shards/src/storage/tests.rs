//! The engine as a whole: over the simulated disk, where everything may fail, and over the real one.

mod check;
mod cost;
mod crash;
mod damage;
mod faults;
pub(super) mod machine;
mod planted;
mod real;
mod sharing;
mod tables;
mod tree;
