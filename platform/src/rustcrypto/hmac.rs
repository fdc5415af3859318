//! HMAC-SHA2 as integrity algorithm and as pseudorandom function: RFC 4868.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use ::hmac::{EagerHash, Hmac, KeyInit, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::aead::InvalidKeyLength;
use crate::mac::{Mac, MacAlgorithm, MacError, MacKey};
use crate::prf::{Prf, PrfAlgorithm, PrfKey};
use crate::secret::Secret;

/// An integrity algorithm: HMAC whose output is cut to half.
pub(super) struct HmacMac<D>(MacAlgorithm, PhantomData<fn() -> D>);

pub(super) static HMAC_SHA2_256: HmacMac<Sha256> =
    HmacMac(MacAlgorithm::HmacSha2_256_128, PhantomData);
pub(super) static HMAC_SHA2_384: HmacMac<Sha384> =
    HmacMac(MacAlgorithm::HmacSha2_384_192, PhantomData);
pub(super) static HMAC_SHA2_512: HmacMac<Sha512> =
    HmacMac(MacAlgorithm::HmacSha2_512_256, PhantomData);

impl<D> fmt::Debug for HmacMac<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HmacMac").field(&self.0).finish()
    }
}

impl<D> Mac for HmacMac<D>
where
    D: EagerHash + 'static,
    Hmac<D>: Send + Sync,
{
    fn algorithm(&self) -> MacAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength> {
        let expected = self.0.key_len();
        if key.len() != expected {
            return Err(InvalidKeyLength { expected, given: key.len() });
        }
        Ok(Box::new(Key::<D>::new(key)))
    }
}

/// A pseudorandom function: HMAC in full length.
#[derive(Debug)]
pub(super) struct HmacPrf(pub(super) PrfAlgorithm);

impl Prf for HmacPrf {
    fn algorithm(&self) -> PrfAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Box<dyn PrfKey> {
        match self.0 {
            PrfAlgorithm::HmacSha2_256 => Box::new(Key::<Sha256>::new(key)),
            PrfAlgorithm::HmacSha2_384 => Box::new(Key::<Sha384>::new(key)),
            PrfAlgorithm::HmacSha2_512 => Box::new(Key::<Sha512>::new(key)),
        }
    }
}

/// The two hash states that stand after the inner and the outer padded key; each use starts from a
/// copy of them. Wiped on drop by the `hmac` crate (its feature `zeroize`).
struct Key<D: EagerHash>(Hmac<D>);

impl<D: EagerHash> Key<D> {
    fn new(key: &[u8]) -> Self {
        // HMAC takes keys of every length (RFC 2104 section 2), so that this cannot fail.
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    /// Hands the full tag to `then` and wipes it.
    fn tag<R>(&self, parts: &[&[u8]], then: impl FnOnce(&[u8]) -> R) -> R {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        let mut tag = mac.finalize().into_bytes();
        let result = then(&tag);
        tag.as_mut_slice().zeroize();
        result
    }
}

impl<D> MacKey for Key<D>
where
    D: EagerHash,
    Hmac<D>: Send + Sync,
{
    fn sign(&self, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), MacError> {
        self.tag(parts, |full| {
            if tag.len() != full.len() / 2 {
                return Err(MacError);
            }
            tag.copy_from_slice(&full[..full.len() / 2]);
            Ok(())
        })
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacError> {
        self.tag(parts, |full| match full[..full.len() / 2].ct_eq(tag).into() {
            true => Ok(()),
            false => Err(MacError),
        })
    }
}

impl<D> PrfKey for Key<D>
where
    D: EagerHash,
    Hmac<D>: Send + Sync,
{
    fn compute(&self, parts: &[&[u8]]) -> Secret {
        self.tag(parts, Secret::copy_from)
    }
}
