//! What the machine must grant before anything is made: io_uring, locked memory, open files.
//!
//! Each check has its arithmetic in a pure function, takes what it can (soft limits are raised as
//! far as the hard ones allow), and refuses with one line that says what to do.

mod files;
mod memory;
mod uring;

use thiserror::Error;

use self::{files::FilesError, memory::MemoryError, uring::UringError};
pub(crate) use self::{
    files::check as check_open_files, memory::advice as locked_memory, uring::check as check_uring,
};

/// What the machine does not grant.
#[derive(Debug, Error)]
pub(crate) enum PreflightError {
    #[error(transparent)]
    Uring(#[from] UringError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// Checks all for this many reactors and connections. Answers with the bytes of I/O memory that each
/// reactor may register.
pub(crate) fn check(reactors: usize, connections_max: usize) -> Result<usize, PreflightError> {
    let io_memory_bytes = memory::check(reactors)?;
    files::check(connections_max, reactors)?;
    uring::check()?;
    Ok(io_memory_bytes)
}
