//! What a host supplies to the Adit crates, as plain values and small traits.
//!
//! No protocol crate reads a clock, draws randomness or links a cryptographic library by itself.
//! They take these instead:
//!
//! | module | what the host brings |
//! |---|---|
//! | [`time`] | [`Instant`] for deadlines, [`UnixTime`] for certificate dates |
//! | [`rng`] | [`Rng`], a source of unpredictable bytes |
//! | [`secret`] | [`Secret`], the only place in which key material is kept |
//! | [`provider`] | [`Provider`], the list of algorithms that can run here |
//!
//! The algorithms themselves are described by one small trait each: [`aead`], [`cipher`], [`mac`],
//! [`hash`], [`prf`], [`kex`] and [`signature`]. A provider is a value and not a type parameter, so
//! that an embedder chooses, narrows or completes it at run time without a generic in sight.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod aead;
pub mod cipher;
pub mod hash;
pub mod kex;
pub mod mac;
pub mod prf;
pub mod provider;
pub mod rng;
pub mod secret;
pub mod signature;
pub mod suite;
pub mod time;

#[cfg(feature = "ring")]
pub mod ring;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;
// Parts of it complete the ring provider.
#[cfg(all(feature = "ring", not(feature = "rustcrypto")))]
mod rustcrypto;

pub use provider::Provider;
pub use rng::Rng;
pub use secret::Secret;
pub use suite::Suite;
pub use time::{Instant, UnixTime};
