//! Signing with RSA: RSASSA-PKCS1-v1_5 and RSASSA-PSS, RFC 8017.
//!
//! The `rsa` crate computes; its private operations are blinded, because they are not constant-time
//! by themselves (RUSTSEC-2023-0071).

use alloc::vec::Vec;

use rsa::pkcs1::der::{Decode, Encode};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPrivateKey};
use zeroize::Zeroizing;

use super::digest::digest;
use crate::hash::HashAlgorithm;
use crate::rng::Rng;
use crate::signature::{KeyError, SignatureScheme, SigningKey};

/// Sizes of modulus accepted for signing, in bits: the largest is what the `rsa` crate loads.
const SIGN_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;

#[derive(Clone, Copy)]
pub(super) enum Padding {
    Pkcs1,
    Pss,
}

pub(super) fn parameters(scheme: SignatureScheme) -> Option<(Padding, HashAlgorithm)> {
    Some(match scheme {
        SignatureScheme::RsaPkcs1Sha1 => (Padding::Pkcs1, HashAlgorithm::Sha1),
        SignatureScheme::RsaPkcs1Sha256 => (Padding::Pkcs1, HashAlgorithm::Sha256),
        SignatureScheme::RsaPkcs1Sha384 => (Padding::Pkcs1, HashAlgorithm::Sha384),
        SignatureScheme::RsaPkcs1Sha512 => (Padding::Pkcs1, HashAlgorithm::Sha512),
        SignatureScheme::RsaPssSha1 => (Padding::Pss, HashAlgorithm::Sha1),
        SignatureScheme::RsaPssSha256 => (Padding::Pss, HashAlgorithm::Sha256),
        SignatureScheme::RsaPssSha384 => (Padding::Pss, HashAlgorithm::Sha384),
        SignatureScheme::RsaPssSha512 => (Padding::Pss, HashAlgorithm::Sha512),
        _ => return None,
    })
}

/// What comes before the digest in a `DigestInfo`: RFC 8017 section 9.2, note 1.
fn digest_info(hash: HashAlgorithm) -> &'static [u8] {
    match hash {
        HashAlgorithm::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        HashAlgorithm::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        HashAlgorithm::Sha384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        HashAlgorithm::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    }
}

pub(super) fn pkcs1(hash: HashAlgorithm) -> Pkcs1v15Sign {
    Pkcs1v15Sign { hash_len: Some(hash.output_len()), prefix: digest_info(hash).into() }
}

/// Salt as long as the hash, RFC 4055 section 3.1 and RFC 7427 appendix A.4; blinded when signing.
pub(super) fn pss(hash: HashAlgorithm) -> Pss {
    use rsa::sha2::{Sha256, Sha384, Sha512};
    match hash {
        HashAlgorithm::Sha1 => Pss::new_blinded::<rsa_sha1::Sha1>(),
        HashAlgorithm::Sha256 => Pss::new_blinded::<Sha256>(),
        HashAlgorithm::Sha384 => Pss::new_blinded::<Sha384>(),
        HashAlgorithm::Sha512 => Pss::new_blinded::<Sha512>(),
    }
}

/// An RSA private key, wiped on drop.
pub(crate) struct RsaKey {
    key: RsaPrivateKey,
    public: Vec<u8>,
    schemes: &'static [SignatureScheme],
}

impl RsaKey {
    /// Loads an `RSAPrivateKey` structure (RFC 8017 appendix A.1.2) that may sign with `schemes`.
    pub(crate) fn from_pkcs1(
        der: &[u8],
        schemes: &'static [SignatureScheme],
    ) -> Result<Self, KeyError> {
        let parts = rsa::pkcs1::RsaPrivateKey::from_der(der).map_err(|_| KeyError::Malformed)?;
        if parts.other_prime_infos.is_some() {
            return Err(KeyError::Unsupported);
        }
        let number = |bytes: &[u8]| BigUint::from_bytes_be(bytes);
        let n = number(parts.modulus.as_bytes());
        if !SIGN_BITS.contains(&n.bits()) {
            return Err(KeyError::Unsupported);
        }
        let public = parts.public_key().to_der().map_err(|_| KeyError::Malformed)?;
        let key = RsaPrivateKey::from_components(
            n,
            number(parts.public_exponent.as_bytes()),
            number(parts.private_exponent.as_bytes()),
            Vec::from([number(parts.prime1.as_bytes()), number(parts.prime2.as_bytes())]),
        )
        .map_err(|_| KeyError::Malformed)?;
        // Equal primes have no inverse of each other; without it nothing can be signed.
        if key.qinv().is_none() {
            return Err(KeyError::Malformed);
        }
        Ok(Self { key, public, schemes })
    }
}

impl core::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RsaKey({} bits)", self.key.n().bits())
    }
}

impl SigningKey for RsaKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.schemes
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
        if !self.schemes.contains(&scheme) {
            return Err(KeyError::WrongScheme);
        }
        let (padding, hash) = parameters(scheme).ok_or(KeyError::WrongScheme)?;
        let prehash = digest(hash, &[message]);
        let mut rng = Expander::seed(rng)?;
        let signature = match padding {
            Padding::Pkcs1 => self.key.sign_with_rng(&mut rng, pkcs1(hash), &prehash),
            Padding::Pss => self.key.sign_with_rng(&mut rng, pss(hash), &prehash),
        };
        // What remains is a key whose numbers do not fit together: the crate checks its result
        // against the public key.
        signature.map_err(|_| KeyError::Malformed)
    }
}

/// Randomness that cannot fail any more: one seed of the host's, expanded by SHA-256 in counter mode.
///
/// The `rsa` crate draws salt and blinding from a source that it takes to be infallible; a host's
/// source may fail, and must then fail the signature and not panic.
struct Expander {
    seed: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Expander {
    fn seed(rng: &mut dyn Rng) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill(&mut *seed).map_err(|_| KeyError::Rng)?;
        Ok(Self { seed, counter: 0 })
    }
}

impl rsa::rand_core::RngCore for Expander {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rsa::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = digest(HashAlgorithm::Sha256, &[&*self.seed, &self.counter.to_be_bytes()]);
            self.counter = self.counter.wrapping_add(1);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Expander {}
