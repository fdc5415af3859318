//! Cryptography in portable Rust, from the crates of the RustCrypto and dalek projects.
//!
//! `PROVIDER` runs wherever rustc has a target: it needs `alloc` and no operating system, C compiler or
//! assembler, and draws randomness from the [`Rng`](crate::Rng) argument alone. On x86-64 and AArch64 the
//! crates find the processor's AES, carry-less multiplication and SHA instructions at run time.
//!
//! The same modules complete the ring provider with what ring lacks.

mod aead;
mod aes_mac;
mod cbc;
mod ctr;
mod digest;
mod ecdsa;
mod gcm;
mod mldsa;
mod mlkem;
mod modp;
mod pkcs8;
mod rsa;
mod rsa_verify;

pub(crate) use aead::{AES_128_GCM_12, AES_192_GCM_12, AES_192_GCM_16, AES_256_GCM_12};
pub(crate) use aes_mac::{AesCmac96, AesXcbc96};
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
pub(crate) use cbc::{AES_128_CBC, AES_192_CBC, AES_256_CBC};
pub(crate) use ecdsa::{EcdsaKey, EcdsaVerifier};
pub(crate) use gcm::{
    AES_128_GCM_8, AES_128_GMAC, AES_192_GCM_8, AES_192_GMAC, AES_256_GCM_8, AES_256_GMAC,
};
pub(crate) use mldsa::{MlDsaKey, MlDsaVerifier};
pub(crate) use mlkem::MlKem768;
pub(crate) use modp::Modp;
pub(crate) use pkcs8::{PrivateKey, read as read_pkcs8};
pub(crate) use rsa::RsaKey;
pub(crate) use rsa_verify::RsaVerifier;

use crate::aead::Aead;
use crate::cipher::Cipher;

/// The ciphers, of which ring has none.
pub(crate) const CIPHERS: &[&dyn Cipher] = &[
    &cbc::AES_128_CBC,
    &cbc::AES_192_CBC,
    &cbc::AES_256_CBC,
    &ctr::AES_128_CTR,
    &ctr::AES_192_CTR,
    &ctr::AES_256_CTR,
];

/// AES-GCM, of which that with tags of 16 bytes and keys of 128 and 256 bits comes from whoever has it
/// faster.
pub(crate) const fn all_gcm(
    gcm_128: &'static dyn Aead,
    gcm_256: &'static dyn Aead,
) -> [&'static dyn Aead; 9] {
    [
        gcm_128,
        &AES_192_GCM_16,
        gcm_256,
        &AES_128_GCM_12,
        &AES_192_GCM_12,
        &AES_256_GCM_12,
        &AES_128_GCM_8,
        &AES_192_GCM_8,
        &AES_256_GCM_8,
    ]
}

/// AES-GMAC.
pub(crate) const GMAC: [&dyn Aead; 3] = [&AES_128_GMAC, &AES_192_GMAC, &AES_256_GMAC];

/// The list of all AEADs, of which GCM, GMAC and ChaCha20-Poly1305 come from whoever has them faster.
pub(crate) const fn all_aeads(
    gcm: [&'static dyn Aead; 9],
    gmac: [&'static dyn Aead; 3],
    chacha: &'static dyn Aead,
) -> [&'static dyn Aead; 22] {
    let [a, b, c, d, e, f, g, h, i] = gcm;
    let [gmac_128, gmac_192, gmac_256] = gmac;
    [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        &aead::AES_128_CCM_16,
        &aead::AES_192_CCM_16,
        &aead::AES_256_CCM_16,
        &aead::AES_128_CCM_12,
        &aead::AES_192_CCM_12,
        &aead::AES_256_CCM_12,
        &aead::AES_128_CCM_8,
        &aead::AES_192_CCM_8,
        &aead::AES_256_CCM_8,
        gmac_128,
        gmac_192,
        gmac_256,
        chacha,
    ]
}

#[cfg(feature = "rustcrypto")]
mod ecdh;
#[cfg(feature = "rustcrypto")]
mod ed25519;
#[cfg(feature = "rustcrypto")]
mod hmac;
#[cfg(feature = "rustcrypto")]
mod provider;
#[cfg(feature = "rustcrypto")]
mod x25519;
#[cfg(feature = "rustcrypto")]
pub use provider::PROVIDER;
