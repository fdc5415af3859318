//! The list of what runs in portable Rust.

use alloc::sync::Arc;

use super::aead::RustAead;
use super::digest::Hash;
use super::ecdh::{P256, P384};
use super::ed25519::{Ed25519Key, Ed25519Verifier};
use super::hmac::{HmacMac, HmacPrf};
use super::rsa_verify::RsaVerifier;
use super::x25519::X25519;
use super::{AesCbc, EcdsaKey, EcdsaVerifier, MlKem768, Modp, PrivateKey, RsaKey, read_pkcs8};
use crate::Provider;
use crate::aead::AeadAlgorithm;
use crate::cipher::CipherAlgorithm;
use crate::hash::HashAlgorithm;
use crate::mac::MacAlgorithm;
use crate::prf::PrfAlgorithm;
use crate::signature::{KeyError, KeyLoader, SignatureScheme, SigningKey};

/// Every algorithm that this crate names, in portable Rust.
///
/// ```
/// use adit_platform::aead::AeadAlgorithm;
/// use adit_platform::rustcrypto::PROVIDER;
///
/// let aead = PROVIDER.aead(AeadAlgorithm::ChaCha20Poly1305).ok_or("not listed")?;
/// let key = aead.key(&[7; 32])?;
/// let mut packet = *b"secret text|................";
/// key.seal(&[1; 12], b"header", &mut packet)?;
/// key.open(&[1; 12], b"header", &mut packet)?;
/// assert_eq!(&packet[..12], b"secret text|");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub static PROVIDER: Provider = Provider {
    name: "rustcrypto",
    aeads: &[
        &RustAead(AeadAlgorithm::Aes128Gcm16),
        &RustAead(AeadAlgorithm::Aes256Gcm16),
        &RustAead(AeadAlgorithm::ChaCha20Poly1305),
    ],
    ciphers: &[&AesCbc(CipherAlgorithm::Aes128Cbc), &AesCbc(CipherAlgorithm::Aes256Cbc)],
    macs: &[
        &HmacMac(MacAlgorithm::HmacSha2_256_128),
        &HmacMac(MacAlgorithm::HmacSha2_384_192),
        &HmacMac(MacAlgorithm::HmacSha2_512_256),
    ],
    hashes: &[
        &Hash(HashAlgorithm::Sha1),
        &Hash(HashAlgorithm::Sha256),
        &Hash(HashAlgorithm::Sha384),
        &Hash(HashAlgorithm::Sha512),
    ],
    prfs: &[
        &HmacPrf(PrfAlgorithm::HmacSha2_256),
        &HmacPrf(PrfAlgorithm::HmacSha2_384),
        &HmacPrf(PrfAlgorithm::HmacSha2_512),
    ],
    key_exchanges: &[
        &X25519,
        &P256,
        &P384,
        &Modp::GROUP_14,
        &Modp::GROUP_15,
        &Modp::GROUP_16,
        &MlKem768,
    ],
    verifiers: &[
        &RsaVerifier(SignatureScheme::RsaPkcs1Sha1),
        &RsaVerifier(SignatureScheme::RsaPkcs1Sha256),
        &RsaVerifier(SignatureScheme::RsaPkcs1Sha384),
        &RsaVerifier(SignatureScheme::RsaPkcs1Sha512),
        &RsaVerifier(SignatureScheme::RsaPssSha256),
        &RsaVerifier(SignatureScheme::RsaPssSha384),
        &RsaVerifier(SignatureScheme::RsaPssSha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha512),
        &Ed25519Verifier,
    ],
    keys: &Loader,
};

/// Loads keys that sign in portable Rust.
#[derive(Debug)]
struct Loader;

impl KeyLoader for Loader {
    fn load_pkcs8(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, KeyError> {
        Ok(match read_pkcs8(der)? {
            PrivateKey::Rsa(pkcs1, schemes) => Arc::new(RsaKey::from_pkcs1(pkcs1, schemes)?),
            PrivateKey::P256(key) => Arc::new(EcdsaKey::p256(key)),
            PrivateKey::P384(key) => Arc::new(EcdsaKey::p384(key)),
            PrivateKey::Ed25519(seed, public) => {
                let key = Ed25519Key::new(&seed);
                if public.is_some_and(|public| public != key.public_key()) {
                    return Err(KeyError::Malformed);
                }
                Arc::new(key)
            }
        })
    }
}
