//! RADIUS client (RFC 2865, RFC 3579), sans-IO.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
