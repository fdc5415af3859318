//! The ring provider with code of our own where packets are short or many, or the processor is new.
//!
//! - **AES-GCM.** ring prepares every packet as if it were long; at 64 bytes that costs three times what
//!   the processor needs. Here a packet is sealed and opened in registers, with the key schedule and the powers
//!   of the hash key kept in the key, which makes one of about a kilobyte beside ring's own. How long a text
//!   may be depends on the processor: 576 bytes, 2048 with VAES, and with VAES and AVX-512 up to 65,536, which
//!   is every packet. A longer one goes to ring. Keys of 192 bits and tags shorter than 16 bytes, which ring does
//!   not have, are taken up to 65,536 bytes on every processor, and by RustCrypto beyond. Sealing out of place
//!   ([`AeadKey::seal_to`](crate::aead::AeadKey::seal_to)) reads a text of more than 512 bytes
//!   once and writes it once; a shorter one is faster copied.
//! - **AES-GMAC**, for packets of every length.
//! - **AES-CBC with HMAC-SHA2 for batches** ([`cipher_mac`](crate::cipher_mac)): with HMAC-SHA2-256, 4 packets
//!   at a time with the instructions for SHA-256, and without those 16 with AVX-512 and 8 with AVX2; with
//!   HMAC-SHA2-384 and -512, 8 with AVX-512 and 4 with AVX2.
//!
//! Everything else of [`PROVIDER`] is ring's, and so are the notes in [`crate::ring`].
//!
//! What the processor has is asked at run time. On x86-64, GCM and GMAC need AES-NI, PCLMULQDQ and AVX. They
//! take two blocks in a register with VAES and VPCLMULQDQ, and four with AVX-512 (F, BW and VL) as well;
//! batches need AES-NI and AVX2. On AArch64, GCM and GMAC need AES and PMULL, and there are no batches.
//! Elsewhere [`PROVIDER`] does what [`ring::PROVIDER`] does. Results are the same to the byte in any case. The
//! text of a forged packet that was taken here is overwritten with zeros.

use crate::Provider;
use crate::aead::Aead;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::aead::AeadAlgorithm;
use crate::cipher_mac::CipherMac;
use crate::ring;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::rustcrypto::{self, all_aeads};
#[cfg(target_arch = "x86_64")]
use crate::rustcrypto::{AES_128_CBC, AES_192_CBC, AES_256_CBC};

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod cbc_hmac;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod gcm;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod source;
#[cfg(target_arch = "x86_64")]
mod x86;

/// The ring provider, with code of our own for AES-GCM and for batches.
///
/// ```
/// use adit_platform::aead::AeadAlgorithm;
/// use adit_platform::{ring, simd};
///
/// let mut packets = [*b"a short packet, then room for the tag...", [0; 40]];
/// packets[1] = packets[0];
/// for (provider, packet) in [&simd::PROVIDER, &ring::PROVIDER].into_iter().zip(&mut packets) {
///     let aead = provider.aead(AeadAlgorithm::Aes128Gcm16).ok_or("not listed")?;
///     aead.key(&[7; 16])?.seal(&[1; 12], b"header", packet)?;
/// }
/// assert_eq!(packets[0], packets[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub static PROVIDER: Provider =
    Provider { name: "simd", aeads: AEADS, cipher_macs: CIPHER_MACS, ..ring::PROVIDER };

#[cfg(target_arch = "x86_64")]
const CIPHER_MACS: &[&dyn CipherMac] = &[
    &cbc_hmac::AesCbcHmac(&AES_128_CBC, &ring::HMAC_SHA2_256),
    &cbc_hmac::AesCbcHmac(&AES_192_CBC, &ring::HMAC_SHA2_256),
    &cbc_hmac::AesCbcHmac(&AES_256_CBC, &ring::HMAC_SHA2_256),
    &cbc_hmac::AesCbcHmac(&AES_128_CBC, &ring::HMAC_SHA2_384),
    &cbc_hmac::AesCbcHmac(&AES_192_CBC, &ring::HMAC_SHA2_384),
    &cbc_hmac::AesCbcHmac(&AES_256_CBC, &ring::HMAC_SHA2_384),
    &cbc_hmac::AesCbcHmac(&AES_128_CBC, &ring::HMAC_SHA2_512),
    &cbc_hmac::AesCbcHmac(&AES_192_CBC, &ring::HMAC_SHA2_512),
    &cbc_hmac::AesCbcHmac(&AES_256_CBC, &ring::HMAC_SHA2_512),
];

#[cfg(not(target_arch = "x86_64"))]
const CIPHER_MACS: &[&dyn CipherMac] = &[];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const AEADS: &[&dyn Aead] = {
    use AeadAlgorithm::*;
    use gcm::{AesGcm, AesGmac};
    const GCM: [&dyn Aead; 9] = [
        &AesGcm(Aes128Gcm16, &ring::AES_128_GCM),
        &AesGcm(Aes192Gcm16, &rustcrypto::AES_192_GCM_16),
        &AesGcm(Aes256Gcm16, &ring::AES_256_GCM),
        &AesGcm(Aes128Gcm12, &rustcrypto::AES_128_GCM_12),
        &AesGcm(Aes192Gcm12, &rustcrypto::AES_192_GCM_12),
        &AesGcm(Aes256Gcm12, &rustcrypto::AES_256_GCM_12),
        &AesGcm(Aes128Gcm8, &rustcrypto::AES_128_GCM_8),
        &AesGcm(Aes192Gcm8, &rustcrypto::AES_192_GCM_8),
        &AesGcm(Aes256Gcm8, &rustcrypto::AES_256_GCM_8),
    ];
    const GMAC: [&dyn Aead; 3] = [
        &AesGmac(Aes128Gmac, &rustcrypto::AES_128_GMAC),
        &AesGmac(Aes192Gmac, &rustcrypto::AES_192_GMAC),
        &AesGmac(Aes256Gmac, &rustcrypto::AES_256_GMAC),
    ];
    &all_aeads(GCM, GMAC, &ring::CHACHA20_POLY1305)
};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const AEADS: &[&dyn Aead] = ring::PROVIDER.aeads;
