//! Integrity algorithms, with the truncation that IKEv2 and ESP use.

use alloc::boxed::Box;
use core::fmt;

use crate::aead::InvalidKeyLength;

/// An integrity algorithm by name.
///
/// RFC 8221 (ESP) and RFC 8247 (IKEv2) have HMAC-SHA2-256 as MUST, HMAC-SHA2-512 as SHOULD, and AES-XCBC as
/// SHOULD for small devices alone and MAY elsewhere; the others are MAY.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum MacAlgorithm {
    /// AUTH_HMAC_SHA2_256_128, RFC 4868.
    HmacSha2_256_128,
    /// AUTH_HMAC_SHA2_384_192, RFC 4868.
    HmacSha2_384_192,
    /// AUTH_HMAC_SHA2_512_256, RFC 4868.
    HmacSha2_512_256,
    /// AUTH_AES_XCBC_96, RFC 3566.
    AesXcbc96,
    /// AUTH_AES_CMAC_96, RFC 4494.
    AesCmac96,
}

impl MacAlgorithm {
    /// Every integrity algorithm that has a name here. This is no recommendation.
    pub const ALL: &[Self] = &[
        Self::HmacSha2_256_128,
        Self::HmacSha2_384_192,
        Self::HmacSha2_512_256,
        Self::AesXcbc96,
        Self::AesCmac96,
    ];

    /// Length of the key in bytes: for HMAC the hash's output, RFC 4868 section 2.1.1.
    pub const fn key_len(self) -> usize {
        match self {
            Self::HmacSha2_256_128 => 32,
            Self::HmacSha2_384_192 => 48,
            Self::HmacSha2_512_256 => 64,
            Self::AesXcbc96 | Self::AesCmac96 => 16,
        }
    }

    /// Length of the truncated tag (ICV) in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::HmacSha2_256_128 => 16,
            Self::HmacSha2_384_192 => 24,
            Self::HmacSha2_512_256 => 32,
            Self::AesXcbc96 | Self::AesCmac96 => 12,
        }
    }
}

/// An integrity algorithm that can run here.
pub trait Mac: Send + Sync + fmt::Debug {
    /// Which algorithm this is.
    fn algorithm(&self) -> MacAlgorithm;

    /// Prepares `key`, which is [`MacAlgorithm::key_len`] bytes long.
    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength>;
}

/// A prepared integrity key. Wiped on drop.
pub trait MacKey: Send + Sync {
    /// Writes the truncated tag over the concatenation of `parts` into `tag`.
    ///
    /// # Errors
    /// If `tag` is not [`MacAlgorithm::tag_len`] bytes long.
    fn sign(&self, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), MacError>;

    /// Compares the truncated tag over the concatenation of `parts` with `tag`, in constant time.
    ///
    /// # Errors
    /// If they differ, in length or in content.
    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacError>;
}

/// The tag does not verify, or has the wrong length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MacError;

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("integrity check failed")
    }
}

impl core::error::Error for MacError {}
