//! Hash functions, and HMAC as integrity algorithm and as pseudorandom function (RFC 4868).

use alloc::boxed::Box;
use core::hint::black_box;

use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use crate::aead::InvalidKeyLength;
use crate::hash::{Digest, Hash, HashAlgorithm};
use crate::mac::{Mac, MacAlgorithm, MacError, MacKey};
use crate::prf::{Prf, PrfAlgorithm, PrfKey};
use crate::secret::Secret;

/// A hash function of ring.
#[derive(Debug)]
pub(super) struct RingHash(pub(super) HashAlgorithm);

impl Hash for RingHash {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(match self.0 {
            HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            HashAlgorithm::Sha256 => &digest::SHA256,
            HashAlgorithm::Sha384 => &digest::SHA384,
            HashAlgorithm::Sha512 => &digest::SHA512,
        });
        for part in parts {
            context.update(part);
        }
        Digest::new(context.finish().as_ref())
    }
}

/// An integrity algorithm, under our name and ring's: HMAC whose output is cut to half.
#[derive(Debug)]
pub(crate) struct RingMac(pub(super) MacAlgorithm, pub(super) &'static hmac::Algorithm);

pub(crate) static HMAC_SHA2_256: RingMac =
    RingMac(MacAlgorithm::HmacSha2_256_128, &hmac::HMAC_SHA256);
pub(crate) static HMAC_SHA2_384: RingMac =
    RingMac(MacAlgorithm::HmacSha2_384_192, &hmac::HMAC_SHA384);
pub(crate) static HMAC_SHA2_512: RingMac =
    RingMac(MacAlgorithm::HmacSha2_512_256, &hmac::HMAC_SHA512);

impl Mac for RingMac {
    fn algorithm(&self) -> MacAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength> {
        let expected = self.0.key_len();
        if key.len() != expected {
            return Err(InvalidKeyLength { expected, given: key.len() });
        }
        Ok(Box::new(Key(hmac::Key::new(*self.1, key))))
    }
}

/// A pseudorandom function: HMAC in full length.
#[derive(Debug)]
pub(super) struct RingPrf(pub(super) PrfAlgorithm);

impl Prf for RingPrf {
    fn algorithm(&self) -> PrfAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Box<dyn PrfKey> {
        let algorithm = match self.0 {
            PrfAlgorithm::HmacSha2_256 => hmac::HMAC_SHA256,
            PrfAlgorithm::HmacSha2_384 => hmac::HMAC_SHA384,
            PrfAlgorithm::HmacSha2_512 => hmac::HMAC_SHA512,
        };
        Box::new(Key(hmac::Key::new(algorithm, key)))
    }
}

/// The two hash states that stand after the inner and the outer padded key.
struct Key(hmac::Key);

impl Key {
    fn tag(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }
}

impl MacKey for Key {
    fn sign(&self, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), MacError> {
        let full = self.tag(parts);
        let full = full.as_ref();
        if tag.len() != full.len() / 2 {
            return Err(MacError);
        }
        tag.copy_from_slice(&full[..full.len() / 2]);
        Ok(())
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacError> {
        let full = self.tag(parts);
        let full = full.as_ref();
        match full[..full.len() / 2].ct_eq(tag).into() {
            true => Ok(()),
            false => Err(MacError),
        }
    }
}

impl PrfKey for Key {
    fn compute(&self, parts: &[&[u8]]) -> Secret {
        Secret::copy_from(self.tag(parts).as_ref())
    }
}

/// ring does not wipe: the states of an empty key take the place of the real ones. They are SHA-512's
/// whatever these were, because those are the longest and leave no gap.
impl Drop for Key {
    fn drop(&mut self) {
        self.0 = hmac::Key::new(hmac::HMAC_SHA512, &[]);
        // Keeps the compiler from leaving out a write that nothing reads.
        black_box(&mut self.0);
    }
}
