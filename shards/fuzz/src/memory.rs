//! An allocator that knows how much the calling thread holds, and how often it asked.
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//! ```

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, which counts for each thread.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// What the thread has taken and not given back; below 0 where others' memory was given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static HELD_MAX: Cell<isize> = const { Cell::new(0) };
}

fn took(bytes: usize) {
    CALLS.with(|calls| calls.set(calls.get() + 1));
    let held = HELD.get().saturating_add_unsigned(bytes);
    HELD.set(held);
    HELD_MAX.set(HELD_MAX.get().max(held));
}

fn gave_back(bytes: usize) {
    HELD.set(HELD.get().saturating_sub_unsigned(bytes));
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it only counts and passes on"
)]
// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave_back(layout.size());
        // SAFETY: the pointer came from this allocator, that is from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often some work asked for memory; 0 where [`Counting`] is not the allocator.
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// What some work gave, and the most memory that it held at once, beyond what was held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    HELD_MAX.set(before);
    let done = work();
    (done, HELD_MAX.get().saturating_sub(before).unsigned_abs())
}

/// Whether [`Counting`] is the allocator: without it nothing is known.
pub fn is_counting() -> bool {
    allocations(|| drop(std::hint::black_box(Box::new(1)))) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn the_peak_is_what_was_held_at_once() {
        assert!(is_counting());
        let ((), bytes) = peak(|| {
            for _ in 0..10 {
                drop(std::hint::black_box(vec![7u8; 10_000]));
            }
            let _both = std::hint::black_box((vec![7u8; 20_000], vec![0u8; 30_000]));
        });
        assert!((50_000..50_100).contains(&bytes), "{bytes}");
        assert_eq!(allocations(|| drop(std::hint::black_box(vec![7u8; 100]))), 1);
    }
}
