//! What must not harm a server: crashes, enemies, crowds, a full disk.
//!
//! What runs here by itself is the short form; an environment variable makes it the long one
//! (docs/explanation/testing.md). They run one at a time, because each loads the machine.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod bank;
mod client;
mod connections;
mod endure;
mod full_disk;
mod histories;
mod hostile;
mod kills;
mod life;
mod reshard;
mod sharded;
mod value;

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other of these tests runs.
fn alone() -> MutexGuard<'static, ()> {
    // One that failed leaves nothing behind that could harm the next.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
