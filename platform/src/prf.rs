//! Pseudorandom functions, RFC 7296 section 2.13.

use alloc::boxed::Box;
use core::fmt;

use crate::secret::Secret;

/// A pseudorandom function by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum PrfAlgorithm {
    /// PRF_HMAC_SHA2_256, RFC 4868.
    HmacSha2_256,
    /// PRF_HMAC_SHA2_384, RFC 4868.
    HmacSha2_384,
    /// PRF_HMAC_SHA2_512, RFC 4868.
    HmacSha2_512,
}

impl PrfAlgorithm {
    /// Length of the output, and the preferred length of the key, in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::HmacSha2_256 => 32,
            Self::HmacSha2_384 => 48,
            Self::HmacSha2_512 => 64,
        }
    }
}

/// A pseudorandom function that can run here.
pub trait Prf: Send + Sync + fmt::Debug {
    /// Which function this is.
    fn algorithm(&self) -> PrfAlgorithm;

    /// Prepares `key`, of any length.
    fn key(&self, key: &[u8]) -> Box<dyn PrfKey>;

    /// `prf(key, parts[0] | parts[1] | …)` for a key that is used once.
    fn compute(&self, key: &[u8], parts: &[&[u8]]) -> Secret {
        self.key(key).compute(parts)
    }
}

/// A prepared key of a pseudorandom function. Wiped on drop.
pub trait PrfKey: Send + Sync {
    /// `prf(key, parts[0] | parts[1] | …)`, [`PrfAlgorithm::output_len`] bytes.
    fn compute(&self, parts: &[&[u8]]) -> Secret;
}
