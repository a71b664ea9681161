//! Batches across shards, as `docs/explanation/transactions.md` has them: a model of the protocol, in which every state that
//! can be reached is looked at.
//!
//! ```text
//! world    what there is, and what may go wrong how often         search    all states, nearest first
//! state    one moment: disks, memory, what the clients know       check     what must be true in each of them
//! step     what may happen next                                   history   an order that explains all answers
//! batch, write, look, flush, crash    who takes which step
//! ```
//!
//! Letters arrive late and in any order. Loads and stores of words that reactors share are steps of their own where there are
//! snapshots. Everything that one shard does between two waits is one step.
//!
//! `AMATERS_MODEL=full` searches larger worlds (`docs/explanation/testing.md`).

mod batch;
mod bugs;
mod check;
mod crash;
mod flush;
mod history;
mod locks;
mod log;
mod look;
mod model;
mod planted;
mod search;
mod searched;
mod state;
mod step;
mod world;
mod write;
