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
//!
//! # Providers
//!
//! Without features this crate has no algorithm at all, only their interfaces. Each feature adds one
//! provider, and every provider lists every algorithm:
//!
//! | feature | provider | for |
//! |---|---|---|
//! | `ring` | `ring::PROVIDER` | servers, desktops, phones: assembly by the `ring` crate |
//! | `simd` | `simd::PROVIDER` | the same with faster AES-GCM for short packets, AES-GMAC, and AES-CBC in batches |
//! | `rustcrypto` | `rustcrypto::PROVIDER` | firmware and everything else: pure Rust, no operating system |
//!
//! A host with its own engine implements the traits for it and lists it in a [`Provider`] of its own.
//!
#![cfg_attr(feature = "rustcrypto", doc = "```")]
#![cfg_attr(not(feature = "rustcrypto"), doc = "```text")]
//! use adit_platform::kex::KexAlgorithm;
//! use adit_platform::mac::MacAlgorithm;
//! use adit_platform::prf::PrfAlgorithm;
//! use adit_platform::rng::{Rng, RngError};
//! use adit_platform::{Provider, rustcrypto};
//!
//! /// Both sides of a key exchange, and a message that one authenticates and the other checks.
//! fn handshake(provider: &Provider, rng: &mut dyn Rng) -> Result<(), Box<dyn std::error::Error>> {
//!     let method = provider.key_exchange(KexAlgorithm::X25519).ok_or("no X25519")?;
//!     let initiator = method.start(rng)?;
//!     let responder = method.respond(rng, initiator.public())?;
//!     let shared = initiator.complete(&responder.public)?;
//!     assert_eq!(shared, responder.shared);
//!
//!     let prf = provider.prf(PrfAlgorithm::HmacSha2_256).ok_or("no PRF")?;
//!     let key = prf.compute(shared.expose(), &[b"label", b"context"]);
//!     let mac = provider.mac(MacAlgorithm::HmacSha2_256_128).ok_or("no MAC")?;
//!     let key = mac.key(key.expose())?;
//!     let mut tag = [0; 16];
//!     key.sign(&[b"message"], &mut tag)?;
//!     key.verify(&[b"mess", b"age"], &tag)?;
//!     Ok(())
//! }
//!
//! # struct Example(u8);
//! # impl Rng for Example {
//! #     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
//! #         out.iter_mut().for_each(|byte| { self.0 = self.0.wrapping_add(77); *byte = self.0 });
//! #         Ok(())
//! #     }
//! # }
//! # let mut rng = Example(1);
//! handshake(&rustcrypto::PROVIDER, &mut rng)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod aead;
pub mod cipher;
pub mod cipher_mac;
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
#[cfg(feature = "simd")]
pub mod simd;

pub use provider::Provider;
pub use rng::Rng;
pub use secret::Secret;
pub use suite::Suite;
pub use time::{Instant, UnixTime};
