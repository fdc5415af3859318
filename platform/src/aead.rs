//! Authenticated encryption with associated data, RFC 5116.

use alloc::boxed::Box;
use core::fmt;

/// An AEAD algorithm by name, with the parameters that IKEv2 and ESP fix for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum AeadAlgorithm {
    /// AES-128 in GCM with a 16-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes128Gcm16,
    /// AES-256 in GCM with a 16-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes256Gcm16,
    /// ChaCha20-Poly1305: RFC 7634.
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Length of the cipher key in bytes, without the salt.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm16 => 16,
            Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length in bytes of the salt that keying material carries after the key: RFC 4106 section 8.1,
    /// RFC 7634 section 2.
    pub const fn salt_len(self) -> usize {
        4
    }

    /// Length of the tag (ICV) in bytes.
    pub const fn tag_len(self) -> usize {
        16
    }
}

/// Length of an AEAD nonce in bytes: salt and explicit IV together.
pub const NONCE_LEN: usize = 12;

/// An AEAD algorithm that can run here.
pub trait Aead: Send + Sync + fmt::Debug {
    /// Which algorithm this is.
    fn algorithm(&self) -> AeadAlgorithm;

    /// Prepares `key`, which is [`AeadAlgorithm::key_len`] bytes long (no salt).
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength>;
}

/// A prepared AEAD key. Wiped on drop.
pub trait AeadKey: Send + Sync {
    /// Seals in place: `in_out` is the plaintext followed by room for the tag; on return, the ciphertext
    /// followed by the tag. The same nonce must never be used twice with one key.
    ///
    /// # Errors
    /// If `in_out` is shorter than the tag or longer than the algorithm allows.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8])
    -> Result<(), AeadError>;

    /// Opens in place: `in_out` is the ciphertext followed by the tag; on success its front holds the
    /// plaintext, `in_out.len() - tag_len` bytes of it. On failure the content of `in_out` is
    /// unspecified and must not be used.
    ///
    /// # Errors
    /// If the tag does not verify, or `in_out` is shorter than the tag.
    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8])
    -> Result<(), AeadError>;
}

/// Sealing or opening failed. Deliberately says no more: RFC 5116 section 2.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AeadError;

impl fmt::Display for AeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authenticated encryption failed")
    }
}

impl core::error::Error for AeadError {}

/// A key of the wrong length was given to an algorithm: misuse by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidKeyLength {
    /// The length that the algorithm takes, in bytes.
    pub expected: usize,
    /// The length that was given, in bytes.
    pub given: usize,
}

impl fmt::Display for InvalidKeyLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key of {} bytes, but the algorithm takes {}", self.given, self.expected)
    }
}

impl core::error::Error for InvalidKeyLength {}
