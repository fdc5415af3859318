//! Cryptography in portable Rust, from the crates of the RustCrypto and dalek projects.
//!
//! `PROVIDER` runs wherever rustc has a target: it needs `alloc` and no operating system, C compiler or
//! assembler, and draws randomness from the [`Rng`](crate::Rng) argument alone. On x86-64 and AArch64 the
//! crates find the processor's AES, carry-less multiplication and SHA instructions at run time.
//!
//! The same modules complete the ring provider with what ring lacks.

mod cbc;
mod digest;
mod ecdsa;
mod mlkem;
mod modp;
mod pkcs8;
mod rsa;

pub(crate) use cbc::AesCbc;
pub(crate) use ecdsa::{EcdsaKey, EcdsaVerifier};
pub(crate) use mlkem::MlKem768;
pub(crate) use modp::Modp;
pub(crate) use pkcs8::{PrivateKey, read as read_pkcs8};
pub(crate) use rsa::RsaKey;

#[cfg(feature = "rustcrypto")]
mod aead;
#[cfg(feature = "rustcrypto")]
mod ecdh;
#[cfg(feature = "rustcrypto")]
mod ed25519;
#[cfg(feature = "rustcrypto")]
mod hmac;
#[cfg(feature = "rustcrypto")]
mod provider;
#[cfg(feature = "rustcrypto")]
mod rsa_verify;
#[cfg(feature = "rustcrypto")]
mod x25519;
#[cfg(feature = "rustcrypto")]
pub use provider::PROVIDER;
