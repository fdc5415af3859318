//! A global allocator that counts, for tests and benches that promise something about the heap.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

/// The system's allocator, counting what each thread asks of it.
///
/// ```
/// use adit_testkit::alloc::{Counting, allocations, live_bytes};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let (count, bytes) = (allocations(), live_bytes());
/// let kept = vec![0_u8; 1000];
/// assert_eq!(allocations() - count, 1);
/// assert_eq!(live_bytes() - bytes, 1000);
/// # drop(kept);
/// ```
#[derive(Debug)]
pub struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// How often this thread has asked for memory, reallocations included.
///
/// Always 0 unless [`Counting`] is the program's global allocator.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread has asked for and not given back. Memory that is given back by another
/// thread than asked for it counts against that one.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}

fn count(allocations: u64, bytes: i64) {
    // A thread that is being torn down has no counters any more; what it does then is not counted.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

#[expect(unsafe_code, reason = "the allocator interface is unsafe")]
// SAFETY: every call is passed on to the system's allocator as it came; counting allocates nothing,
// because the counters are constant-initialised.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promises are the ones that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
