//! Verification of RSA signatures: RSASSA-PKCS1-v1_5 and RSASSA-PSS, RFC 8017.

use rsa::pkcs1::der::Decode;
use rsa::{BigUint, RsaPublicKey};

use super::digest::digest;
use super::rsa::{Padding, parameters, pkcs1, pss};
use crate::signature::{InvalidSignature, SignatureScheme, SignatureVerifier};

/// Sizes of modulus accepted for verification, in bits: the same as ring's. The lower bound is NIST
/// SP 800-131A's; the upper one bounds the work that a stranger's certificate can cause.
const VERIFY_BITS: core::ops::RangeInclusive<usize> = 2048..=8192;

/// Verifies one of the RSA schemes.
#[derive(Debug)]
pub(crate) struct RsaVerifier(pub(crate) SignatureScheme);

impl SignatureVerifier for RsaVerifier {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = read_public(public_key).ok_or(InvalidSignature)?;
        let (padding, hash) = parameters(self.0).ok_or(InvalidSignature)?;
        let prehash = digest(hash, &[message]);
        let valid = match padding {
            Padding::Pkcs1 => key.verify(pkcs1(hash), &prehash, signature),
            Padding::Pss => key.verify(pss(hash), &prehash, signature),
        };
        valid.map_err(|_| InvalidSignature)
    }
}

fn read_public(der: &[u8]) -> Option<RsaPublicKey> {
    let key = rsa::pkcs1::RsaPublicKey::from_der(der).ok()?;
    let n = BigUint::from_bytes_be(key.modulus.as_bytes());
    let e = BigUint::from_bytes_be(key.public_exponent.as_bytes());
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // The exponents that ring takes: odd, at least 3, below 2^33.
    let sound = odd(key.modulus.as_bytes())
        && odd(key.public_exponent.as_bytes())
        && e.bits() >= 2
        && VERIFY_BITS.contains(&n.bits());
    if !sound {
        return None;
    }
    RsaPublicKey::new_with_max_size(n, e, *VERIFY_BITS.end()).ok()
}
