//! Hash functions.

use core::fmt;

/// A hash function by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-1: NAT detection (RFC 7296 section 2.23) and key identifiers only.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// Length of the digest in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A hash function that can run here.
pub trait Hash: Send + Sync + fmt::Debug {
    /// Which function this is.
    fn algorithm(&self) -> HashAlgorithm;

    /// The digest of the concatenation of `parts`.
    fn hash(&self, parts: &[&[u8]]) -> Digest;
}

/// The longest digest in bytes.
pub const MAX_DIGEST_LEN: usize = 64;

/// A digest of up to [`MAX_DIGEST_LEN`] bytes; reads as a byte slice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    bytes: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Digest {
    /// A digest holding a copy of `bytes`, of which at most [`MAX_DIGEST_LEN`] are taken.
    pub fn new(bytes: &[u8]) -> Self {
        let len = bytes.len().min(MAX_DIGEST_LEN);
        let mut digest = Self { bytes: [0; MAX_DIGEST_LEN], len };
        digest.bytes[..len].copy_from_slice(&bytes[..len]);
        digest
    }
}

impl core::ops::Deref for Digest {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
