//! ESP (RFC 4303): the packet path, in place and without allocation.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
