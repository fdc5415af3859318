//! IPsec remote access: a sans-IO gateway and client, and a tokio driver.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
