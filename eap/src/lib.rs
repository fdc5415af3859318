//! EAP (RFC 3748) peer, authenticator and methods, sans-IO.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
