//! Links every protocol crate into a program that has no standard library: its own entry point, its own
//! panic handler, its own heap. If one of the crates, or anything that they need, wanted `std`, this
//! would not build.
//!
//! It is meant to be linked, not run; `pkits.rs` is the one that runs. [`keep`] holds the crates' main entry
//! points, so that the linker must resolve all that they call, and the size of the result says something
//! about flash.
#![no_std]
#![no_main]

extern crate alloc;

mod heap;
#[cfg(not(target_os = "none"))]
mod unwind;

use core::hint::black_box;
use core::panic::PanicInfo;

#[global_allocator]
static HEAP: heap::Bump<4096> = heap::Bump::new();

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
