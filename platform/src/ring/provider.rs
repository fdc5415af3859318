//! The list of what ring runs, and of what completes it.

use ring::signature as ring_signature;

use super::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use super::digest::{HMAC_SHA2_256, HMAC_SHA2_384, HMAC_SHA2_512, RingHash, RingPrf};
use super::kex::RingKex;
use super::sign::Loader;
use super::verify::RingVerifier;
use crate::Provider;
use crate::hash::HashAlgorithm;
use crate::prf::PrfAlgorithm;
use crate::rustcrypto::{
    AesCmac96, AesXcbc96, CIPHERS, EcdsaVerifier, GMAC, MlDsaVerifier, MlKem768, Modp, RsaVerifier,
    all_aeads, all_gcm,
};
use crate::signature::SignatureScheme;

/// Every algorithm that this crate names: ring's, completed in portable Rust.
///
/// ```
/// use adit_platform::hash::HashAlgorithm;
/// use adit_platform::ring::PROVIDER;
///
/// let sha256 = PROVIDER.hash(HashAlgorithm::Sha256).ok_or("not listed")?;
/// assert_eq!(sha256.hash(&[b"a", b"bc"]), sha256.hash(&[b"abc"]));
/// # Ok::<(), &str>(())
/// ```
pub static PROVIDER: Provider = Provider {
    name: "ring",
    aeads: &all_aeads(all_gcm(&AES_128_GCM, &AES_256_GCM), GMAC, &CHACHA20_POLY1305),
    ciphers: CIPHERS,
    macs: &[&HMAC_SHA2_256, &HMAC_SHA2_384, &HMAC_SHA2_512, &AesXcbc96, &AesCmac96],
    cipher_macs: &[],
    hashes: &[
        &RingHash(HashAlgorithm::Sha1),
        &RingHash(HashAlgorithm::Sha256),
        &RingHash(HashAlgorithm::Sha384),
        &RingHash(HashAlgorithm::Sha512),
    ],
    prfs: &[
        &RingPrf(PrfAlgorithm::HmacSha2_256),
        &RingPrf(PrfAlgorithm::HmacSha2_384),
        &RingPrf(PrfAlgorithm::HmacSha2_512),
    ],
    key_exchanges: &[
        &RingKex::X25519,
        &RingKex::P256,
        &RingKex::P384,
        &Modp::GROUP_14,
        &Modp::GROUP_15,
        &Modp::GROUP_16,
        &MlKem768,
    ],
    verifiers: &[
        &RingVerifier(
            SignatureScheme::RsaPkcs1Sha1,
            &ring_signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ),
        &RingVerifier(SignatureScheme::RsaPkcs1Sha256, &ring_signature::RSA_PKCS1_2048_8192_SHA256),
        &RingVerifier(SignatureScheme::RsaPkcs1Sha384, &ring_signature::RSA_PKCS1_2048_8192_SHA384),
        &RingVerifier(SignatureScheme::RsaPkcs1Sha512, &ring_signature::RSA_PKCS1_2048_8192_SHA512),
        &RsaVerifier(SignatureScheme::RsaPssSha1),
        &RingVerifier(SignatureScheme::RsaPssSha256, &ring_signature::RSA_PSS_2048_8192_SHA256),
        &RingVerifier(SignatureScheme::RsaPssSha384, &ring_signature::RSA_PSS_2048_8192_SHA384),
        &RingVerifier(SignatureScheme::RsaPssSha512, &ring_signature::RSA_PSS_2048_8192_SHA512),
        &RingVerifier(SignatureScheme::EcdsaP256Sha256, &ring_signature::ECDSA_P256_SHA256_ASN1),
        &RingVerifier(SignatureScheme::EcdsaP256Sha384, &ring_signature::ECDSA_P256_SHA384_ASN1),
        &EcdsaVerifier(SignatureScheme::EcdsaP256Sha512),
        &RingVerifier(SignatureScheme::EcdsaP384Sha256, &ring_signature::ECDSA_P384_SHA256_ASN1),
        &RingVerifier(SignatureScheme::EcdsaP384Sha384, &ring_signature::ECDSA_P384_SHA384_ASN1),
        &EcdsaVerifier(SignatureScheme::EcdsaP384Sha512),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha256),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha384),
        &EcdsaVerifier(SignatureScheme::EcdsaP521Sha512),
        &RingVerifier(SignatureScheme::Ed25519, &ring_signature::ED25519),
        &MlDsaVerifier(SignatureScheme::MlDsa44),
        &MlDsaVerifier(SignatureScheme::MlDsa65),
        &MlDsaVerifier(SignatureScheme::MlDsa87),
    ],
    keys: &Loader,
};
