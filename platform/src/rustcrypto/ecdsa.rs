//! ECDSA on P-256, P-384 and P-521 with any SHA-2.

use alloc::vec::Vec;

use ::ecdsa::hazmat::sign_prehashed_rfc6979;
use p256::NistP256;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p384::NistP384;
use p521::NistP521;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::digest::digest;
use crate::hash::HashAlgorithm;
use crate::rng::Rng;
use crate::signature::{
    InvalidSignature, KeyError, SignatureScheme, SignatureVerifier, SigningKey,
};

/// Verifies one of the ECDSA schemes.
#[derive(Debug)]
pub(crate) struct EcdsaVerifier(pub(crate) SignatureScheme);

impl SignatureVerifier for EcdsaVerifier {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // Only the uncompressed form: RFC 5480 section 2.2, and what ring takes.
        if public_key.first() != Some(&4) {
            return Err(InvalidSignature);
        }
        let (curve, hash) = parameters(self.0).ok_or(InvalidSignature)?;
        let prehash = digest(hash, &[message]);
        let valid = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(public_key).and_then(|key| {
                let signature = p256::ecdsa::Signature::from_der(signature)?;
                key.verify_prehash(&prehash, &signature)
            }),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(public_key).and_then(|key| {
                let signature = p384::ecdsa::Signature::from_der(signature)?;
                key.verify_prehash(&prehash, &signature)
            }),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(public_key).and_then(|key| {
                let signature = p521::ecdsa::Signature::from_der(signature)?;
                key.verify_prehash(&prehash, &signature)
            }),
        };
        valid.map_err(|_| InvalidSignature)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

fn parameters(scheme: SignatureScheme) -> Option<(Curve, HashAlgorithm)> {
    Some(match scheme {
        SignatureScheme::EcdsaP256Sha256 => (Curve::P256, HashAlgorithm::Sha256),
        SignatureScheme::EcdsaP256Sha384 => (Curve::P256, HashAlgorithm::Sha384),
        SignatureScheme::EcdsaP256Sha512 => (Curve::P256, HashAlgorithm::Sha512),
        SignatureScheme::EcdsaP384Sha256 => (Curve::P384, HashAlgorithm::Sha256),
        SignatureScheme::EcdsaP384Sha384 => (Curve::P384, HashAlgorithm::Sha384),
        SignatureScheme::EcdsaP384Sha512 => (Curve::P384, HashAlgorithm::Sha512),
        SignatureScheme::EcdsaP521Sha256 => (Curve::P521, HashAlgorithm::Sha256),
        SignatureScheme::EcdsaP521Sha384 => (Curve::P521, HashAlgorithm::Sha384),
        SignatureScheme::EcdsaP521Sha512 => (Curve::P521, HashAlgorithm::Sha512),
        _ => return None,
    })
}

/// An EC private key, wiped on drop.
pub(crate) struct EcdsaKey {
    scalar: Scalar,
    public: Vec<u8>,
}

enum Scalar {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

impl EcdsaKey {
    pub(crate) fn p256(key: p256::SecretKey) -> Self {
        let public = key.public_key().to_sec1_bytes().into_vec();
        Self { scalar: Scalar::P256(key), public }
    }

    pub(crate) fn p384(key: p384::SecretKey) -> Self {
        let public = key.public_key().to_sec1_bytes().into_vec();
        Self { scalar: Scalar::P384(key), public }
    }

    pub(crate) fn p521(key: p521::SecretKey) -> Self {
        let public = key.public_key().to_sec1_bytes().into_vec();
        Self { scalar: Scalar::P521(key), public }
    }

    fn curve(&self) -> Curve {
        match self.scalar {
            Scalar::P256(_) => Curve::P256,
            Scalar::P384(_) => Curve::P384,
            Scalar::P521(_) => Curve::P521,
        }
    }
}

impl core::fmt::Debug for EcdsaKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.curve() {
            Curve::P256 => "EcdsaKey(P-256)",
            Curve::P384 => "EcdsaKey(P-384)",
            Curve::P521 => "EcdsaKey(P-521)",
        })
    }
}

/// Signs with the nonce of RFC 6979, `$extra` mixed in by its section 3.6.
macro_rules! sign {
    ($key:expr, $curve:ty, $hash:expr, $prehash:expr, $extra:expr) => {{
        let scalar = $key.to_nonzero_scalar();
        let (signature, _) = match $hash {
            HashAlgorithm::Sha384 => {
                sign_prehashed_rfc6979::<$curve, Sha384>(&scalar, $prehash, $extra)
            }
            HashAlgorithm::Sha512 => {
                sign_prehashed_rfc6979::<$curve, Sha512>(&scalar, $prehash, $extra)
            }
            // No scheme combines ECDSA with SHA-1.
            HashAlgorithm::Sha1 | HashAlgorithm::Sha256 => {
                sign_prehashed_rfc6979::<$curve, Sha256>(&scalar, $prehash, $extra)
            }
        };
        signature.to_der().as_bytes().to_vec()
    }};
}

impl SigningKey for EcdsaKey {
    fn schemes(&self) -> &[SignatureScheme] {
        match self.curve() {
            Curve::P256 => &[
                SignatureScheme::EcdsaP256Sha256,
                SignatureScheme::EcdsaP256Sha384,
                SignatureScheme::EcdsaP256Sha512,
            ],
            Curve::P384 => &[
                SignatureScheme::EcdsaP384Sha384,
                SignatureScheme::EcdsaP384Sha512,
                SignatureScheme::EcdsaP384Sha256,
            ],
            Curve::P521 => &[
                SignatureScheme::EcdsaP521Sha512,
                SignatureScheme::EcdsaP521Sha384,
                SignatureScheme::EcdsaP521Sha256,
            ],
        }
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        let (curve, hash) = parameters(scheme).ok_or(KeyError::WrongScheme)?;
        if curve != self.curve() {
            return Err(KeyError::WrongScheme);
        }
        let prehash = digest(hash, &[message]);
        // The nonce depends on key, message and fresh randomness: neither a weak random source nor a
        // fault that repeats a computation gives the key away.
        let mut extra = Zeroizing::new([0; 32]);
        rng.fill(&mut *extra).map_err(|_| KeyError::Rng)?;
        Ok(match &self.scalar {
            Scalar::P256(key) => sign!(key, NistP256, hash, &prehash, &*extra),
            Scalar::P384(key) => sign!(key, NistP384, hash, &prehash, &*extra),
            Scalar::P521(key) => sign!(key, NistP521, hash, &prehash, &*extra),
        })
    }
}
