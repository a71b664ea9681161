//! Moments as numbers that outlive the process.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whole seconds since 1970; 0 for what was before.
pub(crate) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
