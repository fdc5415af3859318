//! An allocator for programs without an operating system.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A heap of which only the newest block is given back: enough for a program that is not run, or not for long.
pub(crate) struct Bump<const SIZE: usize> {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

impl<const SIZE: usize> Bump<SIZE> {
    pub(crate) const fn new() -> Self {
        Self { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) }
    }
}

// SAFETY: each byte of `memory` is handed out at most once at a time, decided by the atomic `used`.
unsafe impl<const SIZE: usize> Sync for Bump<SIZE> {}

// SAFETY: `alloc` returns null or a block inside of `memory`, aligned and never handed out twice at a time.
unsafe impl<const SIZE: usize> GlobalAlloc for Bump<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let place = |used: usize| {
            let begin = (base as usize + used).checked_next_multiple_of(layout.align())?;
            let end = (begin - base as usize).checked_add(layout.size())?;
            (end <= SIZE).then_some(end)
        };
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place) {
            // SAFETY: `place` found that the whole block lies inside of `memory`.
            Ok(used) => unsafe {
                base.add((base as usize + used).next_multiple_of(layout.align()) - base as usize)
            },
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let begin = block as usize - self.memory.get() as usize;
        // Fails if anything came after; the block is then lost.
        let _ = self.used.compare_exchange(
            begin + layout.size(),
            begin,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
