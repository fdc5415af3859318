//! Digital signatures: verification, and private keys that can sign.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::rng::Rng;

/// A signature algorithm together with its hash and parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5 with SHA-1: legacy RSA authentication method of IKEv2 only, by explicit policy.
    RsaPkcs1Sha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS with SHA-1, MGF1 with the same, salt of 20 bytes: the defaults of RFC 4055 section 3.1. Verified
    /// in certificates only, by explicit policy; no key signs with it.
    RsaPssSha1,
    /// RSASSA-PSS with SHA-256, MGF1 with the same, salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1 with the same, salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, MGF1 with the same, salt of 64 bytes.
    RsaPssSha512,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on P-256 with SHA-384.
    EcdsaP256Sha384,
    /// ECDSA on P-256 with SHA-512.
    EcdsaP256Sha512,
    /// ECDSA on P-384 with SHA-256.
    EcdsaP384Sha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384,
    /// ECDSA on P-384 with SHA-512.
    EcdsaP384Sha512,
    /// ECDSA on P-521 with SHA-256.
    EcdsaP521Sha256,
    /// ECDSA on P-521 with SHA-384.
    EcdsaP521Sha384,
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521Sha512,
    /// Ed25519 (pure), RFC 8032.
    Ed25519,
    /// ML-DSA-44 (pure, empty context), FIPS 204 and RFC 9881.
    MlDsa44,
    /// ML-DSA-65 (pure, empty context), FIPS 204 and RFC 9881.
    MlDsa65,
    /// ML-DSA-87 (pure, empty context), FIPS 204 and RFC 9881.
    MlDsa87,
}

/// A signature algorithm whose signatures can be verified here.
pub trait SignatureVerifier: Send + Sync + fmt::Debug {
    /// Which scheme this is.
    fn scheme(&self) -> SignatureScheme;

    /// Verifies `signature` over `message`.
    ///
    /// `public_key` is the content of the `subjectPublicKey` BIT STRING: an `RSAPublicKey` structure, an
    /// uncompressed point, 32 bytes for Ed25519, or 1312, 1952 or 2592 bytes for ML-DSA. ECDSA signatures
    /// are in their DER form (`ECDSA-Sig-Value`).
    ///
    /// The providers here verify RSA with a modulus of 2048 to 8192 bits and an odd exponent from 3 to
    /// 2<sup>33</sup>.
    ///
    /// # Errors
    /// If the signature is not valid, or the key is malformed or of a size that is not accepted.
    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature>;
}

/// The signature does not verify under this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidSignature;

impl fmt::Display for InvalidSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl core::error::Error for InvalidSignature {}

/// Reads private keys into a form that can sign.
pub trait KeyLoader: Send + Sync + fmt::Debug {
    /// Loads an unencrypted PKCS#8 `PrivateKeyInfo` in DER (RFC 5958): RSA of 2048 to 4096 bits, EC (P-256,
    /// P-384, P-521), Ed25519, or ML-DSA as a seed, alone or with the expanded key (RFC 9881 section 6). An
    /// expanded ML-DSA key without its seed is not supported.
    ///
    /// # Errors
    /// If the structure is malformed or the key is of a kind that this provider cannot use.
    fn load_pkcs8(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, KeyError>;
}

/// A private key that signs here, in software. (Keys on cards and in clouds sign through an ask.)
pub trait SigningKey: Send + Sync + fmt::Debug {
    /// The schemes that this key can sign with, the preferred one first.
    fn schemes(&self) -> &[SignatureScheme];

    /// The content of the `subjectPublicKey` BIT STRING of the matching public key.
    fn public_key(&self) -> &[u8];

    /// Signs `message`. ECDSA signatures come in their DER form.
    ///
    /// # Errors
    /// If the scheme is not one of [`schemes`](Self::schemes), or the random source fails.
    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError>;
}

/// A private key could not be loaded or used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The DER is not a PKCS#8 private key, or its numbers do not fit together.
    Malformed,
    /// The key's kind or size is not supported by this provider.
    Unsupported,
    /// The key cannot sign with the scheme that was asked for.
    WrongScheme,
    /// The host's random source failed.
    Rng,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed PKCS#8 private key",
            Self::Unsupported => "private key of an unsupported kind or size",
            Self::WrongScheme => "the key cannot sign with this scheme",
            Self::Rng => "the host's random source failed",
        })
    }
}

impl core::error::Error for KeyError {}
