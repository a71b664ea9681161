//! The allocator, and a count of what it was asked for (feature `count-allocations`).
//!
//! For measurements: the counters are shared by all threads, so such a build is a little slower.
//! Numbers only grow; freeing is not counted.

#![expect(unsafe_code, reason = "an allocator has no other face")]

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Counting = Counting { count: AtomicU64::new(0), bytes: AtomicU64::new(0) };

struct Counting {
    count: AtomicU64,
    bytes: AtomicU64,
}

/// What the process has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocations {
    /// Calls.
    pub(crate) count: u64,
    /// Bytes; a growing block counts whole each time.
    pub(crate) bytes: u64,
}

/// Since the start.
pub(crate) fn so_far() -> Allocations {
    Allocations { count: ALLOCATOR.count.load(Relaxed), bytes: ALLOCATOR.bytes.load(Relaxed) }
}

impl Counting {
    fn note(&self, bytes: usize) {
        self.count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

// SAFETY: every call goes to `MiMalloc` as it came, so its promises are ours; counting neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller promises what `MiMalloc` asks for.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.note(bytes);
        // SAFETY: as above; `block` came from `MiMalloc`, as all blocks do.
        unsafe { MiMalloc.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_with_its_bytes_and_again_when_it_grows() {
        let before = so_far();
        let mut block: Vec<u8> = Vec::with_capacity(10_000);
        block.reserve_exact(20_000);
        drop(std::hint::black_box(block));
        let after = so_far();
        assert!(after.count >= before.count + 2);
        assert!(after.bytes >= before.bytes + 30_000);
    }
}
