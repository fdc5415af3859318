//! Signature verification.

use core::fmt;

use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};

use crate::signature::{InvalidSignature, SignatureScheme, SignatureVerifier};

/// A signature scheme that ring verifies. RSA keys have 2048 to 8192 bits.
pub(super) struct RingVerifier(
    pub(super) SignatureScheme,
    pub(super) &'static dyn VerificationAlgorithm,
);

impl fmt::Debug for RingVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SignatureVerifier for RingVerifier {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.1, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }
}
