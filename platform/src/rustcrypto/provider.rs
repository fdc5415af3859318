//! The list of what runs in portable Rust.

use alloc::sync::Arc;

use super::aead::{AES_128_GCM_16, AES_256_GCM_16, CHACHA20_POLY1305};
use super::digest::Hash;
use super::ecdh::{P256, P384};
use super::ed25519::{Ed25519Key, Ed25519Verifier};
use super::hmac::{HMAC_SHA2_256, HMAC_SHA2_384, HMAC_SHA2_512, HmacPrf};
use super::x25519::X25519;
use super::{
    AesCmac96, AesXcbc96, CIPHERS, EcdsaKey, EcdsaVerifier, GMAC, MlDsaVerifier, MlKem768, Modp,
    PrivateKey, RsaKey, RsaVerifier, all_aeads, all_gcm, read_pkcs8,
};
use crate::Provider;
use crate::hash::HashAlgorithm;
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
    aeads: &all_aeads(all_gcm(&AES_128_GCM_16, &AES_256_GCM_16), GMAC, &CHACHA20_POLY1305),
    ciphers: CIPHERS,
    macs: &[&HMAC_SHA2_256, &HMAC_SHA2_384, &HMAC_SHA2_512, &AesXcbc96, &AesCmac96],
    cipher_macs: &[],
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
        &RsaVerifier(SignatureScheme::RsaPssSha1),
        &RsaVerifier(SignatureScheme::RsaPssSha256),
        &RsaVerifier(SignatureScheme::RsaPssSha384),
        &RsaVerifier(SignatureScheme::RsaPssSha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha512),
        &Ed25519Verifier,
        &MlDsaVerifier(SignatureScheme::MlDsa44),
        &MlDsaVerifier(SignatureScheme::MlDsa65),
        &MlDsaVerifier(SignatureScheme::MlDsa87),
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
            PrivateKey::P521(key) => Arc::new(EcdsaKey::p521(key)),
            PrivateKey::MlDsa(key) => Arc::new(key),
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
