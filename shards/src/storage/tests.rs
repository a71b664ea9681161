//! The engine as a whole: over the simulated disk, where everything may fail, and over the real one.

mod crash;
mod machine;
