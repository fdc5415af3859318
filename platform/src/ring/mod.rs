//! Cryptography by the `ring` crate, completed in portable Rust.
//!
//! ring brings AES-GCM, ChaCha20-Poly1305, SHA and HMAC, X25519, P-256 and P-384, verification of
//! nearly every scheme, and signing with RSA, Ed25519 and the usual ECDSA pairs. What it lacks comes from
//! the modules behind `rustcrypto`: AES in CBC, CTR and CCM, AES-GCM with keys of 192 bits or short tags,
//! GMAC, AES-XCBC and AES-CMAC, the MODP groups, ML-KEM-768, ECDSA with a hash of another size than the
//! curve and on P-521, ML-DSA, and RSA signatures with SHA-1.
//!
//! Two things about ring that an embedder should know:
//!
//! - **Randomness.** ring does not take a caller's source. Its X25519, P-256 and P-384 key pairs, and
//!   the randomness in its ECDSA and RSA signatures, come from the operating system. Everything else
//!   uses the [`Rng`](crate::Rng) argument. A host that must supply all randomness itself, or that
//!   replays runs to the byte, takes `rustcrypto::PROVIDER`.
//! - **Wiping.** ring never wipes. AEAD, HMAC, X25519, P-256, P-384 and EC signing keys are
//!   overwritten here with a key of no value when they are dropped. The parts of an RSA key and the
//!   inside of an Ed25519 key that ring keeps cannot be reached and are not wiped, nor are ring's
//!   temporaries on the stack.

mod aead;
mod digest;
mod kex;
mod provider;
mod sign;
mod verify;

pub use provider::PROVIDER;

#[cfg(feature = "simd")]
pub(crate) use aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
pub(crate) use digest::{HMAC_SHA2_256, HMAC_SHA2_384, HMAC_SHA2_512};
