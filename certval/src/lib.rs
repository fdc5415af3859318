//! X.509 path validation and revocation (RFC 5280), sans-IO.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
