//! Ed25519 (pure): RFC 8032, RFC 8420.

use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, VerifyingKey};

use crate::rng::Rng;
use crate::signature::{
    InvalidSignature, KeyError, SignatureScheme, SignatureVerifier, SigningKey,
};

/// Verifies Ed25519, strictly: keys and commitments of small order are refused.
#[derive(Debug)]
pub(super) struct Ed25519Verifier;

impl SignatureVerifier for Ed25519Verifier {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::Ed25519
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let public_key = public_key.try_into().map_err(|_| InvalidSignature)?;
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_slice(signature).map_err(|_| InvalidSignature)?;
        key.verify_strict(message, &signature).map_err(|_| InvalidSignature)
    }
}

/// An Ed25519 private key, wiped on drop.
pub(super) struct Ed25519Key {
    key: ed25519_dalek::SigningKey,
    public: [u8; 32],
}

impl Ed25519Key {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        Self { key, public }
    }
}

impl core::fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ed25519Key")
    }
}

impl SigningKey for Ed25519Key {
    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::Ed25519]
    }

    fn public_key(&self) -> &[u8] {
        &self.public
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
        Ok(self.key.sign(message).to_vec())
    }
}
