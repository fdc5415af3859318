//! Private keys that sign.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::rng::Rng;
use crate::rustcrypto::{EcdsaKey, PrivateKey, RsaKey, read_pkcs8};
use crate::signature::{KeyError, KeyLoader, SignatureScheme, SigningKey};

/// Loads keys that sign with ring where ring can, and in portable Rust where not.
#[derive(Debug)]
pub(super) struct Loader;

impl KeyLoader for Loader {
    fn load_pkcs8(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, KeyError> {
        Ok(match read_pkcs8(der)? {
            PrivateKey::Rsa(pkcs1, schemes) => Arc::new(Rsa {
                portable: RsaKey::from_pkcs1(pkcs1, schemes)?,
                // ring refuses odd sizes and small exponents, which the portable code takes.
                ring: RsaKeyPair::from_der(pkcs1).ok(),
            }),
            PrivateKey::P256(key) => {
                let scalar = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
                Arc::new(Ecdsa::new(&P256, &*scalar, EcdsaKey::p256(key))?)
            }
            PrivateKey::P384(key) => {
                let scalar = Zeroizing::new(<[u8; 48]>::from(key.to_bytes()));
                Arc::new(Ecdsa::new(&P384, &*scalar, EcdsaKey::p384(key))?)
            }
            PrivateKey::P521(key) => Arc::new(EcdsaKey::p521(key)),
            PrivateKey::MlDsa(key) => Arc::new(key),
            PrivateKey::Ed25519(seed, public) => {
                let pair = match public {
                    Some(public) => Ed25519KeyPair::from_seed_and_public_key(&*seed, public),
                    None => Ed25519KeyPair::from_seed_unchecked(&*seed),
                };
                Arc::new(Ed25519(pair.map_err(|_| KeyError::Malformed)?))
            }
        })
    }
}

struct Rsa {
    ring: Option<RsaKeyPair>,
    portable: RsaKey,
}

/// The padding by which ring signs with `scheme`, if it does.
fn rsa_encoding(scheme: SignatureScheme) -> Option<&'static dyn RsaEncoding> {
    Some(match scheme {
        SignatureScheme::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1Sha384 => &RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &RSA_PKCS1_SHA512,
        SignatureScheme::RsaPssSha256 => &RSA_PSS_SHA256,
        SignatureScheme::RsaPssSha384 => &RSA_PSS_SHA384,
        SignatureScheme::RsaPssSha512 => &RSA_PSS_SHA512,
        _ => return None,
    })
}

impl fmt::Debug for Rsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.portable.fmt(f)
    }
}

impl SigningKey for Rsa {
    fn schemes(&self) -> &[SignatureScheme] {
        self.portable.schemes()
    }

    fn public_key(&self) -> &[u8] {
        self.portable.public_key()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        if !self.schemes().contains(&scheme) {
            return Err(KeyError::WrongScheme);
        }
        let (Some(pair), Some(encoding)) = (&self.ring, rsa_encoding(scheme)) else {
            return self.portable.sign(scheme, message, rng);
        };
        let mut signature = vec![0; pair.public().modulus_len()];
        // With a modulus of 2048 bits or more, what can fail is the operating system's randomness.
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| KeyError::Rng)?;
        Ok(signature)
    }
}

/// A curve with the one hash that ring signs with on it.
struct Curve {
    ring: &'static EcdsaSigningAlgorithm,
    scheme: SignatureScheme,
}

static P256: Curve =
    Curve { ring: &ECDSA_P256_SHA256_ASN1_SIGNING, scheme: SignatureScheme::EcdsaP256Sha256 };
static P384: Curve =
    Curve { ring: &ECDSA_P384_SHA384_ASN1_SIGNING, scheme: SignatureScheme::EcdsaP384Sha384 };

struct Ecdsa {
    curve: &'static Curve,
    pair: EcdsaKeyPair,
    portable: EcdsaKey,
}

impl Ecdsa {
    fn new(curve: &'static Curve, scalar: &[u8], portable: EcdsaKey) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            curve.ring,
            scalar,
            portable.public_key(),
            &SystemRandom::new(),
        )
        .map_err(|_| KeyError::Malformed)?;
        Ok(Self { curve, pair, portable })
    }
}

impl fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.portable.fmt(f)
    }
}

impl SigningKey for Ecdsa {
    fn schemes(&self) -> &[SignatureScheme] {
        self.portable.schemes()
    }

    fn public_key(&self) -> &[u8] {
        self.portable.public_key()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        if scheme != self.curve.scheme {
            return self.portable.sign(scheme, message, rng);
        }
        match self.pair.sign(&SystemRandom::new(), message) {
            Ok(signature) => Ok(signature.as_ref().to_vec()),
            Err(_) => Err(KeyError::Rng),
        }
    }
}

struct Ed25519(Ed25519KeyPair);

impl fmt::Debug for Ed25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key")
    }
}

impl SigningKey for Ed25519 {
    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::Ed25519]
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Ed25519 needs no randomness: RFC 8032 section 5.1.6.
    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        if scheme != SignatureScheme::Ed25519 {
            return Err(KeyError::WrongScheme);
        }
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}
