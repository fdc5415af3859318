//! IKEv2 (RFC 7296) as sans-IO state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod fragment;
pub mod keys;
pub mod negotiate;
pub mod wire;
