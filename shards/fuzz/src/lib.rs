//! Throws damaged bytes at decoders. In plain Rust on a stable compiler: a fuzz target is an ordinary test.
//!
//! ```text
//! seeds ─► pick ─► mutate ─► repair checksums ─► decode ─► refused, accepted; or a fault: the test fails
//!   ▲                                              │
//!   └────────────── a new kind of answer ◄─────────┘
//! ```
//!
//! - `campaign`: that loop, for one decoder.
//! - `mutator`: what is done to bytes.
//! - `memory`: an allocator that knows how much a thread holds.
//! - `watch`: an end to a decoder that finds none.
//!
//! A fault is a panic (an assertion of the target's own, a number that does not fit, an index outside), more memory than
//! the input is worth, or too much time. The same seed gives the same inputs as long as the code is the same.

mod campaign;
mod dice;
pub mod memory;
mod mutator;
mod watch;

pub use campaign::{Campaign, Fault, Tally};
