//! What the toolchain's `alloc` refers to on a host, because it was compiled to unwind. Programs with
//! `panic = "abort"` never come here.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    unreachable!("nothing unwinds")
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unreachable!("nothing unwinds")
}
