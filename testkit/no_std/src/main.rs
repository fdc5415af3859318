//! Links every protocol crate into a program that has no standard library: its own entry point, its own
//! panic handler, its own heap. If one of the crates, or anything that they need, wanted `std`, this
//! would not build.
//!
//! It is meant to be linked, not run. [`keep`] holds the crates' main entry points, so that the linker
//! must resolve all that they call, and the size of the result says something about flash.
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where the program would begin.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    black_box(&adit_platform::rustcrypto::PROVIDER);
    keep(adit_certval::Verifier::verify as *const ());
    keep(adit_eap::Authenticator::handle as *const ());
    keep(adit_eap::Peer::handle as *const ());
    keep(adit_esp::Outbound::seal as *const ());
    keep(adit_esp::Inbound::open as *const ());
    keep(adit_ikev2::Endpoint::handle_datagram as *const ());
    keep(adit_radius::Client::handle_datagram as *const ());
    loop {
        core::hint::spin_loop();
    }
}

/// Makes the linker believe that this function is called.
fn keep(function: *const ()) {
    black_box(function);
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// A heap that is never given back: enough for a program that is not run.
struct Bump<const SIZE: usize> {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

#[global_allocator]
static HEAP: Bump<4096> = Bump { memory: UnsafeCell::new([0; 4096]), used: AtomicUsize::new(0) };

// SAFETY: each byte of `memory` is handed out at most once, decided by the atomic `used`.
unsafe impl<const SIZE: usize> Sync for Bump<SIZE> {}

// SAFETY: `alloc` returns null or a block inside of `memory`, aligned and never handed out twice.
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

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
